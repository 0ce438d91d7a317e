/// <reference lib="esnext.disposable" preserve="true" />
/** Less memory for more time: layers that are computed again for the gradient. */
import { ArgumentError } from "../base/errors.ts";
import { Adapter, type Module, type Registration } from "../nn/index.ts";
import { rematerialize, type Tensor } from "../tensor/index.ts";

class Rematerialized extends Adapter {
  forward(inner: (...inputs: unknown[]) => Tensor, ...inputs: unknown[]): Tensor {
    return this.training ? rematerialize(inner)(...inputs) : inner(...inputs);
  }
}

/** Layers of decoders and encoders, by the names that published weights give them. */
const isLayer = (path: string): boolean => /(^|\.)(layers|layer|h|block)\.\d+$/.test(path);

/**
 * Has a model in training keep each layer's inputs alone for the gradient, and compute what is inside of it again in the backward walk: a third more time,
 * far less memory. Chen and others, "Training deep nets with sublinear memory cost", 2016.
 *
 * @returns what undoes it
 * @throws ArgumentError for a model without numbered layers
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 2, numHeads: 2, intermediateSize: 32 });
 * const again = rematerializeLayers(model);
 * model.forward(zeros([1, 4], { dtype: "i32" })).shape; // [1, 4, 50]
 * again.remove();
 */
export function rematerializeLayers(model: Module): Registration {
  const layers = [...model.namedModules()].filter(([path]) => isLayer(path));
  if (layers.length === 0)
    throw new ArgumentError(
      `rematerializeLayers: ${model.constructor.name} has no layers that could be computed again`,
    );
  const added = layers.map(([, layer]) => layer.addAdapter("again", new Rematerialized()));
  const remove = (): void => {
    for (const each of added) each.remove();
  };
  return { remove, [Symbol.dispose]: remove };
}
