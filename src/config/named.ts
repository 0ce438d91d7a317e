/** Values from their names: `"ReLU"`, `{ "Linear": [784, 64] }`, `{ "adam": { "learningRate": 0.01 } }`. */
import { ArgumentError, NetwrightError, nearestName } from "../base/errors.ts";
import type { Named } from "./define.ts";
import type { Names } from "./names.ts";

/** Where in the config a value stands, for errors: `config.json: fit.optimizer`. */
export interface Place {
  readonly file: string;
  readonly key: string;
}

export const at = (place: Place, key: string | number): Place => ({
  file: place.file,
  key: typeof key === "number" ? `${place.key}[${key}]` : place.key === "" ? key : `${place.key}.${key}`,
});

/** An error that names file and key: what came, what is allowed. */
export const configError = ({ file, key }: Place, problem: string): ArgumentError =>
  new ArgumentError(`${file}: ${key === "" ? "the config" : key} ${problem}`);

export const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" &&
  value !== null &&
  (value.constructor === Object || value.constructor === undefined);

export const isNamed = (value: unknown): value is Named => typeof value === "string" || isPlain(value);

/** What came, short enough for a message. */
export function shown(value: unknown): string {
  if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
  if (typeof value === "object" && value !== null && !isPlain(value) && !Array.isArray(value))
    return `a ${value.constructor.name}`;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** A name and its arguments: an array is several, anything else is one, null none. */
export function partsOf(
  place: Place,
  what: string,
  value: Named,
): { name: string; args: readonly unknown[] } {
  if (typeof value === "string") return { name: value, args: [] };
  const entries = Object.entries(value);
  if (entries.length !== 1)
    throw configError(place, `must be a ${what} by name, such as { "name": arguments }, got ${shown(value)}`);
  const [name, given] = entries[0]!;
  return { name, args: given === null ? [] : Array.isArray(given) ? given : [given] };
}

/** @throws ArgumentError naming the key, what came, and the nearest name that is allowed */
export function makeNamed(
  place: Place,
  {
    what,
    names,
    resolveArgument = (argument) => argument,
  }: {
    readonly what: string;
    readonly names: Names;
    readonly resolveArgument?: (argument: unknown, place: Place) => unknown;
  },
  value: Named,
): unknown {
  const { name, args } = partsOf(place, what, value);
  if (!Object.hasOwn(names, name)) throw unknownName(place, what, name, Object.keys(names));
  const resolved = args.map((argument, i) => resolveArgument(argument, at(at(place, name), i)));
  return explained(at(place, name), () => names[name]!(...resolved));
}

export function unknownName(
  place: Place,
  what: string,
  name: string,
  known: readonly string[],
): ArgumentError {
  const near = nearestName(name, known);
  const hint = near === undefined ? "" : `; did you mean "${near}"?`;
  return configError(place, `names no ${what}: "${name}"; there are ${known.join(", ")}${hint}`);
}

/** Errors of a value's own making are told with the place in the config. */
export function explained<Result>(place: Place, make: () => Result): Result {
  const explain = (error: unknown): never => {
    if (error instanceof NetwrightError) throw configError(place, `is refused: ${error.message}`);
    if (error instanceof TypeError) throw configError(place, `is refused: ${error.message}`);
    throw error;
  };
  try {
    const result = make();
    return result instanceof Promise ? (result.catch(explain) as Result) : result;
  } catch (error) {
    return explain(error);
  }
}
