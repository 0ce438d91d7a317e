/** Trials in processes of their own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { uniform } from "./distribution.ts";
import { medianStopping } from "./pruners/median.ts";
import { space } from "./space.ts";
import { study } from "./study.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-tune-"));
const module = join(folder, "objective.mjs");

beforeAll(() => {
  writeFileSync(
    module,
    `export const objective = async ({ x }, trial) => {
       if (trial.number === 3) process.kill(process.pid, "SIGKILL");
       if (trial.number === 5) throw new Error("no luck");
       trial.note("where", String(process.pid));
       for (let step = 1; step <= 4; step++) await trial.report(step, (x - 0.3) ** 2 + 1 / step);
       return (x - 0.3) ** 2;
     };
     export const asking = (_, trial) => trial.suggest("y", {});
    `,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const make = (): ReturnType<typeof study<{ readonly x: number }>> =>
  study({ space: space({ x: uniform(0, 1) }), pruner: medianStopping({ startupTrials: 3 }) });

test("a process that is killed costs its trial; two at once give what they give one by one in this process", async () => {
  const search = await make();
  await search.optimize({ module }, { trials: 16, parallel: 2 });
  const { trials } = search;
  expect(trials[3]).toMatchObject({ state: "failed", reason: "its process was killed by SIGKILL" });
  expect(trials[5]).toMatchObject({ state: "failed", reason: "no luck" });
  const others = trials.filter(({ number }) => ![3, 5].includes(number));
  expect(others.filter(({ state }) => state === "complete").length).toBeGreaterThan(5);
  expect(others.filter(({ state }) => state === "pruned").length).toBeGreaterThan(0);
  const places = new Set(others.map(({ attributes }) => attributes.get("where")));
  expect([2, 3]).toContain(places.size);
  expect(places).not.toContain(String(process.pid));

  const here = await make();
  const { objective } = (await import(/* @vite-ignore */ module)) as {
    objective: (...args: any[]) => Promise<number>;
  };
  const careful = async (parameters: object, trial: { number: number }): Promise<number> => {
    if (trial.number === 3) throw new Error("its process was killed by SIGKILL");
    return objective(parameters, trial);
  };
  await here.optimize(careful, { trials: 16, parallel: 2 });
  const facts = trials.map(({ number, state, value, parameters, reason }) => ({
    number,
    state,
    value,
    parameters,
    reason,
  }));
  expect(here.trials).toMatchObject(facts);
});

test("what cannot be loaded is told at once, and parameters must be declared", async () => {
  const search = await make();
  await expect(search.optimize({ module, name: "objektive" }, { trials: 4 })).rejects.toThrow(
    /exports no function "objektive"; it exports asking, objective/,
  );
  await expect(search.optimize({ module: join(folder, "none.mjs") }, { trials: 9 })).rejects.toThrow(
    "cannot be loaded",
  );
  await expect(search.optimize({ module, name: "asking" }, { trials: 9, failuresInARow: 1 })).rejects.toThrow(
    `declare "y" there`,
  );
});
