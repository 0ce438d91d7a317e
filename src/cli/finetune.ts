/** `netwright finetune`: goes on with a published model on conversations. */
import { terminal, write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import {
  BottleneckAdapters,
  type Conversation,
  chatTokens,
  type DistillationSettings,
  type FinetuneOptions,
  type FinetunePlan,
  type FinetunePreferencesOptions,
  finetune,
  finetunePreferences,
  type LoraAdapters,
  readConversations,
  readPreferences,
  saveAdapters,
  saveBottleneckAdapters,
  savePrompt,
  showLoss,
} from "../finetune/index.ts";
import { PromptEmbeddings } from "../models/index.ts";
import { isStored, quantizeModel, restoreWeights, storeWeights } from "../nn/index.ts";
import type { ParsedFlags } from "../platform/platform.ts";
import { loadPretrained, type Pretrained, savePretrained } from "../pretrained/index.ts";
import type { Command } from "./command.ts";
import { durationText, numberText } from "./text.ts";

const numbers = {
  rank: "rank",
  alpha: "alpha",
  dropout: "dropout",
  epochs: "epochs",
  "learning-rate": "learningRate",
  "weight-decay": "weightDecay",
  "max-length": "maxLength",
  "batch-size": "batchSize",
  accumulate: "gradientAccumulationSteps",
  "validation-split": "validationSplit",
  patience: "patience",
  seed: "seed",
  "virtual-tokens": "virtualTokens",
  "bottleneck-size": "bottleneckSize",
} as const satisfies Readonly<Record<string, keyof FinetuneOptions>>;

const methods = ["lora", "dora", "qlora", "adapter", "prompt", "full"];

export const finetuneModel: Command = {
  summary: "goes on with a published model on conversations",
  usage: `netwright finetune MODEL --data FILE [--output FOLDER] [FLAGS]

  MODEL                  a folder of Hugging Face, or a GGUF file
  --data FILE            JSON Lines: { "messages": [{ "role", "content" }, …] }, or { "prompt", "completion" }
  --objective NAME       dpo, ipo or orpo: the data are preferences, { "prompt", "chosen", "rejected" } a line
  --beta N               of that objective: 0.1
  --validation FILE      conversations to score on (default: a tenth of the data, from 20 on)
  --output FOLDER        where adapters go, in PEFT's format (default: adapter)
  --method METHOD        lora (default), dora, qlora (the frozen weights in 4 or 8 bits), adapter, prompt, full
  --dtype bf16           keeps weights in 16 bits: half the memory; nothing is lost of weights published so
  --target NAME          a layer to adapt, by the end of its path; may be given again (default: all linear layers)
  --rank N --alpha N --dropout P                      of lora, dora, qlora: 16, twice the rank, 0
  --bottleneck-size N --variant NAME --activation F   of adapter: 64, houlsby (or pfeiffer: half as many), relu
  --virtual-tokens N --prompt-text TEXT               of a prompt: 20 vectors, random or from a text's tokens
  --teacher MODEL        a larger model of the same tokenizer, whose opinion of each next token is learnt too
  --temperature T --teacher-weight W                  of that: 2, 0.5 (1: the tokens of the data count no more)
  --epochs N --learning-rate R --weight-decay R       3, by method and size, 0
  --max-length N --batch-size N --accumulate N        tokens of a row 512, rows 1, batches of a step 8
  --validation-split P --patience N --seed N          0.1, 2, 0
  --checkpoint FILE      the whole training state, after each epoch
  --resume               goes on from it
  --rematerialize        computes layers again for the gradient: a third more time, far less memory
  --show N               only shows N conversations: green is what is learnt

  netwright finetune SmolLM2-135M-Instruct --data chat.jsonl
  netwright finetune model.gguf --data chat.jsonl --method qlora --rank 8 --output my-adapter`,
  flags: {
    ...Object.fromEntries(Object.keys(numbers).map((name) => [name, { type: "string" } as const])),
    ...{ data: { type: "string" }, validation: { type: "string" }, output: { type: "string" } },
    ...{ method: { type: "string" }, target: { type: "string", multiple: true }, show: { type: "string" } },
    ...{ dtype: { type: "string" }, variant: { type: "string" }, activation: { type: "string" } },
    ...{ teacher: { type: "string" }, temperature: { type: "string" }, "teacher-weight": { type: "string" } },
    ...{ "prompt-text": { type: "string" }, checkpoint: { type: "string" }, resume: { type: "boolean" } },
    ...{ objective: { type: "string" }, beta: { type: "string" }, rematerialize: { type: "boolean" } },
  },
  async run({ values, positionals }) {
    const [path, extra] = positionals;
    if (path === undefined || extra !== undefined)
      throw new ArgumentError(`finetune takes one model, got ${positionals.length}`);
    if (typeof values["data"] !== "string") throw new ArgumentError("finetune needs --data FILE");
    const method = typeof values["method"] === "string" ? values["method"] : "lora";
    if (!methods.includes(method))
      throw new ArgumentError(`--method must be one of ${methods.join(", ")}, got ${JSON.stringify(method)}`);
    const options = optionsOf(values);
    const output = typeof values["output"] === "string" ? values["output"] : "adapter";
    const { objective, beta } = values;
    if (objective !== undefined) return onPreferences(path, { values, options, method, output });
    const distillation = await teacherOf(values);
    if (beta !== undefined) throw new ArgumentError("--beta goes with --objective dpo, ipo or orpo");
    const conversations = await readConversations(values["data"]);
    const validation =
      typeof values["validation"] === "string" ? await readConversations(values["validation"]) : undefined;
    const pretrained = await opened(path, method, values);
    if (typeof values["show"] === "string") {
      await show(pretrained, conversations, numberOf("show", values["show"]));
      return 0;
    }
    await show(pretrained, conversations, 1);
    const { adapters, bottleneck, prompt, perplexity } = await finetune(pretrained, conversations, {
      ...options,
      method: methodOf(method),
      ...(validation && { validation }),
      ...(distillation && { distillation }),
      onPlan: (plan) => write("stdout", planText(plan)),
    });
    if (perplexity !== undefined) {
      const { before, after, teacher } = perplexity;
      const other = teacher === undefined ? "" : `; the teacher's is ${numberText(teacher)}`;
      write(
        "stdout",
        `perplexity of what was held out: ${numberText(before)} before, ${numberText(after)} after${other}\n`,
      );
    }
    return saved(pretrained, prompt ?? bottleneck ?? adapters, { path, output });
  },
};

/** What a GGUF file holds in few bits stays so. */
async function teacherOf(values: ParsedFlags["values"]): Promise<DistillationSettings | undefined> {
  const { teacher: path } = values;
  const [temperature, weight] = ["temperature", "teacher-weight"].map((flag) => {
    const value = values[flag];
    if (typeof value !== "string") return undefined;
    if (path === undefined) throw new ArgumentError(`--${flag} goes with --teacher`);
    return numberOf(flag, value);
  });
  if (typeof path !== "string") return undefined;
  return {
    teacher: await loadPretrained(path, { quantized: path.endsWith(".gguf") }),
    ...(temperature !== undefined && { temperature }),
    ...(weight !== undefined && { weight }),
  };
}

interface Preferring {
  readonly values: ParsedFlags["values"];
  readonly options: FinetuneOptions;
  readonly method: string;
  readonly output: string;
}

async function onPreferences(path: string, { values, options, method, output }: Preferring): Promise<number> {
  const { objective, beta } = values;
  for (const flag of ["patience", "teacher"])
    if (values[flag] !== undefined) throw new ArgumentError(`--${flag} does not go with --objective`);
  const pairs = await readPreferences(values["data"] as string);
  const validation =
    typeof values["validation"] === "string" ? await readPreferences(values["validation"]) : undefined;
  const pretrained = await opened(path, method, values);
  const { adapters, bottleneck, agreement } = await finetunePreferences(pretrained, pairs, {
    ...(options as FinetunePreferencesOptions),
    ...{ objective: objective as never, method: methodOf(method) },
    ...(typeof beta === "string" && { beta: numberOf("beta", beta) }),
    ...(validation && { validation }),
    onPlan: (plan) => write("stdout", planText(plan)),
  });
  if (agreement !== undefined) {
    const share = (value: number): string => `${numberText(100 * value)} %`;
    write(
      "stdout",
      `better answers that are likelier, of what was held out: ${share(agreement.before)} before, ${share(agreement.after)} after\n`,
    );
  }
  return saved(pretrained, bottleneck ?? adapters, { path, output });
}

const methodOf = (method: string): NonNullable<FinetuneOptions["method"]> =>
  method === "qlora" ? "lora" : (method as NonNullable<FinetuneOptions["method"]>);

async function saved(
  pretrained: Pretrained,
  trained: LoraAdapters | BottleneckAdapters | PromptEmbeddings | undefined,
  { path, output }: { readonly path: string; readonly output: string },
): Promise<number> {
  const of = { baseModel: path };
  if (trained === undefined) {
    if ([...pretrained.model.namedModules().values()].some(isStored)) restoreWeights(pretrained.model);
    await savePretrained(pretrained, output);
  } else if (trained instanceof PromptEmbeddings) await savePrompt(trained, output, of);
  else if (trained instanceof BottleneckAdapters) await saveBottleneckAdapters(trained, output, of);
  else await saveAdapters(trained, output, of);
  write("stdout", `saved in "${output}"\n`);
  return 0;
}

/** QLoRA: what a GGUF file holds in few bits stays so; a folder's weights are rounded. */
async function opened(path: string, method: string, values: ParsedFlags["values"]): Promise<Pretrained> {
  const { dtype = "f32" } = values;
  if (dtype !== "f32" && dtype !== "bf16")
    throw new ArgumentError(`--dtype must be f32 or bf16, got ${JSON.stringify(dtype)}`);
  const isFile = path.endsWith(".gguf");
  const pretrained = await loadPretrained(path, { quantized: method === "qlora" && isFile });
  if (method === "qlora" && !isFile) await quantizeModel(pretrained.model);
  if (dtype === "bf16") storeWeights(pretrained.model, dtype);
  return pretrained;
}

function optionsOf(values: ParsedFlags["values"]): FinetuneOptions {
  const given = Object.entries(numbers).flatMap(([flag, option]) => {
    const value = values[flag];
    return typeof value === "string" ? [[option, numberOf(flag, value)] as const] : [];
  });
  const targets = values["target"];
  return {
    ...Object.fromEntries(given),
    ...(Array.isArray(targets) && { targetModules: targets as string[] }),
    ...(typeof values["variant"] === "string" && { variant: values["variant"] as "houlsby" }),
    ...(typeof values["activation"] === "string" && { activation: values["activation"] as "relu" }),
    ...(typeof values["prompt-text"] === "string" && { promptText: values["prompt-text"] }),
    ...(typeof values["checkpoint"] === "string" && { checkpoint: values["checkpoint"] }),
    ...(values["resume"] === true && { resume: true }),
    ...(values["rematerialize"] === true && { rematerialize: true }),
  };
}

function numberOf(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new ArgumentError(`--${flag} must be a number, got ${JSON.stringify(text)}`);
}

async function show(
  pretrained: Pretrained,
  conversations: readonly Conversation[],
  count: number,
): Promise<void> {
  const color = terminal("stdout").isTerminal;
  for (const { messages, place } of conversations.slice(0, count)) {
    const tokens = await chatTokens(pretrained, messages);
    const learnt = tokens.isLearnt.filter(Boolean).length;
    write("stdout", `${place}: ${tokens.ids.length} tokens, ${learnt} are learnt\n`);
    write("stdout", `${showLoss(pretrained, tokens, { color })}\n`);
  }
}

function planText(plan: FinetunePlan): string {
  const { parameters, trainableParameters, conversations, validationConversations } = plan;
  const share = numberText((100 * trainableParameters) / parameters);
  return [
    `trains ${trainableParameters} of ${parameters} parameters (${share} %), ${plan.steps} steps at a rate of up to ${plan.learningRate}, ` +
      `about ${durationText(plan.estimatedSeconds)}, ${numberText(plan.peakBytes / 1e6)} MB at the peak of a step`,
    `${conversations} conversations in ${plan.rows} rows, ${plan.tokens} tokens, ${plan.learntTokens} are learnt; ` +
      `${validationConversations} held out`,
    ...plan.warnings.map((warning) => `⚠ ${warning}`),
    "",
  ].join("\n");
}
