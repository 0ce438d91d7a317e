/**
 * Layers of Keras as modules with the same outputs, in Keras's layout (N, …spatial, C): one row a class. What stands between two
 * spatial layers is put together by `tidy`.
 */
import { FormatError, nearestName } from "../../base/errors.ts";
import type { HostArray } from "../../base/host-array.ts";
import * as nn from "../../nn/index.ts";
import { concat, type Tensor } from "../../tensor/index.ts";

/** What a row gets: the layer's options, its input's shape without the batch, and what it is called in messages. */
export interface LayerRequest {
  readonly config: Readonly<Record<string, any>>;
  readonly shape: readonly number[];
  readonly what: string;
}

/** Modules in a row, and the states that take the layer's arrays, in Keras's order. */
export interface MadeLayer {
  readonly modules: readonly nn.Module[];
  readonly weights?: readonly WeightPlace[];
}

export interface WeightPlace {
  readonly module: nn.Module;
  readonly state: string;
  /** Keras's order of axes to ours; as it is where left out. */
  readonly axes?: readonly number[];
  /** The shape after that, where axes are joined. */
  readonly shape?: readonly number[];
}

type Row = (request: LayerRequest) => MadeLayer;

const refuse = ({ what }: LayerRequest, problem: string): never => {
  throw new FormatError(`${what} ${problem}`);
};

function requireOption(request: LayerRequest, name: string, allowed: readonly unknown[]): void {
  const value = request.config[name];
  if (value === undefined || value === null || allowed.includes(value)) return;
  refuse(
    request,
    `has ${name} ${JSON.stringify(value)}, which is not supported; ${allowed.map(String).join(" or ")} is`,
  );
}

const activations: Readonly<Record<string, () => nn.Module | undefined>> = {
  linear: () => undefined,
  relu: () => new nn.ReLU(),
  relu6: () => new nn.ReLU6(),
  sigmoid: () => new nn.Sigmoid(),
  tanh: () => new nn.Tanh(),
  softmax: () => new nn.Softmax(),
  softplus: () => new nn.Softplus(),
  softsign: () => new nn.Softsign(),
  elu: () => new nn.ELU(),
  selu: () => new nn.SELU(),
  gelu: () => new nn.GELU(),
  silu: () => new nn.SiLU(),
  swish: () => new nn.SiLU(),
  mish: () => new nn.Mish(),
  leaky_relu: () => new nn.LeakyReLU({ negativeSlope: 0.2 }),
  exponential: () => new nn.Lambda((x) => x.exp() as Tensor),
};

/** The activation that an option names, as modules: none for linear. */
function activation(request: LayerRequest, option: unknown = request.config["activation"]): nn.Module[] {
  const name =
    typeof option === "object" && option !== null ? (option as any).class_name : (option ?? "linear");
  const make = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (make === undefined) {
    const near = nearestName(String(name), Object.keys(activations));
    refuse(
      request,
      `has activation ${JSON.stringify(name)}, which is not supported${near ? ` (the nearest is ${near})` : ""}`,
    );
  }
  const module = make!();
  return module === undefined ? [] : [module];
}

const pair = (value: unknown, rank: number): number[] =>
  Array.isArray(value) ? value.map(Number) : Array<number>(rank).fill(Number(value));

/** (N, …spatial, C) → (N, C, …spatial), and back. */
const toFirst = (rank: number): nn.Permute =>
  new nn.Permute([0, rank + 1, ...Array.from({ length: rank }, (_, i) => i + 1)]);
const toLast = (rank: number): nn.Permute =>
  new nn.Permute([0, ...Array.from({ length: rank }, (_, i) => i + 2), 1]);
const spatially = (rank: number, ...modules: readonly nn.Module[]): nn.Module[] => [
  toFirst(rank),
  ...modules,
  toLast(rank),
];

