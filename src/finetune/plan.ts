/** What is trained, how fast and in how much memory: the same for conversations, preferences and, in part, sentences. */
import { monotonicMs } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import type { LanguageModel, PromptEmbeddings } from "../models/index.ts";
import { type Module, QuantizedWeight, type Registration } from "../nn/index.ts";
import { adamw, cosine, type Optimizer, type Schedule, stochasticRounding, warmup } from "../optim/index.ts";
import { compile, grad, type Tensor, tensor, zeros } from "../tensor/index.ts";
import type { CheckpointOptions, FitOptions } from "../train/index.ts";
import { type BottleneckAdapters, type BottleneckOptions, bottleneckAdapters } from "./bottleneck.ts";
import { type LoraAdapters, type LoraOptions, loraAdapters } from "./lora.ts";
import { promptTuning } from "./prompt.ts";
import { rematerializeLayers } from "./rematerialize-layers.ts";

export type Method = "lora" | "dora" | "adapter" | "prompt" | "full" | undefined;

export interface MethodOptions extends Omit<LoraOptions, "useDora">, BottleneckOptions {
  readonly method?: Method;
  readonly virtualTokens?: number;
  /** Whose embeddings a prompt begins with. */
  readonly promptTokens?: readonly number[] | undefined;
  readonly seed?: number;
  readonly rematerialize?: boolean;
}

/** What is trained beside a model; nothing where all of it is. */
export interface Trained {
  readonly adapters?: LoraAdapters;
  readonly bottleneck?: BottleneckAdapters;
  readonly prompt?: PromptEmbeddings;
}

/** Runs a training with what is trained beside the model. One that fails leaves the model without it; layers are as they were in any case. */
export async function whileTrained<R>(
  model: LanguageModel,
  options: MethodOptions,
  body: (trained: Trained) => Promise<R>,
): Promise<R> {
  const trained = trainedOf(model, options);
  let again: Registration | undefined;
  try {
    again = options.rematerialize ? rematerializeLayers(model) : undefined;
    return await body(trained);
  } catch (error) {
    trained.adapters?.remove();
    trained.bottleneck?.remove();
    trained.prompt?.remove();
    throw error;
  } finally {
    again?.remove();
    model.eval();
  }
}

/** Elements of all. */
export const sizeOf = (parameters: readonly Tensor[]): number =>
  parameters.reduce(
    (sum, { shape }) => sum + (shape as readonly number[]).reduce((n, size) => n * size, 1),
    0,
  );

/** Weights of few bits are no parameters. */
export const quantizedSize = (model: Module): number =>
  [...model.namedModules().values()].reduce(
    (sum, module) => (module instanceof QuantizedWeight ? sum + module.shape[0] * module.shape[1] : sum),
    0,
  );

/** Parameters and weights of few bits. */
export const countOf = (model: Module): number => sizeOf(model.parameters()) + quantizedSize(model);

export const defaultRate = (parameters: number, method: Method): number =>
  method === "prompt" ? 3e-2 : (parameters < 5e8 ? 1e-3 : 2e-4) * (method === "full" ? 0.1 : 1);

/** The rate rises over 3 % of the steps and falls in a cosine. */
function rateOver(steps: number, learningRate: number): Schedule {
  const rising = Math.max(1, Math.round(0.03 * steps));
  return warmup(rising, cosine({ from: learningRate, steps: Math.max(1, steps - rising) }));
}

/**
 * AdamW of what is trained: frozen parameters have no moments, and stay out of checkpoints. Rates are so small that weights in 16 bits
 * would stay where they are if they were rounded to the nearest.
 */
export const optimizerOf = (
  model: Module,
  { steps, learningRate, weightDecay }: Readonly<Record<"steps" | "learningRate" | "weightDecay", number>>,
): Optimizer =>
  adamw({ learningRate: rateOver(steps, learningRate), weightDecay, rounding: stochasticRounding })(
    model.parameters({ trainable: true }),
  );

/** Options that all trainings hand on to `fit`. A checkpoint holds what is trained: the frozen rest is in the model's own file. */
export function handedOn(options: {
  readonly checkpoint?: string | CheckpointOptions;
  readonly resume?: boolean;
  readonly progress?: FitOptions["progress"];
}): Partial<FitOptions> {
  const { checkpoint, resume, progress } = options;
  const given = typeof checkpoint === "string" ? { path: checkpoint } : checkpoint;
  return {
    ...(given !== undefined && { checkpoint: { trainedOnly: true, ...given } }),
    ...(resume !== undefined && { resume }),
    ...(progress !== undefined && { progress }),
  };
}

