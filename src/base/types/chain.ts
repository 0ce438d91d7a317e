/**
 * Layers in a chain: each must take as many features, or channels, as the one before gives. The sentence stands at the layer
 * that does not fit: `Linear expects 63 features, the layer before gives 64`, `Conv2d expects 3 channels, the layer before gives 1`.
 *
 * Features are the last axis, channels axis 1 of what has spatial axes as well. A layer says both by a property; a module without
 * one is judged by what its `forward` takes and gives, where the types of both are known. Anything else fits anywhere.
 */
import type { IsAny, Last, SameSize, Sentence, TensorShape } from "./basics.ts";

/**
 * The features and channels a layer takes and gives. `in` of `number` takes any number; `out` of `"same"` gives what it got
 * (ReLU, Dropout), `number` is not known. The name stands in messages.
 *
 * @example
 * declare class Linear<I extends number, O extends number> { readonly features: Features<"Linear", I, O> }
 * declare class Conv2d<I extends number, O extends number> { readonly features: Features<"Conv2d", number, number, I, O> }
 */
export interface Features<
  Name extends string = string,
  In extends number = number,
  Out extends number | "same" = number | "same",
  ChannelsIn extends number = number,
  ChannelsOut extends number | "same" = Out extends "same" ? "same" : number,
> {
  readonly name: Name;
  readonly in: In;
  readonly out: Out;
  readonly channelsIn: ChannelsIn;
  readonly channelsOut: ChannelsOut;
}

/**
 * The features of a layer that works on each channel, of `Channels` where it must be so many: (N, C, …) → (N, C, …). `Out` of `"same"`
 * keeps the last axis as well.
 */
export type PerChannel<
  Name extends string,
  Channels extends number = number,
  Out extends number | "same" = number,
> = Features<Name, number, Out, Channels, number extends Channels ? "same" : Channels>;

/** Anything that can stand in a chain: a layer with declared features, or a module that only has `forward`. */
export interface ChainLink {
  // Parameters are compared both ways for methods, so every module with a forward fits.
  forward(x: any): any;
}

/** A link's features: declared, or read off `forward(x: Tensor<[…, In]>): Tensor<[…, Out]>`. */
export type FeaturesOf<L> =
  IsAny<L> extends true
    ? Features
    : L extends { readonly features: Features<infer N, infer I, infer O, infer P, infer Q> }
      ? Features<N, I, O, P, Q>
      : L extends { forward(x: infer X): infer Y }
        ? Features<
            "this layer",
            Last<ShapeOf<X>>,
            Last<ShapeOf<Y>>,
            ChannelsOf<ShapeOf<X>>,
            ChannelsOf<ShapeOf<Y>>
          >
        : Features;

/** A tensor's shape where its rank is known, else a list of unknown sizes. */
type ShapeOf<T> =
  IsAny<T> extends true
    ? number[]
    : T extends { readonly shape: infer S }
      ? IsAny<S> extends true
        ? number[]
        : S extends TensorShape
          ? number extends S["length"]
            ? number[]
            : S
          : number[]
      : number[];

type ChannelsOf<S extends TensorShape> = S extends readonly [
  number,
  infer C extends number,
  number,
  ...number[],
]
  ? C
  : number;

/** What a chain counts, with the words of the features that say it. */
interface Counts {
  features: { in: "in"; out: "out" };
  channels: { in: "channelsIn"; out: "channelsOut" };
}
type Count = keyof Counts;

type InOf<L, K extends Count> = FeaturesOf<L>[Counts[K]["in"]];
type OutOf<L, Before extends number, K extends Count> = FeaturesOf<L>[Counts[K]["out"]] extends infer O
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
type ChainChecks<
  L extends readonly ChainLink[],
  Before extends number = number,
  Channels extends number = number,
> = L extends readonly [infer First extends ChainLink, ...infer Rest extends readonly ChainLink[]]
  ? [
      Fits<First, Before, "features"> & Fits<First, Channels, "channels">,
      ...ChainChecks<Rest, OutOf<First, Before, "features">, OutOf<First, Channels, "channels">>,
    ]
  : unknown[];

type Fits<L extends ChainLink, Before extends number, K extends Count> =
  SameSize<Before, InOf<L, K>> extends true
    ? unknown
    : Sentence<`${FeaturesOf<L>["name"]} expects ${InOf<L, K>} ${K}, the layer before gives ${Before}`>;

/** What a chain says of itself in a longer one. */
export type ChainFeatures<Name extends string, L extends readonly ChainLink[]> = Features<
  Name,
  ChainIn<L>,
  ChainOut<L>,
  ChainIn<L, "channels">,
  ChainOut<L, "channels">
>;

/** The features a chain takes: those of its first link that asks for a number. */
export type ChainIn<L extends readonly ChainLink[], K extends Count = "features"> = L extends readonly [
  infer First extends ChainLink,
  ...infer Rest extends readonly ChainLink[],
]
  ? number extends InOf<First, K>
    ? [FeaturesOf<First>[Counts[K]["out"]]] extends ["same"]
      ? ChainIn<Rest, K>
      : number
    : InOf<First, K>
  : number;

/** The features a chain gives; `"same"` when every link keeps what it gets. */
export type ChainOut<L extends readonly ChainLink[], K extends Count = "features"> = L extends readonly [
  infer First extends ChainLink,
  ...infer Rest extends readonly ChainLink[],
]
  ? [FeaturesOf<First>[Counts[K]["out"]]] extends ["same"]
    ? ChainOut<Rest, K>
    : OutAfter<Rest, OutOf<First, number, K>, K>
  : L extends readonly []
    ? "same"
    : number;
type OutAfter<L extends readonly ChainLink[], Before extends number, K extends Count> = L extends readonly [
  infer First extends ChainLink,
  ...infer Rest extends readonly ChainLink[],
]
  ? OutAfter<Rest, OutOf<First, Before, K>, K>
  : L extends readonly []
    ? Before
    : number;
