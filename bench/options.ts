/** The frame's command line. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { contenders } from "./contenders.ts";
import { cases, workloads } from "./workloads.ts";

export interface Options {
  /** Workloads or beginnings of case names. */
  readonly words: readonly string[];
  readonly contenders: readonly string[];
  readonly threads: number;
  readonly rounds: number;
  readonly sampleSeconds: number;
  readonly json: string | undefined;
  /** A file that an earlier run wrote: nothing is measured. */
  readonly from: string | undefined;
  /** Whether RESULTS.md and the README's table are renewed. */
  readonly publish: boolean;
}

export const usage = `npm run bench -- [workload …] [options]

Workloads: ${workloads.join(", ")} (all unless told); the beginning of a case also chooses: matmul/512.

  --peers a,b      who takes part besides Netwright: ${contenders.map(({ key }) => key).join(", ")}; all unless told; "none"
  --threads n      thread counts 1, 2, 4 … up to n are measured (the machine's processors)
  --rounds n       samples of each contender, taken in turn (9)
  --sample-ms n    how long one sample runs (100)
  --json FILE      write every figure there too
  --publish        renew bench/RESULTS.md and the table in README.md
  --from FILE      measure nothing: take the figures that --json wrote
  --help`;

/** Reads the arguments; null when help was asked for. A wrong argument is an error that says what is accepted. */
export function readOptions(args: readonly string[]): Options | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      peers: { type: "string" },
      threads: { type: "string" },
      rounds: { type: "string" },
      "sample-ms": { type: "string" },
      json: { type: "string" },
      from: { type: "string" },
      publish: { type: "boolean", default: false },
      help: { type: "boolean" },
    },
  });
  if (values.help) return null;
  for (const word of positionals) checkWord(word);
  return {
    words: positionals.length > 0 ? positionals : workloads,
    contenders: readPeers(values.peers),
    threads: positive("threads", values.threads, availableParallelism()),
    rounds: positive("rounds", values.rounds, 9),
    sampleSeconds: positive("sample-ms", values["sample-ms"], 100) / 1000,
    json: values.json,
    from: values.from,
    publish: values.publish,
  };
}

function checkWord(word: string): void {
  const known = workloads.includes(word) || cases.some(({ id }) => id === word || id.startsWith(`${word}/`));
  if (!known) throw new Error(`no workload "${word}": choose of ${workloads.join(", ")}`);
}

function readPeers(list: string | undefined): readonly string[] {
  const all = contenders.map(({ key }) => key);
  if (list === undefined) return all;
  const chosen = list === "none" ? [] : list.split(",");
  const unknown = chosen.find((key) => !all.includes(key));
  if (unknown !== undefined) throw new Error(`no peer "${unknown}": choose of ${all.join(", ")}, or none`);
  return all.filter(
    (key) => key.startsWith("netwright") || key.startsWith("machine") || chosen.includes(key),
  );
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`--${name} ${text}: expected a whole number of at least 1`);
  }
  return value;
}
