/**
 * A slice that lies within one input of a concatenation is a slice of that input. What was put together only to pass as one value, as
 * the states of a recurrent layer through a gradient of their own, is then not put together, and what nobody reads of it not kept.
 *
 * Precondition: a verified graph. Postcondition: the same values, bit for bit. Comes before `mergeScans`, which drops stacks.
 */
import { sameSize } from "../base/size.ts";
import { type GraphFunction, rootsOf } from "../graph/function.ts";
import { creationOrder, type Node } from "../graph/node.ts";
import { withOrigin } from "../graph/origin.ts";
import { makeNode, Trace, withTrace } from "../graph/trace.ts";
import { contiguousView } from "../graph/view.ts";
import { concatOp, slice, sliceOp } from "../ops/index.ts";

export function splitConcats(fn: GraphFunction): GraphFunction {
  const order = creationOrder(rootsOf(fn));
  if (!order.some((node) => partOf(node, node.inputs) !== undefined)) return fn;
  return withTrace(new Trace("compiled"), () => {
    const next = new Map<Node, Node>();
    for (const node of order) {
      const inputs = node.inputs.map((input) => next.get(input)!);
      const isSame = inputs.every((input, i) => input === node.inputs[i]);
      next.set(
        node,
        withOrigin(
          node.origin,
          () => partOf(node, inputs) ?? (isSame ? node : makeNode(node.op, inputs, node.attributes)),
        ),
      );
    }
    return {
      ...fn,
      results: fn.results.map((node) => next.get(node)!),
      assignments: fn.assignments.map(([state, node]) => [state, next.get(node)!] as const),
    };
  });
}

/** A slice of `inputs[0]`, a concatenation, as one of what was put together. */
function partOf({ op, attributes }: Node, inputs: readonly Node[]): Node | undefined {
  if (op !== sliceOp) return undefined;
  const whole = shown(inputs[0]!);
  if (whole.op !== concatOp) return undefined;
  const { start, step, shape } = attributes as {
    start: readonly number[];
    step: readonly number[];
    shape: readonly number[];
  };
  const { axis } = whole.attributes as { axis: number };
  const [from, count] = [start[axis]!, shape[axis]!];
  if (step[axis] !== 1 || typeof from !== "number" || typeof count !== "number") return undefined;
  let before = 0;
  for (const part of whole.inputs) {
    const size = part.shape[axis]!;
    if (typeof size !== "number") return undefined;
    if (before <= from && from + count <= before + size)
      return slice(part, { start: start.map((s, i) => (i === axis ? from - before : s)), step, shape });
    before += size;
  }
  return undefined;
}

/** What a node shows as it is: the input of a movement that moves nothing. */
function shown(node: Node): Node {
  const [input] = node.inputs;
  if (node.op.kind !== "movement" || node.op.isBarrier || node.inputs.length !== 1) return node;
  const whole = contiguousView(input!.shape);
  const view = node.op.view(whole, node.attributes as never, node);
  const isIdle =
    view !== undefined &&
    view.shape.length === whole.shape.length &&
    sameSize(view.offset, 0) &&
    view.shape.every((size, i) => sameSize(size, whole.shape[i]!)) &&
    view.strides.every((stride, i) => sameSize(stride, whole.strides[i]!));
  return isIdle ? shown(input!) : node;
}
