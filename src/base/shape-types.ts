/**
 * Shapes in types, gradually: a wrong known size is red, an unknown size or rank never is.
 *
 * Technique: where a rule breaks, a parameter is intersected with a `Sentence`, so the editor shows it at the argument.
 * An unknown shape is `any`: assignable both ways, so one untyped result never infects a program with errors. A size
 * known only when the program runs is `number`. Only feature and channel sizes are computed; spatial sizes are `number`.
 *
 * Names: `XCheck` is `unknown` where the rule holds (or cannot be judged) and a Sentence where it breaks; `X` alone is
 * the resulting shape. Checks come first, so results may assume that their rule holds.
 */
export type * from "./types/axes.ts";
export type * from "./types/basics.ts";
export type * from "./types/chain.ts";
export type * from "./types/products.ts";
export type * from "./types/reshape.ts";
