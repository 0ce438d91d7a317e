/** What commands with a language model have in common. */
import type { ParsedFlags } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { applyAdapters } from "../finetune/index.ts";
import { cachedModel } from "../pretrained/hub-cache.ts";
import { loadPretrained, type Pretrained } from "../pretrained/index.ts";

type Values = ParsedFlags["values"];

/**
 * A folder, or a GGUF file whose 4- and 8-bit weights stay as they are, or the name of either in the hub's cache; with `--adapter` goes on
 * as that folder says.
 */
export async function openModel(given: string, values: Values): Promise<Pretrained> {
  const path = (await cachedModel(given)) ?? given;
  const adapter = typeof values["adapter"] === "string" ? values["adapter"] : undefined;
  const quantized = path.endsWith(".gguf") && adapter === undefined;
  const pretrained = await loadPretrained(path, { quantized });
  if (adapter !== undefined) await applyAdapters(pretrained.model, adapter);
  pretrained.model.eval();
  return pretrained;
}

/**
 * Options of flags that were given and are numbers.
 *
 * @param names flags, and the options that they are
 */
export function numbersOf<T extends string>(
  values: Values,
  names: Readonly<Record<string, T>>,
): { [option in T]?: number } {
  const given = Object.entries(names).flatMap(([flag, option]) => {
    const value = values[flag];
    if (typeof value !== "string") return [];
    if (value.trim() === "" || !Number.isFinite(Number(value)))
      throw new ArgumentError(`--${flag} must be a number, got ${JSON.stringify(value)}`);
    return [[option, Number(value)] as const];
  });
  return Object.fromEntries(given) as { [option in T]?: number };
}
