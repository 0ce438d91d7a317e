/** Weights in 16 bits: half the memory, in training too. What layers read is f32, so that nothing else of them changes. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { rematerialize, stopGradient, type Tensor } from "../tensor/index.ts";
import { Embedding } from "./embedding.ts";
import { Adapter, type Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import { Parametrization, parametrize, removeParametrization } from "./parametrize.ts";

/** What weights can be kept in. */
export type StoredDType = "bf16" | "f16";

/**
 * A weight that lies in memory in 16 bits. Reading it gives f32.
 *
 * @example
 * const layer = new Linear(4, 2);
 * storeWeights(layer, "bf16");
 * [...layer.namedParameters()].map(([name, { dtype }]) => `${name} ${dtype}`); // ["bias f32", "parametrizations.weight.original bf16"]
 */
export class StoredWeight extends Parametrization {
  readonly original: Parameter;

  constructor(weight: Parameter, dtype: StoredDType) {
    super();
    const shape = weight.shape as readonly number[];
    const { name, trainable } = weight;
    const count = shape.reduce((n, size) => n * size, 1);
    const data = (): Uint16Array => new Uint16Array(count);
    this.original = new Parameter({ dtype, shape, data } as never, { name, trainable });
    this.original.assign(stopGradient(weight.cast(dtype) as Tensor));
  }

  forward(): Tensor {
    return this.original.cast("f32") as Tensor;
  }

  protected override describe(): string {
    return `${this.original.dtype}, ${this.original.shape.join(" × ")}`;
  }
}

/** Looks rows up before they are widened, not the other way round. */
class StoredRows extends Adapter {
  private readonly weight: () => StoredWeight;

  constructor(weight: StoredWeight) {
    super();
    this.weight = () => weight;
  }

  forward(_: (indices: Tensor) => Tensor, indices: Tensor): Tensor {
    return this.weight().original.gather(indices, 0).cast("f32") as Tensor;
  }
}

/** In training widens the weight again for the gradient: kept for it, it would lie in memory in f32. */
class StoredProduct extends Adapter {
  forward(inner: (x: Tensor) => Tensor, x: Tensor): Tensor {
    return this.training ? rematerialize(inner)(x) : inner(x);
  }
}

/** Under which a layer has what reads it. */
const adapterName = "stored";

export interface StoreOptions {
  /** Which layers, by path; default all that have a `weight` with two axes or more. */
  readonly filter?: (path: string, layer: Module) => boolean;
}

/**
 * Keeps the weights of a model in 16 bits: its matrices and kernels, rounded to the nearest; vectors (biases, norms) stay f32. The model
 * computes in f32 what the rounded weights give. Frozen weights, of a base for adapters, are then half as large; those of checkpoints that
 * were published in bf16 lose nothing. Trained ones are updated in f32 and rounded again, moments are f32: give the optimizer
 * `rounding: stochasticRounding`, or steps that are smaller than half a place are lost. Optimizers must be made afterwards.
 *
 * @returns the paths of the layers
 * @throws ArgumentError for another dtype, and when there is no such layer
 * @example
 * const model = new Sequential(new Linear(64, 8), new ReLU(), new Linear(8, 2));
 * storeWeights(model, "bf16"); // ["0", "2"]
 * model.namedParameters().get("0.parametrizations.weight.original")!.dtype; // "bf16"
 */
export function storeWeights(model: Module, dtype: StoredDType, options: StoreOptions = {}): string[] {
  checkOptions("storeWeights", options, ["filter"]);
  if (dtype !== "bf16" && dtype !== "f16")
    throw new ArgumentError(`storeWeights: the dtype must be "bf16" or "f16", got ${JSON.stringify(dtype)}`);
  const { filter = () => true } = options;
  const done: string[] = [];
  for (const [path, layer] of model.namedModules()) {
    const weight = Object.getOwnPropertyDescriptor(layer, "weight")?.value as unknown;
    const isMatrix = weight instanceof Parameter && weight.dtype === "f32" && weight.shape.length >= 2;
    if (!isMatrix || !filter(path, layer)) continue;
    parametrize(layer, "weight", (parameter) => {
      const stored = new StoredWeight(parameter, dtype);
      const looksUp = layer instanceof Embedding && !layer.sparse && layer.maxNorm === undefined;
      if (looksUp && layer.paddingIndex === undefined) layer.addAdapter(adapterName, new StoredRows(stored));
      else if (!(layer instanceof Embedding)) layer.addAdapter(adapterName, new StoredProduct());
      return stored;
    });
    done.push(path);
  }
  if (done.length > 0) return done;
  throw new ArgumentError(
    `storeWeights: no layer of ${model.constructor.name} was chosen that has a weight of f32 with two axes or more`,
  );
}

/**
 * Whether a layer's weight is kept in 16 bits.
 *
 * @example isStored(new Linear(2, 1)) // false
 */
export const isStored = (layer: Module): boolean =>
  (layer as { parametrizations?: Record<string, unknown> }).parametrizations?.["weight"] instanceof
  StoredWeight;

/**
 * Undoes `storeWeights`: weights are parameters of f32 again.
 *
 * @returns the model
 * @throws ArgumentError when no weight is kept in 16 bits
 * @example
 * const model = new Sequential(new Linear(64, 8));
 * storeWeights(model, "bf16");
 * restoreWeights(model).namedParameters().get("0.weight")!.dtype; // "f32"
 */
export function restoreWeights<M extends Module>(model: M): M {
  const stored = [...model.namedModules().values()].filter(isStored);
  if (stored.length === 0)
    throw new ArgumentError(`restoreWeights: no weight of ${model.constructor.name} is kept in 16 bits`);
  for (const layer of stored) {
    const held = layer as unknown as { readonly parametrizations: { readonly weight: StoredWeight } };
    const { original } = held.parametrizations.weight;
    if (layer.children().has(adapterName)) layer.removeAdapter(adapterName);
    removeParametrization(layer);
    (layer as unknown as { weight: Parameter }).weight.trainable = original.trainable;
  }
  return model;
}
