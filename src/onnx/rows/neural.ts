/** Convolutions, pools, normalizations, softmax. */
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { known, type Request, type Row, type Rows } from "../request.ts";

interface Windows {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: readonly (readonly [low: number, high: number])[];
}

/** Strides, dilations and padding of windows of `sizes` over x, `auto_pad` worked out. */
function windowsOf(request: Request, x: Node, sizes: readonly number[]): Windows {
  const ones = sizes.map(() => 1);
  const strides = request.integers("strides") ?? ones;
  const dilations = request.integers("dilations") ?? ones;
  const mode = request.string("auto_pad", "NOTSET");
  const pads = request.integers("pads") ?? sizes.flatMap(() => [0, 0]);
  const padding = sizes.map((size, i): readonly [number, number] => {
    if (mode === "NOTSET") return [pads[i]!, pads[i + sizes.length]!];
    if (mode === "VALID") return [0, 0];
    const places = known(request, [x.shape[i + 2]!])[0]!;
    const reach = (size - 1) * dilations[i]! + 1;
    const all = Math.max(0, (Math.ceil(places / strides[i]!) - 1) * strides[i]! + reach - places);
    return mode === "SAME_UPPER"
      ? [Math.floor(all / 2), Math.ceil(all / 2)]
      : [Math.ceil(all / 2), Math.floor(all / 2)];
  });
  return { strides, dilations, padding };
}

const kernelOf = (request: Request, weight: Node): readonly number[] => known(request, weight.shape.slice(2));

const convolution: Row = (request) => {
  const [x, weight] = [request.input(0), request.input(1)];
  const geometry = {
    ...windowsOf(request, x, kernelOf(request, weight)),
    groups: request.integer("group", 1),
  };
  return ops.convolution(x, weight, geometry, request.optional(2));
};

const transposed: Row = (request) => {
  const [x, weight] = [request.input(0), request.input(1)];
  const sizes = kernelOf(request, weight);
  const { strides, dilations, padding } = windowsOf(request, x, sizes);
  const outputPadding = request.integers("output_padding") ?? sizes.map(() => 0);
  const wanted = request.integers("output_shape")?.slice(-sizes.length);
  const mode = request.string("auto_pad", "NOTSET");
  const around = sizes.map((size, i): readonly [number, number] => {
    if (wanted === undefined && (mode === "NOTSET" || mode === "VALID")) return padding[i]!;
    const places = known(request, [x.shape[i + 2]!])[0]!;
    const whole = (places - 1) * strides[i]! + (size - 1) * dilations[i]! + 1 + outputPadding[i]!;
    const all = whole - (wanted?.[i] ?? places * strides[i]!);
    return mode === "SAME_UPPER"
      ? [Math.floor(all / 2), Math.ceil(all / 2)]
      : [Math.ceil(all / 2), Math.floor(all / 2)];
  });
  const groups = request.integer("group", 1);
  return ops.convolutionTranspose(
    x,
    weight,
    { strides, dilations, padding: around, groups, outputPadding },
    request.optional(2),
  );
};

/** Padding with what `ceil_mode` adds at the end: the last window must begin in the input or in the padding before it. */
function poolWindows(
  request: Request,
  x: Node,
): { sizes: readonly number[]; windows: Windows; extra: number[] } {
  const sizes = request.integers("kernel_shape") ?? [];
  const windows = windowsOf(request, x, sizes);
  const extra = sizes.map((size, i) => {
    if (!request.flag("ceil_mode")) return 0;
    const [low, high] = windows.padding[i]!;
    const stride = windows.strides[i]!;
    const places = known(request, [x.shape[i + 2]!])[0]!;
    const reach = (size - 1) * windows.dilations[i]! + 1;
    let count = Math.ceil((places + low + high - reach) / stride) + 1;
    if ((count - 1) * stride >= places + low) count--;
    return Math.max(0, (count - 1) * stride + reach - places - low - high);
  });
  return { sizes, windows, extra };
}

