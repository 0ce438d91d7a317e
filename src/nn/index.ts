/** Modules, parameters and layers. */
export {
  CELU,
  ELU,
  Entmax15,
  GELU,
  GLU,
  HardShrink,
  HardSigmoid,
  HardSwish,
  HardTanh,
  LeakyReLU,
  LogSigmoid,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  ReLU6,
  RReLU,
  SELU,
  Sigmoid,
  SiLU,
  Softmax,
  Softmax2d,
  Softmin,
  Softplus,
  SoftShrink,
  Softsign,
  Sparsemax,
  Tanh,
  TanhShrink,
  Threshold,
} from "./activations.ts";
export {
  BahdanauAttention,
  type BahdanauAttentionOptions,
  type ContextOptions,
  type ContextResult,
  LuongAttention,
  type LuongAttentionOptions,
} from "./additive-attention.ts";
export {
  type AttentionOptions,
  attentionWeights,
  scaledDotProductAttention,
} from "./attention.ts";
export { Bilinear, type BilinearOptions } from "./bilinear.ts";
export { Concat, Parallel, Residual } from "./branches.ts";
export { ModuleDict, ModuleList, ParameterDict, ParameterList } from "./containers.ts";
export {
  Conv1d,
  Conv2d,
  Conv3d,
  type ConvolutionOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type TransposedConvolutionOptions,
} from "./convolution.ts";
export {
  alibiBias,
  alibiSlopes,
  RelativePositionBias,
  type RelativePositionBiasOptions,
  relativeBucket,
} from "./distance-bias.ts";
export {
  AlphaDropout,
  Dropout,
  Dropout1d,
  Dropout2d,
  Dropout3d,
  type DropoutOptions,
  DropPath,
  FeatureAlphaDropout,
  FeatureDropout,
  GaussianDropout,
  GaussianNoise,
} from "./dropout.ts";
export { Embedding, type EmbeddingOptions } from "./embedding.ts";
export { type BagOptions, EmbeddingBag, type EmbeddingBagOptions } from "./embedding-bag.ts";
export { Flatten, Identity, Unflatten } from "./flatten.ts";
export type { Initializer, InitializerRequest } from "./initializers.ts";
export * as initializers from "./initializers.ts";
export {
  type AttentionCache,
  type CachedKeys,
  KeyValueCache,
  type KeyValueCacheSizes,
} from "./key-value-cache.ts";
export { Linear, type LinearOptions } from "./linear.ts";
export type { Listing, Member } from "./members.ts";
export { Adapter, type ForwardHook, type ForwardPreHook, Module, type Registration } from "./module.ts";
export {
  type AttendOptions,
  MultiheadAttention,
  type MultiheadAttentionOptions,
  type MultiheadResult,
} from "./multihead-attention.ts";
export {
  BatchNorm,
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  type BatchNormOptions,
  GroupNorm,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
  type InstanceNormOptions,
  LayerNorm,
  type LayerNormOptions,
  LocalResponseNorm,
  type LocalResponseNormOptions,
  type NormOptions,
  RMSNorm,
  type RMSNormOptions,
} from "./normalization.ts";
export {
  CircularPad1d,
  CircularPad2d,
  CircularPad3d,
  ConstantPad1d,
  ConstantPad2d,
  ConstantPad3d,
  type PadWidths,
  ReflectionPad1d,
  ReflectionPad2d,
  ReflectionPad3d,
  ReplicationPad1d,
  ReplicationPad2d,
  ReplicationPad3d,
  ZeroPad1d,
  ZeroPad2d,
  ZeroPad3d,
} from "./padding.ts";
export { PagedCache, type PagedCacheSizes, type PagedRows } from "./paged-cache.ts";
export { Parameter, type ParameterOptions } from "./parameter.ts";
export {
  Parametrization,
  parametrize,
  removeParametrization,
  type SpectralNormOptions,
  spectralNorm,
  type WeightNormOptions,
  weightNorm,
} from "./parametrize.ts";
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  type AveragePoolOptions,
  AvgPool1d,
  AvgPool2d,
  AvgPool3d,
  LPPool1d,
  LPPool2d,
  LPPool3d,
  type LPPoolOptions,
  MaxPool1d,
  MaxPool2d,
  MaxPool3d,
  type MaxPoolOptions,
  type MaxPoolResult,
  type PoolOptions,
} from "./pooling.ts";
export {
  LearnedPositions,
  type LearnedPositionsOptions,
  SinusoidalPositions,
  sinusoidalPositions,
  sinusoidalPositions2d,
} from "./positions.ts";
export { quantizeBlocks, type RoundedType } from "./quantize-blocks.ts";
export {
  isQuantized,
  isQuantizedType,
  type QuantizedInit,
  type QuantizedType,
  QuantizedWeight,
  type QuantizeOptions,
  quantizeModel,
  removeQuantizedWeight,
  setQuantizedWeight,
} from "./quantized.ts";
export { RandomStream } from "./random-stream.ts";
export {
  ChannelShuffle,
  Fold,
  Lambda,
  Permute,
  PixelShuffle,
  PixelUnshuffle,
  Reshape,
  Unfold,
  type UnfoldOptions,
} from "./rearrange.ts";
export {
  GRU,
  LSTM,
  type LSTMOptions,
  type LSTMResult,
  type RecurrentOptions,
  type RecurrentResult,
  RNN,
  type RNNOptions,
  type RunOptions,
} from "./recurrent.ts";
export { type CellOptions, GRUCell, LSTMCell, RNNCell } from "./recurrent-cells.ts";
export {
  RotaryEmbedding,
  type RotaryOptions,
  type RotaryPlace,
  type RotaryScaling,
  rotaryFrequencies,
} from "./rotary.ts";
export { Sequential } from "./sequential.ts";
export {
  CosineSimilarity,
  type CosineSimilarityOptions,
  cosineSimilarity,
  PairwiseDistance,
  type PairwiseDistanceOptions,
  pairwiseDistance,
} from "./similarity.ts";
export type { Padding, PaddingMode, PerAxis } from "./spatial.ts";
export {
  type LoadOptions,
  type LoadReport,
  loadStates,
  type StateSource,
  type StateValue,
} from "./state-dict.ts";
export {
  isStored,
  restoreWeights,
  type StoredDType,
  StoredWeight,
  type StoreOptions,
  storeWeights,
} from "./stored.ts";
export type { LayerSummary, ModuleSummary, OptimizerStates } from "./summary.ts";
export {
  type DecoderMasks,
  type EncoderMasks,
  type StackOptions,
  Transformer,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from "./transformer.ts";
export { MaxUnpool1d, MaxUnpool2d, MaxUnpool3d, type MaxUnpoolOptions } from "./unpooling.ts";
export { updateBatchNorm } from "./update-batch-norm.ts";
export { type InterpolateOptions, type InterpolationMode, interpolate, Upsample } from "./upsample.ts";
