/**
 * Weights that are computed from others: a parameter of a layer is replaced by a function of new parameters, and the layer, which
 * reads its field as before, does not know. Names are those of `torch.nn.utils.parametrize`.
 */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { StateTensor, stopGradient, type Tensor, tensor } from "../tensor/index.ts";
import { normal } from "./initializers.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/**
 * Computes a weight from parameters of its own; a child of the layer under `parametrizations.name`.
 *
 * @example
 * class Halved extends Parametrization {
 *   readonly original: Parameter;
 *   constructor(original: Parameter) {
 *     super();
 *     this.original = original;
 *   }
 *   forward(): Tensor {
 *     return this.original.mul(0.5);
 *   }
 * }
 * parametrize(new Linear(2, 1, { weightInit: initializers.ones() }), "weight", (weight) => new Halved(weight)).weight; // [[0.5, 0.5]]
 */
export abstract class Parametrization extends Module {
  /** Whether no training changes its states: what a checkpoint of a fine-tuning leaves out. */
  readonly isFixed: boolean = false;
  abstract override forward(): Tensor;
}

/** The record of a layer's parametrizations by the name of what they compute. */
type Parametrized = Module & { parametrizations?: Record<string, Parametrization> };

/**
 * Replaces a parameter of `layer` by what `make` gives for it. The parameter is no longer listed; those of the parametrization are,
 * as `parametrizations.weight.…`. Optimizers must be made afterwards.
 *
 * @throws ArgumentError when the layer has no parameter of that name, or one that is computed already
 * @returns the layer
 * @example
 * class Positive extends Parametrization {
 *   readonly original: Parameter;
 *   constructor(original: Parameter) {
 *     super();
 *     this.original = original;
 *   }
 *   forward(): Tensor {
 *     return this.original.exp();
 *   }
 * }
 * const layer = parametrize(new Linear(2, 1), "weight", (weight) => new Positive(weight));
 * [...layer.stateDict().keys()]; // ["bias", "parametrizations.weight.original"]
 */
export function parametrize<M extends Module>(
  layer: M,
  name: string,
  make: (parameter: Parameter) => Parametrization,
): M {
  const holder = layer as unknown as Parametrized & Record<string, unknown>;
  const parameter = Object.getOwnPropertyDescriptor(holder, name)?.value as unknown;
  if (holder.parametrizations?.[name] !== undefined)
    throw new ArgumentError(
      `parametrize: "${name}" of ${layer.constructor.name} is computed already; remove that first`,
    );
  if (!(parameter instanceof Parameter))
    throw new ArgumentError(
      `parametrize: ${layer.constructor.name} has no parameter "${name}" in a field of its own`,
    );
  const parametrization = make(parameter);
  holder.parametrizations = { ...holder.parametrizations, [name]: parametrization };
  // What is not enumerable is no field of the search: the computed tensor is read, never listed.
  Object.defineProperty(holder, name, {
    get: () => parametrization.forward(),
    enumerable: false,
    configurable: true,
  });
  return layer;
}

/**
 * Undoes `parametrize`: the field holds a parameter again, with the value that was computed last.
 *
 * @throws ArgumentError when the field is not computed
 * @example
 * const layer = removeParametrization(weightNorm(new Linear(2, 1)), "weight");
 * [...layer.stateDict().keys()]; // ["weight", "bias"]
 */
export function removeParametrization<M extends Module>(layer: M, name = "weight"): M {
  const holder = layer as unknown as Parametrized & Record<string, unknown>;
  const { [name]: parametrization, ...rest } = holder.parametrizations ?? {};
  if (parametrization === undefined)
    throw new ArgumentError(`removeParametrization: "${name}" of ${layer.constructor.name} is not computed`);
  const wasTraining = parametrization.training;
  const value = parametrization.eval().forward();
  parametrization.train(wasTraining);
  const { shape, dtype } = value;
  const parameter = new Parameter({ shape, dtype, data: new Float32Array(countOf(shape)) } as never, {
    name,
  });
  parameter.assign(stopGradient(value));
  Object.defineProperty(holder, name, {
    value: parameter,
    enumerable: true,
    configurable: true,
    writable: true,
  });
  if (Object.keys(rest).length === 0) delete holder.parametrizations;
  else holder.parametrizations = rest;
  return layer;
}

const countOf = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

/** (out, …) as a matrix with a row for each element of an axis. */
function asMatrix(weight: Tensor, axis: number): Tensor {
  const front = (axis === 0 ? weight : weight.moveAxis(axis, 0)) as Tensor;
  return front.reshape([(front.shape as readonly number[])[0]!, -1]) as Tensor;
}

export interface WeightNormOptions {
  /** Which parameter; default "weight". */
  readonly name?: string;
  /** Each of whose elements has a length of its own, default 0: output channels. null: one length for all. */
  readonly axis?: number | null;
}

class WeightNorm extends Parametrization {
  /** The lengths. */
  readonly original0: Parameter;
  /** The directions, of any length. */
  readonly original1: Parameter;
  private readonly axis: number | null;