/** TensorFlow's "same": as many outputs as ⌈input / stride⌉, what is odd at the end. */
function samePadding(
  sizes: readonly number[],
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): [number, number][] {
  return sizes.map((size, i) => {
    const reach = (kernel[i]! - 1) * dilation[i]! + 1;
    const total = Math.max(0, (Math.ceil(size / stride[i]!) - 1) * stride[i]! + reach - size);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
}

/** A number around (N, C, …spatial). */
const padded = (around: readonly (readonly [number, number])[], value = 0): nn.Module =>
  new nn.Lambda((x) => x.pad([[0, 0], [0, 0], ...around], value) as Tensor);

const convolutions = [nn.Conv1d, nn.Conv2d, nn.Conv3d] as const;

const convolution =
  (rank: 1 | 2 | 3, isDepthwise = false): Row =>
  (request) => {
    const { config, shape } = request;
    requireOption(request, "data_format", ["channels_last"]);
    requireOption(request, "padding", ["valid", "same"]);
    const [kernel, stride, dilation] = ["kernel_size", "strides", "dilation_rate"].map((name) =>
      pair(config[name] ?? 1, rank),
    ) as [number[], number[], number[]];
    const channels = shape[rank]!;
    const out = isDepthwise ? channels * (config["depth_multiplier"] ?? 1) : config["filters"];
    const groups = isDepthwise ? channels : (config["groups"] ?? 1);
    const isSame = config["padding"] === "same";
    const around = isSame ? samePadding(shape.slice(0, rank), kernel, stride, dilation) : [];
    // More at the end than at the beginning is put there by a layer of its own.
    const isEven = around.every(([low, high]) => low === high);
    const padding = isEven && isSame ? around.map(([low]) => low) : 0;
    const bias = config["use_bias"] ?? true;
    const layer = new convolutions[rank - 1]!(
      channels,
      out,
      kernel as never,
      { stride, dilation, groups, bias, padding } as never,
    );
    // Kernels are (…kernel, in, out); those of depthwise layers (…kernel, channel, multiplier), which is the order of our outputs.
    const spatial = Array.from({ length: rank }, (_, i) => i);
    const axes = isDepthwise ? undefined : [rank + 1, rank, ...spatial];
    const kernelPlace: WeightPlace = isDepthwise
      ? { module: layer, state: "weight", axes: [rank, rank + 1, ...spatial], shape: [out, 1, ...kernel] }
      : { module: layer, state: "weight", axes: axes! };
    return {
      modules: [...spatially(rank, ...(isEven ? [] : [padded(around)]), layer), ...activation(request)],
      weights: [kernelPlace, ...(bias ? [{ module: layer, state: "bias" }] : [])],
    };
  };

const maxPools = [nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d] as const;
const averagePools = [nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d] as const;

const pool =
  (rank: 1 | 2 | 3, kind: "max" | "average"): Row =>
  (request) => {
    const { config, shape } = request;
    requireOption(request, "data_format", ["channels_last"]);
    const kernel = pair(config["pool_size"] ?? 2, rank);
    const stride = pair(config["strides"] ?? kernel, rank);
    const ones = kernel.map(() => 1);
    const around =
      config["padding"] === "same"
        ? samePadding(shape.slice(0, rank), kernel, stride, ones)
        : kernel.map(() => [0, 0]);
    const isPadded = around.some(([low, high]) => low! + high! > 0);
    const Pool = (kind === "max" ? maxPools : averagePools)[rank - 1]!;
    if (!isPadded) return { modules: spatially(rank, new Pool(kernel as never, { stride } as never)) };
    if (kind === "average" && around.some(([low, high]) => low !== high))
      refuse(
        request,
        `pads ${JSON.stringify(around)}, more at one end than at the other, which is not supported for averages`,
      );
    if (kind === "average") {
      const padding = around.map(([low]) => low);
      return {
        modules: spatially(
          rank,
          new Pool(kernel as never, { stride, padding, countIncludePad: false } as never),
        ),
      };
    }
    return {
      modules: spatially(
        rank,
        padded(around as [number, number][], -Infinity),
        new Pool(kernel as never, { stride } as never),
      ),
    };
  };

const overSpace =
  (rank: number, kind: "mean" | "max"): Row =>
  (request) => {
    requireOption(request, "data_format", ["channels_last"]);
    const axes = Array.from({ length: rank }, (_, i) => i + 1);
    const keepDims = request.config["keepdims"] === true;
    return { modules: [new nn.Lambda((x) => x[kind](axes as never, { keepDims } as never) as Tensor)] };
  };

const batchNorms: Readonly<Record<number, new (...values: any[]) => nn.BatchNorm>> = {
  1: nn.BatchNorm1d,
  3: nn.BatchNorm2d,
  4: nn.BatchNorm3d,
};

const batchNormalization: Row = (request) => {
  const { config, shape } = request;
  const rank = shape.length;
  const axis = Array.isArray(config["axis"]) ? config["axis"][0] : (config["axis"] ?? -1);
  if (axis !== -1 && axis !== rank) refuse(request, `normalizes axis ${axis}; the last one is supported`);
  const [hasScale, hasShift] = [config["scale"] ?? true, config["center"] ?? true];
  const BatchNorm = batchNorms[rank] ?? nn.BatchNorm1d;
  // Keras counts what stays of the old mean, PyTorch what is taken of the new one.
  const layer = new BatchNorm(shape[rank - 1]!, {
    epsilon: config["epsilon"] ?? 1e-3,
    momentum: 1 - (config["momentum"] ?? 0.99),
  });
  return {
    modules: rank === 1 ? [layer] : spatially(rank - 1, layer),
    weights: [
      ...(hasScale ? [{ module: layer, state: "weight" }] : []),
      ...(hasShift ? [{ module: layer, state: "bias" }] : []),
      ...[
        { module: layer, state: "running_mean" },
        { module: layer, state: "running_var" },
      ],
    ],
  };
};

const layerNormalization: Row = (request) => {
  const { config, shape } = request;
  const axis = Array.isArray(config["axis"]) ? config["axis"] : [config["axis"] ?? -1];
  if (axis.length !== 1 || (axis[0] !== -1 && axis[0] !== shape.length))
    refuse(request, `normalizes axes ${axis.join(", ")}; the last one is supported`);
  const layer = new nn.LayerNorm(shape[shape.length - 1]!, { epsilon: config["epsilon"] ?? 1e-3 });
  return {
    modules: [layer],
    weights: [
      ...((config["scale"] ?? true) ? [{ module: layer, state: "weight" }] : []),
      ...((config["center"] ?? true) ? [{ module: layer, state: "bias" }] : []),
    ],
  };
};

const dense: Row = (request) => {
  const { config, shape } = request;
  const bias = config["use_bias"] ?? true;
  const layer = new nn.Linear(shape[shape.length - 1]!, config["units"], { bias });
  return {
    modules: [layer, ...activation(request)],
    weights: [
      { module: layer, state: "weight", axes: [1, 0] },
      ...(bias ? [{ module: layer, state: "bias" }] : []),
    ],
  };
};

const embedding: Row = (request) => {
  requireOption(request, "mask_zero", [false]);
  const layer = new nn.Embedding(request.config["input_dim"], request.config["output_dim"]);
  return { modules: [layer], weights: [{ module: layer, state: "weight" }] };
};

const zeroPadding =
  (rank: number): Row =>
  ({ config }) => {
    const value = config["padding"] ?? 1;
    const list: unknown[] = Array.isArray(value) ? value : Array(rank).fill(value);
    // One axis says [before, after]; several say a number or a pair each.
    const around =
      rank === 1 && !Array.isArray(list[0]) && list.length === 2
        ? [pair(list, 2)]
        : list.map((each) => pair(each, 2));
    return { modules: [new nn.Lambda((x) => x.pad([[0, 0], ...around, [0, 0]] as never) as Tensor)] };
  };

const merge =
  (combine: (inputs: Tensor[], config: LayerRequest["config"]) => Tensor): Row =>
  ({ config }) => ({
    modules: [new nn.Lambda((...inputs) => combine(inputs, config))],
  });

const none: Row = () => ({ modules: [] });

/** By Keras's class. A function, for bundlers: a table whose rows are calls stays in every page. */
const rows = (): Readonly<Record<string, Row>> => ({
  Dense: dense,
  Embedding: embedding,
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  Conv3D: convolution(3),
  DepthwiseConv2D: convolution(2, true),
  MaxPooling1D: pool(1, "max"),
  MaxPooling2D: pool(2, "max"),
  MaxPooling3D: pool(3, "max"),
  AveragePooling1D: pool(1, "average"),
  AveragePooling2D: pool(2, "average"),
  AveragePooling3D: pool(3, "average"),
  GlobalAveragePooling1D: overSpace(1, "mean"),
  GlobalAveragePooling2D: overSpace(2, "mean"),
  GlobalMaxPooling1D: overSpace(1, "max"),
  GlobalMaxPooling2D: overSpace(2, "max"),
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  Activation: (request) => ({ modules: activation(request) }),
  ReLU: (request) => {
    const { max_value: most, negative_slope: slope, threshold } = request.config;
    if (threshold) refuse(request, `has threshold ${threshold}, which is not supported; 0 is`);
    if (slope && most) refuse(request, "has both a slope and a largest value, which is not supported");
    if (slope) return { modules: [new nn.LeakyReLU({ negativeSlope: slope })] };
    return {
      modules: [most ? new nn.Lambda((x) => x.clamp({ min: 0, max: most }) as Tensor) : new nn.ReLU()],
    };
  },
  LeakyReLU: ({ config }) => ({
    modules: [new nn.LeakyReLU({ negativeSlope: config["negative_slope"] ?? config["alpha"] ?? 0.3 })],
  }),
  ELU: ({ config }) => ({ modules: [new nn.ELU({ alpha: config["alpha"] ?? 1 })] }),
  Softmax: (request) => {
    requireOption(request, "axis", [-1]);
    return { modules: [new nn.Softmax()] };
  },
  Dropout: ({ config }) => ({ modules: [new nn.Dropout(config["rate"] ?? 0.5)] }),
  SpatialDropout1D: ({ config }) => ({ modules: spatially(1, new nn.Dropout1d(config["rate"] ?? 0.5)) }),
  SpatialDropout2D: ({ config }) => ({ modules: spatially(2, new nn.Dropout2d(config["rate"] ?? 0.5)) }),
  Flatten: () => ({ modules: [new nn.Flatten()] }),
  Reshape: ({ config }) => ({ modules: [new nn.Reshape(config["target_shape"])] }),
  Permute: ({ config }) => ({ modules: [new nn.Permute([0, ...config["dims"]])] }),
  Rescaling: ({ config: { scale = 1, offset = 0 } }) => ({
    modules: [new nn.Lambda((x) => x.mul(scale).add(offset) as Tensor)],
  }),
  InputLayer: none,
  Add: merge((inputs) => inputs.reduce((sum, x) => sum.add(x) as Tensor)),
  Multiply: merge((inputs) => inputs.reduce((product, x) => product.mul(x) as Tensor)),
  Subtract: merge(([a, b]) => a!.sub(b!) as Tensor),
  Average: merge((inputs) => inputs.reduce((sum, x) => sum.add(x) as Tensor).div(inputs.length) as Tensor),
  Maximum: merge((inputs) => inputs.reduce((largest, x) => largest.maximum(x) as Tensor)),
  Concatenate: merge((inputs, { axis = -1 }) => concat(inputs as never, axis) as Tensor),
});

/** @throws FormatError naming a class or an option that is not supported */
export function makeLayer(className: string, request: LayerRequest): MadeLayer {
  const known = rows();
  const row = Object.hasOwn(known, className) ? known[className] : undefined;
  if (row !== undefined) return row(request);
  const near = nearestName(className, Object.keys(known));
  return refuse(
    request,
    `is a ${className}, which is not supported${near ? ` (the nearest is ${near})` : ""}`,
  );
}

/** Without permutations that undo each other: what stands between two spatial layers. */
export function tidy(modules: readonly nn.Module[]): nn.Module[] {
  const kept: nn.Module[] = [];
  for (const module of modules) {
    const before = kept[kept.length - 1];
    const isUndone =
      before instanceof nn.Permute &&
      module instanceof nn.Permute &&
      before.axes.every((axis, i) => module.axes[axis] === i && before.axes[module.axes[i]!] === i);
    if (isUndone) kept.pop();
    else kept.push(module);
  }
  return kept;
}

/** An array in another order of axes. */
export function permuted(
  what: string,
  { dtype, shape, data }: HostArray,
  axes: readonly number[] | undefined,
): HostArray {
  if (axes === undefined) return { dtype, shape, data };
  if (axes.length !== shape.length)
    throw new FormatError(
      `${what}: an array of shape (${shape.join(", ")}) stands where one of ${axes.length} axes should`,
    );
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((n, size) => n * size, 1));
  const sizes = axes.map((axis) => shape[axis]!);
  const out = data.slice();
  const index = sizes.map(() => 0);
  let from = 0;
  for (let at = 0; at < out.length; at++) {
    out[at] = data[from]!;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      const stride = strides[axes[axis]!]!;
      from += stride;
      if (++index[axis]! < sizes[axis]!) break;
      from -= sizes[axis]! * stride;
      index[axis] = 0;
    }
  }
  return { dtype, shape: sizes, data: out };
}
