/** Modules, parameters and layers. */
export {
  CELU,
  ELU,
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
  SELU,
  Sigmoid,
  SiLU,
  Softmax,
  Softmin,
  Softplus,
  SoftShrink,
  Softsign,
  Tanh,
  TanhShrink,
} from "./activations.ts";
export {
  type AttentionOptions,
  attentionWeights,
  scaledDotProductAttention,
} from "./attention.ts";
export { Bilinear, type BilinearOptions } from "./bilinear.ts";
export { ModuleDict, ModuleList } from "./containers.ts";
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
export { AlphaDropout, Dropout, type DropoutOptions, FeatureDropout } from "./dropout.ts";
export { Embedding, type EmbeddingOptions } from "./embedding.ts";
export { Flatten, Identity, Unflatten } from "./flatten.ts";
export type { Initializer, InitializerRequest } from "./initializers.ts";
export * as initializers from "./initializers.ts";
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
  LayerNorm,
  type LayerNormOptions,
  type NormOptions,
  RMSNorm,
  type RMSNormOptions,
} from "./normalization.ts";
export { Parameter, type ParameterOptions } from "./parameter.ts";
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
  MaxPool1d,
  MaxPool2d,
  MaxPool3d,
  type MaxPoolOptions,
  type PoolOptions,
} from "./pooling.ts";
export { RandomStream } from "./random-stream.ts";
export {
  GRU,
  LSTM,
  type LSTMResult,
  type RecurrentOptions,
  type RecurrentResult,
  RNN,
  type RNNOptions,
  type RunOptions,
} from "./recurrent.ts";
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
export type { LayerSummary, ModuleSummary } from "./summary.ts";
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
export { updateBatchNorm } from "./update-batch-norm.ts";
