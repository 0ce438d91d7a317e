/**
 * What `npm run mnist` reaches over ten seeds, and whether its bits depend on the number of threads:
 * `npm run accuracy -- [--seeds n] [--epochs n] [--write] [--json FILE]`.
 *
 * Every figure comes from the example itself, a process each, one after the other: the plain recipe and a learning rate that
 * falls to zero, beside the means of Keras and NumPy in `test/fixtures/recipe-accuracy.json`. `--write` renews ACCURACY.md.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import {
  type AccuracyReport,
  accuracyText,
  type Recipe,
  type Reference,
  type Run,
} from "./accuracy-report.ts";
import { describeMachine } from "./machine.ts";

/** From build/bench: the built example, and the repository's files. */
const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const example = at("../examples/mnist.js");
const page = at("../../bench/ACCURACY.md");
const fixture = at("../../test/fixtures/recipe-accuracy.json");

const recipes = ["constant", "linear"] as const satisfies readonly Recipe[];
/** Beside one thread, which every run of the recipes has. */
const threadCounts = [1, 2, 4];

interface Setting {
  readonly seed: number;
  readonly schedule: Recipe;
  readonly threads: number;
  readonly epochs: number;
}

/** One run of the example; its files go to a folder of their own. */
async function train({ seed, schedule, threads, epochs }: Setting, folder: string): Promise<Run> {
  const numbers = { seed, threads, epochs };
  const flags = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const args = [example, "--json", "--schedule", schedule, ...flags];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, TMPDIR: folder },
  });
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Run;
}

async function measure(seeds: number, epochs: number, folder: string): Promise<AccuracyReport> {
  const date = new Date().toISOString();
  const runs: Record<Recipe, Run[]> = { constant: [], linear: [] };
  const run = async (what: string, setting: Setting): Promise<Run> => {
    const result = await train(setting, folder);
    const accuracy = `${(100 * result.testAccuracy).toFixed(2)} %`;
    console.log(`${what}: ${accuracy}, ${result.weightsSha256.slice(0, 16)}…`);
    return result;
  };
  for (const schedule of recipes) {
    for (let seed = 0; seed < seeds; seed++) {
      runs[schedule].push(await run(`${schedule}, seed ${seed}`, { seed, schedule, threads: 1, epochs }));
    }
  }
  const repeated: Run[] = [];
  for (const threads of threadCounts) {
    const setting: Setting = { seed: 0, schedule: "constant", threads, epochs };
    repeated.push(await run(`constant, seed 0 again, threads ${threads}`, setting));
  }
  return { date, machine: describeMachine(), epochs, runs, repeated, reference: readReference() };
}

function readReference(): Reference {
  const { keras, numpy, versions } = JSON.parse(readFileSync(fixture, "utf8")) as {
    keras: Reference[string]["recipes"];
    numpy: Reference[string]["recipes"];
    versions: Record<string, string>;
  };
  return {
    [`Keras ${versions["keras"]}`]: { recipes: keras },
    [`NumPy ${versions["numpy"]}`]: { recipes: numpy },
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} ${text}: expected a whole number of at least 1`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "10" },
      epochs: { type: "string", default: "10" },
      write: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const folder = mkdtempSync(join(tmpdir(), "netwright-accuracy-"));
  try {
    const report = await measure(positive("seeds", values.seeds), positive("epochs", values.epochs), folder);
    const { text, failures } = accuracyText(report);
    console.log(`\n${text}`);
    if (values.write) writeFileSync(page, text);
    if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 1)}\n`);
    if (failures.length > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
