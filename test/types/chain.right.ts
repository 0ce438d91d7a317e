/** Chains of layers that fit, or that nobody can judge. */
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
declare const many: ChainLink[];
declare const n: number;
declare const untyped: any;

type Is<I extends number, O extends number | "same"> = {
  readonly features: { readonly name: "Sequential"; readonly in: I; readonly out: O };
};
const classifier = new Sequential(new Linear(784, 64), new ReLU(), new Linear(64, 10));
export const known: Is<784, 10> = classifier;
export const nested: Is<784, 2> = new Sequential(new ReLU(), classifier, new Linear(10, 2));
export const spread = new Sequential(...many);
export const inside = new Sequential(spread, classifier, spread, new Linear(5, 6));
export const unknownSizes: Is<number, number> = new Sequential(
  new Linear(n, 64),
  new ReLU(),
  new Linear(64, n),
);
export const same: Is<number, "same"> = new Sequential(new ReLU(), new ReLU());
export const modules: Is<784, 10> = new Sequential(new Linear(784, 64), new Classifier());
export const anything: Is<3, 10> = new Sequential(
  new Linear(3, 2),
  new Untyped(),
  untyped,
  new Linear(64, 10),
);
export const empty: Is<number, "same"> = new Sequential();
