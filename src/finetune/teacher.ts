/** Distillation: what a larger model thinks of each next token is learnt beside the token itself. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { crossEntropy, distillation } from "../losses/index.ts";
import type { LanguageModel } from "../models/index.ts";
import type { Parameter } from "../nn/index.ts";
import type { Pretrained } from "../pretrained/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Tokenizer } from "../text/index.ts";
import { ignoredLabel } from "./packing.ts";

export interface DistillationSettings {
  /** The larger model, of the same tokenizer; it stays as it is. */
  readonly teacher: Pretrained;
  /** T, default 2: what logits of both are divided by; higher ones show more of what the teacher thinks of other tokens. */
  readonly temperature?: number;
  /** w, default 0.5: the loss is (1 − w) · cross-entropy + w · distillation; with 1 the tokens of the data count no more. */
  readonly weight?: number;
}

/** What a model and its teacher say of the same tokens. */
export interface Taught {
  readonly logits: Tensor;
  readonly teacher: Tensor;
}

/** A teacher that was found to go with the model, and how much it counts. */
export interface Teaching {
  readonly model: LanguageModel;
  readonly pretrained: Pretrained;
  readonly temperature: number;
  readonly weight: number;
}

/** @throws ArgumentError for settings that mean nothing, and for a teacher that reads other tokens than the model */
export function teachingOf(student: Pretrained, settings: DistillationSettings, method?: string): Teaching {
  checkOptions("finetune: distillation", settings, ["teacher", "temperature", "weight"]);
  const { teacher, temperature = 2, weight = 0.5 } = settings;
  if (!(temperature > 0 && temperature < Infinity))
    throw new ArgumentError(`finetune: distillation.temperature must be above 0, got ${temperature}`);
  if (!(weight > 0 && weight <= 1))
    throw new ArgumentError(`finetune: distillation.weight must be above 0 and at most 1, got ${weight}`);
  if (teacher.model === student.model)
    throw new ArgumentError(
      "finetune: the teacher is the model itself; open it a second time to learn from it as it was",
    );
  const hasPrompt = [teacher, student].some(({ model }) => (model.virtualTokens ?? []).length > 0);
  if (method === "prompt" || hasPrompt)
    throw new ArgumentError(
      "finetune: a learnt prompt stands before the texts of one model alone, so it does not go with distillation",
    );
  requireSameTokens(student.tokenizer, teacher.tokenizer);
  return { model: teacher.model, pretrained: teacher, temperature, weight };
}

/** A teacher's opinion is of tokens by their numbers: these must be the same tokens. */
function requireSameTokens(own: Tokenizer | undefined, other: Tokenizer | undefined): void {
  if (own === undefined || other === undefined)
    throw new ArgumentError(
      `finetune: the ${own === undefined ? "model" : "teacher"} comes without a tokenizer, so it is not known whether ` +
        "both read the same tokens; put its tokenizer.json into the folder",
    );
  const count = Math.max(own.vocabularySize, other.vocabularySize);
  for (let id = 0; id < count; id++) {
    const [here, there] = [own.tokenOf(id), other.tokenOf(id)];
    if (here === there) continue;
    throw new ArgumentError(
      `finetune: the teacher reads other tokens: number ${id} is ${shown(there)} there and ${shown(here)} in the model ` +
        `(${other.vocabularySize} and ${own.vocabularySize} tokens); take a teacher with the same tokenizer`,
    );
  }
}

const shown = (token: string | undefined): string => (token === undefined ? "none" : JSON.stringify(token));

/** (1 − w) · cross-entropy + w · distillation, over the tokens that are learnt. */
export function taughtLoss(
  { logits, teacher }: Taught,
  labels: Tensor,
  { temperature, weight }: Omit<Teaching, "model" | "pretrained">,
): Tensor {
  const [student, opinion] = sameClasses(logits, teacher);
  const mask = labels.notEqual(ignoredLabel) as Tensor;
  const drawn = distillation(student, opinion, { temperature, mask }).mul(weight) as Tensor;
  if (weight === 1) return drawn;
  return drawn.add(crossEntropy(logits, labels, { ignoreIndex: ignoredLabel }).mul(1 - weight)) as Tensor;
}

/** Of one tokenizer, tables may be filled up to different sizes: rows behind it are of no token. */
function sameClasses(logits: Tensor, teacher: Tensor): [Tensor, Tensor] {
  const sizes = [logits, teacher].map(({ shape }) => (shape as readonly number[]).at(-1)!);
  const size = Math.min(...sizes);
  const cut = (x: Tensor): Tensor =>
    ((x.shape as readonly number[]).at(-1) === size ? x : x.slice(-1, 0, size)) as Tensor;
  return [cut(logits), cut(teacher)];
}

/** Runs a training with a teacher that is frozen meanwhile. */
export async function whileTeaching<R>(teaching: Teaching | undefined, body: () => Promise<R>): Promise<R> {
  const frozen: Parameter[] = teaching?.model.parameters({ trainable: true }) ?? [];
  teaching?.model.freeze().eval();
  try {
    return await body();
  } finally {
    for (const parameter of frozen) parameter.trainable = true;
    teaching?.model.eval();
  }
}
