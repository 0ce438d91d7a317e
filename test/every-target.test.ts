/**
 * Layers, losses and optimizers against PyTorch on every target. A process has one target for its life and test files share
 * processes, so each target is a test run of its own.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { doctor } from "../src/runtime/x64/doctor.ts";
import { root } from "./source.ts";
import { fullTest } from "./tier.ts";

const files = [
  "src/nn/layers-fixtures.test.ts",
  "src/nn/attention-fixtures.test.ts",
  "src/losses/fixtures.test.ts",
  "src/optim/optim.test.ts",
  "src/optim/sparse-rows.test.ts",
];

const { isa } = doctor();
const native = { none: [], avx2: ["x64-avx2"], avx512: ["x64-avx2", "x64-avx512"] }[isa ?? "none"];

/** What a run of these files alone comes to on a target, by vitest's own report; it ends with `signal`. */
function runOn(
  target: string,
  signal: AbortSignal,
): Promise<{ passed: number; failed: string[]; stderr: string }> {
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  // The run is none of this one's workers.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST"));
  const env = { ...Object.fromEntries(own), NETWRIGHT_TARGET: target, NETWRIGHT_TEST_TIER: "" };
  const flags = ["run", "--reporter=json", "--testTimeout=600000", "--maxWorkers=1", ...files];
  const child = spawn(process.execPath, [vitest, ...flags], { cwd: root, env, signal });
  child.on("error", () => {});
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  return new Promise((resolve) => {
    child.on("close", () => resolve({ ...reportIn(stdout), stderr }));
  });
}

interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

function reportIn(output: string): { passed: number; failed: string[] } {
  const line = output.split("\n").find((text) => text.startsWith('{"numTotalTestSuites"'));
  if (line === undefined) return { passed: 0, failed: [`no report: ${output.slice(-500)}`] };
  const { numPassedTests, testResults } = JSON.parse(line) as Report;
  const failed = testResults.flatMap(({ message, assertionResults }) => [
    ...(message === "" ? [] : [message]),
    ...assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName),
  ]);
  return { passed: numPassedTests, failed };
}

describe("what PyTorch computes", () => {
  for (const target of ["interpreter", "wasm", ...native]) {
    // Half a minute of a processor, unless others want it too.
    const minutes = 20;
    fullTest(
      `comes out on ${target}`,
      async ({ signal }) => {
        const { passed, failed, stderr } = await runOn(target, signal);
        expect(failed, stderr.slice(-2000)).toEqual([]);
        expect(passed).toBeGreaterThan(400);
      },
      minutes * 60_000,
    );
  }
});
