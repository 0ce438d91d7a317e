/** `examples/gpt.ts`: letters and pieces of words, every way to save memory, and going on where it was stopped. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { root } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-gpt-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = ["--characters", "20000", "--layers", "1", "--heads", "2", "--width", "32", "--context", "32"];
const run = (...flags: string[]): string =>
  execFileSync(process.execPath, [join(root, "build/examples/gpt.js"), ...small, ...flags], {
    encoding: "utf8",
  });
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
  const ways = ["--tokens", "bpe", "--vocabulary", "300", "--precision", "bf16", "--rematerialize"];
  const text = run(...ways, "--accumulate", "2", "--steps", "10", "--every", "5", "--rate", "1e-2");
  expect(text).toContain("tokens of 300 kinds");
  expect(losses(text).length).toBeGreaterThan(1);
  expect(text).toMatch(/held out: [\d.]+ nats a token/);
});
