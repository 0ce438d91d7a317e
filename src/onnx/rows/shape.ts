/** Operators that move elements, and those that tell and make shapes. */
import { type DType, isFloat } from "../../base/dtype.ts";
import type { HostArray } from "../../base/host-array.ts";
import { broadcastShapes, type Shape } from "../../base/shape.ts";
import { productOf, type Size } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { known, numbersOf, type Request, type Row, type Rows } from "../request.ts";

const integers = (values: readonly number[], shape: readonly number[] = [values.length]): Node =>
  ops.array({ dtype: "i32", shape, data: Int32Array.from(values) });

const shapeOf: Row = (request) => {
  const { shape } = request.input(0);
  const end = request.integer("end", shape.length);
  return integers(known(request, shape.slice(request.integer("start", 0), end)));
};

const reshape: Row = (request) => {
  const x = request.input(0);
  const wanted = request.numbersOr("shape", 1) ?? [];
  const copies = !request.flag("allowzero");
  const shape = wanted.map((size, axis): Size => (size === 0 && copies ? (x.shape[axis] ?? 0) : size));
  const open = shape.indexOf(-1);
  if (open < 0) return ops.reshape(x, shape);
  return ops.reshape(x, withRest(request, x, shape, open));
};

/** The size that is left open takes what the others leave. */
function withRest(request: Request, x: Node, shape: readonly Size[], open: number): Shape {
  const others = shape.filter((_, axis) => axis !== open);
  // Sizes that stand on both sides, known late, cancel.
  const mine = [...x.shape];
  const left = others.filter((size) => {
    const at = mine.indexOf(size);
    if (at >= 0) mine.splice(at, 1);
    return at < 0;
  });
  const by = productOf(left);
  const all = productOf(mine);
  const rest = by === 1 ? all : Number(known(request, [all])[0]) / Number(known(request, [by])[0]);
  if (typeof rest === "number" && !Number.isInteger(rest))
    throw request.fail(`[${x.shape.join(", ")}] does not divide into [${shape.join(", ")}]`);
  return shape.map((size, axis) => (axis === open ? rest : size));
}

const flatten: Row = (request) => {
  const x = request.input(0);
  const at = request.integer("axis", 1);
  const axis = at < 0 ? at + x.shape.length : at;
  return ops.reshape(x, [productOf(x.shape.slice(0, axis)), productOf(x.shape.slice(axis))]);
};

const transpose: Row = (request) => {
  const x = request.input(0);
  return ops.permute(x, request.integers("perm") ?? x.shape.map((_, axis) => x.shape.length - 1 - axis));
};

const squeeze: Row = (request) => {
  const x = request.input(0);
  const axes = request.numbersOr("axes", 1)?.map((axis) => request.axis(axis, x.shape.length));
  const goes = (size: Size, axis: number): boolean => (axes === undefined ? size === 1 : axes.includes(axis));
  return ops.reshape(
    x,
    x.shape.filter((size, axis) => !goes(size, axis)),
  );
};

const unsqueeze: Row = (request) => {
  const x = request.input(0);
  const given = request.numbersOr("axes", 1) ?? [];
  const rank = x.shape.length + given.length;
  const axes = given.map((axis) => request.axis(axis, rank));
  const old = x.shape.values();
  return ops.reshape(
    x,
    Array.from({ length: rank }, (_, axis): Size => (axes.includes(axis) ? 1 : old.next().value!)),
  );
};

const concat: Row = (request) => {
  const all = request.inputs();
  return ops.concat(all, request.axis(request.integer("axis", 0), all[0]!.shape.length));
};

const split: Row = (request) => {
  const x = request.input(0);
  const axis = request.axis(request.integer("axis", 0), x.shape.length);
  const given = request.numbersOr("split", 1);
  const parts = given ?? evenParts(request, x, axis);
  let start = 0;
  return parts.map((size) => ops.sliceAxis(x, axis, (start += size) - size, size));
};

function evenParts(request: Request, x: Node, axis: number): number[] {
  const count = request.onnx.outputs.length;
  const size = known(request, [x.shape[axis]!])[0]!;
  const part = Math.ceil(size / count);
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(part, size - i * part)));
}