  constructor(weight: Parameter, axis: number | null) {
    super();
    this.axis = axis;
    this.original1 = weight;
    const lengths = this.lengths();
    const shape = lengths.shape as readonly number[];
    this.original0 = new Parameter({ shape, dtype: "f32", data: new Float32Array(countOf(shape)) } as never, {
      name: "original0",
    });
    this.original0.assign(stopGradient(lengths));
  }
  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield ["original0", this.original0];
    yield ["original1", this.original1];
  }
  private lengths(): Tensor {
    const v = this.original1 as Tensor;
    const { axis } = this;
    if (axis === null) return v.square().sum().sqrt() as Tensor;
    const others = v.shape.map((_: unknown, i: number) => i).filter((i: number) => i !== axis);
    return v.square().sum(others, { keepDims: true }).sqrt() as Tensor;
  }
  forward(): Tensor {
    return (this.original1 as Tensor).mul(this.original0.div(this.lengths())) as Tensor;
  }
}

/**
 * W = g·v/‖v‖: a weight's length and direction are learnt apart, as `parametrizations.weight.original0` and `original1`. Salimans and
 * Kingma, "Weight normalization", NeurIPS 2016. The layer computes at first what it did before.
 *
 * @throws ArgumentError when the layer has no such parameter
 * @returns the layer
 * @example
 * const layer = weightNorm(new Linear(2, 3));
 * layer.namedParameters().get("parametrizations.weight.original0")!.shape; // [3, 1]
 */
export function weightNorm<M extends Module>(layer: M, options: WeightNormOptions = {}): M {
  checkOptions("weightNorm", options, ["name", "axis"]);
  const { name = "weight", axis = 0 } = options;
  return parametrize(layer, name, (weight) => new WeightNorm(weight, axis));
}

export interface SpectralNormOptions {
  /** Which parameter; default "weight". */
  readonly name?: string;
  /** Steps of the power iteration in each training step, default 1. */
  readonly iterations?: number;
  /** Default 1e-12: the least length that is divided by. */
  readonly epsilon?: number;
  /** The axis of the outputs; default 0, of transposed convolutions 1. */
  readonly axis?: number;
  /** What the first vectors are drawn from: a key or a seed; by default the next key of the default stream. */
  readonly key?: RandomKey | number;
}

class SpectralNorm extends Parametrization {
  readonly original: Parameter;
  /** By PyTorch's names in the state dict: 0._u and 0._v. */
  private readonly u: StateTensor;
  private readonly v: StateTensor;
  private readonly options: Required<Omit<SpectralNormOptions, "name" | "key">>;

  constructor(
    weight: Parameter,
    { key = nextKey(), iterations = 1, epsilon = 1e-12, axis = 0 }: SpectralNormOptions,
  ) {
    super();
    this.options = { iterations, epsilon, axis };
    this.original = weight;
    const shape = weight.shape as readonly number[];
    const rows = shape[axis]!;
    const root = toRandomKey(key);
    const random = (name: string, size: number, place: number): StateTensor => {
      const request = { shape: [size], fanIn: size, fanOut: size, key: fold(root, place) };
      const state = new StateTensor({ name, shape: [size], dtype: "f32" });
      state.assign(this.unit(tensor(normal()(request)) as Tensor));
      return state;
    };
    this.u = random("_u", rows, 0);
    this.v = random("_v", countOf(shape) / rows, 1);
    // As in PyTorch: the vectors are near the singular ones before the first step.
    this.iterate(15);
  }
  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield ["original", this.original];
    yield ["0", { _u: this.u, _v: this.v }];
  }
  private unit(x: Tensor): Tensor {
    const length = x.square().sum().sqrt().maximum(this.options.epsilon);
    return x.div(length) as Tensor;
  }
  private iterate(times: number): void {
    const matrix = stopGradient(asMatrix(this.original as Tensor, this.options.axis));
    let [u, v] = [this.u.value as Tensor, this.v.value as Tensor];
    for (let i = 0; i < times; i++) {
      u = this.unit(matrix.matmul(v) as Tensor);
      v = this.unit(u.matmul(matrix) as Tensor);
    }
    this.u.assign(u);
    this.v.assign(v);
  }
  forward(): Tensor {
    if (this.training) this.iterate(this.options.iterations);
    const matrix = asMatrix(this.original as Tensor, this.options.axis);
    const [u, v] = [this.u, this.v].map((state) => stopGradient(state.value as Tensor));
    const largest = matrix.matmul(v!).mul(u!).sum(); // σ = uᵀ·W·v
    return this.original.div(largest) as Tensor;
  }
}

/**
 * W / σ(W), with σ the largest singular value: the layer stretches nothing. σ is followed by the power iteration, in training one step
 * each time the weight is read. Miyato et al., "Spectral normalization for generative adversarial networks", ICLR 2018.
 *
 * @throws ArgumentError when the layer has no such parameter, or a vector
 * @returns the layer
 * @example
 * const layer = spectralNorm(new Linear(2, 3, { key: 1 }), { key: 2 });
 * [...layer.stateDict().keys()].slice(1); // ["parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v"]
 */
export function spectralNorm<M extends Module>(layer: M, options: SpectralNormOptions = {}): M {
  checkOptions("spectralNorm", options, ["name", "iterations", "epsilon", "axis", "key"]);
  const { name = "weight", iterations = 1 } = options;
  if (!(Number.isInteger(iterations) && iterations >= 1))
    throw new ArgumentError(`spectralNorm: iterations must be a positive integer, got ${iterations}`);
  return parametrize(layer, name, (weight) => {
    if (weight.shape.length >= 2) return new SpectralNorm(weight, options);
    throw new ArgumentError(
      `spectralNorm: "${name}" of ${layer.constructor.name} is a vector; it takes matrices and kernels`,
    );
  });
}
