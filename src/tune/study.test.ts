import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, expectTypeOf, test } from "vitest";
import { choice, integer, logUniform, uniform } from "./distribution.ts";
import { asha, medianStopping } from "./index.ts";
import { cmaEs } from "./samplers/cma-es.ts";
import { gaussianProcess } from "./samplers/gaussian-process.ts";
import { grid } from "./samplers/grid.ts";
import { randomSearch } from "./samplers/random.ts";
import type { Sampler } from "./samplers/sampler.ts";
import { sobol } from "./samplers/sobol.ts";
import { tpe } from "./samplers/tpe.ts";
import { combinations, gridValues, type ParametersOf, space, when } from "./space.ts";
import { type Study, study } from "./study.ts";
import type { TrialRecord } from "./trial-record.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-tune-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const optimizers = space({
  learningRate: logUniform(1e-5, 1e-1),
  layers: integer(1, 4),
  optimizer: choice("adam", "sgd"),
  momentum: when("optimizer", "sgd", uniform(0, 0.99)),
  nesterov: when("momentum", (momentum) => momentum > 0.5, choice(true, false)),
});

describe("spaces", () => {
  test("are typed, conditions included", () => {
    expectTypeOf<ParametersOf<typeof optimizers>>().toEqualTypeOf<{
      readonly learningRate: number;
      readonly layers: number;
      readonly optimizer: "adam" | "sgd";
      readonly momentum: number | undefined;
      readonly nesterov: boolean | undefined;
    }>();
    const drawn = (momentum: number): unknown =>
      optimizers.draw(
        (name) => ({ learningRate: 0.01, layers: 2, optimizer: "sgd", momentum, nesterov: true })[name]!,
      );
    expect(drawn(0.9)).toEqual({
      learningRate: 0.01,
      layers: 2,
      optimizer: "sgd",
      momentum: 0.9,
      nesterov: true,
    });
    expect(drawn(0.1)).toEqual({
      learningRate: 0.01,
      layers: 2,
      optimizer: "sgd",
      momentum: 0.1,
      nesterov: undefined,
    });
    expect([...optimizers.always.keys()]).toEqual(["learningRate", "layers", "optimizer"]);
  });

  test("say what is wrong with them", () => {
    const messages = [
      () => uniform(1, 0),
      () => logUniform(0, 1),
      () => integer(1, 2.5),
      () => integer(1, 8, { log: true, step: 2 }),
      () => uniform(0, 1, { step: 0 }),
      () => uniform(0, 1, { log: true } as never),
      () => choice("a", "a"),
      () => choice({} as never),
      () => choice(["a", "b"] as never),
      () => space({ rate: 0.1 as never }),
      () => space({ momentum: when("optimiser", "sgd", uniform(0, 1)) }),
      () => space({ momentum: when("optimizer", "sgd", uniform(0, 1)), optimizer: choice("adam", "sgd") }),
      () => space({ optimizer: choice("a"), momentum: when("optimiser", "a", uniform(0, 1)) }),
      () => space({ optimizer: choice("adam", "sgd"), momentum: when("optimizer", "SGD", uniform(0, 1)) }),
    ].map((make) => {
      try {
        make();
        return "no error";
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(messages).toMatchInlineSnapshot(`
      [
        "uniform: needs finite bounds low <= high, got 1 and 0",
        "logUniform: a logarithmic range begins above 0, got 0",
        "integer: bounds and step must be whole numbers, got 2.5",
        "integer: a logarithmic range has no step; leave one out",
        "uniform: a step must be above 0, got 0",
        "uniform: there is no option "log"; it takes step",
        "choice: "a" comes twice",
        "choice: values are strings, finite numbers, booleans or null, got [object Object]; choose a name, and look the rest up",
        "choice: takes the values themselves, choice(1, 2), got an array; spread it: choice(...values)",
        "space: "rate" must be uniform, logUniform, integer, choice or when, got 0.1; one value alone is choice(0.1)",
        "space: "momentum" depends on "optimiser", which is no parameter; parameters before it are none",
        "space: "momentum" depends on "optimizer", which comes after it; put "optimizer" first",
        "space: "momentum" depends on "optimiser", which is no parameter; did you mean "optimizer"?",
        "space: "momentum" is there when "optimizer" is "SGD", which it cannot be: it is choice("adam", "sgd")",
      ]
    `);
  });

  test("all combinations, each once", () => {
    const two = space({
      kind: choice("a", "b"),
      depth: integer(1, 2),
      width: when("kind", "b", uniform(0, 1)),
    });
    const all = [...combinations(two, (_, distribution) => gridValues(distribution, 3))];
    expect(all.map((one) => [...one.values()].join(" "))).toEqual([
      ...["a 1", "a 2", "b 1 0", "b 1 0.5", "b 1 1", "b 2 0", "b 2 0.5", "b 2 1"],
    ]);
    expect(gridValues(logUniform(1e-4, 1), 5)).toEqual(
      [1e-4, 1e-3, 1e-2, 1e-1, 1].map((x) => expect.closeTo(x, 9)),
    );
    expect(gridValues(integer(1, 64, { log: true }), 4)).toHaveLength(4);
  });
});

/** What a trial got and gave, for comparisons. */
const seen = ({ number, state, value, parameters }: TrialRecord): unknown => ({
  number,
  state,
  value,
  parameters: Object.fromEntries(parameters),
});

const bowl = ({ learningRate, layers, optimizer, momentum = 0 }: ParametersOf<typeof optimizers>): number =>
  (Math.log10(learningRate) + 2) ** 2 +
  (layers - 3) ** 2 +
  (optimizer === "sgd" ? (momentum - 0.8) ** 2 : 0.5);

const samplers: Record<string, () => Sampler> = {
  random: () => randomSearch({ seed: 3 }),
  sobol: () => sobol({ seed: 3 }),
  tpe: () => tpe({ seed: 3 }),
  "tpe, multivariate": () => tpe({ seed: 3, multivariate: true }),
  "cma-es": () => cmaEs({ seed: 3 }),
  "gaussian process": () => gaussianProcess({ seed: 3 }),
};

describe.each(Object.entries(samplers))("%s", (name, sampler) => {
  const studied = async (
    trials: number,
    more: Parameters<Study<any>["optimize"]>[1] = {},
  ): Promise<Study<any>> => {
    const search = await study({ space: optimizers, sampler: sampler() });
    await search.optimize(bowl, { trials, ...more });
    return search;
  };

  test("the same seed gives the same trials, in a study that is kept, closed and gone on with too", async () => {
    const whole = (await studied(24)).trials.map(seen);
    const storage = join(folder, `${name}.sqlite`);
    for (const trials of [9, 15, 24]) {
      const part = await study({ space: optimizers, sampler: sampler(), storage, resume: true });
      await part.optimize(bowl, { trials });
      if (trials === 24) expect(part.trials.map(seen)).toEqual(whole);
      part.close();
    }
    expect(whole).not.toEqual((await studied(24)).trials.slice(1).map(seen));
  });

  test("three at once give the same trials however long each takes", async () => {
    const parallel = async (delay: (trial: number) => number): Promise<unknown> => {
      const search = await study({ space: optimizers, sampler: sampler() });
      await search.optimize(
        async (parameters, { number }) => {
          await new Promise((resolve) => setTimeout(resolve, delay(number)));
          return bowl(parameters);
        },
        { trials: 18, parallel: 3 },
      );
      return search.trials.map(seen);
    };
    expect(await parallel((number) => (number * 7) % 5)).toEqual(
      await parallel((number) => (number % 3) * 2),
    );
  });

  test("finds a good place", async () => {
    const { best } = await studied(40);
    expect(best!.value).toBeLessThan(name === "random" || name === "sobol" ? 2 : 0.6);
  });
});

describe("grid", () => {
  test("tries all there is and ends", async () => {
    const search = await study({
      space: space({ x: uniform(0, 1), kind: choice("a", "b") }),
      sampler: grid({ values: { x: [0, 0.25] } }),
    });
    expect(await search.optimize(({ x }) => x, { trials: 100 })).toEqual({ ran: 4, reason: "exhausted" });
    expect(search.trials.map(({ parameters }) => [...parameters.values()])).toEqual([
      ...[
        [0, "a"],
        [0, "b"],
        [0.25, "a"],
        [0.25, "b"],
      ],
    ]);
    const wrong = await study({ space: space({ x: uniform(0, 1) }), sampler: grid({ values: { y: [1] } }) });
    await expect(wrong.optimize(({ x }) => x, { trials: 1 })).rejects.toThrow(
      'no parameter "y"; did you mean "x"?',
    );
    const outside = await study({
      space: space({ x: uniform(0, 1) }),
      sampler: grid({ values: { x: [2] } }),
    });
    await expect(outside.optimize(({ x }) => x, { trials: 1 })).rejects.toThrow(
      '"x" is uniform(0, 1), which does not hold 2',
    );
  });
});

describe("studies", () => {
  test("an objective may ask for its parameters as it runs", async () => {
    for (const sampler of [tpe({ multivariate: true }), cmaEs(), gaussianProcess(), sobol()]) {
      const search = await study({ direction: "maximize", sampler });
      await search.optimize(
        (_, trial) => {
          const x: number = trial.suggest("x", uniform(-2, 2));
          const kind: "up" | "down" = trial.suggest("kind", choice("up", "down"));
          const y: number = kind === "up" ? trial.suggest("y", uniform(0, 1)) : 0;
          return y - x ** 2 + trial.suggest("x", uniform(-2, 2)) * 0;
        },
        { trials: 30 },
      );
      expect(search.best!.value).toBeGreaterThan(0.3);
    }
    const search = await study();
    const twice = (_: unknown, trial: { suggest: any }): number =>
      trial.suggest("x", uniform(0, 1)) + trial.suggest("x", uniform(0, 2));
    await expect(search.optimize(twice, { trials: 1, failuresInARow: 1 })).rejects.toThrow(
      'because: trial 0: "x" was uniform(0, 1) before and is uniform(0, 2) now',
    );
  });

  test("what fails is kept with its reason; many failures in a row end the study", async () => {
    const search = await study({ space: space({ x: uniform(0, 1) }) });
    const outcomes = [
      () => Number.NaN,
      () => undefined as never,
      () => {
        throw new Error("no memory");
      },
      () => 1,
    ];
    await search.optimize((_, { number }) => outcomes[number]!(), { trials: 4 });
    expect(search.trials.map(({ state, reason }) => `${state}: ${reason}`)).toEqual([
      "failed: the objective gave NaN",
      "failed: the objective gave nothing, not a number",
      "failed: no memory",
      "complete: undefined",
    ]);
    await expect(search.optimize(() => Number.NaN, { trials: 100, failuresInARow: 3 })).rejects.toThrow(
      "3 trials in a row failed, the last (6) because: the objective gave NaN",
    );
  });

  test.each([
    ["median", medianStopping({ startupTrials: 2 })],
    ["asha", asha({ reductionFactor: 2 })],
  ] as const)("%s ends trials early, with the value they had", async (_, pruner) => {
    const search = await study({
      space: space({ level: uniform(0, 1) }),
      sampler: randomSearch({ seed: 1 }),
      pruner,
    });
    let steps = 0;
    await search.optimize(
      async ({ level }, trial) => {
        for (let step = 1; step <= 8; step++, steps++) await trial.report(step, level + 1 / step);
        return level;
      },
      { trials: 20 },
    );
    const pruned = search.trials.filter(({ state }) => state === "pruned");
    expect(pruned.length).toBeGreaterThan(5);
    expect(steps).toBeLessThan(120);
    expect(pruned[0]!.value).toBe([...pruned[0]!.reports.values()].at(-1));
    expect(pruned[0]!.reason).toMatch(/worse than the median|not among the best/);
    expect(search.best!.trial.state).toBe("complete");
  });

  test("ask and tell", async () => {
    const search = await study({ space: space({ x: uniform(0, 1) }), direction: "maximize" });
    for (let i = 0; i < 5; i++) {
      const trial = search.ask();
      search.tell(trial, trial.parameters.x);
    }
    search.tell(search.ask(), undefined);
    expect(search.trials.map(({ state }) => state)).toEqual([...new Array(5).fill("complete"), "failed"]);
    expect(search.best!.value).toBe(Math.max(...search.trials.slice(0, 5).map(({ value }) => value!)));
  });

  test("time ends a study, and nonsense is refused", async () => {
    const search = await study({ space: space({ x: uniform(0, 1) }) });
    const slow = (): Promise<number> => new Promise((resolve) => setTimeout(resolve, 20, 1));
    const { reason } = await search.optimize(slow, { timeoutSeconds: 0.05 });
    expect(reason).toBe("timeout");
    expect(search.trials.length).toBeLessThan(8);
    await expect(search.optimize(slow, {})).rejects.toThrow("say when to end");
    await expect(search.optimize(slow, { trials: 1, paralel: 2 } as never)).rejects.toThrow(
      'did you mean "parallel"?',
    );
    const undeclared = (await study()).optimize({ module: "x.js" }, { trials: 9 });
    await expect(undeclared).rejects.toThrow("a module's objective needs a declared space");
    await expect(study({ direction: "down" as never })).rejects.toThrow(
      '"minimize" or "maximize", got "down"',
    );
    await expect(study({ resume: true })).rejects.toThrow("resume needs the file");
  });

  test("a file is one study's or a named one of many, and nothing else", async () => {
    const storage = join(folder, "names.sqlite");
    const first = await study({ storage, space: space({ x: uniform(0, 1) }) });
    await first.optimize(({ x }) => x, { trials: 2 });
    first.close();
    expect(existsSync(storage)).toBe(true);
    await expect(study({ storage })).rejects.toThrow(
      "has 2 trials already: go on with it by { resume: true }",
    );
    await expect(study({ storage, resume: true, direction: "maximize" })).rejects.toThrow(
      "minimizes, it cannot maximize",
    );
    const other = await study({ storage, name: "other" });
    expect(other.trials).toEqual([]);
    other.close();
    writeFileSync(
      join(folder, "text.sqlite"),
      "not a database, but long enough to be read as the head of one".repeat(20),
    );
    await expect(study({ storage: join(folder, "text.sqlite") })).rejects.toThrow(
      /text\.sqlite: .*not a database/,
    );
  });
});
