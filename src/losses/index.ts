/** Losses: functions of (predictions, targets) that give a scalar to differentiate. */
export { binaryCrossEntropy } from "./binary-cross-entropy.ts";
export { type CrossEntropyOptions, crossEntropy } from "./cross-entropy.ts";
export type { LossOptions, Reduction } from "./reduction.ts";
export { type HuberOptions, huber, mae, mse } from "./regression.ts";
