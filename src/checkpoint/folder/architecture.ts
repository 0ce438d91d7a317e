/**
 * Chains of common layers as data, so that a folder is enough to make the model again. One row a layer: its class, and what its
 * constructor was given, read from the layer. Other models are made by a function of the user's.
 */
import { FormatError, nearestName } from "../../base/errors.ts";
import * as nn from "../../nn/index.ts";

/** A layer: the name of its row, its constructor's arguments, and the layers of a `Sequential`. */
export interface LayerDescription {
  readonly layer: string;
  readonly arguments?: readonly unknown[];
  readonly layers?: readonly LayerDescription[];
}

interface Row {
  readonly make: new (...values: any[]) => nn.Module;
  readonly arguments: (layer: any) => readonly unknown[];
}

const plain = (make: Row["make"]): Row => ({ make, arguments: () => [] });
const hasBias = ({ bias }: { bias: unknown }): boolean => bias !== undefined;
const convolution = (make: Row["make"]): Row => ({
  make,
  arguments: (layer: nn.Conv2d) => {
    const { stride, dilation, groups, paddingMode } = layer;
    // What "same" puts around may be more at one end; numbers are the same at both.
    const isEven = layer.padding.every(([low, high]) => low === high);
    const padding = isEven ? layer.padding.map(([low]) => low) : "same";
    const options = { stride, dilation, groups, padding, paddingMode, bias: hasBias(layer) };
    return [layer.inChannels, layer.outChannels, layer.kernelSize, options];
  },
});
const batchNorm = (make: Row["make"]): Row => ({
  make,
  arguments: (layer: nn.BatchNorm) => {
    const { epsilon, momentum, weight, runningMean } = layer;
    const trackRunningStats = runningMean !== undefined;
    return [layer.numFeatures, { epsilon, momentum, affine: weight !== undefined, trackRunningStats }];
  },
});
const maxPool = (make: Row["make"]): Row => ({
  make,
  arguments: ({ kernelSize, stride, padding, dilation, ceilMode }: nn.MaxPool2d) => [
    kernelSize,
    { stride, padding, dilation, ceilMode },
  ],
});
const averagePool = (make: Row["make"]): Row => ({
  make,
  arguments: ({ kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride }: nn.AvgPool2d) => [
    kernelSize,
    { stride, padding, ceilMode, countIncludePad, divisorOverride },
  ],
});
const dropout = (make: Row["make"]): Row => ({ make, arguments: ({ p }: nn.Dropout) => [p] });

const alongAxis = (make: Row["make"]): Row => ({ make, arguments: ({ axis }: nn.Softmax) => [{ axis }] });
/** Activations with one number, which their constructors call by its name. */
const withNumber = (make: Row["make"], name: string): Row => ({
  make,
  arguments: ({ value }: { value: number }) => [{ [name]: value }],
});
const adaptivePool = (make: Row["make"]): Row => ({
  make,
  arguments: ({ outputSize }: nn.AdaptiveAvgPool2d) => [outputSize],
});

