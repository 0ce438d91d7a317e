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
export { Bilinear, type BilinearOptions } from "./bilinear.ts";
export { ModuleDict, ModuleList } from "./containers.ts";
export { AlphaDropout, Dropout, type DropoutOptions, FeatureDropout } from "./dropout.ts";
export { Flatten, Identity, Unflatten } from "./flatten.ts";
export type { Initializer, InitializerRequest } from "./initializers.ts";
export * as initializers from "./initializers.ts";
export { Linear, type LinearOptions } from "./linear.ts";
export type { Listing, Member } from "./members.ts";
export { Adapter, type ForwardHook, type ForwardPreHook, Module, type Registration } from "./module.ts";
export { Parameter, type ParameterOptions } from "./parameter.ts";
export { RandomStream } from "./random-stream.ts";
export { Sequential } from "./sequential.ts";
export {
  type LoadOptions,
  type LoadReport,
  loadStates,
  type StateSource,
  type StateValue,
} from "./state-dict.ts";
export type { LayerSummary, ModuleSummary } from "./summary.ts";
