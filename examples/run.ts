/**
 * Runs the examples.
 *
 *     npm run example                          lists them
 *     npm run example -- NAME [--quick] [--seed 0] [--data DIR] [--shuffle-labels] [--pictures DIR] [--json] [--threads n]
 *     npm run examples                         all of them, in quick mode
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setThreads } from "netwright";
import { type Chart, renderSvg } from "netwright/report";
import { examples } from "./list.ts";
import { MissingData } from "./support/example.ts";
import { type Outcome, type PerformOptions, perform } from "./support/perform.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    seed: { type: "string", default: "0" },
    data: { type: "string" },
    "shuffle-labels": { type: "boolean", default: false },
    pictures: { type: "string" },
    json: { type: "boolean", default: false },
    threads: { type: "string" },
    all: { type: "boolean", default: false },
  },
});
const options: PerformOptions = {
  quick: flags.quick,
  seed: Number(flags.seed),
  folder: flags.data,
  shuffleLabels: flags["shuffle-labels"],
  say: flags.json ? () => {} : console.log,
};

if (flags.threads !== undefined) setThreads(Number(flags.threads));
if (flags.all) for (const name of Object.keys(examples)) await runOne(name);
else if (positionals.length === 0) list();
else for (const name of positionals) await runOne(name);

function list(): void {
  const width = Math.max(...Object.keys(examples).map((name) => name.length));
  for (const [name, { task }] of Object.entries(examples)) console.log(`${name.padEnd(width)}  ${task}`);
  console.log("\nnpm run example -- NAME [--quick] [--seed 0]");
}

async function runOne(name: string): Promise<void> {
  const example = examples[name];
  if (example === undefined) {
    console.error(`there is no example "${name}"; there are ${Object.keys(examples).join(", ")}`);
    process.exitCode = 1;
    return;
  }
  try {
    options.say!(`\n${name}: ${example.task}\n${example.data}\n`);
    const outcome = await perform(example, options);
    if (flags.pictures !== undefined) await savePictures(name, outcome.pictures, flags.pictures);
    if (flags.json) console.log(JSON.stringify({ name, ...outcome, pictures: undefined }));
    else print(name, outcome);
  } catch (error) {
    process.exitCode = 1;
    if (!(error instanceof MissingData)) throw error;
    console.error(`${name}: ${error.message}`);
  }
}

function print(name: string, { scores, sizes, processorSeconds, peakMemoryBytes }: Outcome): void {
  const { reference } = examples[name]!;
  console.log("");
  for (const [score, value] of Object.entries(scores)) {
    const known = reference[score];
    const beside = known && !flags.quick ? `   (${known.value}: ${known.from})` : "";
    console.log(`${score}: ${value.toFixed(4)}${beside}`);
  }
  const parts = Object.entries(sizes).map(([part, rows]) => `${part} ${rows}`);
  const memory = (peakMemoryBytes / 2 ** 20).toFixed(0);
  console.log(
    `${parts.join(", ")}, no row shared; ${processorSeconds.toFixed(1)} s of processor time, ${memory} MB`,
  );
}

/** NAME.svg, NAME-2.svg …; pixels as PNG. */
async function savePictures(name: string, pictures: Outcome["pictures"], folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const [i, picture] of pictures.entries()) {
    const file = join(folder, i === 0 ? name : `${name}-${i + 1}`);
    if (picture instanceof Uint8Array) writeFileSync(`${file}.png`, picture);
    else writeFileSync(`${file}.svg`, onWhite(await renderSvg(picture as Chart, { width: 520 })));
  }
}

/** Readable on a dark page too. */
function onWhite(svg: string): string {
  return svg.replace(/<svg ([^>]*)>/, '<svg $1 style="background: white">');
}
