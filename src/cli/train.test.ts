import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runProgram } from "../../test/cli-program.ts";
import { writeConfig } from "../config/index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-cli-train-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const config = join(folder, "config.json");
const run = join(folder, "runs", "first");

beforeAll(async () => {
  const rows = Array.from(
    { length: 100 },
    (_, i) => `${i % 10},${(i * 7) % 13},${i % 10 > 4 ? "yes" : "no"}`,
  );
  writeFileSync(join(folder, "rows.csv"), `a,b,answer\n${rows.join("\n")}\n`);
  await writeConfig(config, {
    data: { csv: { path: join(folder, "rows.csv"), target: "answer" } },
    model: { Sequential: [{ Linear: ["features", 8] }, "Tanh", { Linear: [8, "classes"] }] },
    fit: {
      loss: "crossEntropy",
      metrics: ["accuracy"],
      optimizer: { adam: { learningRate: 0.05 } },
      epochs: 12,
      progress: "none",
    },
    run: { folder: join(folder, "runs") },
  });
});

test("train, eval, predict and replay hold together", async () => {
  const trained = await runProgram("train", config, "--name", "first", "--set", "seed=2");
  expect(trained.stderr).toBe("");
  expect(trained.stdout).toMatch(/^best loss [\d.]+ · best accuracy 1 · .* · .*first\n$/);
  const scored = JSON.parse((await runProgram("eval", run, "--json")).stdout);
  expect(scored).toMatchObject({ part: "test", scores: { accuracy: 1 } });
  expect((await runProgram("eval", run, "--part", "validation")).stdout).toMatch(
    /^validation: loss \S+ {2}accuracy 1\n$/,
  );

  // Raw rows, in another order of columns and with a missing value.
  writeFileSync(join(folder, "new.csv"), "b,a\n3,9\n,0\n");
  const answers = (await runProgram("predict", run, join(folder, "new.csv"))).stdout.trim().split("\n");
  expect(answers.map((line) => JSON.parse(line).prediction)).toEqual(["yes", "no"]);
  const { stdout: array } = await runProgram("predict", run, join(folder, "new.csv"), "--json");
  expect(JSON.parse(array)).toEqual(answers.map((line) => JSON.parse(line)));
  writeFileSync(join(folder, "none.csv"), "a,b\n");
  for (const [file, said] of [
    ["none.csv", 'none.csv" has no rows to predict'],
    ["config.json", "its name must end in .csv, .tsv,"],
  ] as const) {
    const { code, stderr } = await runProgram("predict", run, join(folder, file));
    expect([code, stderr]).toEqual([2, expect.stringContaining(said)]);
  }
  const out = join(folder, "answers.jsonl");
  await runProgram("predict", run, "--part", "test", "--take", "3", "--out", out);
  const lines = readFileSync(out, "utf8").trim().split("\n");
  expect(lines).toHaveLength(3);
  expect(Object.keys(JSON.parse(lines[0]!).probabilities)).toEqual(["no", "yes"]);

  const replayed = await runProgram("replay", run, "--step", "7");
  expect(replayed.code).toBe(0);
  expect(replayed.stdout).toContain("Equal to the record, bit for bit.");
  expect(replayed.stdout).toMatch(/^step 7 \(epoch 4\), from the first weights\n/);
});

test("what is asked for wrongly", async () => {
  expect(await runProgram("train")).toMatchObject({
    code: 2,
    stderr: "netwright: train takes one config, got 0\n",
  });
  expect((await runProgram("train", config, "--set", "fit.epoch=3")).stderr).toContain(
    'did you mean "epochs"?',
  );
  expect(await runProgram("train", join(folder, "none.json"))).toMatchObject({ code: 1 });
  expect((await runProgram("replay", run)).stderr).toContain("netwright replay RUN --step N");
  expect((await runProgram("eval", join(folder, "runs", "frist"))).stderr).toContain("did you mean");
});
