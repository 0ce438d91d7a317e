/** Options that mean nothing are mistakes: a misspelt name must not be ignored. */
import { ArgumentError, nearestName } from "./errors.ts";

/**
 * Refuses options a function does not know.
 *
 * @throws ArgumentError that names the option, and the one that was probably meant
 * @example checkOptions("loader", options, ["batchSize", "shuffle"])
 */
export function checkOptions(what: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const nearest = nearestName(name, known);
    const hint = nearest === undefined ? `it takes ${known.join(", ")}` : `did you mean "${nearest}"?`;
    throw new ArgumentError(`${what}: there is no option "${name}"; ${hint}`);
  }
}
