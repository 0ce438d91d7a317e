/** Ctrl-C in the middle of an epoch: the step ends, the state is saved, and a later run goes on as if nothing had happened. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { root } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-interrupt-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Trains 2 epochs of 200 steps; says "going" once training runs, and what came of it at the end. */
const program = `
import { seed } from "netwright";
import { weightsSha256 } from "netwright/checkpoint";
import { arrayDataset } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { Linear } from "netwright/nn";
import { adam } from "netwright/optim";
import { fit } from "netwright/train";

const [, checkpoint, slowly] = process.argv;
seed(3);
const x = Array.from({ length: 800 }, (_, i) => [Math.sin(i), Math.cos(i)]);
const data = arrayDataset({ x, labels: Int32Array.from({ length: 800 }, (_, i) => i % 3) });
const model = new Linear(2, 3);
const history = await fit(model, data, {
  loss: crossEntropy, optimizer: adam(), epochs: 2, batchSize: 4, progress: "none",
  ...(checkpoint && { checkpoint, resume: true }),
  callbacks: [{
    onStepEnd: async (step, run) => {
      if (run.step === 20) console.log("going");
      if (slowly) await new Promise((resolve) => setTimeout(resolve, 1));
    },
  }],
});
console.log(JSON.stringify({ stopReason: history.stopReason, digest: await weightsSha256(model) }));
`;

interface Outcome {
  readonly stopReason?: string;
  readonly digest: string;
  readonly exitCode: number | null;
}

function train(args: readonly string[], interrupt: boolean): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program, "--", ...args], {
      cwd: root,
    });
    let output = "";
    let errors = "";
    child.stderr.on("data", (text) => void (errors += text));
    child.stdout.on("data", (text) => {
      output += text;
      if (interrupt && output === "going\n") child.kill("SIGINT");
    });
    child.on("close", (exitCode) => {
      const last = output.trim().split("\n").at(-1)!;
      if (last.startsWith("{")) resolve({ ...JSON.parse(last), exitCode });
      else reject(new Error(`no result: ${output}${errors}`));
    });
  });
}

test("Ctrl-C saves the state; resuming ends with the bits of a run without it", async (context) => {
  context.skip(process.platform === "win32", "Windows has no SIGINT to send to a process");
  if (!existsSync(join(root, "dist")))
    throw new Error("the package is not built: npm run build, or npm test");
  const checkpoint = join(folder, "run.safetensors");
  const whole = await train([], false);
  const interrupted = await train([checkpoint, "slowly"], true);
  expect(interrupted.stopReason).toMatch(/^interrupted in epoch 1 after \d+ steps; saved to /);
  expect(interrupted.exitCode).toBe(0);
  expect(interrupted.digest).not.toBe(whole.digest);
  const resumed = await train([checkpoint], false);
  expect(resumed).toEqual(whole);
}, 60_000);

test("the command says how to go on", async (context) => {
  context.skip(process.platform === "win32", "Windows has no SIGINT to send to a process");
  const rows = Array.from({ length: 60 }, (_, i) => `${i % 7},${i % 5},${i % 2 ? "a" : "b"}`);
  writeFileSync(join(folder, "rows.csv"), `x,y,kind\n${rows.join("\n")}\n`);
  const config = {
    data: { csv: { path: join(folder, "rows.csv"), target: "kind" } },
    model: { Sequential: [{ Linear: [2, "classes"] }] },
    fit: { loss: "crossEntropy", optimizer: "adam", epochs: 2, batchSize: 4, progress: "json" },
    run: { folder: join(folder, "runs") },
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const run = (args: readonly string[], isInterrupted: boolean) =>
    new Promise<{ code: number | null; errors: string }>((resolve) => {
      const child = spawn(process.execPath, [join(root, "dist/cli/netwright.js"), "train", ...args]);
      let errors = "";
      child.stderr.on("data", (text) => void (errors += text));
      child.stdout.once("data", () => void (isInterrupted && child.kill("SIGINT")));
      child.stdout.resume();
      child.on("close", (code) => resolve({ code, errors }));
    });
  const path = join(folder, "config.json");
  const { code, errors } = await run([path, "--set", "fit.epochs=1000000", "--name", "one"], true);
  expect(errors).toContain(
    `go on with: netwright train ${path} --set fit.epochs=1000000 --name one --resume`,
  );
  expect(code).toBe(130);
  expect(await run([path, "--set", "fit.epochs=3", "--name", "two"], false)).toMatchObject({ code: 0 });
}, 60_000);
