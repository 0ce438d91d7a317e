/** Modules, parameters and layers. */
export { GELU, ReLU, Sigmoid, SiLU, Softmax, Tanh } from "./activations.ts";
export { Dropout, type DropoutOptions } from "./dropout.ts";
export { Flatten } from "./flatten.ts";
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