/** What each method trains beside the model. */
const kinds = {
  ...{ lora: "low-rank adapters", dora: "low-rank adapters", adapter: "bottleneck adapters" },
  ...{ prompt: "a prompt", full: undefined },
} as const satisfies Readonly<Record<NonNullable<Method>, keyof typeof own | undefined>>;

/** Options of one kind of method alone. */
const own = {
  "low-rank adapters": ["rank", "alpha", "targetModules", "dropout", "useRslora"],
  "bottleneck adapters": ["bottleneckSize", "variant", "activation"],
  "a prompt": ["virtualTokens", "promptTokens"],
} as const satisfies Readonly<Record<string, readonly (keyof MethodOptions)[]>>;

/** Puts on the model what is trained. */
function trainedOf(model: LanguageModel, options: MethodOptions): Trained {
  const { method = "lora", seed = 0, key = seed } = options;
  if (!Object.hasOwn(kinds, method)) {
    const names = Object.keys(kinds)
      .map((name) => `"${name}"`)
      .join(", ");
    throw new ArgumentError(`finetune: method must be one of ${names}, got ${JSON.stringify(method)}`);
  }
  const kind = kinds[method];
  for (const [of, names] of Object.entries(own)) {
    const foreign = of === kind ? undefined : names.find((name) => options[name] !== undefined);
    if (foreign !== undefined)
      throw new ArgumentError(
        `finetune: ${foreign} is an option of ${of}, which method "${method}" has none of`,
      );
  }
  const given = (names: readonly (keyof MethodOptions)[]): object =>
    Object.fromEntries(names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
  if (kind === "low-rank adapters")
    return { adapters: loraAdapters(model, { ...given(own[kind]), useDora: method === "dora", key }) };
  if (kind === "bottleneck adapters")
    return { bottleneck: bottleneckAdapters(model, { ...given(own[kind]), key }) };
  const { promptTokens: tokens } = options;
  if (kind === "a prompt")
    return { prompt: promptTuning(model, { ...given(["virtualTokens"]), ...(tokens && { tokens }), key }) };
  if (model.parameters({ trainable: true }).length === 0)
    throw new ArgumentError('finetune: method "full" needs weights that are not frozen');
  return {};
}

/**
 * The bytes that a step needs at its peak: weights, what is kept for the gradients and these, planned by the compiler for rows like those of
 * the training, with the optimizer's two moments and the sum of gradients of batches. Nothing runs.
 */
export function plannedBytes(
  loss: (...columns: Tensor[]) => Tensor,
  columns: readonly (readonly number[])[],
  model: Module,
): number {
  const trained = model.parameters({ trainable: true });
  model.train();
  const step = compile((...given: Tensor[]) => grad(loss(...given), trained, { allowUnused: true }));
  const { peakMemoryBytes } = step.describe(
    ...columns.map((shape) => zeros(shape, { dtype: "i32" }) as Tensor),
  );
  step.dispose();
  model.eval();
  return peakMemoryBytes + 3 * 4 * sizeOf(trained);
}

/** Seconds of products, 2 operations a parameter and token forward, as much for each of the gradients that are needed. */
export async function estimate(
  parameters: number,
  tokens: number,
  method: Method,
  teacher?: Module,
): Promise<number> {
  const size = 512;
  const matrix = tensor(new Float32Array(size * size).fill(1), { shape: [size, size] }) as Tensor;
  const product = compile((x: Tensor) => x.matmul(x).sum());
  let least = Number.POSITIVE_INFINITY;
  // The first ones compile, wake threads and fill caches; others may be disturbed.
  for (let i = 0; i < 6; i++) {
    const start = monotonicMs();
    await product(matrix).item();
    least = Math.min(least, monotonicMs() - start);
  }
  // A step is not all products: LoRA on SmolLM2-135M has 0.63 of their rate.
  const flopPerSecond = (0.6 * 2 * size ** 3) / (least / 1000);
  const taught = teacher === undefined ? 0 : 2 * countOf(teacher);
  return (((method === "full" ? 6 : 4) * parameters + taught) * tokens) / flopPerSecond;
}
