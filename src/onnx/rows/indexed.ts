/** Operators whose places are data. */
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { known, type Request, type Row, type Rows } from "../request.ts";

/** Negative indices count from the end. */
function fromStart(request: Request, index: number, size: number): Node {
  const given = request.maybeConstant(index);
  const indices = ops.cast(request.input(index), "i32");
  if (given?.data.every((at) => at >= 0)) return indices;
  return ops.select(
    ops.less(indices, ops.zerosLike(indices)),
    ops.add(indices, ops.like(indices, size)),
    indices,
  );
}

const sizeOf = (request: Request, x: Node, axis: number): number => known(request, [x.shape[axis]!])[0]!;

const gather: Row = (request) => {
  const x = request.input(0);
  const axis = request.axis(request.integer("axis", 0), x.shape.length);
  return ops.gather(x, fromStart(request, 1, sizeOf(request, x, axis)), axis);
};

const gatherElements: Row = (request) => {
  const x = request.input(0);
  const axis = request.axis(request.integer("axis", 0), x.shape.length);
  return takeAlong(request, x, fromStart(request, 1, sizeOf(request, x, axis)), axis);
};

/** Other axes of the indices may be shorter than those of x. */
function takeAlong(request: Request, x: Node, indices: Node, axis: number): Node {
  const shape = known(request, indices.shape);
  const cut = ops.slice(x, {
    start: shape.map(() => 0),
    shape: shape.map((size, i) => (i === axis ? sizeOf(request, x, axis) : size)),
  });
  return ops.takeAlong(cut, indices, axis);
}

/** Row-major positions in `shape` of tuples of indices along the last axis: (…, k) → (…). */
function positionsOf(tuples: Node, sizes: readonly number[]): Node {
  const parts = sizes.map((size, i) => {
    const part = ops.sliceAxis(tuples, -1, i, 1);
    const index = ops.reshape(part, part.shape.slice(0, -1));
    const start = ops.select(
      ops.less(index, ops.zerosLike(index)),
      ops.add(index, ops.like(index, size)),
      index,
    );
    const stride = sizes.slice(i + 1).reduce((a, b) => a * b, 1);
    return ops.mul(start, ops.like(start, stride));
  });
  return parts.reduce(ops.add);
}

const gatherTuples: Row = (request) => {
  const x = request.input(0);
  const tuples = ops.cast(request.input(1), "i32");
  const batch = request.integer("batch_dims", 0);
  const [shape, places] = [known(request, x.shape), known(request, tuples.shape)];
  const depth = places.at(-1)!;
  const indexed = shape.slice(batch, batch + depth);
  const rest = shape.slice(batch + depth);
  const positions = positionsOf(tuples, indexed);
  const count = indexed.reduce((a, b) => a * b, 1);
  if (batch === 0) return ops.gather(ops.reshape(x, [count, ...rest]), positions, 0);
  const batches = shape.slice(0, batch).reduce((a, b) => a * b, 1);
  const inner = places.slice(batch, -1);
  const flat = ops.reshape(positions, [batches, inner.reduce((a, b) => a * b, 1)]);
  const start = ops.mul(ops.iota(flat.shape, 0), ops.like(flat, count));
  const found = ops.gather(ops.reshape(x, [batches * count, ...rest]), ops.add(flat, start), 0);
  return ops.reshape(found, [...shape.slice(0, batch), ...inner, ...rest]);
};

/** x with updates at positions of its first axis. */
function placed(request: Request, x: Node, positions: Node, updates: Node): Node {
  const reduction = request.string("reduction", "none");
  if (reduction === "none") return ops.scatter(x, positions, updates, 0);
  if (reduction === "add") return ops.scatterAdd(x, positions, updates, 0);
  throw request.fail(`reduction "${reduction}" is not supported; "none" and "add" are`);
}

const scatterTuples: Row = (request) => {
  const x = request.input(0);
  const tuples = ops.cast(request.input(1), "i32");
  const shape = known(request, x.shape);
  const depth = known(request, tuples.shape).at(-1)!;
  const [indexed, rest] = [shape.slice(0, depth), shape.slice(depth)];
  const flat = ops.reshape(x, [indexed.reduce((a, b) => a * b, 1), ...rest]);
  return ops.reshape(placed(request, flat, positionsOf(tuples, indexed), request.input(2)), shape);
};

const scatterElements: Row = (request) => {
  const x = request.input(0);
  const shape = known(request, x.shape);
  const axis = request.axis(request.integer("axis", 0), shape.length);
  const along = fromStart(request, 1, shape[axis]!);
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const positions = shape
    .map((_, i) => {
      const index = i === axis ? along : ops.iota(along.shape, i);
      return ops.mul(index, ops.like(index, strides[i]!));
    })
    .reduce(ops.add);
  const count = shape.reduce((a, b) => a * b, 1);
  const all = known(request, along.shape).reduce((a, b) => a * b, 1);
  const updates = ops.reshape(request.input(2), [all]);
  return ops.reshape(placed(request, ops.reshape(x, [count]), ops.reshape(positions, [all]), updates), shape);
};

export const indexing: Rows = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherTuples,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterTuples,
};
