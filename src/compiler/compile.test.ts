import { expect, it } from "vitest";
import { interpret } from "../codegen/interpreter/index.ts";
import type { Node } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { printProgram } from "../ir/print.ts";
import { wasmTarget } from "../ir/target.ts";
import {
  add,
  broadcastTo,
  div,
  dot,
  full,
  lessEqual,
  mul,
  parameter,
  permute,
  reshape,
  scalar,
  select,
  sub,
  sum,
  transpose,
} from "../ops/index.ts";
import { evaluateProgram } from "../testing/program-evaluator.ts";
import { compileProgram } from "./compile.ts";

function check(shapes: number[][], build: (...x: Node[]) => Node[], show = false) {
  withTrace(new Trace("compiled"), () => {
    const parameters = shapes.map((shape, i) => parameter({ shape, dtype: "f32" }, `x${i}`));
    const results = build(...parameters);
    const fn = { name: "test", parameters, results, assignments: [] };
    const program = compileProgram(fn, { target: wasmTarget });
    if (show) console.log(printProgram(program));
    const inputs = shapes.map((shape, s) =>
      Float32Array.from(
        { length: shape.reduce((a, b) => a * b, 1) },
        (_, i) => Math.sin(i * 12.9898 + s) * 2,
      ),
    );
    const got = evaluateProgram(program, { inputs });
    const want = interpret(
      fn as never,
      inputs.map((data, i) => ({ shape: shapes[i]!, dtype: "f32", data: Float64Array.from(data) })) as never,
    ) as any;
    got.results.forEach((r, i) => {
      const w = want.results[i].data;
      expect(r.length).toBe(w.length);
      r.forEach((x, j) => {
        expect(Math.abs(x - w[j])).toBeLessThan(1e-5 * (1 + Math.abs(w[j])));
      });
    });
  });
}

it("maps", () =>
  check(
    [
      [32, 64],
      [32, 64],
    ],
    (x, y) => [mul(add(x!, y!), x!)],
  ));
it("broadcast", () =>
  check([[32, 64], [64]], (x, y) => [mul(add(x!, broadcastTo(y!, [32, 64])), full([32, 64], 2, "f32"))]));
it("row", () =>
  check(
    [[32, 10]],
    (x) => {
      const s = broadcastTo(reshape(sum(x!, 1), [32, 1]), [32, 10]);
      const c = sub(x!, div(s, full([32, 10], 10, "f32")));
      const v = sum(mul(c, c), 1);
      return [div(c, broadcastTo(reshape(v, [32, 1]), [32, 10])), v];
    },
    true,
  ));
it("column", () => check([[32, 70]], (x) => [sum(x!, 0), sum(mul(x!, x!), 0)]));
it("all", () => check([[33, 70]], (x) => [sum(mul(x!, x!)), sum(x!, 1)]));
it("long", () => check([[40000]], (x) => [sum(x!)]));
it("longcolumn", () => check([[4000, 5]], (x) => [sum(x!, 0)]));
it("transpose", () => check([[33, 70]], (x) => [transpose(x!), reshape(transpose(x!), [2310])]));
it("middle", () => check([[3, 4, 5]], (x) => [sum(x!, 1), sum(x!, [0, 2]), permute(x!, [2, 0, 1])]));
it("mlp", () =>
  check(
    [[8, 20], [20, 12], [12]],
    (x, w, b) => {
      const z = add(dot(x!, w!), broadcastTo(b!, [8, 12]));
      const zero = full([8, 12], 0, "f32");
      const mask = lessEqual(z, zero);
      const h = select(mask, zero, z);
      const loss = sum(h);
      const g = select(mask, zero, full([8, 12], 1, "f32"));
      const dw = dot(transpose(x!), g);
      return [loss, dw, sum(g, 0), mul(loss, scalar(2, "f32"))];
    },
    true,
  ));
