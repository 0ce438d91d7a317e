/** For each op the ONNX nodes that compute the same. */
import { type DType, isFloat, isInteger } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import { broadcastShapes, type Shape } from "../../base/shape.ts";
import { addSizes, multiplySizes, type Size, sameSize, subtractSizes } from "../../base/size.ts";
import { elementTypeOf } from "../../formats/onnx/types.ts";
import type { Node } from "../../graph/node.ts";
import type { DotAxes } from "../../ops/index.ts";
import type { GraphWriter } from "./writer.ts";

/** Writes a node whose inputs have names; gives the name of its value. */
export type Writer = (to: GraphWriter, node: Node) => string;

const inputsOf = (to: GraphWriter, node: Node): string[] => node.inputs.map((input) => to.nameOf(input));

const plain =
  (op: string): Writer =>
  (to, node) =>
    to.add(op, operandsOf(to, node));

/** ONNX broadcasts by itself: operands as they were before they were repeated, where the result has its shape all the same. */
function operandsOf(to: GraphWriter, node: Node): string[] {
  const sources = node.inputs.map((input) => (input.op.name === "broadcast" ? input.inputs[0]! : input));
  const areNamed = sources.every((source) => to.find(source) !== undefined);
  if (areNamed && node.inputs.length > 1 && givesShape(sources, node.shape))
    return sources.map((source) => to.nameOf(source));
  return inputsOf(to, node);
}

function givesShape(sources: readonly Node[], wanted: Shape): boolean {
  try {
    const shape = sources.map((source) => source.shape).reduce((all, own) => broadcastShapes(all, own));
    return shape.length === wanted.length && shape.every((size, axis) => sameSize(size, wanted[axis]!));
  } catch {
    return false;
  }
}

/** One operator for numbers, another for bool. */
const byKind =
  (number: string, bool: string): Writer =>
  (to, node) =>
    plain(node.inputs[0]!.dtype === "bool" ? bool : number)(to, node);

const cast = (to: GraphWriter, name: string, dtype: DType): string =>
  to.add("Cast", [name], { to: elementTypeOf[dtype] });

/** Bool is folded as i32. */
const reduction =
  (op: string): Writer =>
  (to, node) => {
    const [x] = inputsOf(to, node);
    const axes = node.attributes["axes"] as readonly number[];
    if (axes.length === 0) return x!;
    const isBool = node.dtype === "bool";
    const folded = to.add(op, [isBool ? cast(to, x!, "i32") : x!, to.integers(axes)], { keepdims: 0 });
    return isBool ? cast(to, folded, "bool") : folded;
  };

const remainder: Writer = (to, node) => {
  const [x, y] = operandsOf(to, node) as [string, string];
  if (!isFloat(node.dtype)) return to.add("Mod", [x, y]);
  return to.add("Sub", [x, to.add("Mul", [to.add("Floor", [to.add("Div", [x, y])]), y])]);
};

/** x with a number beside it: `within("Add", 1)` is x + 1. */
const shifted = (to: GraphWriter, node: Node, x: string, op: string, value: number): string =>
  to.add(op, [x, to.scalar(value, node.dtype)]);

const scaledLog =
  (base: number): Writer =>
  (to, node) =>
    shifted(to, node, to.add("Log", inputsOf(to, node)), "Mul", 1 / Math.log(base));

const signed = (to: GraphWriter, x: string, of: (magnitude: string) => string): string =>
  to.add("Mul", [to.add("Sign", [x]), of(to.add("Abs", [x]))]);

const pad: Writer = (to, node) => {
  const { low, high, interior, value } = node.attributes as {
    low: readonly Size[];
    high: readonly Size[];
    interior: readonly number[];
    value: number;
  };
  if (interior.some((gap) => gap > 0))
    throw new ArgumentError("onnx: zeros between elements cannot be exported");
  return to.add("Pad", [
    to.nameOf(node.inputs[0]!),
    to.sizes([...low, ...high]),
    to.scalar(value, node.dtype),
  ]);
};

const slice: Writer = (to, node) => {
  const { start, step, shape } = node.attributes as {
    start: readonly Size[];
    step: readonly number[];
    shape: Shape;
  };
  const [x] = node.inputs as [Node];
  const isWhole = (axis: number): boolean =>
    start[axis] === 0 && step[axis] === 1 && sameSize(shape[axis]!, x.shape[axis]!);
  const axes = shape.flatMap((_, axis) => (isWhole(axis) ? [] : [axis]));
  if (axes.length === 0) return to.nameOf(x);
  const ends = axes.map((axis): Size => {
    const [from, by, count] = [start[axis]!, step[axis]!, shape[axis]!];
    const last = addSizes(from, multiplySizes(subtractSizes(count, 1), by));
    if (by > 0) return addSizes(last, 1);
    return last === 0 ? farBefore : subtractSizes(last, 1);
  });
  return to.add("Slice", [
    to.nameOf(x),
    to.sizes(axes.map((axis) => start[axis]!)),
    to.sizes(ends),
    to.integers(axes),
    to.integers(axes.map((axis) => step[axis]!)),
  ]);
};

