/** The example programs as users run them: their figures, and the same weights whatever runs them. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { doctor } from "../src/runtime/x64/doctor.ts";
import { writeSmallMnist } from "./mnist-files.ts";
import { readText, root } from "./source.ts";

const data = mkdtempSync(join(tmpdir(), "netwright-digits-"));
afterAll(() => rmSync(data, { recursive: true, force: true }));

beforeAll(() => {
  if (!existsSync(join(root, "build", "examples"))) {
    throw new Error("the examples are not built: npm run build, or npm test");
  }
  writeSmallMnist(data, { trainCount: 1000, testCount: 100 });
});

function run(example: string, ...flags: readonly string[]): string {
  const file = join(root, "build", "examples", `${example}.js`);
  return execFileSync(process.execPath, [file, "--data", data, ...flags], { encoding: "utf8" });
}

interface Figures {
  readonly epochs: number;
  readonly secondsPerEpoch: number;
  readonly microsecondsPerStep: number;
  readonly firstStepMs: number;
  readonly testAccuracy: number;
  readonly weightsSha256: string;
  readonly peakMemoryBytes: number;
  readonly target: string;
  readonly threads: number;
  readonly seed: number;
}

/** The last line of output, which is all there is. */
function figuresOf(example: string, ...flags: readonly string[]): Figures {
  const lines = run(example, "--json", ...flags)
    .trim()
    .split("\n");
  return JSON.parse(lines[lines.length - 1]!) as Figures;
}

/** Of a run with seed 5. */
let figures: Figures;

test("--json prints every figure, in one line", () => {
  const output = run("mnist", "--json", "--epochs", "2", "--seed", "5", "--threads", "1").trim();
  expect(output.split("\n")).toHaveLength(1);
  figures = JSON.parse(output) as Figures;
  expect(figures).toEqual({
    epochs: 2,
    secondsPerEpoch: expect.any(Number),
    microsecondsPerStep: expect.any(Number),
    firstStepMs: expect.any(Number),
    testAccuracy: expect.any(Number),
    weightsSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    peakMemoryBytes: expect.any(Number),
    target: process.env["NETWRIGHT_TARGET"] || (doctor().isa === undefined ? "wasm" : "x64"),
    threads: 1,
    seed: 5,
  });
  // 1,000 images in batches of 32 are 32 steps.
  expect(figures.microsecondsPerStep).toBeCloseTo((1e6 * figures.secondsPerEpoch) / 32, 6);
  expect(figures.testAccuracy).toBeGreaterThan(0.9);
  expect(figures.peakMemoryBytes).toBeGreaterThan(2 ** 24);
});

test("for people: epochs, scores of classes, confusions, mistakes, saving", () => {
  const output = run("mnist", "--epochs", "1", "--schedule", "linear");
  expect(output).toMatch(
    /^epoch 1\/1 .* samples\/s {2}loss [\d.]+ {2}accuracy [\d.]+ {2}validation loss [\d.]+/m,
  );
  expect(output).toContain("precision  recall  f1-score  support");
  expect(output).toMatch(/^label +0 +1 +2/m);
  expect(output).toContain("the worst mistakes:");
  expect(output).toContain("loaded again: the same bits");
});

test("the twin with the loop written out, and 1, 2 and 4 threads, end with the same weights; another seed does not", () => {
  const fitted = figuresOf("mnist", "--epochs", "2", "--seed", "3", "--threads", "1");
  expect(fitted.threads).toBe(1);
  for (const threads of [2, 4]) {
    const looped = figuresOf("mnist-loop", "--epochs", "2", "--seed", "3", "--threads", String(threads));
    expect(Object.keys(looped)).toEqual(Object.keys(fitted));
    expect(looped.threads).toBe(threads);
    expect(looped.weightsSha256).toBe(fitted.weightsSha256);
    expect(looped.testAccuracy).toBeCloseTo(fitted.testAccuracy, 6);
  }
  expect(figures.weightsSha256).not.toBe(fitted.weightsSha256);
});

test("wrong flags and missing data are told in words", () => {
  const errorOf = (...wrong: readonly string[]): string => {
    try {
      execFileSync(process.execPath, [join(root, "build", "examples", "mnist.js"), ...wrong], {
        stdio: "pipe",
      });
      return "";
    } catch (error) {
      return String((error as { stderr: Buffer }).stderr);
    }
  };
  expect(errorOf("--epoch", "1")).toContain("Unknown option '--epoch'");
  expect(errorOf("--target", "wsm")).toContain('setTarget: "wsm" is no target');
  expect(errorOf("--data", join(data, "nowhere"))).toContain("mnist:");
});

test.each(["mnist", "mnist-loop"])("%s is one file of at most 150 lines", (example) => {
  expect(readText(`examples/${example}.ts`).split("\n").length).toBeLessThanOrEqual(151);
});

test("the teaching twin derives it all: its gradients are right, it learns XOR and digits", () => {
  const file = join(root, "build", "examples", "from-nothing.js");
  const flags = ["--images", "1280", "--epochs", "1"];
  const output = execFileSync(process.execPath, [file, ...flags], { encoding: "utf8" });
  const [, derived, tried] = /∂loss\/∂w: (\S+) by backpropagation, (\S+) by trying/.exec(output)!;
  expect(Number(derived)).toBeCloseTo(Number(tried), 7);
  expect(output).toContain("XOR of 00, 01, 10, 11: 0, 1, 1, 0");
  expect(Number(/ (\S+) % of unseen/.exec(output)![1])).toBeGreaterThan(60);
});
