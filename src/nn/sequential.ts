/** Layers one after the other. */
import type { Chain, ChainFeatures, ChainLink } from "../base/shape-types.ts";
import type { Tensor } from "../tensor/index.ts";
import { Module } from "./module.ts";

/**
 * Layers in a chain: each gets what the one before gives. A layer that takes another number of features or channels than it gets is
 * red in the editor: `Linear expects 63 features, the layer before gives 64`, `Conv2d expects 3 channels, the layer before gives 1`.
 *
 * Layers are children by their index, as in PyTorch: `0.weight`. `model.layers[0]` is the first one.
 *
 * @example
 * const model = new Sequential(new Linear(784, 64), new ReLU(), new Linear(64, 10));
 * [...model.stateDict().keys()]; // ["0.weight", "0.bias", "2.weight", "2.bias"]
 */
export class Sequential<const L extends readonly ChainLink[] = readonly ChainLink[]> extends Module {
  declare readonly features: ChainFeatures<"Sequential", L>;
  readonly layers: L;

  constructor(...layers: Chain<L>) {
    super();
    this.layers = layers as unknown as L;
  }

  forward(x: Tensor): Tensor {
    let value = x;
    for (const layer of this.layers) value = layer.forward(value);
    return value;
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.layers.map((layer, index) => [String(index), layer] as const);
  }
}
