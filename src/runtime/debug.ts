/** Shows what the compiler's passes made, on request: `NETWRIGHT_DEBUG=program node train.js`. */
import { env, write } from "#platform";
import { dumpModule } from "../codegen/wasm/dump.ts";
import type { GraphFunction } from "../graph/function.ts";
import { graphText } from "../graph/print.ts";
import { printProgram } from "../ir/print.ts";
import type { Program } from "../ir/program.ts";

/** A pass's result; `Uint8Array`: a WebAssembly module. */
type Result = GraphFunction | Program | Uint8Array;

/** Prints the passes that the flag names (comma-separated, or `all`) to standard error. */
export function printPass(name: string, result: Result): void {
  const wanted = (env("NETWRIGHT_DEBUG") ?? "").split(",");
  if (wanted.includes(name) || wanted.includes("all")) write("stderr", `--- ${name}\n${textOf(result)}\n`);
}

function textOf(result: Result): string {
  if (result instanceof Uint8Array) return dumpModule(result);
  return "compute" in result ? printProgram(result) : graphText(result);
}
