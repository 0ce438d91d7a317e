export { seed } from "../base/default-key.ts";
export type { DType } from "../base/dtype.ts";
export {
  ArgumentError,
  DTypeError,
  FileError,
  FormatError,
  InternalError,
  NetwrightError,
  PlatformError,
  SampleError,
  ShapeError,
  StepError,
} from "../base/errors.ts";
export type { HostArray } from "../base/host-array.ts";
export { Dimension, dimension } from "../base/size.ts";
export { setTarget, setThreads, type TargetName } from "../runtime/devices.ts";
export { type ProgramCacheOptions, setProgramCache } from "../runtime/program-cache/cache.ts";
export { autocast, type Precision } from "./autocast.ts";
export { concat, einsum, kron, meshgrid, stack, tensordot } from "./combine.ts";
export { type Compiled, type CompileOptions, compile } from "./compile.ts";
export {
  arange,
  asTensor,
  type CreateOptions,
  eye,
  full,
  linspace,
  ones,
  onesLike,
  type TensorOptions,
  tensor,
  tri,
  zeros,
  zerosLike,
} from "./create.ts";
export { type CustomBackward, customGradient, stopGradient } from "./custom-gradient.ts";
export { type DeviceFacts, device } from "./device.ts";
export { explainNaN, type NaNExplanation, type ValueRange } from "./explain-nan.ts";
export { scalar, where } from "./functions.ts";
export { type Gradients, type GradientTargets, type GradOptions, grad, valueAndGrad } from "./grad.ts";
export { type LoopOptions, repeatWhile, scan } from "./loops.ts";
export { Slice, slice, type TensorIndex } from "./methods/indexing.ts";
export type { ProgramReport } from "./program.ts";
export * as random from "./random.ts";
export { rematerialize } from "./rematerialize.ts";
export { type SparseRows, sparseRows } from "./sparse-rows.ts";
export { betainc, gammainc, gammaincc } from "./special.ts";
export { type StateInit, type StateOptions, StateTensor, state } from "./state.ts";
export { Tensor } from "./tensor.ts";
export { touch, type Versioned } from "./trace-dependencies.ts";
export { hessian, hessianVectorProduct, jacobian, jvp, vjp } from "./transforms.ts";
export type { NestedArray, TensorLike } from "./types.ts";
export { type AnyShapes, type VectorizeOptions, vectorize } from "./vectorize.ts";
