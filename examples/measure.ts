/**
 * Measures examples in full, each seed in a process of its own, and writes what came out: `examples/results.json`, which
 * `docs/results.md` and the pages of the examples are made of, and their pictures. Examples that are not named keep what they have.
 *
 *     npm run results                          all of them; hours
 *     npm run results -- NAME … --seeds 0,1,2
 *     npm run results -- NAME … --seeds 1,2 --add     beside the seeds that were measured before, by the same program
 *     npm run results -- --write               only writes the pages anew
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { examples } from "./list.ts";
import { projectFile } from "./support/example.ts";
import type { Outcome } from "./support/perform.ts";
import { type Measured, pageWith, type Results, resultsPage } from "./support/results.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "0,1,2" },
    add: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const seeds = flags.seeds.split(",").map(Number);
const file = projectFile("examples", "results.json");
const run = fileURLToPath(new URL("run.js", import.meta.url));

function measure(name: string): Measured {
  const outcomes = seeds.map((seed, i) => {
    const pictures = i === 0 && !flags.add ? ["--pictures", projectFile("docs", "examples")] : [];
    const command = [run, name, "--json", "--seed", String(seed), ...pictures];
    const output = execFileSync(process.execPath, command, { encoding: "utf8", maxBuffer: 2 ** 26 });
    console.log(output.trim());
    return JSON.parse(output.trim().split("\n").at(-1)!) as Outcome;
  });
  const scoreNames = Object.keys(outcomes[0]!.scores);
  const times = outcomes.map(({ processorSeconds }) => processorSeconds);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0]!.model}, ${cpus().length} virtual processors, Node ${process.versions.node}`,
    seeds,
    scores: Object.fromEntries(
      scoreNames.map((score) => [score, outcomes.map(({ scores }) => scores[score]!)]),
    ),
    processorSeconds: times.reduce((sum, time) => sum + time, 0) / times.length,
    peakMemoryBytes: Math.max(...outcomes.map(({ peakMemoryBytes }) => peakMemoryBytes)),
  };
}

/** Both rows as one: the seeds of the first, then those of the second that it has not. */
function together(first: Measured | undefined, second: Measured): Measured {
  if (first === undefined) return second;
  const isNew = second.seeds.map((seed) => !first.seeds.includes(seed));
  const fresh = <T>(values: readonly T[]): T[] => values.filter((_, i) => isNew[i]);
  const [had, added] = [first.seeds.length, second.seeds.length];
  const machines = [...new Set([...first.machine.split("; "), second.machine])];
  return {
    ...second,
    machine: machines.join("; "),
    seeds: [...first.seeds, ...fresh(second.seeds)],
    scores: Object.fromEntries(
      Object.entries(second.scores).map(([name, values]) => [
        name,
        [...(first.scores[name] ?? []), ...fresh(values)],
      ]),
    ),
    processorSeconds: (had * first.processorSeconds + added * second.processorSeconds) / (had + added),
    peakMemoryBytes: Math.max(first.peakMemoryBytes, second.peakMemoryBytes),
  };
}

/** Read anew each time: another process may measure other examples meanwhile. */
const results = (): Results => (existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results) : {});

function write(): void {
  const measured = results();
  writeFileSync(projectFile("docs", "results.md"), resultsPage(examples, measured));
  for (const [name, row] of Object.entries(measured)) {
    const path = projectFile("docs", "examples", `${name}.md`);
    writeFileSync(path, pageWith(readFileSync(path, "utf8"), examples[name]!, row));
  }
}

const unknown = positionals.filter((name) => !(name in examples));
if (unknown.length > 0)
  throw new Error(`there is no example ${unknown.join(", ")}; there are ${Object.keys(examples).join(", ")}`);
for (const name of flags.write ? [] : positionals.length > 0 ? positionals : Object.keys(examples)) {
  console.log(`\n${name}`);
  try {
    const measured = measure(name);
    const row = flags.add ? together(results()[name], measured) : measured;
    writeFileSync(file, `${JSON.stringify({ ...results(), [name]: row }, undefined, 2)}\n`);
    write();
  } catch (error) {
    console.error(`${name} was not measured: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
write();
