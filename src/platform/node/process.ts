/** The process and its machine: clocks, memory, environment, terminal, interrupts. */
import { cpus, totalmem } from "node:os";
import type { MachineFacts, MemoryFacts, TerminalFacts } from "../platform.ts";

export const monotonicMs = (): number => performance.now();
/** Node's clock starts with the process. */
export const sinceStartMs = (): number => performance.now();

export function memory(): MemoryFacts {
  const limit = process.constrainedMemory?.() ?? 0;
  const total = totalmem();
  return {
    residentBytes: process.memoryUsage.rss(),
    peakResidentBytes: process.resourceUsage().maxRSS * 1024,
    limitBytes: limit > 0 ? Math.min(limit, total) : total,
  };
}

export function machine(): MachineFacts {
  return {
    runtime: `Node ${process.versions.node}`,
    system: process.platform,
    architecture: process.arch,
    processor: cpus()[0]?.model.trim() ?? "unknown",
  };
}

export const env = (name: string): string | undefined => process.env[name];

export function terminal(stream: "stdout" | "stderr"): TerminalFacts {
  return { isTerminal: process[stream].isTTY === true, columns: process[stream].columns ?? 80 };
}

/** Texts on their way, by stream. */
const pending = { stdout: 0, stderr: 0 };
const ignore = (): void => {};

/** A reader that went away (`| head`) ends the text, not the program: as with console.log. */
export function write(stream: "stdout" | "stderr", text: string): void {
  if (pending[stream]++ === 0) process[stream].on("error", ignore);
  process[stream].write(text, (error) => {
    // The stream reports a failure after this call: then the listener stays.
    if (--pending[stream] === 0 && !error) process[stream].off("error", ignore);
  });
}

export function onInterrupt(handler: () => void): () => void {
  const signals = ["SIGINT", "SIGTERM"] as const;
  const remove = (): void => {
    for (const signal of signals) process.off(signal, listener);
  };
  const listener = (): void => {
    remove();
    handler();
  };
  for (const signal of signals) process.on(signal, listener);
  return remove;
}

export const yieldToEventLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
