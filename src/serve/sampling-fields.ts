/** The fields that say how an answer is chosen, the same for conversations and texts. */
import type { BatchRequest } from "../generate/index.ts";
import { wrongField } from "./api-error.ts";
import type { Fields } from "./fields.ts";

/** OpenAI's names, and those that other servers have beside them. */
export const samplingFields = [
  ...["temperature", "top_p", "seed", "stop", "n", "stream", "stream_options", "logit_bias"],
  ...["presence_penalty", "frequency_penalty", "top_k", "min_p", "repetition_penalty"],
  // They change nothing here: who asks, and what is kept.
  ...["user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"],
] as const;

/** What is asked for. */
export interface Sampling {
  readonly options: Omit<BatchRequest, "prompt" | "signal" | "key" | "logProbabilities">;
  readonly seed: number | undefined;
  readonly stop: readonly string[];
  /** Answers to each prompt. */
  readonly count: number;
  readonly stream: boolean;
  /** Whether a stream ends with the counts of tokens. */
  readonly includeUsage: boolean;
}

export function samplingOf(
  fields: Fields,
  { vocabSize, most }: { vocabSize: number; most: number },
): Sampling {
  const options = {
    temperature: fields.number("temperature", { least: 0, most: 2 }),
    topP: fields.number("top_p", { least: Number.MIN_VALUE, most: 1 }),
    topK: fields.integer("top_k", { least: 1 }),
    minP: fields.number("min_p", { least: 0, most: 1 }),
    repetitionPenalty: fields.number("repetition_penalty", { least: 0.01, most: 100 }),
    presencePenalty: fields.number("presence_penalty", { least: -2, most: 2 }),
    frequencyPenalty: fields.number("frequency_penalty", { least: -2, most: 2 }),
    logitBias: biasOf(fields.get("logit_bias"), vocabSize),
  };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return {
    options: Object.fromEntries(given),
    seed: fields.integer("seed", { least: -(2 ** 53), most: 2 ** 53 }),
    stop: fields.strings("stop", 4) ?? [],
    count: fields.integer("n", { least: 1, most }) ?? 1,
    stream: fields.boolean("stream") ?? false,
    includeUsage: usageOf(fields.get("stream_options")),
  };
}

function biasOf(value: unknown, vocabSize: number): ReadonlyMap<number, number> | undefined {
  if (value === undefined) return undefined;
  const wanted = `an object of tokens below ${vocabSize} and numbers from -100 to 100`;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrongField("logit_bias", wanted, value);
  return new Map(
    Object.entries(value as Record<string, unknown>).map(([token, bias]) => {
      const isToken = /^\d+$/.test(token) && Number(token) < vocabSize;
      if (!isToken || typeof bias !== "number" || !(Math.abs(bias) <= 100))
        throw wrongField("logit_bias", wanted, { [token]: bias });
      return [Number(token), bias];
    }),
  );
}

function usageOf(value: unknown): boolean {
  if (value === undefined) return false;
  const { include_usage: wanted = false } = (value ?? {}) as { include_usage?: unknown };
  if (typeof value !== "object" || typeof wanted !== "boolean")
    throw wrongField("stream_options", "an object with include_usage", value);
  return wanted;
}