const maxPool: Row = (request) => {
  const x = request.input(0);
  const { sizes, windows, extra } = poolWindows(request, x);
  const padding = windows.padding.map(([low, high], i) => [low, high + extra[i]!] as const);
  const geometry = { ...windows, sizes, padding };
  const values = ops.maxPool(x, geometry);
  return request.wants(1) ? [values, placesInAll(request, x, ops.maxPoolIndices(x, geometry))] : values;
};

/** Where elements stand in the whole input, from where they stand in their image. */
function placesInAll(request: Request, x: Node, indices: Node): Node {
  if (request.flag("storage_order")) throw request.fail("storage_order 1 is not supported");
  const [, channels, ...spatial] = known(request, x.shape) as [number, number, ...number[]];
  const size = spatial.reduce((a, b) => a * b, 1);
  const { shape } = indices;
  const part = (axis: number, by: number): Node => ops.mul(ops.iota(shape, axis), ops.full(shape, by, "i32"));
  return ops.add(indices, ops.add(part(0, channels * size), part(1, size)));
}

const averagePool: Row = (request) => {
  const x = request.input(0);
  const { sizes, windows, extra } = poolWindows(request, x);
  const isExtra = extra.some((more) => more > 0);
  const countsPadding = request.flag("count_include_pad");
  if (!countsPadding || !isExtra) {
    const padding = windows.padding.map(([low, high], i) => [low, high + extra[i]!] as const);
    return ops.averagePool(x, { ...windows, sizes, padding, countsPadding });
  }
  // What `ceil_mode` adds never counts.
  const low = [0, 0, ...windows.padding.map(([before]) => before)];
  const high = [0, 0, ...windows.padding.map(([, after]) => after)];
  const padding = extra.map((more) => [0, more] as const);
  return ops.averagePool(ops.pad(x, { low, high }), { ...windows, sizes, padding, countsPadding: false });
};

const global =
  (op: (x: Node, axes: readonly number[]) => Node): Row =>
  (request) => {
    const x = request.input(0);
    const axes = x.shape.map((_, axis) => axis).slice(2);
    return ops.reshape(op(x, axes), [...x.shape.slice(0, 2), ...axes.map(() => 1)]);
  };

/** A number for each channel, axis 1, at all elements. */
const perChannel = (vector: Node, x: Node): Node =>
  ops.broadcastTo(ops.reshape(vector, [vector.shape[0]!, ...x.shape.slice(2).map(() => 1)]), x.shape);

/** By the statistics of training, which stay as they are. */
const batchNormalization: Row = (request) => {
  const [x, scale, bias, mean, variance] = request.inputs() as [Node, Node, Node, Node, Node];
  if (request.flag("training_mode"))
    throw request.fail("training_mode 1 is not supported; export the model for evaluation");
  const spread = ops.sqrt(ops.add(variance, ops.like(variance, request.float("epsilon", 1e-5))));
  const factor = ops.div(scale, spread);
  const shift = ops.sub(bias, ops.mul(mean, factor));
  return ops.add(ops.mul(x, perChannel(factor, x)), perChannel(shift, x));
};

const layerNormalization: Row = (request) => {
  const x = request.input(0);
  const axis = request.axis(request.integer("axis", -1), x.shape.length);
  const axes = x.shape.map((_, i) => i).slice(axis);
  const made = ops.normalize(x, axes, request.float("epsilon", 1e-5));
  const scaled = ops.mul(made, ops.broadcastTo(request.input(1), x.shape));
  const bias = request.optional(2);
  return bias === undefined ? scaled : ops.add(scaled, ops.broadcastTo(bias, x.shape));
};

const rootMeanSquare: Row = (request) => {
  const x = request.input(0);
  const axis = request.axis(request.integer("axis", -1), x.shape.length);
  const axes = x.shape.map((_, i) => i).slice(axis);
  const mean = ops.mean(ops.mul(x, x), axes);
  const factor = ops.rsqrt(ops.add(mean, ops.like(mean, request.float("epsilon", 1e-5))));
  return ops.mul(
    ops.mul(x, ops.expandAxes(factor, axes, x.shape)),
    ops.broadcastTo(request.input(1), x.shape),
  );
};