const farBefore = -(2 ** 31);

const flip: Writer = (to, node) => {
  const axes = node.attributes["axes"] as readonly number[];
  const all = (value: number): string => to.integers(axes.map(() => value));
  return to.add("Slice", [to.nameOf(node.inputs[0]!), all(-1), all(farBefore), to.integers(axes), all(-1)]);
};

/** A sliding axis is gathered at a matrix of places, (windows, elements), and the axis of elements goes to the end. */
const windows: Writer = (to, node) => {
  const { axes, sizes, strides, dilations } = node.attributes as Record<string, readonly number[]>;
  const rank = node.inputs[0]!.shape.length;
  let value = to.nameOf(node.inputs[0]!);
  axes!.forEach((axis, i) => {
    const count = node.shape[axis]!;
    if (typeof count !== "number")
      throw new ArgumentError("onnx: windows over a size known late cannot be exported");
    const [size, stride, dilation] = [sizes![i]!, strides![i]!, dilations![i]!];
    const places = Array.from(
      { length: count * size },
      (_, at) => Math.floor(at / size) * stride + (at % size) * dilation,
    );
    value = to.add("Gather", [value, to.integers(places, [count, size])], { axis });
    const order = Array.from({ length: rank + i + 1 }, (_, at) => at).filter((at) => at !== axis + 1);
    value = to.add("Transpose", [value], { perm: [...order, axis + 1] });
  });
  return value;
};

const letters = "abcdefghijklmnopqrstuvwxyz";

const dot: Writer = (to, node) => {
  const [a, b] = node.inputs as [Node, Node];
  const { batch, depth } = node.attributes as DotAxes;
  const names = inputsOf(to, node);
  const isMatrices =
    depth === 1 && b.shape.length === batch + 2 && (batch === 0 || a.shape.length === batch + 2);
  if (isMatrices) return to.add("MatMul", names);
  const take = (from: number, count: number): string => letters.slice(from, from + count);
  const rows = a.shape.length - batch - depth;
  const columns = b.shape.length - batch - depth;
  const [ofBatch, ofRows] = [take(0, batch), take(batch, rows)];
  const [ofDepth, ofColumns] = [take(batch + rows, depth), take(batch + rows + depth, columns)];
  const equation = `${ofBatch}${ofRows}${ofDepth},${ofBatch}${ofDepth}${ofColumns}->${ofBatch}${ofRows}${ofColumns}`;
  return to.add("Einsum", names, { equation });
};

/** Along the first axis; others change places with it. */
const scatter =
  (reduction: "none" | "add"): Writer =>
  (to, node) => {
    const [x, indices, updates] = node.inputs as [Node, Node, Node];
    const axis = node.attributes["axis"] as number;
    const rank = indices.shape.length;
    const front = <T>(list: readonly T[], from: number, count: number): T[] => [
      ...list.slice(from, from + count),
      ...list.slice(0, from),
      ...list.slice(from + count),
    ];
    const turned = (name: string, order: readonly number[]): string =>
      order.every((at, i) => at === i) ? name : to.add("Transpose", [name], { perm: order });
    const ofX = front([...x.shape.keys()], axis, 1);
    const places = to.add("Unsqueeze", [cast64(to, to.nameOf(indices)), to.integers([rank])]);
    const made = to.add(
      "ScatterND",
      [
        turned(to.nameOf(x), ofX),
        places,
        turned(to.nameOf(updates), front([...updates.shape.keys()], axis, rank)),
      ],
      { reduction },
    );
    return turned(
      made,
      ofX.map((_, i) => ofX.indexOf(i)),
    );
  };

const cast64 = (to: GraphWriter, name: string): string => to.add("Cast", [name], { to: 7 });

const order: Writer = (to, node) => {
  const size = node.shape.at(-1)!;
  const [, places] = to.addMany("TopK", [to.nameOf(node.inputs[0]!), to.size(size)], 2, {
    axis: -1,
    largest: node.attributes["descending"] === true ? 1 : 0,
    sorted: 1,
  });
  return cast(to, places!, "i32");
};

