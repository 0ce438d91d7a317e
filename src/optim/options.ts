/** Options of optimizers: defaults in one place, unknown names refused. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";

/** `given` over `defaults`, which name every option. @throws ArgumentError for another one */
export function withDefaults<Options extends object>(
  what: string,
  given: Partial<Options>,
  defaults: Options,
): Options {
  checkOptions(what, given, Object.keys(defaults));
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(set) };
}

/** Refuses an option outside `low ≤ value < high`. */
export function requireRange(what: string, name: string, value: number, low: number, high = Infinity): void {
  if (value >= low && value < high) return;
  const range = high === Infinity ? `${low} or more` : `from ${low} to below ${high}`;
  throw new ArgumentError(`${what}: ${name} must be ${range}, got ${value}`);
}
