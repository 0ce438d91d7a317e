/**
 * The test command: builds the package, checks types, formatting and lint, then runs every test.
 *
 *     node test/run.mjs [--full] [--shard=1/4] [FILTER…]     a filter is a part of test files' paths
 *
 * `--full` adds the tests of the full tier (see `tier.ts`): about three quarters of an hour on two processors, or in parts, by
 * filters or shards (the first quarter of the files, the second …). Skipped tests are listed with their reasons. The last line is
 * `N passed, N failed, N skipped`, in test cases; each of build, types and lint counts as one. The exit code is 0 only
 * when nothing failed.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const { values: flags, positionals: filters } = parseArgs({
  options: { full: { type: "boolean" }, shard: { type: "string" } },
  allowPositionals: true,
});
if (flags.full) process.env.NETWRIGHT_TEST_TIER = "full";

const count = { passed: 0, failed: 0, skipped: 0 };
/** Reasons of skipped tests, each with the tests' names. */
const skips = new Map();
/** Test files and how long they took, for whoever looks for the slow ones. */
const durations = [];

/** Runs a package script as one test case. */
function checkStep(name, ...flags) {
  const started = performance.now();
  const { status } = spawnSync("npm", ["run", "--silent", name, "--", ...flags], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? "passed" : "FAILED"}: npm run ${name} (${seconds} s)`);
  count[status === 0 ? "passed" : "failed"]++;
}

/** A test that never comes back must not keep the command from ending: after this long without a result it is given up. */
const silenceLimitMs = process.env.NETWRIGHT_TEST_TIER === "full" ? 1_800_000 : 180_000;
const unfinished = new Set();
let lastResult = performance.now();

function giveUp() {
  const minutes = Math.round(silenceLimitMs / 60_000);
  console.log(`no test has finished for ${minutes} minutes; these files are still running:`);
  for (const file of unfinished) console.log(`  ${file}`);
  for (const child of childProcesses()) process.kill(child, "SIGKILL");
  count.failed += Math.max(1, unfinished.size);
  finish();
}

/** The workers, which do not end by themselves when they are caught in a loop; known on Linux only. */
function childProcesses() {
  try {
    return readFileSync(`/proc/self/task/${process.pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

/** Counts what vitest reports; a file that cannot be loaded and an error outside any test count as failures. */
const counter = {
  onTestModuleStart(testModule) {
    unfinished.add(testModule.relativeModuleId);
  },
  onTestCaseResult(testCase) {
    lastResult = performance.now();
    const result = testCase.result();
    count[result.state in count ? result.state : "failed"]++;
    if (result.state !== "skipped") return;
    const reason = result.note ?? "(no reason stated)";
    skips.set(reason, [...(skips.get(reason) ?? []), testCase.fullName]);
  },
  onTestModuleEnd(testModule) {
    unfinished.delete(testModule.relativeModuleId);
    lastResult = performance.now();
    count.failed += testModule.errors().length;
    durations.push({ file: testModule.relativeModuleId, milliseconds: testModule.diagnostic().duration });
  },
  onTestRunEnd(_modules, unhandledErrors) {
    count.failed += unhandledErrors.length;
  },
};

// Types are checked once, by the next step.
checkStep("build", "--no-check");
checkStep("types");
checkStep("lint");

const watch = setInterval(() => {
  if (performance.now() - lastResult > silenceLimitMs) giveUp();
}, 5000);
lastResult = performance.now();
const options = {
  shard: flags.shard,
  watch: false,
  allowOnly: false,
  update: "none",
  reporters: ["default", counter],
};
const vitest = await startVitest("test", filters, options);
clearInterval(watch);
await vitest.close();
finish();

function finish() {
  console.log("slowest files:");
  for (const { file, milliseconds } of durations
    .sort((a, b) => b.milliseconds - a.milliseconds)
    .slice(0, 8)) {
    console.log(`  ${(milliseconds / 1000).toFixed(1).padStart(5)} s  ${file}`);
  }
  for (const [reason, names] of skips) {
    console.log(`skipped because ${reason}:`);
    for (const name of names) console.log(`  ${name}`);
  }
  if (count.passed <= 3) {
    console.log("no test ran");
    count.failed++;
  }
  console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  process.exit(count.failed === 0 ? 0 : 1);
}
