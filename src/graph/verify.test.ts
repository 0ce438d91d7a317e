import { describe, expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { dimension } from "../base/size.ts";
import { add, dot, parameter, reshape, scan, sliceAxis, sum, tanh } from "../ops/index.ts";
import type { GraphFunction } from "./function.ts";
import type { Node } from "./node.ts";
import { graphText } from "./print.ts";
import { State } from "./state.ts";
import { Trace, withTrace } from "./trace.ts";
import { verifyGraph } from "./verify.ts";

const traced = <R>(body: () => R): R => withTrace(new Trace("compiled"), body);

/** A recurrent cell over time and the gradient of its weight. */
function recurrent(): GraphFunction {
  const time = dimension("time", { min: 1, max: 9 });
  const x = parameter({ shape: [time, 1, 2], dtype: "f32" }, "x");
  const weight = parameter({ shape: [2, 2], dtype: "f32" }, "weight");
  const first = parameter({ shape: [2], dtype: "f32" }, "first");
  const { carry } = scan([reshape(first, [1, 2])], [x], ([h], [slice]) => ({
    carry: [tanh(add(dot(h!, weight), slice!))],
  }));
  const loss = sum(carry[0]!);
  return {
    name: "recurrent",
    parameters: [x, weight, first],
    results: [loss, ...gradients(loss, [weight])],
    assignments: [],
  };
}

/** A node that no builder makes. */
const broken = (node: Node, change: Partial<Node>): Node => ({ ...node, ...change });

const messageOf = (fn: GraphFunction): string => {
  try {
    verifyGraph(fn);
    return "no error";
  } catch (error) {
    return (error as Error).message.replace(/#\d+/g, "#").replace(/ \(at [^)]*\)/g, "");
  }
};

describe("verifyGraph", () => {
  test("accepts what is built", () => traced(() => verifyGraph(recurrent())));

  test("names what is wrong", () =>
    traced(() => {
      const x = parameter({ shape: [2], dtype: "f32" }, "x");
      const y = parameter({ shape: [2], dtype: "f32" }, "y");
      const total = add(x, y);
      const fn = (results: readonly Node[], more: Partial<GraphFunction> = {}): GraphFunction => ({
        name: "f",
        parameters: [x, y],
        results,
        assignments: [],
        ...more,
      });
      const state = new State("weight", { shape: [3], dtype: "f32" }, new Float32Array(3));
      expect(messageOf(fn([total]))).toBe("no error");
      expect(messageOf(fn([total], { parameters: [x] }))).toMatchInlineSnapshot(
        `"f: parameter # is used, but is no parameter here"`,
      );
      expect(messageOf(fn([total], { parameters: [x, y, x] }))).toMatchInlineSnapshot(
        `"f: parameter # is listed twice among the parameters"`,
      );
      expect(messageOf(fn([total], { parameters: [x, y, total] }))).toMatchInlineSnapshot(
        `"f: add # is listed as a parameter, but is computed"`,
      );
      expect(messageOf(fn([total], { assignments: [[state, total]] }))).toMatchInlineSnapshot(
        `"f: add # is assigned to state "weight" of f32 (3,)"`,
      );
      expect(messageOf(fn([broken(total, { shape: [3] })]))).toMatchInlineSnapshot(
        `"f: add # is f32 (3,), its rule gives f32 (2,)"`,
      );
      expect(
        messageOf(fn([broken(total, { inputs: [x, broken(total, { id: total.id + 1 })] })])),
      ).toMatchInlineSnapshot(`"f: add # uses add #, which was built after it"`);
    }));

  test("a region must be closed", () =>
    traced(() => {
      const x = parameter({ shape: [3, 2], dtype: "f32" }, "x");
      const { stacked } = scan([], [x], (_, [slice]) => ({ carry: [], stacked: [slice!] }));
      const loop = stacked[0]!.inputs[0]!;
      const body = loop.attributes["body"] as { parameters: Node[]; results: Node[] };
      const leaky = broken(loop, {
        attributes: {
          ...loop.attributes,
          body: { parameters: body.parameters, results: [reshape(sliceAxis(x, 0, 0, 1), [2])] },
        },
      });
      expect(
        messageOf({ name: "f", parameters: [x], results: [leaky], assignments: [] }),
      ).toMatchInlineSnapshot(`"f: parameter # is used, but is no parameter here"`);
    }));
});

test("graphText prints nodes, attributes and regions", () =>
  traced(() => {
    expect(graphText(recurrent())).toMatchInlineSnapshot(`
      "recurrent
        %0 = parameter f32 (time, 1, 2)        name x
        %1 = parameter f32 (2, 2)              name weight
        %2 = parameter f32 (2,)                name first
        %3 = reshape f32 (1, 2)                %2
        %4 = scan f32 (1, 2)                   %3 %0 %1 carryCount 1 sliceCount 1 length time reverse false
          body:
            %5 = parameter f32 (1, 2)          name p0
            %6 = parameter f32 (1, 2)          name p1
            %7 = parameter f32 (2, 2)          name weight
            %8 = dot f32 (1, 2)                %5 %7 batch 0 depth 1
            %9 = add f32 (1, 2)                %8 %6
            %10 = tanh f32 (1, 2)              %9
            return %10
        %11 = output f32 (1, 2)                %4 index 0
        %12 = sum f32 ()                       %11 axes [0, 1]
        %13 = constant f32 ()                  value 1
        %14 = reshape f32 (1, 1)               %13
        %15 = broadcast f32 (1, 2)             %14
        %16 = constant f32 ()                  value 0
        %17 = broadcast f32 (2, 2)             %16
        %18 = scan f32 (1, 2), f32 (time, 1, 2), f32 (time, 1, 2) %3 %0 %1 carryCount 1 sliceCount 1 length time reverse false
          body:
            %19 = parameter f32 (1, 2)         name p0
            %20 = parameter f32 (1, 2)         name p1
            %21 = parameter f32 (2, 2)         name weight
            %22 = dot f32 (1, 2)               %19 %21 batch 0 depth 1
            %23 = add f32 (1, 2)               %22 %20
            %24 = tanh f32 (1, 2)              %23
            return %24, %24, %19
        %25 = output f32 (time, 1, 2)          %18 index 1
        %26 = output f32 (time, 1, 2)          %18 index 2
        %27 = scan f32 (1, 2), f32 (2, 2), f32 (time, 1, 2) %15 %17 %25 %26 %1 carryCount 2 sliceCount 2 length time reverse true
          body:
            %28 = parameter f32 (1, 2)         name p0
            %29 = parameter f32 (2, 2)         name p1
            %30 = parameter f32 (1, 2)         name tanh
            %31 = parameter f32 (1, 2)         name p0
            %32 = parameter f32 (2, 2)         name weight
            %33 = constant f32 ()              value 1
            %34 = broadcast f32 (1, 2)         %33
            %35 = mul f32 (1, 2)               %30 %30
            %36 = sub f32 (1, 2)               %34 %35
            %37 = mul f32 (1, 2)               %28 %36
            %38 = permute f32 (2, 2)           %32 order [1, 0]
            %39 = dot f32 (1, 2)               %37 %38 batch 0 depth 1
            %40 = permute f32 (2, 1)           %31 order [1, 0]
            %41 = dot f32 (2, 2)               %40 %37 batch 0 depth 1
            %42 = add f32 (2, 2)               %29 %41
            return %39, %42, %37
        %43 = output f32 (2, 2)                %27 index 1
        return %12, %43"
    `);
  }));

test("equal programs print equally", () => {
  expect(traced(() => graphText(recurrent()))).toBe(traced(() => graphText(recurrent())));
});
