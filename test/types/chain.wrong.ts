/** Chains in which a layer does not take what the one before gives. */
import type { Chain, ChainFeatures, ChainLink, Features, TensorShape } from "../../src/base/shape-types.ts";

type Shaped<S extends TensorShape = any> = { readonly shape: S };
declare class Linear<I extends number, O extends number> {
  constructor(inFeatures: I, outFeatures: O);
  readonly features: Features<"Linear", I, O>;
  forward(x: Shaped): Shaped;
}
declare class ReLU {
  readonly features: Features<"ReLU", number, "same">;
  forward(x: Shaped): Shaped;
}
declare class Sequential<const L extends readonly ChainLink[]> {
  constructor(...layers: Chain<L>);
  readonly features: ChainFeatures<"Sequential", L>;
  forward(x: Shaped): Shaped;
}
/** A user's module: its features are read off its forward. */
declare class Classifier {
  forward(x: Shaped<[number, 64]>): Shaped<[number, 10]>;
}
declare class Untyped {
  forward(x: any): any;
}

// error: Linear expects 63 features, the layer before gives 64
new Sequential(new Linear(784, 64), new Linear(63, 10));
// error: Linear expects 63 features, the layer before gives 64
new Sequential(new Linear(784, 64), new ReLU(), new ReLU(), new Linear(63, 10));
// error: Linear expects 63 features, the layer before gives 64
new Sequential(new Sequential(new Linear(784, 64), new ReLU()), new Linear(63, 10));
// error: Sequential expects 63 features, the layer before gives 64
new Sequential(new Linear(784, 64), new Sequential(new ReLU(), new Linear(63, 10)));
// error: this layer expects 64 features, the layer before gives 63
new Sequential(new Linear(784, 63), new Classifier());
// error: Linear expects 64 features, the layer before gives 10
new Sequential(new Classifier(), new Linear(64, 10));
// error: Linear expects 3 features, the layer before gives 2
new Sequential(new Linear(1, 2), new Sequential(new ReLU(), new ReLU()), new Linear(3, 10));
