/**
 * The benchmark frame: `npm run bench -- [workload …] [options]`. See README.md of this folder.
 *
 * Starts a process for each contender and thread count, gives all of them the same work, times them in turn and prints
 * medians with their spread, the machine's own limits beside.
 */
import { writeFileSync } from "node:fs";
import { type CompileResult, measureCompile } from "./compile.ts";
import { contenders } from "./contenders.ts";
import { measureCsv } from "./csv.ts";
import { measureGenerating } from "./generate.ts";
import { measureImages } from "./image-pipeline.ts";
import { Lane, lanesOf } from "./lane.ts";
import { describeMachine, loadNow } from "./machine.ts";
import { type CaseResult, measureCase, type Probe, type Skipped, startProbe } from "./measure.ts";
import { type Options, readOptions, usage } from "./options.ts";
import { publish } from "./publish.ts";
import { type BenchRecord, readRecord } from "./record.ts";
import { caseTable, compileTable, startupTable } from "./report.ts";
import { measureSearch } from "./search.ts";
import { measureStartup, type StartupResult } from "./startup.ts";
import { targetsOf, targetTable } from "./targets.ts";
import { type Case, casesFor } from "./workloads.ts";

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (!options) {
    console.log(usage);
    return;
  }
  if (options.from) {
    await finish(readRecord(options.from), options);
    return;
  }
  const machine = describeMachine();
  const date = new Date().toISOString();
  const loadBefore = loadNow();
  console.log(
    `${machine.processor}, ${machine.processors} processors (${machine.features.join(", ")}), ` +
      `${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}; load ${loadBefore}`,
  );
  const taking = contenders.filter(({ key }) => options.contenders.includes(key));
  for (const contender of taking) {
    const reason = contender.missing();
    if (reason) console.log(`${contender.title} is left out: ${reason}`);
  }
  const probeLane = new Lane(contenders.find(({ key }) => key === "machine")!, 1);
  const lanes = lanesOf(taking, options.threads);
  try {
    const measured = await measureAll(options, lanes, await startProbe(probeLane));
    const startup = options.words.includes("startup") ? await runStartup(options) : [];
    const compile = options.words.includes("compile") ? await runCompile(options) : [];
    if (options.words.includes("generate")) await measureGenerating(options.rounds, options.threads);
    if (options.words.includes("csv")) await measureCsv(options.rounds);
    if (options.words.includes("search")) await measureSearch(options.rounds);
    if (options.words.includes("image-pipeline")) await measureImages(options.rounds);
    console.log(`\nload ${loadBefore} before, ${loadNow()} after; ${new Date().toISOString()}`);
    const results = measured.map(({ subject, result }) => ({ ...subject, ...result }));
    const command = process.argv.slice(2);
    const record = { date, command, machine, loadBefore, loadAfter: loadNow(), results, startup, compile };
    if (options.json) writeFileSync(options.json, `${JSON.stringify(record, null, 1)}\n`);
    await finish(record, options);
  } finally {
    for (const lane of [...lanes, probeLane]) lane.close();
  }
}

/** Holds the figures against the targets, and renews the pages where that was asked for. */
async function finish(record: BenchRecord, { publish: isPublished }: Options): Promise<void> {
  if (targetsOf(record).length > 0) console.log(`\n## targets\n\n${targetTable(record)}`);
  if (isPublished) console.log(`\nwrote ${(await publish(record)).join(", ")}`);
}

async function measureAll(
  options: Options,
  lanes: readonly Lane[],
  probe: Probe,
): Promise<readonly { subject: Case; result: CaseResult }[]> {
  const titles = new Map(contenders.map(({ key, title }) => [key, title]));
  const measured: { subject: Case; result: CaseResult }[] = [];
  const subjects = casesFor(options.words);
  for (const workload of new Set(subjects.map((subject) => subject.workload))) {
    const group: { subject: Case; result: CaseResult }[] = [];
    for (const subject of subjects.filter((other) => other.workload === workload)) {
      const result = await measureCase(subject, lanes, probe, options);
      group.push({ subject, result });
      printFailures(subject.id, result.skipped);
    }
    console.log(`\n## ${workload}\n\n${caseTable(group, titles)}`);
    measured.push(...group);
  }
  return measured;
}

async function runStartup(options: Options): Promise<readonly StartupResult[]> {
  const taking = contenders.filter(({ key }) => [...options.contenders, "node"].includes(key));
  const { results, skipped } = await measureStartup(taking, options.rounds);
  printFailures("startup", skipped);
  console.log(`\n## startup\n\n${startupTable(results)}`);
  return results;
}

async function runCompile(options: Options): Promise<readonly CompileResult[]> {
  const taking = contenders.filter(({ key }) => options.contenders.includes(key));
  const { results, skipped } = await measureCompile(taking, options.rounds);
  printFailures("compile", skipped);
  console.log(`\n## compile\n\n${compileTable(results)}`);
  return results;
}

/** What a contender does not offer is no news; what failed is. */
function printFailures(id: string, skipped: readonly Skipped[]): void {
  for (const { lane, reason } of skipped.filter(({ failed }) => failed)) {
    console.log(`${id}: ${lane} is left out: ${reason}`);
  }
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
