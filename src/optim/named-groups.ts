/** Groups of parameters by their names in the model: rates of their own for some layers, others frozen. */
import { ArgumentError, nearestName } from "../base/errors.ts";
import type { Module, Parameter } from "../nn/index.ts";
import type { ParameterGroup } from "./groups.ts";

/** What names are compared with: a whole name, or that of a module above (`encoder` is all of the encoder), or an expression. */
export type NamePattern = string | RegExp | readonly (string | RegExp)[];

/** Parameters by name, and what is theirs alone: any option of the optimizer. */
export type NamedGroup<Options = any> = Partial<Omit<Options, "match" | "frozen">> & {
  readonly match: NamePattern;
  /** They are left as they are: the optimizer does not get them, and no gradient is computed. Undone by `unfreeze()`. */
  readonly frozen?: boolean;
  /** What the optimizer's learning rate, number or schedule, is multiplied by for them. */
  readonly learningRateScale?: number;
};

/**
 * A model's parameters in groups by name, for an optimizer: each belongs to the first group that matches it, all others to a
 * last one with the optimizer's own options. Smaller rates for layers that were trained before are known as discriminative
 * fine-tuning: Howard and Ruder, "Universal language model fine-tuning for text classification", ACL 2018.
 *
 * @throws ArgumentError for a pattern that matches nothing, with the nearest name there is
 * @example
 * const model = new Sequential(new Linear(4, 8), new Linear(8, 8), new Linear(8, 2));
 * const groups = parameterGroups(model, [
 *   { match: "0", frozen: true },
 *   { match: /^1\./, learningRateScale: 0.1 },
 * ]);
 * const optimizer = new AdamW(groups, { learningRate: 1e-3 });
 * optimizer.groupCount; // 2
 */
export function parameterGroups<Options = any>(
  model: Module,
  groups: readonly NamedGroup<Options>[],
): ParameterGroup<Options>[] {
  const left = model.namedParameters();
  const names = [...left.keys()];
  const made: ParameterGroup<Options>[] = [];
  for (const { match, frozen = false, ...options } of groups) {
    const parameters = taken(names, left, match);
    for (const parameter of frozen ? parameters : []) parameter.trainable = false;
    if (!frozen) made.push({ ...(options as Partial<Options>), parameters });
  }
  const rest = { parameters: [...left.values()] } as unknown as ParameterGroup<Options>;
  return left.size === 0 ? made : [...made, rest];
}

/** What matches and was not taken before. */
function taken(names: readonly string[], left: Map<string, Parameter>, match: NamePattern): Parameter[] {
  const patterns = Array.isArray(match)
    ? (match as readonly (string | RegExp)[])
    : [match as string | RegExp];
  const matched = new Set(patterns.flatMap((pattern) => namesMatching(names, pattern)));
  const free = [...matched].filter((name) => left.has(name));
  if (free.length === 0)
    throw new ArgumentError(
      `parameterGroups: ${patternText(patterns)} matches only what groups before it have taken`,
    );
  const parameters = free.map((name) => left.get(name)!);
  for (const name of free) left.delete(name);
  return parameters;
}

function namesMatching(names: readonly string[], pattern: string | RegExp): string[] {
  const matches = (name: string): boolean =>
    typeof pattern === "string"
      ? name === pattern || name.startsWith(`${pattern}.`)
      : name.search(pattern) >= 0;
  const found = names.filter(matches);
  if (found.length > 0) return found;
  const near = typeof pattern === "string" ? nearestName(pattern, withModules(names)) : undefined;
  const known = names.length > 8 ? `${names.slice(0, 8).join(", ")} … (${names.length})` : names.join(", ");
  throw new ArgumentError(
    `parameterGroups: ${patternText([pattern])} matches no parameter; they are ${known}${near ? `. Did you mean "${near}"?` : ""}`,
  );
}

/** `a.b.weight` is in `a` and in `a.b`. */
const withModules = (names: readonly string[]): Set<string> =>
  new Set(
    names.flatMap((name) => {
      const parts = name.split(".");
      return parts.map((_, i) => parts.slice(0, i + 1).join("."));
    }),
  );

const patternText = (patterns: readonly (string | RegExp)[]): string =>
  patterns.map((pattern) => (typeof pattern === "string" ? `"${pattern}"` : String(pattern))).join(" or ");
