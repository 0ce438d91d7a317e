/** Activations by the names that configurations of Hugging Face have. */
import type { Tensor } from "../tensor/index.ts";
import type { PretrainedConfig } from "./config.ts";

export type Activation = (x: Tensor) => Tensor;

const gelu: Activation = (x) => x.gelu() as Tensor;
const tanhGelu: Activation = (x) => x.gelu({ approximate: "tanh" }) as Tensor;
const silu: Activation = (x) => x.silu() as Tensor;

export const activations = {
  gelu,
  gelu_new: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  relu: (x: Tensor) => x.relu() as Tensor,
  silu,
  swish: silu,
  tanh: (x: Tensor) => x.tanh() as Tensor,
} as const satisfies Readonly<Record<string, Activation>>;

export type ActivationName = keyof typeof activations;

/** @throws ArgumentError for a name that is not known */
export const activationName = (
  config: PretrainedConfig,
  key: string,
  fallback: ActivationName,
): ActivationName => config.oneOf(key, Object.keys(activations), fallback) as ActivationName;
