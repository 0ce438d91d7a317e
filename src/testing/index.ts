/** Tools for tests of ops, functions and targets: `netwright/testing`. */
export * from "./cases.ts";
export * from "./check-gradients.ts";
export * from "./compare.ts";
export * from "./evaluation-target.ts";
export { fuzz, type RandomProgram, randomProgram } from "./fuzz.ts";
export * from "./numbers.ts";
export { opCases } from "./op-cases/index.ts";
export { type Block, blockOf, ScalarEvaluator } from "./scalar-evaluator.ts";
export * from "./ulp.ts";
export { type ArgumentView, argumentViews } from "./views.ts";
