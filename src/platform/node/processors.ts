/** The processors of this machine that this process may use. */
import { readFileSync } from "node:fs";
import { availableParallelism as schedulable } from "node:os";
import type { ProcessorFacts } from "../platform.ts";
import { processorFacts } from "../processors.ts";

/** Elsewhere than on Linux the files are not there. */
export const processors = (): ProcessorFacts => processorFacts(readText, schedulable());

export const availableParallelism = (): number => processors().threads;

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
