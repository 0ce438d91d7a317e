/** Lists of arrays, as scripts have them: how many there are must be known when the graph is built. */
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { known, type Request, type Row, type Rows, Sequence } from "../request.ts";

/** A place counted from either end. */
function placeOf(request: Request, index: number, count: number): number {
  const [given] = request.numbers(index)!;
  const place = given! < 0 ? given! + count : given!;
  if (place >= 0 && place < count) return place;
  throw request.fail(`place ${given} is outside of ${count}`);
}

const insert: Row = (request) => {
  const { nodes } = request.sequence(0);
  const at = request.has(2) ? placeOf(request, 2, nodes.length + 1) : nodes.length;
  return new Sequence(nodes.toSpliced(at, 0, request.input(1)));
};

const erase: Row = (request) => {
  const { nodes } = request.sequence(0);
  return new Sequence(
    nodes.toSpliced(request.has(1) ? placeOf(request, 1, nodes.length) : nodes.length - 1, 1),
  );
};

const concat: Row = (request) => {
  const { nodes } = request.sequence(0);
  if (nodes.length === 0) throw request.fail("the sequence is empty");
  const isNew = request.flag("new_axis");
  const axis = request.axis(request.integer("axis", 0), nodes[0]!.shape.length + (isNew ? 1 : 0));
  return isNew ? ops.stack(nodes, axis) : ops.concat(nodes, axis);
};

const split: Row = (request) => {
  const x = request.input(0);
  const axis = request.axis(request.integer("axis", 0), x.shape.length);
  const size = known(request, [x.shape[axis]!])[0]!;
  const given = request.numbers(1);
  // One number is the size of each part but the last; left out, parts of 1 may lose their axis.
  const each = given === undefined ? 1 : request.constant(1).shape.length === 0 ? given[0]! : undefined;
  if (each !== undefined && each < 1) throw request.fail(`parts of ${each} elements`);
  const sizes =
    each === undefined
      ? given!
      : Array.from({ length: Math.ceil(size / each) }, (_, i) => Math.min(each, size - i * each));
  let start = 0;
  const parts = sizes.map((part) => ops.sliceAxis(x, axis, (start += part) - part, part));
  if (given !== undefined || request.flag("keepdims", true)) return new Sequence(parts);
  return new Sequence(parts.map((part) => ops.reshape(part, part.shape.toSpliced(axis, 1))));
};

const length = (request: Request): Node =>
  ops.array({ dtype: "i32", shape: [], data: Int32Array.of(request.sequence(0).nodes.length) });

export const sequences: Rows = {
  ConcatFromSequence: concat,
  SequenceAt: (request) => {
    const { nodes } = request.sequence(0);
    return nodes[placeOf(request, 1, nodes.length)]!;
  },
  SequenceConstruct: (request) => new Sequence(request.inputs()),
  SequenceEmpty: () => new Sequence([]),
  SequenceErase: erase,
  SequenceInsert: insert,
  SequenceLength: length,
  SplitToSequence: split,
};
