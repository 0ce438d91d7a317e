/** A study in a file that three processes share, one of which is killed. Runs the built package. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { lostReason } from "../src/tune/storage/storage.ts";
import { study } from "../src/tune/study.ts";
import { root } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-tune-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const trials = 60;
const storage = join(folder, "shared.sqlite");

const program = `
  import { randomSearch, space, study, uniform } from ${JSON.stringify(pathToFileURL(join(root, "dist/tune/index.js")).href)};
  const search = await study({
    space: space({ x: uniform(0, 1) }), sampler: randomSearch({ seed: 7 }), storage: ${JSON.stringify(storage)}, resume: true,
  });
  await search.optimize(async ({ x }, trial) => {
    console.log(trial.number);
    for (let step = 0; step < 3; step++) await trial.report(step, x);
    await new Promise((resolve) => setTimeout(resolve, 4));
    return x;
  }, { trials: ${trials}, order: "free" });
  search.close();
`;

test("every number once, nothing lost but the trial of the process that was killed", async () => {
  const file = join(folder, "program.mjs");
  writeFileSync(file, program);
  const start = (): ChildProcess => spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  const children = [start(), start(), start()];
  const ends = children.map(
    (child) =>
      new Promise<string>((resolve) => child.on("exit", (code, signal) => resolve(signal ?? String(code)))),
  );
  const victim = children[0]!;
  let begun = 0;
  victim.stdout!.on("data", () => {
    if (++begun === 3) victim.kill("SIGKILL");
  });
  for (const child of children) child.stdout!.resume();
  expect(await Promise.all(ends)).toEqual(["SIGKILL", "0", "0"]);

  const search = await study({ storage, resume: true });
  // Who goes on with the study finds what the dead process left running.
  await search.optimize(() => 0, { trials });
  const all = search.trials;
  expect(all.map(({ number }) => number)).toEqual(Array.from({ length: trials }, (_, i) => i));
  const failed = all.filter(({ state }) => state !== "complete");
  expect(failed.length).toBeLessThanOrEqual(1);
  for (const { state, reason } of failed)
    expect({ state, reason }).toEqual({ state: "failed", reason: lostReason });
  for (const { state, value, parameters, reports } of all) {
    if (state !== "complete") continue;
    expect(value).toBe(parameters.get("x"));
    expect([...reports.values()]).toEqual([value, value, value]);
  }
  // Random search chooses by the number alone, whoever takes it.
  expect(new Set(all.map(({ parameters }) => parameters.get("x"))).size).toBeGreaterThan(trials - 2);
  search.close();
});
