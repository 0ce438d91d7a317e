import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { dimension, type Size } from "../base/size.ts";
import {
  add,
  array,
  broadcastTo,
  check,
  customGradient,
  greater,
  layerNormalization,
  like,
  mul,
  parameter,
  readState,
  scalar,
  scan,
  sum,
} from "../ops/index.ts";
import type { GraphFunction } from "./function.ts";
import type { Node } from "./node.ts";
import { State } from "./state.ts";
import { structureOf } from "./structure.ts";
import { Trace, withTrace } from "./trace.ts";

const traced = (parts: () => Partial<GraphFunction>): GraphFunction =>
  withTrace(new Trace("compiled"), () => ({
    ...{ name: "f", parameters: [], results: [], assignments: [] },
    ...parts(),
  }));
const textOf = (parts: () => Partial<GraphFunction>): string => structureOf(traced(parts))!.text;
const vector = (size: Size = 4): Node => parameter({ shape: [size], dtype: "f32" });
const stateOf = (name: string, size = 4): State =>
  new State(name, { shape: [size], dtype: "f32" }, new Float32Array(size));

describe("the structure of a function", () => {
  it("is the same text for another process's nodes, states, dimensions and arrays", () => {
    const build = () => {
      const time = dimension("time", { max: 8 });
      const [weight, mean] = [stateOf("weight"), stateOf("mean")];
      const constant = { dtype: "f32" as const, shape: [4], data: Float32Array.of(1, 2, 3, 4) };
      const fn = traced(() => {
        const x = parameter({ shape: [time, 4], dtype: "f32" });
        const next = mul(readState(weight), add(array(constant), readState(mean)));
        const stacked = scan([next], [x], ([total], [row]) => ({ carry: [add(total!, row!)] }));
        return { parameters: [x], results: [sum(x, 0), stacked.carry[0]!], assignments: [[mean, next]] };
      });
      return { fn, weight, mean, constant };
    };
    const [a, b] = [build(), build()];
    const [left, right] = [structureOf(a.fn)!, structureOf(b.fn)!];
    expect(left.text).toBe(right.text);
    expect(left.states).toEqual([a.weight, a.mean]);
    expect(right.states).toEqual([b.weight, b.mean]);
    expect(left.arrays[0]).toMatchObject({ data: a.constant.data });
    expect(left.nodes).toHaveLength(right.nodes.length);
  });

  it("tells values that are computed again by their numbers", () => {
    const text = () =>
      textOf(() => {
        const [x, weight] = [parameter({ shape: [3, 4], dtype: "f32" }), vector()];
        const y = layerNormalization(x, 1e-5, { weight });
        return { parameters: [x, weight], results: gradients(sum(mul(y, y)), [x, weight]) };
      });
    expect(text()).toBe(text());
    expect(text()).toContain("again(");
  });

  it("differs with everything that a program may depend on", () => {
    const [first, second] = [stateOf("a"), stateOf("b")];
    const constant = (...data: number[]) => ({
      dtype: "f32" as const,
      shape: [data.length],
      data: Float32Array.from(data),
    });
    const sized = (name: string, max: number) => () => {
      const x = vector(dimension(name, { max }));
      return { parameters: [x], results: [sum(x, 0)] };
    };
    const scaled = (by: number) => () => {
      const x = vector();
      return { parameters: [x], results: [mul(x, like(x, by))] };
    };
    const functions: (() => Partial<GraphFunction>)[] = [
      scaled(1),
      scaled(-0),
      scaled(0),
      scaled(Number.NaN),
      () => ({ ...scaled(1)(), name: "g" }),
      () => {
        const x = vector(5);
        return { parameters: [x], results: [mul(x, like(x, 1))] };
      },
      () => {
        const [x, y] = [vector(), vector()];
        return { parameters: [x, y], results: [mul(x, y)] };
      },
      () => {
        const [x, y] = [vector(), vector()];
        return { parameters: [x, y], results: [mul(y, x)] };
      },
      () => {
        const [x, y] = [vector(), vector()];
        return { parameters: [x, y], results: [mul(x, y), mul(x, y)] };
      },
      sized("time", 8),
      sized("time", 9),
      sized("space", 8),
      () => ({ results: [array(constant(1, 2))] }),
      () => ({ results: [array(constant(1, 3))] }),
      () => ({ results: [mul(array(constant(1, 2)), array(constant(1, 2)))] }),
      () => {
        const same = array(constant(1, 2));
        return { results: [mul(same, same)] };
      },
      () => ({ results: [mul(readState(first), readState(first))] }),
      () => ({ results: [mul(readState(first), readState(second))] }),
      () => ({ assignments: [[first, readState(second)]] }),
      () => ({
        assignments: [
          [first, readState(second)],
          [second, readState(first)],
        ],
      }),
      () => {
        const x = vector();
        return { parameters: [x], results: [check(x, greater(x, like(x, 0)), "one")] };
      },
      () => {
        const x = vector();
        return { parameters: [x], results: [check(x, greater(x, like(x, 0)), "another")] };
      },
    ];
    expect(new Set(functions.map(textOf)).size).toBe(functions.length);
  });

  it("leaves out how gradients flow, and does not exist where text cannot tell", () => {
    const plain = structureOf(
      traced(() => {
        const x = vector();
        return { parameters: [x], results: [customGradient(mul(x, x), [x], (g) => [g])] };
      }),
    );
    expect(plain?.text).toContain("customGradient(");
    const stray = vector();
    expect(structureOf(traced(() => ({ results: [stray] })))).toBeUndefined();
    const large = { dtype: "f32" as const, shape: [100_000], data: new Float32Array(100_000) };
    expect(structureOf(traced(() => ({ results: [array(large)] })))).toBeUndefined();
    expect(textOf(() => ({ results: [broadcastTo(scalar(1, "f32"), [3])] }))).toContain(
      "broadcast(0,)shape:[3,]",
    );
  });
});
