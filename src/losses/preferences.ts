/** Losses of answers: which of two is preferred, what a teacher would say. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { asTensor, stopGradient, type Tensor, type TensorLike } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { type LossOptions, masked, reduce, requireEqualShapes, sharedOptions } from "./reduction.ts";

/**
 * The logarithm of the probability that a model gives to each text: Σ_t log softmax(x_t)[label_t] over the labels that count.
 *
 * @param logits x, (batch, T, classes)
 * @param labels class indices (batch, T): the token that follows each token
 * @param options.ignoreIndex labels that do not count, default −100
 * @param options.average default false; true divides by how many labels count, which losses without a reference need
 * @returns (batch); 0 where no label counts
 * @throws ShapeError when labels do not fit. A label out of range fails the step, which changes nothing.
 * @example
 * const logits = tensor([[[0, 0], [0, 0]]]);
 * (await sequenceLogProbability(logits, [[1, -100]]).item()).toFixed(4); // "-0.6931"
 */
export function sequenceLogProbability(
  logits: Tensor,
  labels: TensorLike,
  options: { readonly ignoreIndex?: number; readonly average?: boolean } = {},
): Tensor {
  return located(() => {
    checkOptions("sequenceLogProbability", options, ["ignoreIndex", "average"]);
    const { ignoreIndex = -100, average = false } = options;
    const y = asTensor(labels);
    const texts = logits.shape.slice(0, -1);
    if (texts.length === 0 || !sameShape(y.shape, texts))
      throw new ShapeError(
        `sequenceLogProbability: logits ${shapeText(logits.shape)} need labels ${shapeText(texts)} of class indices, got ${shapeText(y.shape)}`,
      );
    const surprise = crossEntropy(logits, y, { ignoreIndex, reduction: "none" }); // (batch, T)
    const total = surprise.sum(-1).neg() as Tensor;
    if (!average) return total;
    const count = y.notEqual(ignoreIndex).cast(total.dtype).sum(-1);
    return total.div(count.maximum(1)) as Tensor;
  });
}

export interface DpoOptions extends LossOptions {
  /** β, default 0.1: how far the model may go from the reference; small ones let it go farther. */
  readonly beta?: number;
  /**
   * "sigmoid", the default, −log σ(β·h); "ipo", (h − 1/(2β))², which takes averaged log-probabilities. Azar and others, "A general
   * theoretical paradigm to understand learning from human preferences", 2023.
   */
  readonly kind?: "sigmoid" | "ipo";
  /** ε, default 0: the share of pairs that are thought to stand the wrong way round. Only with "sigmoid". */
  readonly labelSmoothing?: number;
}

/**
 * Direct preference optimization, −log σ(β·h) with h = (log π(chosen) − log π(rejected)) − (log π_ref(chosen) − log π_ref(rejected)):
 * the preferred answer shall gain on the other one, compared with the model as it was. With label smoothing
 * −(1 − ε)·log σ(β·h) − ε·log σ(−β·h). Rafailov and others, "Direct preference optimization", NeurIPS 2023; Mitchell, "A note on DPO
 * with noisy preferences", 2023.
 *
 * @param chosen log π(chosen), (batch), of `sequenceLogProbability`
 * @param rejected log π(rejected), the same shape
 * @param referenceChosen the same of the model as it was; gradients do not go there
 * @param referenceRejected the same shape
 * @returns the mean over pairs as (), their sum, or with reduction "none" the values (batch)
 * @throws ShapeError when the shapes differ; ArgumentError unless β > 0 and 0 ≤ ε < 0.5
 * @example
 * (await dpo(tensor([-3]), [-5], [-4], [-4], { beta: 0.5 }).item()).toFixed(4); // "0.3133"
 */
export function dpo(
  chosen: Tensor,
  rejected: TensorLike,
  referenceChosen: TensorLike,
  referenceRejected: TensorLike,
  options: DpoOptions = {},
): Tensor {
  return located(() => {
    checkOptions("dpo", options, ["beta", "kind", "labelSmoothing", ...sharedOptions]);
    const { kind = "sigmoid", labelSmoothing = 0 } = options;
    const beta = positive("dpo", "beta", options.beta ?? 0.1);
    if (kind !== "sigmoid" && kind !== "ipo")
      throw new ArgumentError(`dpo: kind must be "sigmoid" or "ipo", got ${JSON.stringify(kind)}`);
    if (!(labelSmoothing >= 0 && labelSmoothing < 0.5))
      throw new ArgumentError(`dpo: labelSmoothing must be from 0 to below 0.5, got ${labelSmoothing}`);
    if (kind === "ipo" && labelSmoothing > 0)
      throw new ArgumentError('dpo: labelSmoothing goes with kind "sigmoid"');
    const others = [rejected, referenceChosen, referenceRejected].map(asTensor);
    for (const other of others) requireEqualShapes("dpo", chosen, other);
    const [own, other, ...reference] = [chosen, ...others].map((x) => masked(x, options));
    const [first, second] = reference.map((x) => stopGradient(x));
    const gain: Tensor = own!.sub(other!).sub(first!.sub(second!)); // h
    if (kind === "ipo") return reduce("dpo", gain.sub(1 / (2 * beta)).square(), options);
    const scaled: Tensor = gain.mul(beta);
    const values: Tensor = scaled
      .logSigmoid()
      .neg()
      .mul(1 - labelSmoothing);
    const swapped: Tensor = scaled.neg().logSigmoid().mul(labelSmoothing);
    return reduce("dpo", labelSmoothing === 0 ? values : values.sub(swapped), options);
  });
}