/** By the name that files have. A function, for bundlers: a table whose rows are calls stays in every page. */
const rows = (): Readonly<Record<string, Row>> => ({
  Linear: {
    make: nn.Linear,
    arguments: (layer: nn.Linear) => [layer.inFeatures, layer.outFeatures, { bias: hasBias(layer) }],
  },
  Embedding: {
    make: nn.Embedding,
    arguments: ({ numEmbeddings, embeddingDim, paddingIndex }: nn.Embedding) => [
      ...[numEmbeddings, embeddingDim],
      paddingIndex === undefined ? {} : { paddingIndex },
    ],
  },
  LayerNorm: {
    make: nn.LayerNorm,
    arguments: ({ normalizedShape, epsilon, weight, bias }: nn.LayerNorm) => [
      normalizedShape,
      { epsilon, elementwiseAffine: weight !== undefined, bias: bias !== undefined },
    ],
  },
  RMSNorm: {
    make: nn.RMSNorm,
    arguments: ({ normalizedShape, epsilon, weight }: nn.RMSNorm) => [
      normalizedShape,
      { epsilon, elementwiseAffine: weight !== undefined },
    ],
  },
  GroupNorm: {
    make: nn.GroupNorm,
    arguments: ({ numGroups, numChannels, epsilon, weight }: nn.GroupNorm) => [
      ...[numGroups, numChannels],
      { epsilon, affine: weight !== undefined },
    ],
  },
  Conv1d: convolution(nn.Conv1d),
  Conv2d: convolution(nn.Conv2d),
  Conv3d: convolution(nn.Conv3d),
  BatchNorm1d: batchNorm(nn.BatchNorm1d),
  BatchNorm2d: batchNorm(nn.BatchNorm2d),
  BatchNorm3d: batchNorm(nn.BatchNorm3d),
  MaxPool1d: maxPool(nn.MaxPool1d),
  MaxPool2d: maxPool(nn.MaxPool2d),
  MaxPool3d: maxPool(nn.MaxPool3d),
  AvgPool1d: averagePool(nn.AvgPool1d),
  AvgPool2d: averagePool(nn.AvgPool2d),
  AvgPool3d: averagePool(nn.AvgPool3d),
  AdaptiveAvgPool1d: adaptivePool(nn.AdaptiveAvgPool1d),
  AdaptiveAvgPool2d: adaptivePool(nn.AdaptiveAvgPool2d),
  AdaptiveAvgPool3d: adaptivePool(nn.AdaptiveAvgPool3d),
  AdaptiveMaxPool1d: adaptivePool(nn.AdaptiveMaxPool1d),
  AdaptiveMaxPool2d: adaptivePool(nn.AdaptiveMaxPool2d),
  AdaptiveMaxPool3d: adaptivePool(nn.AdaptiveMaxPool3d),
  Dropout: dropout(nn.Dropout),
  Dropout1d: dropout(nn.Dropout1d),
  Dropout2d: dropout(nn.Dropout2d),
  Dropout3d: dropout(nn.Dropout3d),
  GELU: { make: nn.GELU, arguments: ({ approximate }: nn.GELU) => [{ approximate }] },
  Unflatten: { make: nn.Unflatten, arguments: ({ axis, sizes }: nn.Unflatten) => [axis, sizes] },
  Reshape: { make: nn.Reshape, arguments: ({ targetShape }: nn.Reshape) => [targetShape] },
  Permute: { make: nn.Permute, arguments: ({ axes }: nn.Permute) => [axes] },
  Flatten: plain(nn.Flatten),
  Identity: plain(nn.Identity),
  ReLU: plain(nn.ReLU),
  ReLU6: plain(nn.ReLU6),
  Sigmoid: plain(nn.Sigmoid),
  LogSigmoid: plain(nn.LogSigmoid),
  Tanh: plain(nn.Tanh),
  SiLU: plain(nn.SiLU),
  Mish: plain(nn.Mish),
  Softsign: plain(nn.Softsign),
  HardSigmoid: plain(nn.HardSigmoid),
  HardSwish: plain(nn.HardSwish),
  TanhShrink: plain(nn.TanhShrink),
  SELU: plain(nn.SELU),
  ELU: withNumber(nn.ELU, "alpha"),
  CELU: withNumber(nn.CELU, "alpha"),
  LeakyReLU: withNumber(nn.LeakyReLU, "negativeSlope"),
  Softplus: withNumber(nn.Softplus, "beta"),
  HardTanh: { make: nn.HardTanh, arguments: ({ low, high }: nn.HardTanh) => [{ low, high }] },
  PReLU: { make: nn.PReLU, arguments: ({ weight }: nn.PReLU) => [weight.shape[0]] },
  Softmax: alongAxis(nn.Softmax),
  LogSoftmax: alongAxis(nn.LogSoftmax),
});

/** The description of a model; undefined when a layer has no row. */
export function describeModel(model: nn.Module): LayerDescription | undefined {
  if (model.constructor === nn.Sequential) {
    const layers = (model as nn.Sequential).layers.map((layer) => describeModel(layer as never));
    return layers.includes(undefined)
      ? undefined
      : { layer: "Sequential", layers: layers as LayerDescription[] };
  }
  // The class itself is compared: a class derived from it may compute something else.
  const found = Object.entries(rows()).find(([, { make }]) => make === model.constructor);
  return found && { layer: found[0], arguments: found[1].arguments(model) };
}

/** A model of its description, with fresh weights. @throws FormatError naming a layer that has no row */
export function modelOf(what: string, description: unknown, depth = 0): nn.Module {
  const { layer, arguments: values = [], layers } = (description ?? {}) as Partial<LayerDescription>;
  if (depth > 32) throw new FormatError(`${what}: layers are nested more than 32 deep`);
  if (layer === "Sequential" && Array.isArray(layers))
    return new nn.Sequential(...(layers.map((inner) => modelOf(what, inner, depth + 1)) as never[]));
  const known = rows();
  const row = typeof layer === "string" && Object.hasOwn(known, layer) ? known[layer] : undefined;
  if (row === undefined || !Array.isArray(values)) {
    const near = nearestName(String(layer), Object.keys(known));
    throw new FormatError(
      `${what}: its architecture has a layer ${JSON.stringify(layer)}, which is none of those that are made from files` +
        (near === undefined ? "" : ` (the nearest is "${near}")`),
    );
  }
  try {
    return new row.make(...values);
  } catch (cause) {
    throw new FormatError(`${what}: its layer ${layer} cannot be made: ${(cause as Error).message}`, {
      cause,
    });
  }
}
