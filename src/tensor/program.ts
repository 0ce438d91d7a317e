/** A compiled graph function with everything a run needs around it. */
import type { GraphFunction } from "../graph/function.ts";
import { graphText } from "../graph/print.ts";
import type { State } from "../graph/state.ts";
import type { Executable, ProgramDescription } from "../runtime/device.ts";
import type { Template } from "./signature.ts";
import type { Dependencies } from "./trace-dependencies.ts";
import type { History, Value } from "./value.ts";

/** A function and what runs it. */
export interface Runnable {
  readonly fn: GraphFunction;
  readonly executable: Executable;
}

export class Program implements Runnable {
  readonly fn: GraphFunction;
  readonly executable: Executable;
  /** The results' tree; its tensors are the function's results in order. */
  readonly results: Template;
  /** Values from outside that the function uses: inputs after the arguments. */
  readonly captured: readonly Value[];
  readonly dependencies: Dependencies;
  readonly writes: ReadonlySet<State>;
  readonly history: History;

  constructor(parts: Omit<Program, "text" | "dispose">) {
    this.fn = parts.fn;
    this.executable = parts.executable;
    this.results = parts.results;
    this.captured = parts.captured;
    this.dependencies = parts.dependencies;
    this.writes = parts.writes;
    this.history = parts.history;
  }

  text(): string {
    return graphText(this.fn);
  }
  dispose(): void {
    this.executable.dispose();
  }
}

/** What a program will do and need, known before it runs. Prints as a table. */
export interface ProgramReport extends ProgramDescription {
  readonly name: string;
  toString(): string;
}

/** The table of a program's kernels. */
export function programReport({ fn, executable }: Runnable): ProgramReport {
  const description = executable.describe();
  const report = { name: fn.name, ...description };
  const text = (): string => reportText(report);
  const inspect = Symbol.for("nodejs.util.inspect.custom");
  return Object.defineProperties(report, { toString: { value: text }, [inspect]: { value: text } });
}

type Report = ProgramDescription & { readonly name: string };

function reportText({ name, kernels, ...total }: Report): string {
  const rows = kernels.map(
    (kernel) => [kernel.name, countText(kernel.flop), bytesText(kernel.bytes)] as const,
  );
  const lines = [
    ["kernel", "FLOP", "bytes"] as const,
    ...rows,
    [`${kernels.length} kernels`, countText(total.flop), bytesText(total.bytes)] as const,
  ];
  const width = Math.max(...lines.map(([first]) => first.length));
  const table = lines.map(
    ([first, flop, bytes]) => `  ${first.padEnd(width)}  ${flop.padStart(9)}  ${bytes.padStart(9)}`,
  );
  const threads = `${total.threads} ${total.threads === 1 ? "thread" : "threads"}`;
  const memory = `peak memory ${bytesText(total.peakMemoryBytes)} (arena ${bytesText(total.arenaBytes)})`;
  const time = `about ${total.estimatedMilliseconds.toPrecision(2)} ms`;
  return [`${name} on ${total.target}, ${threads}: ${memory}, ${time}`, ...table].join("\n");
}

const scaled = (value: number, units: readonly string[], base: number): string => {
  let unit = 0;
  for (; value >= base && unit < units.length - 1; unit++) value /= base;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`.trim();
};
const countText = (count: number): string => scaled(count, ["", "k", "M", "G", "T"], 1000);
const bytesText = (bytes: number): string => scaled(bytes, ["B", "kB", "MB", "GB", "TB"], 1000);