const instanceNormalization: Row = (request) => {
  const [x, scale, bias] = request.inputs() as [Node, Node, Node];
  const axes = x.shape.map((_, axis) => axis).slice(2);
  const made = ops.normalize(x, axes, request.float("epsilon", 1e-5));
  return ops.add(ops.mul(made, perChannel(scale, x)), perChannel(bias, x));
};

const groupNormalization: Row = (request) => {
  const [x, scale, bias] = request.inputs() as [Node, Node, Node];
  const groups = request.integer("num_groups", 1);
  const [n, channels, ...spatial] = known(request, x.shape) as [number, number, ...number[]];
  const split = ops.reshape(x, [n, groups, channels / groups, ...spatial]);
  const axes = split.shape.map((_, axis) => axis).slice(2);
  const made = ops.reshape(ops.normalize(split, axes, request.float("epsilon", 1e-5)), x.shape);
  const own = (vector: Node): Node =>
    perChannel(vector.shape[0] === channels ? vector : ops.repeat(vector, channels / groups, 0), x);
  return ops.add(ops.mul(made, own(scale)), own(bias));
};

const lpNormalization: Row = (request) => {
  const x = request.input(0);
  const axis = request.axis(request.integer("axis", -1), x.shape.length);
  const isFirst = request.integer("p", 2) === 1;
  const length = isFirst ? ops.sum(ops.abs(x), [axis]) : ops.sqrt(ops.sum(ops.mul(x, x), [axis]));
  return ops.div(x, ops.expandAxes(length, [axis], x.shape));
};

/** x / (bias + alpha / size · Σ of squares of channels around)^beta: Krizhevsky and others, 2012. */
const localResponse: Row = (request) => {
  const x = request.input(0);
  const size = request.integer("size", 1);
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const at = (width: number): number[] => x.shape.map((_, axis) => (axis === 1 ? width : 0));
  const squares = ops.pad(ops.mul(x, x), { low: at(before), high: at(after) });
  const total = ops.sum(ops.windows(squares, { axes: [1], sizes: [size] }), [x.shape.length]);
  const base = ops.add(
    ops.mul(total, ops.like(total, request.float("alpha", 1e-4) / size)),
    ops.like(total, request.float("bias", 1)),
  );
  return ops.div(x, ops.pow(base, ops.like(base, request.float("beta", 0.75))));
};

/** Sets of operators before 13 take all axes from the given one on together. */
const along =
  (op: (x: Node, axes: readonly number[]) => Node): Row =>
  (request) => {
    const x = request.input(0);
    const axis = request.axis(request.integer("axis", request.opset < 13 ? 1 : -1), x.shape.length);
    return op(x, request.opset < 13 ? x.shape.map((_, i) => i).slice(axis) : [axis]);
  };

const hardmax: Row = (request) => {
  const x = request.input(0);
  const axis = request.axis(request.integer("axis", request.opset < 13 ? 1 : -1), x.shape.length);
  const first = ops.argmax(x, axis);
  const isFirst = ops.equal(ops.expandAxes(first, [axis], x.shape), ops.iota(x.shape, axis));
  return ops.cast(isFirst, x.dtype);
};

export const neural: Rows = {
  AveragePool: averagePool,
  BatchNormalization: batchNormalization,
  Conv: convolution,
  ConvTranspose: transposed,
  GlobalAveragePool: global(ops.mean),
  GlobalMaxPool: global(ops.max),
  GroupNormalization: groupNormalization,
  Hardmax: hardmax,
  InstanceNormalization: instanceNormalization,
  LRN: localResponse,
  LayerNormalization: layerNormalization,
  LogSoftmax: along(ops.logSoftmax),
  LpNormalization: lpNormalization,
  MaxPool: maxPool,
  RMSNormalization: rootMeanSquare,
  Softmax: along(ops.softmax),
};
