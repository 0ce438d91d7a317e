/**
 * Layers in a chain: each must take as many features as the one before gives. The sentence stands at the layer that
 * does not fit: `Linear expects 63 features, the layer before gives 64`.
 *
 * A layer says its features by a property; a module without one is judged by the last axis of what its `forward` takes
 * and gives, where the types of both are known. Anything else fits anywhere.
 */
import type { IsAny, Last, SameSize, Sentence, TensorShape } from "./basics.ts";

/**
 * The features a layer takes and gives. `in` of `number` takes any number; `out` of `"same"` gives what it got (ReLU,
 * Dropout), `number` is not known. The name stands in messages.
 *
 * @example declare class Linear<I extends number, O extends number> { readonly features: Features<"Linear", I, O> }
 */
export interface Features<
  Name extends string = string,
  In extends number = number,
  Out extends number | "same" = number | "same",
> {
  readonly name: Name;
  readonly in: In;
  readonly out: Out;
}

/** Anything that can stand in a chain: a layer with declared features, or a module that only has `forward`. */
export interface ChainLink {
  // Parameters are compared both ways for methods, so every module with a forward fits.
  forward(x: any): any;
  readonly features?: Features<any, any, any>;
}

/** A link's features: declared, or read off `forward(x: Tensor<[…, In]>): Tensor<[…, Out]>`. */
export type FeaturesOf<L> =
  IsAny<L> extends true
    ? Features
    : L extends { readonly features: Features<infer N, infer I, infer O> }
      ? Features<N, I, O>
      : L extends { forward(x: infer X): infer Y }
        ? Features<"this layer", LastSize<X>, LastSize<Y>>
        : Features;

type LastSize<T> =
  IsAny<T> extends true
    ? number
    : T extends { readonly shape: infer S }
      ? IsAny<S> extends true
        ? number
        : S extends TensorShape
          ? number extends S["length"]
            ? number
            : Last<S>
          : number
      : number;

type NameOf<L> = FeaturesOf<L>["name"];
type InOf<L> = FeaturesOf<L>["in"];
type OutOf<L, Before extends number> = FeaturesOf<L>["out"] extends infer O
  ? [O] extends ["same"]
    ? Before
    : [O] extends [number]
      ? O
      : number
  : number;

/**
 * The parameters of whatever takes a chain; an argument that does not fit is red with the sentence.
 *
 * @example declare class Sequential<const L extends readonly ChainLink[]> { constructor(...layers: Chain<L>) }
 */
export type Chain<L extends readonly ChainLink[]> = {
  [K in keyof L]: L[K] & (ChainChecks<L> extends infer C ? (K extends keyof C ? C[K] : unknown) : unknown);
};

/** For each link `unknown` where it fits, a Sentence where it does not. */
type ChainChecks<L extends readonly ChainLink[], Before extends number = number> = L extends readonly [
  infer First extends ChainLink,
  ...infer Rest extends readonly ChainLink[],
]
  ? [
      SameSize<Before, InOf<First>> extends true
        ? unknown
        : Sentence<`${NameOf<First>} expects ${InOf<First>} features, the layer before gives ${Before}`>,
      ...ChainChecks<Rest, OutOf<First, Before>>,
    ]
  : unknown[];

/** The features a chain takes: those of its first link that asks for a number. */
export type ChainIn<L extends readonly ChainLink[]> = L extends readonly [
  infer First extends ChainLink,
  ...infer Rest extends readonly ChainLink[],
]
  ? number extends InOf<First>
    ? [FeaturesOf<First>["out"]] extends ["same"]
      ? ChainIn<Rest>
      : number
    : InOf<First>
  : number;

/** The features a chain gives; `"same"` when every link keeps what it gets. */
export type ChainOut<L extends readonly ChainLink[]> = L extends readonly [
  infer First extends ChainLink,
  ...infer Rest extends readonly ChainLink[],
]
  ? [FeaturesOf<First>["out"]] extends ["same"]
    ? ChainOut<Rest>
    : OutAfter<Rest, OutOf<First, number>>
  : L extends readonly []
    ? "same"
    : number;
type OutAfter<L extends readonly ChainLink[], Before extends number> = L extends readonly [
  infer First extends ChainLink,
  ...infer Rest extends readonly ChainLink[],
]
  ? OutAfter<Rest, OutOf<First, Before>>
  : L extends readonly []
    ? Before
    : number;
