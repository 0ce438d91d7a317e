/** Functions composed of primitives. They add no op: fusion makes them fast, custom gradients make some exact. */
export * from "./activations.ts";
export * from "./arrangement.ts";
export * from "./attention/index.ts";
export * from "./convolution.ts";
export * from "./cumulative.ts";
export * from "./einsum.ts";
export { digamma, lgamma } from "./gamma.ts";
export { betainc } from "./incomplete-beta.ts";
export { gammainc, gammaincc } from "./incomplete-gamma.ts";
export * from "./indexing.ts";
export * from "./numbers.ts";
export * from "./pooling.ts";
export * from "./random.ts";
export { gammaSlope, randomGamma, randomPoisson } from "./random-gamma.ts";
export * from "./selection.ts";
export * from "./softmax.ts";
export * from "./sorting.ts";
export * from "./statistics.ts";
