/**
 * `kill -9` at random moments, also while a checkpoint is written, and SIGTERM: a run that is started again each time ends in the
 * bits of one that was left alone.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { hashedUnit } from "./fixtures.ts";
import { root } from "./source.ts";
import { byTier } from "./tier.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-kills-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Everything that has a state: dropout, moments, sums of gradients, a metric over the pass, plateaus, the best weights. */
const program = `
import { seed } from "netwright";
import { weightsSha256 } from "netwright/checkpoint";
import { arrayDataset } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy, streaming } from "netwright/metrics";
import { Dropout, Linear, Sequential } from "netwright/nn";
import { adam } from "netwright/optim";
import { fit, on, reduceOnPlateau } from "netwright/train";

const [, folder, slowly] = process.argv;
seed(3);
const x = Array.from({ length: 300 }, (_, i) => [Math.sin(i), Math.cos(i)]);
const data = arrayDataset({ x, labels: Int32Array.from({ length: 300 }, (_, i) => i % 3) });
const model = new Sequential(new Linear(2, 8), new Dropout(0.5), new Linear(8, 3));
const history = await fit(model, data, {
  loss: crossEntropy, metrics: [accuracy, streaming("recall", (matrix) => matrix.recall({ average: "macro" }))],
  optimizer: adam({ learningRate: 0.3 }), epochs: 3, batchSize: 4, gradientAccumulationSteps: 3, progress: "none",
  validationSplit: 0.2,
  ...(folder && {
    checkpoint: { path: folder + "/at-{step}.safetensors", everySteps: 1, keepLast: 2, best: folder + "/best.safetensors", restoreBest: true },
    resume: true,
  }),
  callbacks: [
    reduceOnPlateau({ factor: 0.5, patience: 1 }),
    on("trainBegin", () => console.log("going")),
    on("stepEnd", () => slowly && new Promise((resolve) => setTimeout(resolve, 5))),
  ],
});
const scores = history.epochs.map((epoch) => epoch.scores);
const best = [...scores].sort((a, b) => a.validationLoss - b.validationLoss)[0];
console.log(JSON.stringify({ stopReason: history.stopReason, scores, best, digest: await weightsSha256(model) }));
`;

interface Life {
  readonly outcome: Record<string, unknown> | undefined;
  readonly signal: string | null;
}

/** Starts the run; `watching` sees it once training goes on. */
function live(args: readonly string[], watching: (child: ChildProcess) => void = () => {}): Promise<Life> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program, "--", ...args], {
      cwd: root,
    });
    let [output, errors] = ["", ""];
    child.stderr.on("data", (text) => void (errors += text));
    child.stdout.on("data", (text) => {
      if (output === "" && String(text).startsWith("going")) watching(child);
      output += text;
    });
    child.on("close", (exitCode, signal) => {
      const last = output.trim().split("\n").at(-1)!;
      if (exitCode !== 0 && signal === null) return reject(new Error(errors || output));
      resolve({ outcome: last.startsWith("{") ? JSON.parse(last) : undefined, signal });
    });
  });
}

/** Kills it at a moment of its own; every other time when the next file begins to be written. */
function killer(kill: number): (child: ChildProcess) => void {
  return (child) => {
    const wait = hashedUnit(7, kill) * 120;
    setTimeout(() => {
      if (kill % 2 === 0) return void child.kill("SIGKILL");
      const watcher = watch(folder, (_, name) => {
        if (!name?.endsWith(".tmp")) return;
        watcher.close();
        child.kill("SIGKILL");
      });
      child.on("close", () => watcher.close());
    }, wait);
  };
}

test(
  "a run that is killed again and again ends in the bits of one that was left alone",
  async () => {
    if (!existsSync(join(root, "dist")))
      throw new Error("the package is not built: npm run build, or npm test");
    const whole = (await live([])).outcome!;
    const kills = byTier(2, 100);
    for (let kill = 0; kill < kills; ) {
      const { outcome, signal } = await live([folder], killer(kill));
      if (signal === "SIGKILL") kill++;
      // Sometimes it is faster than the kill: then it is compared, and a new run begins.
      if (outcome === undefined) continue;
      expectEqual(outcome, whole);
      for (const name of readdirSync(folder)) rmSync(join(folder, name));
    }
    expectEqual((await live([folder])).outcome!, whole);
    expect(readdirSync(folder).filter((name) => name.startsWith("at-"))).toHaveLength(2);
  },
  byTier(120_000, 1_700_000),
);

/** Left alone, it ends with its last weights; with checkpoints it ends with its best. */
function expectEqual(outcome: Record<string, unknown>, whole: Record<string, unknown>): void {
  expect(outcome["scores"]).toEqual(whole["scores"]);
  bestDigest ??= outcome["digest"];
  expect(outcome["digest"]).toBe(bestDigest);
}
let bestDigest: unknown;

test(
  "SIGTERM ends after the step that goes on; nothing is lost",
  async (context) => {
    context.skip(process.platform === "win32", "Windows has no SIGTERM to send to a process");
    const place = mkdtempSync(join(folder, "term-"));
    const ended = await live([place, "slowly"], (child) => setTimeout(() => child.kill("SIGTERM"), 60));
    expect(ended.signal).toBe(null);
    expect(ended.outcome!["stopReason"]).toMatch(
      /^interrupted in epoch 1 after \d+ steps; saved to .*at-\d+.safetensors/,
    );
    const whole = await live([mkdtempSync(join(folder, "whole-"))]);
    expect((await live([place])).outcome!["digest"]).toBe(whole.outcome!["digest"]);
  },
  byTier(60_000, 300_000),
);
