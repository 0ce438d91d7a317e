import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runProgram } from "../../test/cli-program.ts";
import { recordRun } from "../runs/index.ts";
import { durationText, numberText } from "./text.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-cli-runs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  for (const [name, rate] of [
    ["one", 0.1],
    ["two", 0.25],
  ] as const) {
    const run = recordRun({ folder, name, options: { optimizer: { rate }, batchSize: 8 } });
    for (let step = 1; step <= 4; step++)
      run.log({ loss: step < 3 ? 2 / step : rate, accuracy: step / 4 }, step);
    await run.close();
  }
});

test("runs: a table of what differs, or JSON", async () => {
  const { stdout, code } = await runProgram("runs", folder);
  const text = stdout.replace(/ +\d+\.\d s/g, " 0.0 s");
  expect(`${code}\n${text}`).toMatchInlineSnapshot(`
    "0
    run  status    epochs  steps  time   loss  best loss  best accuracy  optimizer.rate
    one  finished       0      4 0.0 s  █▄▁▁        0.1              1             0.1
    two  finished       0      4 0.0 s  █▄▁▁       0.25              1            0.25
    "
  `);
  const rows = JSON.parse((await runProgram("runs", folder, "--json", "--last", "1")).stdout) as {
    name: string;
  }[];
  expect(rows.map(({ name }) => name)).toEqual(["two"]);
  expect((await runProgram("runs", join(folder, "none"))).stdout).toContain("no runs in");
  expect(await runProgram("runs", folder, "--last", "x")).toMatchObject({ code: 2 });
});

test("diff: where they part, and what they were asked for", async () => {
  const paths = [join(folder, "one"), join(folder, "two")];
  const { stdout, code } = await runProgram("diff", ...paths);
  expect(code).toBe(1);
  expect(stdout).toMatchInlineSnapshot(`
    "they part at step 3: loss 0.1 and 0.25; equal to step 2

    options:
      what                    first  second
      options.optimizer.rate    0.1    0.25

    model: equal

    data: equal

    code: equal

    environment: equal
    "
  `);
  const same = await runProgram("diff", paths[0]!, paths[0]!);
  expect(same.code).toBe(0);
  expect(same.stdout).toContain("equal in all 4 steps that both recorded, to step 4");
  expect(await runProgram("diff", paths[0]!)).toMatchObject({
    code: 2,
    stderr: "netwright: diff takes two runs, got 1\n",
  });
  expect((await runProgram("diff", paths[0]!, join(folder, "tow"))).stderr).toContain("did you mean");
});

test("numbers and times are short", () => {
  expect([0.123456, 12, 1e-7, 123456.7, Number.NaN].map(numberText)).toEqual([
    "0.1235",
    "12",
    "1.000e-7",
    "1.235e+5",
    "NaN",
  ]);
  expect([4.25, 185, 7800].map(durationText)).toEqual(["4.3 s", "3:05 min", "2:10 h"]);
});