const slice: Row = (request) => {
  const x = request.input(0);
  const starts = request.numbersOr("starts", 1) ?? [];
  const ends = request.numbersOr("ends", 2) ?? [];
  const axes = request.numbersOr("axes", 3) ?? starts.map((_, i) => i);
  const steps = request.numbers(4) ?? starts.map(() => 1);
  const indices = x.shape.map((): ops.NodeIndex => ({ start: undefined, stop: undefined, step: 1 }));
  axes.forEach((given, i) => {
    const axis = request.axis(given, x.shape.length);
    indices[axis] = rangeOf(x.shape[axis]!, starts[i]!, ends[i]!, steps[i]!);
  });
  return ops.indexed(x, indices);
};

const farthest = 2 ** 31 - 1;

/** Ends that lie outside are where the step walks to. */
function rangeOf(size: Size, start: number, stop: number, step: number): ops.NodeIndex {
  const low = typeof size === "number" ? -size : -farthest;
  const isWholeAfter = step > 0 ? stop >= (typeof size === "number" ? size : farthest) : stop < low;
  const isFromEnd =
    step > 0 ? start === 0 || start <= low : start >= (typeof size === "number" ? size : farthest);
  return { start: isFromEnd ? undefined : start, stop: isWholeAfter ? undefined : stop, step };
}

const expand: Row = (request) => {
  const x = request.input(0);
  return ops.broadcastTo(x, broadcastShapes(x.shape, request.numbers(1)!, "Expand"));
};

const modes = { reflect: true, edge: true, wrap: true } as const;

const pad: Row = (request) => {
  const x = request.input(0);
  const rank = x.shape.length;
  const widths = request.numbersOr("pads", 1) ?? [...(request.integers("paddings") ?? [])];
  const axes = request.numbers(3)?.map((axis) => request.axis(axis, rank)) ?? x.shape.map((_, axis) => axis);
  const [low, high] = [new Array<number>(rank).fill(0), new Array<number>(rank).fill(0)];
  axes.forEach((axis, i) => {
    low[axis] = widths[i]!;
    high[axis] = widths[axes.length + i]!;
  });
  const mode = request.string("mode", "constant");
  const cut = cutBy(request, x, low, high);
  const [before, after] = [low, high].map((list) => list.map((by) => Math.max(0, by)));
  if (mode === "constant") {
    const value = request.opset < 11 ? request.float("value", 0) : (request.numbers(2)?.[0] ?? 0);
    return ops.pad(cut, { low: before!, high: after!, value });
  }
  if (!Object.hasOwn(modes, mode)) throw request.fail(`mode "${mode}" is unknown`);
  return before!.reduce((y, by, axis) => mirrored(request, y, axis, [by, after![axis]!], mode), cut);
};

/** Negative widths take elements off. */
function cutBy(request: Request, x: Node, low: readonly number[], high: readonly number[]): Node {
  if ([...low, ...high].every((by) => by >= 0)) return x;
  const shape = known(request, x.shape).map(
    (size, axis) => size + Math.min(0, low[axis]!) + Math.min(0, high[axis]!),
  );
  return ops.slice(x, { start: low.map((by) => Math.max(0, -by)), shape });
}

function mirrored(
  request: Request,
  x: Node,
  axis: number,
  [low, high]: readonly [number, number],
  mode: string,
): Node {
  if (low === 0 && high === 0) return x;
  const size = known(request, [x.shape[axis]!])[0]!;
  const place = (i: number): number => {
    if (mode === "edge") return Math.min(Math.max(i, 0), size - 1);
    if (mode === "wrap") return ((i % size) + size) % size;
    return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;
  };
  const places = Array.from({ length: low + size + high }, (_, i) => place(i - low));
  if (places.some((at) => at < 0 || at >= size))
    throw request.fail(`axis ${axis} of ${size} elements is too short for padding of ${low} and ${high}`);
  return ops.gather(x, integers(places), axis);
}

const constant: Row = (request) => {
  const tensor = request.tensor("value");
  if (tensor !== undefined) return ops.array(tensor);
  const floats = request.floats("value_floats");
  if (floats !== undefined)
    return ops.array({ dtype: "f32", shape: [floats.length], data: Float32Array.from(floats) });
  const list = request.integers("value_ints");
  if (list !== undefined) return integers(list);
  const attributes = request.onnx.attributes;
  if (attributes.has("value_int")) return integers([request.integer("value_int", 0)], []);
  if (attributes.has("value_float")) return ops.scalar(request.float("value_float", 0), "f32");
  throw request.fail("its value is of a kind that is not read (strings, sparse tensors)");
};

