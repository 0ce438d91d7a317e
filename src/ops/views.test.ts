/** Every movement's view says what its reference does: two independent definitions, compared on contiguous memory. */
import { expect, test } from "vitest";
import { topologicalOrder } from "../graph/node.ts";
import type { MovementOp, PlacementOp } from "../graph/op.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { contiguousView, type View } from "../graph/view.ts";
import { opCases } from "../testing/op-cases/index.ts";
import { parameter } from "./index.ts";
import { countOf, forEachIndex } from "./rules.ts";

/** Where each element of a view lies. */
function addresses({ strides, offset }: View, shape: readonly number[]): number[] {
  const found: number[] = [];
  forEachIndex(shape, (index) => {
    found.push(index.reduce((sum, i, axis) => sum + i * (strides[axis] as number), offset as number));
  });
  return found;
}

const nodes = withTrace(new Trace("compiled"), () =>
  opCases.flatMap((row) => {
    const inputs = row.arguments.map(({ shape, dtype }) =>
      parameter({ shape: shape ?? [2, 3], dtype: dtype ?? row.dtypes?.[0] ?? "f32" }),
    );
    return topologicalOrder([row.build(inputs)]);
  }),
);
const named = (kind: "movement" | "placement") =>
  nodes
    .filter(({ op, shape }) => op.kind === kind && countOf(shape as number[]) > 0)
    .map((node) => ({ node, name: `${node.op.name} #${node.id}` }));

test.each(named("movement"))("$name", ({ node }) => {
  const [input] = node.inputs;
  const [from, to] = [input!.shape as number[], node.shape as number[]];
  const view = (node.op as MovementOp).view(contiguousView(from), node.attributes, node);
  const data = Float64Array.from({ length: countOf(from) }, (_, i) => i);
  const context = { outputs: [{ shape: to, dtype: "f64" }], size: Number } as never;
  const [moved] = node.op.reference(
    [{ shape: from, dtype: "f64", data }],
    node.attributes as never,
    context,
    node as never,
  );
  expect(view?.shape).toEqual(to);
  expect(addresses(view!, to)).toEqual([...moved!.data]);
});

test.each(named("placement"))("$name", ({ node }) => {
  const op = node.op as PlacementOp;
  const shapes = node.inputs.map(({ shape }) => shape as number[]);
  const to = node.shape as number[];
  let next = 1;
  const inputs = shapes.map((shape) => ({
    shape,
    dtype: "f64" as const,
    data: Float64Array.from({ length: countOf(shape) }, () => next++),
  }));
  const placed = new Float64Array(countOf(to)).fill(op.fill(node.attributes) ?? NaN);
  op.destinations(contiguousView(to), node.inputs, node.attributes).forEach((view, k) => {
    addresses(view, shapes[k]!).forEach((address, i) => {
      placed[address] = inputs[k]!.data[i]! + (op.accumulates ? placed[address]! : 0);
    });
  });
  const context = { outputs: [{ shape: to, dtype: "f64" }], size: Number } as never;
  const [want] = op.reference(inputs, node.attributes, context, node as never);
  expect([...placed]).toEqual([...want!.data]);
});