export interface OrpoOptions extends LossOptions {
  /** λ, default 0.1: the weight of the odds ratio beside the likelihood of what was chosen. */
  readonly beta?: number;
}

/**
 * Odds-ratio preference optimization, −p − λ·log σ(log odds(chosen) − log odds(rejected)) with p = log π(chosen) and
 * odds = π / (1 − π), of probabilities averaged over tokens: fine-tuning and preference in one, without a reference. Hong, Lee and
 * Thorne, "ORPO: monolithic preference optimization without reference model", 2024, equations 6 and 7.
 *
 * @param chosen log π(chosen), (batch), of `sequenceLogProbability` with `average`: below 0
 * @param rejected log π(rejected), the same shape
 * @returns the mean over pairs as (), their sum, or with reduction "none" the values (batch)
 * @throws ShapeError when the shapes differ; ArgumentError unless λ > 0
 * @example
 * const even = tensor([Math.log(0.5)]);
 * (await orpo(even, even, { beta: 1 }).item()).toFixed(4); // "1.3863"
 */
export function orpo(chosen: Tensor, rejected: TensorLike, options: OrpoOptions = {}): Tensor {
  return located(() => {
    checkOptions("orpo", options, ["beta", ...sharedOptions]);
    const beta = positive("orpo", "beta", options.beta ?? 0.1);
    const other = asTensor(rejected);
    requireEqualShapes("orpo", chosen, other);
    const [x, y] = [chosen, other].map((p) => masked(p, options, { filler: -1 })) as [Tensor, Tensor];
    const ratio = logOdds(x).sub(logOdds(y)) as Tensor;
    return reduce("orpo", x.neg().sub(ratio.logSigmoid().mul(beta)), options);
  });
}

/** log p − log(1 − p), of log p; a probability that was rounded to 1 counts as the next below. */
const logOdds = (logProbability: Tensor): Tensor => {
  const p = logProbability.minimum(-1e-7) as Tensor;
  return p.sub(p.expm1().neg().log()) as Tensor;
};

export interface DistillationOptions extends LossOptions {
  /** T, default 2: what logits of both are divided by; higher ones show more of what the teacher thinks of other classes. */
  readonly temperature?: number;
}

/**
 * T² · Σ_c p_c·(log p_c − log q_c) with p = softmax(teacher / T), q = softmax(student / T): how far a student is from its teacher.
 * T² keeps gradients as large as those of labels, to which the loss is usually added. Hinton, Vinyals and Dean, "Distilling the knowledge
 * in a neural network", 2015.
 *
 * @param student logits (…, classes)
 * @param teacher logits, the same shape; gradients do not go there
 * @returns the mean over samples as (), their sum, or with reduction "none" the values (…)
 * @throws ShapeError when the shapes differ; ArgumentError unless T > 0
 * @example
 * (await distillation(tensor([[0, 0]]), [[2, 0]], { temperature: 1 }).item()).toFixed(4); // "0.3278"
 */
export function distillation(
  student: Tensor,
  teacher: TensorLike,
  options: DistillationOptions = {},
): Tensor {
  return located(() => {
    checkOptions("distillation", options, ["temperature", ...sharedOptions]);
    const temperature = positive("distillation", "temperature", options.temperature ?? 2);
    const given = asTensor(teacher);
    requireEqualShapes("distillation", student, given);
    if (student.shape.length === 0) throw new ShapeError("distillation: logits must be (…, classes), got ()");
    const softened = (x: Tensor): Tensor =>
      masked(x, options, { features: true }).div(temperature).logSoftmax(-1) as Tensor;
    const [q, p] = [softened(student), softened(stopGradient(given))];
    const divergence = p.exp().mul(p.sub(q)).sum(-1) as Tensor;
    return reduce("distillation", divergence.mul(temperature ** 2), options);
  });
}

function positive(what: string, name: string, value: number): number {
  if (value > 0 && value < Infinity) return value;
  throw new ArgumentError(`${what}: ${name} must be above 0, got ${value}`);
}
