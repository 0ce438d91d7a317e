/** Shows what the compiler's passes made, on request: `NETWRIGHT_DEBUG=program node train.js`. */
import { env, write } from "#platform";

/** Prints the passes that the flag names (comma-separated, or `all`) to standard error. */
export function printPass(name: string, text: () => string): void {
  const wanted = (env("NETWRIGHT_DEBUG") ?? "").split(",");
  if (wanted.includes(name) || wanted.includes("all")) write("stderr", `--- ${name}\n${text()}\n`);
}