const constantOfShape: Row = (request) => {
  const filling = request.tensor("value");
  const shape = request.numbers(0)!;
  if (filling === undefined) return ops.full(shape, 0, "f32");
  return ops.broadcastTo(ops.reshape(ops.array(filling), []), shape);
};

const range: Row = (request) => {
  const [start, limit, step] = [0, 1, 2].map((i) => request.numbers(i)![0]!) as [number, number, number];
  const { dtype } = request.constant(0);
  const count = Math.max(0, Math.ceil((limit - start) / step));
  if (!Number.isInteger(count) || count > 2 ** 26)
    throw request.fail(`a range of ${count} elements is too large`);
  const index = ops.iota([count], 0, isFloat(dtype) ? dtype : "i32");
  return ops.add(ops.mul(index, ops.like(index, step)), ops.like(index, start));
};

const oneHot: Row = (request) => {
  const indices = ops.cast(request.input(0), "i32");
  const classes = request.numbers(1)![0]!;
  const values = request.input(2);
  const rank = indices.shape.length + 1;
  const axis = request.axis(request.integer("axis", -1), rank);
  const shape = indices.shape.toSpliced(axis, 0, classes);
  const wide = ops.broadcastTo(ops.reshape(indices, indices.shape.toSpliced(axis, 0, 1)), shape);
  const places = ops.remainder(wide, ops.like(wide, classes));
  const at = (i: number): Node => ops.broadcastTo(ops.reshape(ops.sliceAxis(values, 0, i, 1), []), shape);
  return ops.select(ops.equal(places, ops.iota(shape, axis)), at(1), at(0));
};

const triangle: Row = (request) => {
  const k = request.numbers(1)?.[0] ?? 0;
  const x = request.input(0);
  return request.flag("upper", true) ? ops.upperTriangle(x, k) : ops.lowerTriangle(x, k);
};

const identityMatrix: Row = (request) => {
  const x = request.input(0);
  const { shape } = x;
  const [row, column] = [ops.iota(shape, 0), ops.iota(shape, 1)];
  const isDiagonal = ops.equal(ops.add(row, ops.like(row, request.integer("k", 0))), column);
  return ops.cast(isDiagonal, request.dtype("dtype", x.dtype as DType));
};

/** Of numbers that are known when the graph is built. */
const nonZero: Row = (request) => {
  const array: HostArray = request.constant(0);
  const values = numbersOf(array);
  const { shape } = array;
  const found: number[][] = shape.map(() => []);
  values.forEach((value, position) => {
    if (value === 0) return;
    let rest = position;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      found[axis]!.push(rest % shape[axis]!);
      rest = Math.floor(rest / shape[axis]!);
    }
  });
  return integers(found.flat(), [shape.length, found[0]?.length ?? 0]);
};

/** (N, C, H, W): each block of channels becomes a block of pixels. */
const depthToSpace: Row = (request) => {
  const x = request.input(0);
  const block = request.integer("blocksize", 1);
  const [n, c, h, w] = known(request, x.shape) as [number, number, number, number];
  const depth = c / block ** 2;
  const isColumnFirst = request.string("mode", "DCR") === "CRD";
  const split = isColumnFirst ? [n, depth, block, block, h, w] : [n, block, block, depth, h, w];
  const order = isColumnFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
  return ops.reshape(ops.permute(ops.reshape(x, split), order), [n, depth, h * block, w * block]);
};

const spaceToDepth: Row = (request) => {
  const x = request.input(0);
  const block = request.integer("blocksize", 1);
  const [n, c, h, w] = known(request, x.shape) as [number, number, number, number];
  const split = ops.reshape(x, [n, c, h / block, block, w / block, block]);
  return ops.reshape(ops.permute(split, [0, 3, 5, 1, 2, 4]), [n, c * block ** 2, h / block, w / block]);
};

export const shapes: Rows = {
  Concat: concat,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  DepthToSpace: depthToSpace,
  Expand: expand,
  EyeLike: identityMatrix,
  Flatten: flatten,
  NonZero: nonZero,
  OneHot: oneHot,
  Pad: pad,
  Range: range,
  Reshape: reshape,
  Shape: shapeOf,
  Size: (request) => integers([known(request, request.input(0).shape).reduce((a, b) => a * b, 1)], []),
  Slice: slice,
  SpaceToDepth: spaceToDepth,
  Split: split,
  Squeeze: squeeze,
  Tile: (request) => ops.tile(request.input(0), request.numbers(1)!),
  Transpose: transpose,
  Trilu: triangle,
  Unsqueeze: unsqueeze,
};
