import { expect, test } from "vitest";
import { readFixture } from "../../../test/fixtures.ts";
import { randomKey } from "../../base/random.ts";
import { choice, type Distribution, fromUnit, logUniform, uniform } from "../distribution.ts";
import { SobolSequence } from "../samplers/sobol.ts";
import type { TrialRecord } from "../trial-record.ts";
import { parameterImportance } from "./fanova.ts";

interface Fixture {
  readonly importance: {
    readonly rows: [strong: number, weak: number, idle: number, kind: string, value: number][];
    readonly importance: Record<string, number>;
  };
}
const { rows, importance } = readFixture<Fixture>("tune.json").importance;
const distributions = new Map<string, Distribution>([
  ["strong", uniform(0, 1)],
  ["weak", logUniform(1e-3, 1)],
  ["idle", uniform(0, 1)],
  ["kind", choice("a", "b", "c")],
]);
const trials = rows.map(([strong, weak, idle, kind, value], number): TrialRecord => {
  const parameters = new Map<string, number | string>(Object.entries({ strong, weak, idle, kind }));
  const rest = { reports: new Map(), attributes: new Map(), reason: undefined, startedMs: 0, endedMs: 0 };
  return { number, state: "complete", value, parameters, distributions, ...rest };
});

test("the shares are near those of Optuna's forest, in the same order", () => {
  const found = parameterImportance({ trials });
  for (const one of found) expect(Math.abs(one.importance - importance[one.name]!)).toBeLessThan(0.05);
  expect(found.map(({ name }) => name)).toEqual(Object.keys(importance));
  expect(found.reduce((sum, one) => sum + one.importance, 0)).toBeCloseTo(1, 12);
  expect(parameterImportance({ trials })).toEqual(found);
});

test("where trials are spread evenly, they are near those of the formula", () => {
  const sequence = new SobolSequence(4, randomKey(1));
  const spread = Array.from({ length: 256 }, (_, number): TrialRecord => {
    const point = sequence.point(number);
    const drawn = [...distributions].map(([name, one], i) => [name, fromUnit(one, point[i]!)] as const);
    const [strong, weak, , kind] = drawn.map(([, value]) => value) as [number, number, number, string];
    return {
      ...trials[0]!,
      number,
      parameters: new Map(drawn),
      value: 5 * strong ** 2 + weak + "abc".indexOf(kind),
    };
  });
  // Variances of 5u², of 10^(−3 + 3u) and of the category's number.
  const weak = (1 - 1e-6) / (2 * Math.log(1000)) - ((1 - 1e-3) / Math.log(1000)) ** 2;
  const variances: Record<string, number> = { strong: 25 * (1 / 5 - 1 / 9), kind: 2 / 3, weak, idle: 0 };
  const total = Object.values(variances).reduce((sum, one) => sum + one, 0);
  for (const { name, importance: share } of parameterImportance({ trials: spread }, { trees: 16 })) {
    expect(Math.abs(share - variances[name]! / total), name).toBeLessThan(0.02);
  }
});

test("some parameters; what does not vary; what is not there", () => {
  const some = parameterImportance({ trials }, { parameters: ["weak", "kind"], trees: 8, seed: 3 });
  expect(some.map(({ name }) => name)).toEqual(["kind", "weak"]);
  const fixed = trials.map((trial) => ({
    ...trial,
    distributions: new Map(distributions).set("idle", uniform(0.5, 0.5)),
  }));
  expect(parameterImportance({ trials: fixed }).at(-1)).toEqual({ name: "idle", importance: 0 });
  expect(() => parameterImportance({ trials }, { parameters: ["strng"] })).toThrow(
    'no trial has "strng"; there are strong',
  );
  expect(() => parameterImportance({ trials: trials.slice(0, 1) })).toThrow(
    "two complete trials at least, there are 1",
  );
});
