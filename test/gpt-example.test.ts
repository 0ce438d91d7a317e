/** `examples/gpt.ts`: letters and pieces of words, every way to save memory, and going on where it was stopped. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readSafetensors } from "../src/formats/index.ts";
import { hashedUnit } from "./fixtures.ts";
import { root } from "./source.ts";
import { byTier } from "./tier.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-gpt-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = ["--characters", "20000", "--layers", "1", "--heads", "2", "--width", "32", "--context", "32"];
const program = join(root, "build/examples/gpt.js");
const run = (...flags: string[]): string =>
  execFileSync(process.execPath, [program, ...small, ...flags], { encoding: "utf8" });
const losses = (text: string): number[] =>
  [...text.matchAll(/loss ([\d.]+)/g)].map(([, loss]) => Number(loss));

test("letters: the loss falls; rate, arithmetic and samples are told; resumed at its end it says the same", {
  timeout: 120_000,
}, () => {
  const checkpoint = ["--checkpoint", join(folder, "gpt.safetensors")];
  const flags = ["--steps", "40", "--every", "10", "--rate", "1e-2", "--peak", "50"];
  const first = run(...flags, ...checkpoint);
  // As likely as any other of some 70 characters would be 4.2.
  expect(losses(first).at(-1)!).toBeLessThan(3.5);
  expect(first).toMatch(/\d+ tokens\/s, [\d.]+ GFLOP\/s, [\d.]+ % of the peak/);
  const ended = (text: string): string => text.slice(text.indexOf("held out: "));
  expect(ended(first)).toMatch(/^held out: [\d.]+ nats a character/);
  expect(ended(run(...flags, ...checkpoint, "--resume"))).toBe(ended(first));
});

test("pieces of words, 16 bits, layers computed again, batches put together", { timeout: 120_000 }, () => {
  const ways = [
    "--tokens",
    "bpe",
    "--vocabulary",
    "300",
    "--precision",
    "bf16",
    "--dtype",
    "bf16",
    "--rematerialize",
  ];
  const text = run(...ways, "--accumulate", "2", "--steps", "10", "--every", "5", "--rate", "1e-2");
  expect(text).toContain("tokens of 300 kinds");
  // 22,000 of them are in matrices, two bytes each.
  expect(text).toMatch(/parameters in 0\.0\d MB/);
  expect(losses(text).length).toBeGreaterThan(1);
  expect(text).toMatch(/held out: [\d.]+ nats a token/);
});

/** Starts it and ends it with `kill -9` so long after its first line of a step; what it said by then, and whether it came to its end. */
const killed = (wait: number, ...flags: string[]): Promise<{ said: string; isWhole: boolean }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...small, ...flags]);
    let said = "";
    child.stdout.on("data", (text) => {
      const isFirst = !said.includes("\nstep ");
      said += text;
      if (isFirst && said.includes("\nstep ")) setTimeout(() => child.kill("SIGKILL"), wait);
    });
    child.on("close", (code) => resolve({ said, isWhole: code === 0 }));
  });

test("killed at any moment and resumed, it says what an undisturbed run says, and ends with the same weights", {
  timeout: byTier(180_000, 1_800_000),
}, async () => {
  const flags = ["--steps", "60", "--every", "4", "--rate", "1e-2", "--dropout", "0.1", "--accumulate", "2"];
  const [whole, broken] = ["whole", "broken"].map((name) => join(folder, `${name}.safetensors`)) as [
    string,
    string,
  ];
  /** By step: its loss, its rate and the sample after it; what is left out is how fast it went. */
  const stepsOf = (text: string): Map<string, string> =>
    new Map(
      [...text.matchAll(/^step (\d+): (loss \S+, rate \S+),.*\n( {2}.*)$/gm)].map(
        ([, step, told, sample]) => [step!, `${told}\n${sample}`],
      ),
    );
  const ended = (text: string): string => text.slice(text.indexOf("held out: "));
  const undisturbed = run(...flags, "--checkpoint", whole);
  const wanted = stepsOf(undisturbed);
  expect(wanted.size).toBeGreaterThan(10);
  const resume = [...flags, "--checkpoint", broken, "--resume"];
  for (let kill = 0, kills = byTier(2, 25); kill < kills; ) {
    const { said, isWhole } = await killed(hashedUnit(11, kill) * 150, ...resume);
    for (const [step, told] of stepsOf(said)) expect([step, told]).toEqual([step, wanted.get(step)]);
    // Sometimes it is faster than the kill: a new run begins.
    if (isWhole) rmSync(broken);
    else kill++;
  }
  const last = run(...resume);
  expect(ended(last)).toBe(ended(undisturbed));
  const weights = async (path: string) => (await readSafetensors(path)).tensors;
  expect(await weights(broken)).toEqual(await weights(whole));
});
