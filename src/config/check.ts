/** What may stand in a config, key by key. */
import { nearestName } from "../base/errors.ts";
import { at, configError, isPlain, type Place, shown } from "./named.ts";

/** A rule says what is allowed, and whether a value is. */
export interface Rule {
  readonly allowed: string;
  readonly accepts: (value: unknown) => boolean;
}

const rule = (allowed: string, accepts: (value: unknown) => boolean): Rule => ({ allowed, accepts });

export const anything = rule("anything", () => true);
export const boolean = rule("true or false", (value) => typeof value === "boolean");
export const text = rule("a text", (value) => typeof value === "string");
export const positiveInteger = rule(
  "an integer of at least 1",
  (value) => Number.isInteger(value) && (value as number) >= 1,
);
export const wholeNumber = rule(
  "an integer of 0 or more",
  (value) => Number.isInteger(value) && (value as number) >= 0,
);
export const positive = rule("a number above 0", (value) => typeof value === "number" && value > 0);
export const fraction = rule(
  "a number between 0 and 1",
  (value) => typeof value === "number" && value > 0 && value < 1,
);
export const texts = rule(
  "a text, or a list of texts",
  (value) =>
    typeof value === "string" || (Array.isArray(value) && value.every((item) => typeof item === "string")),
);
export const list = rule("a list", Array.isArray);
export const object = rule("an object", isPlain);

export const oneOf = (...values: readonly string[]): Rule =>
  rule(`one of ${values.join(", ")}`, (value) => values.includes(value as string));

/**
 * Refuses keys that mean nothing and values that are not allowed.
 *
 * @throws ArgumentError naming file and key, what came, what is allowed, and the nearest key
 */
export function checkObject(
  place: Place,
  value: unknown,
  rules: Readonly<Record<string, Rule>>,
  required: readonly string[] = [],
): void {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw configError(place, `must be an object, got ${shown(value)}`);
  const known = Object.keys(rules);
  for (const [key, item] of Object.entries(value)) {
    if (!Object.hasOwn(rules, key)) throw unknownKey(place, key, known);
    if (item !== undefined && !rules[key]!.accepts(item))
      throw configError(at(place, key), `must be ${rules[key]!.allowed}, got ${shown(item)}`);
  }
  for (const key of required)
    if ((value as Record<string, unknown>)[key] === undefined)
      throw configError(place, `lacks ${key}: ${rules[key]!.allowed}`);
}

function unknownKey(place: Place, key: string, known: readonly string[]): Error {
  const near = nearestName(key, known);
  const hint = near === undefined ? "" : `; did you mean "${near}"?`;
  return configError(place, `has no key "${key}"; keys are ${known.join(", ")}${hint}`);
}