const iota: Writer = (to, node) => {
  const { shape, axis, dtype } = node.attributes as { shape: Shape; axis: number; dtype: DType };
  const size = shape[axis]!;
  const scalarOf = (one: Size): string => to.add("Squeeze", [to.size(one), to.integers([0])]);
  const counted =
    typeof size === "number"
      ? to.integers(Array.from({ length: size }, (_, i) => i))
      : to.add("Range", [to.integers([0], []), scalarOf(size), to.integers([1], [])]);
  const column = to.add("Reshape", [
    cast(to, counted, dtype),
    to.integers(shape.map((_, at) => (at === axis ? -1 : 1))),
  ]);
  return shape.length === 1 ? column : to.add("Expand", [column, to.sizes(shape)]);
};

/** The input itself: what differs is gradients, or checks. */
const same: Writer = (to, node) => to.nameOf(node.inputs[0]!);

const integersOrBool =
  (integers: string, bool: string): Writer =>
  (to, node) => {
    if (node.dtype !== "bool" && !isInteger(node.dtype))
      throw new ArgumentError(`onnx: ${node.op.name} of ${node.dtype}`);
    return plain(node.dtype === "bool" ? bool : integers)(to, node);
  };

export const writers: Readonly<Record<string, Writer>> = {
  abs: plain("Abs"),
  acos: plain("Acos"),
  acosh: plain("Acosh"),
  add: byKind("Add", "Or"),
  again: same,
  and: integersOrBool("BitwiseAnd", "And"),
  argsort: order,
  array: (to, node) => to.array(node.attributes["array"] as never),
  asin: plain("Asin"),
  asinh: plain("Asinh"),
  atan: plain("Atan"),
  atanh: plain("Atanh"),
  broadcast: (to, node) => to.add("Expand", [to.nameOf(node.inputs[0]!), to.sizes(node.shape)]),
  cast: (to, node) => cast(to, to.nameOf(node.inputs[0]!), node.dtype),
  cbrt: (to, node) =>
    signed(to, to.nameOf(node.inputs[0]!), (magnitude) => shifted(to, node, magnitude, "Pow", 1 / 3)),
  ceil: plain("Ceil"),
  check: same,
  checkIndex: same,
  concat: (to, node) => to.add("Concat", inputsOf(to, node), { axis: node.attributes["axis"] as number }),
  constant: (to, node) => to.scalar(node.attributes["value"] as number, node.dtype),
  cos: plain("Cos"),
  cosh: plain("Cosh"),
  customGradient: same,
  div: plain("Div"),
  dot,
  equal: plain("Equal"),
  erf: plain("Erf"),
  erfc: (to, node) => to.add("Sub", [to.scalar(1, node.dtype), to.add("Erf", inputsOf(to, node))]),
  exp: plain("Exp"),
  exp2: (to, node) => to.add("Pow", [to.scalar(2, node.dtype), ...inputsOf(to, node)]),
  expm1: (to, node) => shifted(to, node, to.add("Exp", inputsOf(to, node)), "Sub", 1),
  flip,
  floor: plain("Floor"),
  gather: (to, node) => to.add("Gather", inputsOf(to, node), { axis: node.attributes["axis"] as number }),
  greater: plain("Greater"),
  greaterEqual: plain("GreaterOrEqual"),
  iota,
  less: plain("Less"),
  lessEqual: plain("LessOrEqual"),
  log: plain("Log"),
  log10: scaledLog(10),
  log1p: (to, node) => to.add("Log", [shifted(to, node, to.nameOf(node.inputs[0]!), "Add", 1)]),
  log2: scaledLog(2),
  max: reduction("ReduceMax"),
  maximum: byKind("Max", "Or"),
  min: reduction("ReduceMin"),
  minimum: byKind("Min", "And"),
  mul: byKind("Mul", "And"),
  neg: plain("Neg"),
  not: integersOrBool("BitwiseNot", "Not"),
  notEqual: (to, node) => to.add("Not", [plain("Equal")(to, node)]),
  or: integersOrBool("BitwiseOr", "Or"),
  pad,
  permute: (to, node) =>
    to.add("Transpose", inputsOf(to, node), { perm: node.attributes["order"] as readonly number[] }),
  pow: plain("Pow"),
  prod: reduction("ReduceProd"),
  remainder,
  reshape: (to, node) =>
    to.add("Reshape", [to.nameOf(node.inputs[0]!), to.sizes(node.shape)], { allowzero: 1 }),
  round: plain("Round"),
  scatter: scatter("none"),
  scatterAdd: scatter("add"),
  select: plain("Where"),
  sin: plain("Sin"),
  sinh: plain("Sinh"),
  slice,
  sqrt: plain("Sqrt"),
  stopGradient: same,
  sub: plain("Sub"),
  sum: reduction("ReduceSum"),
  tan: plain("Tan"),
  tanh: plain("Tanh"),
  trunc: (to, node) => signed(to, to.nameOf(node.inputs[0]!), (magnitude) => to.add("Floor", [magnitude])),
  windows,
  xor: integersOrBool("BitwiseXor", "Xor"),
};
