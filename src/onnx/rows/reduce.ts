/** Operators that fold axes, and those that find, order and accumulate along one. */
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import type { Request, Row, Rows } from "../request.ts";

type Reduction = (x: Node, axes: readonly number[]) => Node;

/** Axes vanish or stay with size 1; none given means all, or nothing at all where the node says so. */
const reduction =
  (op: Reduction): Row =>
  (request) => {
    const x = request.input(0);
    const given = request.numbersOr("axes", 1);
    if ((given?.length ?? 0) === 0 && request.flag("noop_with_empty_axes")) return x;
    const axes = (given?.length ? given : x.shape.map((_, i) => i)).map((axis) =>
      request.axis(axis, x.shape.length),
    );
    const folded = op(x, axes);
    return request.flag("keepdims", true) ? kept(folded, x, axes) : folded;
  };

const kept = (folded: Node, x: Node, axes: readonly number[]): Node =>
  ops.reshape(
    folded,
    x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)),
  );

const squares: Reduction = (x, axes) => ops.sum(ops.mul(x, x), axes);

const indexOf =
  (find: (x: Node, axis: number) => Node): Row =>
  (request) => {
    const x = request.input(0);
    const axis = request.axis(request.integer("axis", 0), x.shape.length);
    const found = request.flag("select_last_index") ? lastOf(request, x, axis, find) : find(x, axis);
    return request.flag("keepdims", true) ? kept(found, x, [axis]) : found;
  };

function lastOf(request: Request, x: Node, axis: number, find: (x: Node, axis: number) => Node): Node {
  const size = x.shape[axis]!;
  if (typeof size !== "number")
    throw request.fail(`the size of axis ${axis} is known only when the program runs`);
  const fromEnd = find(ops.flip(x, axis), axis);
  return ops.sub(ops.like(fromEnd, size - 1), fromEnd);
}

const topk: Row = (request) => {
  const x = request.input(0);
  const k = request.opset < 10 ? request.integer("k", -1) : request.numbers(1)![0]!;
  const { values, indices } = ops.topk(x, k, {
    axis: request.axis(request.integer("axis", -1), x.shape.length),
    largest: request.flag("largest", true),
  });
  return [values, indices];
};

const cumulativeSum: Row = (request) => {
  const x = request.input(0);
  const axis = request.axis(request.numbers(1)![0]!, x.shape.length);
  const turned = (y: Node): Node => (request.flag("reverse") ? ops.flip(y, axis) : y);
  const from = turned(x);
  const sums = ops.cumulativeSum(from, axis);
  return turned(request.flag("exclusive") ? ops.sub(sums, from) : sums);
};

export const reduce: Rows = {
  ArgMax: indexOf(ops.argmax),
  ArgMin: indexOf(ops.argmin),
  CumSum: cumulativeSum,
  ReduceL1: reduction((x, axes) => ops.sum(ops.abs(x), axes)),
  ReduceL2: reduction((x, axes) => ops.sqrt(squares(x, axes))),
  ReduceLogSum: reduction((x, axes) => ops.log(ops.sum(x, axes))),
  ReduceLogSumExp: reduction(ops.logSumExp),
  ReduceMax: reduction(ops.max),
  ReduceMean: reduction(ops.mean),
  ReduceMin: reduction(ops.min),
  ReduceProd: reduction(ops.prod),
  ReduceSum: reduction(ops.sum),
  ReduceSumSquare: reduction(squares),
  TopK: topk,
};
