/** Hugging Face's `config.json`: values by their names there, checked when they are taken. */
import { ArgumentError } from "../base/errors.ts";
import type { RotaryScaling } from "../nn/index.ts";

type Values = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * A configuration whose keys are taken by name; `source` is what errors call it.
 *
 * @throws ArgumentError for what is no object, and, when a key is taken, for one that is missing or of another kind
 * @example
 * const config = new PretrainedConfig({ hidden_size: 576, tie_word_embeddings: true });
 * config.size("hidden_size"); // 576
 * config.number("rope_theta", 10_000); // 10000
 */
export class PretrainedConfig {
  readonly values: Values;
  readonly source: string;

  constructor(values: unknown, source = "config.json") {
    if (!isObject(values)) throw new ArgumentError(`${source} is not an object`);
    this.values = values;
    this.source = source;
  }

  /** A number; `fallback` where the key is missing or null, an error without one. */
  number(key: string, fallback?: number): number {
    return this.take(
      key,
      fallback,
      "a number",
      (value) => typeof value === "number" && Number.isFinite(value),
    );
  }
  /** A whole number of 1 or more, and not more than any real model has: 1024 of layers, 2²⁴ of everything else. */
  size(key: string, fallback?: number): number {
    const most = /layer/.test(key) ? 1024 : 2 ** 24;
    const isSize = (value: unknown): boolean =>
      Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most;
    return this.take(key, fallback, `an integer from 1 to ${most}`, isSize);
  }
  boolean(key: string, fallback?: boolean): boolean {
    return this.take(key, fallback, "true or false", (value) => typeof value === "boolean");
  }
  string(key: string, fallback?: string): string {
    return this.take(key, fallback, "a string", (value) => typeof value === "string");
  }
  strings(key: string): readonly string[] | undefined {
    const areStrings = (value: unknown): boolean =>
      Array.isArray(value) && value.every((item) => typeof item === "string");
    return this.has(key)
      ? this.take<readonly string[]>(key, undefined, "a list of strings", areStrings)
      : undefined;
  }
  /** The object under a key as a configuration of its own; undefined where it is missing or null. */
  part(key: string): PretrainedConfig | undefined {
    if (!this.has(key)) return undefined;
    if (!isObject(this.values[key])) throw this.wrong(key, "an object");
    return new PretrainedConfig(this.values[key], `${this.source}: ${key}`);
  }
  has(key: string): boolean {
    return this.values[key] !== undefined && this.values[key] !== null;
  }

  /** One of some words. */
  oneOf(key: string, words: readonly string[], fallback?: string): string {
    const word = this.string(key, fallback);
    if (words.includes(word)) return word;
    throw new ArgumentError(`${this.source}: ${key} is "${word}"; known are ${words.join(", ")}`);
  }

  private take<T>(
    key: string,
    fallback: T | undefined,
    what: string,
    isRight: (value: unknown) => boolean,
  ): T {
    if (!this.has(key)) {
      if (fallback !== undefined) return fallback;
      throw new ArgumentError(`${this.source} has no "${key}": the model needs ${what} there`);
    }
    if (isRight(this.values[key])) return this.values[key] as T;
    throw this.wrong(key, what);
  }
  private wrong(key: string, what: string): ArgumentError {
    const got = JSON.stringify(this.values[key])?.slice(0, 60);
    return new ArgumentError(`${this.source}: ${key} must be ${what}, got ${got}`);
  }
}

/** What rotary embeddings need: `rope_parameters` as files have it now, `rope_theta` and `rope_scaling` as older ones do. */
export interface RotaryConfig {
  readonly rotaryBase: number;
  readonly rotaryScaling?: RotaryScaling;
}

/** @param kind of layers, where their parameters differ: `full_attention`, `sliding_attention` */
export function rotaryConfig(config: PretrainedConfig, kind?: string): RotaryConfig {
  const all = config.part("rope_parameters");
  const parameters = (kind === undefined ? undefined : all?.part(kind)) ?? all;
  const rotaryBase = parameters?.number("rope_theta", 10_000) ?? config.number("rope_theta", 10_000);
  const scaling = parameters ?? config.part("rope_scaling");
  const rotaryScaling = scaling && scalingOf(scaling, config.number("max_position_embeddings", 2048));
  return rotaryScaling === undefined ? { rotaryBase } : { rotaryBase, rotaryScaling };
}

function scalingOf(scaling: PretrainedConfig, maxPositions: number): RotaryScaling | undefined {
  const key = scaling.has("rope_type") ? "rope_type" : "type";
  const type = scaling.oneOf(key, ["default", "linear", "dynamic", "yarn", "llama3"], "default");
  if (type === "default") return undefined;
  const factor = scaling.number("factor");
  const originalMaxPositions = scaling.number("original_max_position_embeddings", maxPositions);
  const given = (name: string): number | undefined => (scaling.has(name) ? scaling.number(name) : undefined);
  switch (type) {
    case "linear":
      return { type, factor };
    case "dynamic":
      return { type, factor, originalMaxPositions };
    case "yarn":
      return {
        type,
        factor,
        originalMaxPositions,
        betaFast: given("beta_fast"),
        betaSlow: given("beta_slow"),
        attentionFactor: given("attention_factor"),
      };
    default:
      return {
        type: "llama3",
        factor,
        originalMaxPositions,
        lowFrequencyFactor: scaling.number("low_freq_factor"),
        highFrequencyFactor: scaling.number("high_freq_factor"),
      };
  }
}
