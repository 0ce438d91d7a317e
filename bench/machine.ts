/** The facts about the machine that a figure needs beside it. */
import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";

export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  /** Vector instruction sets of the processor that matter here, where the system tells. */
  readonly features: readonly string[];
}

const NOTABLE = ["avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "asimd", "sve"];

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    processors: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    features: processorFlags().filter((flag) => NOTABLE.includes(flag)),
  };
}

function processorFlags(): readonly string[] {
  try {
    const text = execFileSync("grep", ["-m1", "-E", "^(flags|Features)", "/proc/cpuinfo"], {
      encoding: "utf8",
    });
    return text.split(/\s+/);
  } catch {
    return [];
  }
}

/** The one-minute load: how many processes wanted a processor, this one's children included. */
export const loadNow = (): number => Math.round(loadavg()[0] * 100) / 100;
