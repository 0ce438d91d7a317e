import { describe, expect, it } from "vitest";
import { readFixture } from "../../test/fixtures.ts";
import { scalar } from "../tensor/index.ts";
import {
  constant,
  cosine,
  cosineRestarts,
  cyclic,
  exponential,
  inverseSquareRoot,
  linear,
  multiStep,
  oneCycle,
  piecewise,
  polynomial,
  product,
  type Schedule,
  sequential,
  stepDecay,
  warmup,
} from "./index.ts";

const rates = async (schedule: Schedule, steps: readonly number[]): Promise<number[]> =>
  Promise.all(steps.map(async (step) => Number(await schedule(scalar(step)).item())));

const rows: [string, Schedule, readonly number[], readonly number[]][] = [
  ["constant", constant(0.1), [0, 1, 1e6], [0.1, 0.1, 0.1]],
  ["linear", linear({ from: 1, to: 0, steps: 4 }), [0, 1, 3, 4, 100], [1, 0.75, 0.25, 0, 0]],
  ["cosine", cosine({ from: 1, to: 0.5, steps: 4 }), [0, 1, 2, 4, 9], [1, 0.9267767, 0.75, 0.5, 0.5]],
  ["exponential", exponential({ from: 2, factor: 0.5, steps: 2 }), [0, 1, 2, 6], [2, Math.SQRT2, 1, 0.25]],
  ["stepDecay", stepDecay({ from: 1, factor: 0.1, every: 3 }), [0, 2, 3, 5, 6], [1, 1, 0.1, 0.1, 0.01]],
  ["polynomial", polynomial({ from: 1, to: 0, steps: 4, power: 2 }), [0, 2, 4, 5], [1, 0.25, 0, 0]],
  ["warmup to a number", warmup(3, 0.4), [0, 1, 2, 3, 9], [0.1, 0.2, 0.3, 0.4, 0.4]],
  [
    "warmup to a schedule, from its beginning",
    warmup(1, linear({ from: 1, to: 0, steps: 2 })),
    [0, 1, 2, 3],
    [0.5, 1, 0.5, 0],
  ],
];

const schedules: Record<string, (options: any) => Schedule> = {
  ...{ cosine, cosineRestarts, exponential, linear, oneCycle, piecewise, polynomial, stepDecay },
  ...{ cyclic, inverseSquareRoot, multiStep },
  sequential: ({ boundaries }) =>
    sequential({
      boundaries,
      schedules: [linear({ from: 0.05, to: 0.5, steps: 3 }), exponential({ from: 0.5, factor: 0.8 }), 0.125],
    }),
  product: () =>
    product(exponential({ from: 0.5, factor: 0.9 }), stepDecay({ from: 1, factor: 0.1, every: 7 })),
};

describe("PyTorch's schedulers", () => {
  const { runs } = readFixture<{ runs: { schedule: string; options: object; rates: number[] }[] }>(
    "schedules.json",
  );
  it.each(runs.map((run) => [`${run.schedule} ${JSON.stringify(run.options)}`, run] as const))(
    "%s",
    async (_, { schedule, options, rates: expected }) => {
      const found = await rates(schedules[schedule]!(options), [...expected.keys()]);
      found.forEach((rate, i) => {
        expect(Math.abs(rate - expected[i]!), `step ${i}`).toBeLessThanOrEqual(2e-6 * Math.max(...expected));
      });
    },
  );
});

describe("schedules", () => {
  it.each(rows)("%s", async (_, schedule, steps, expected) => {
    const found = await rates(schedule, steps);
    found.forEach((rate, i) => {
      expect(rate).toBeCloseTo(expected[i]!, 6);
    });
  });

  it("refuse what makes no schedule", () => {
    expect(() => piecewise({ boundaries: [3, 2], values: [1, 2, 3] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: piecewise: boundaries must rise, got 3, 2]`,
    );
    expect(() => piecewise({ boundaries: [3], values: [1] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: piecewise: 1 boundaries part 2 values, got 1]`,
    );
    expect(() => oneCycle({ peak: 1, steps: 10, rise: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: oneCycle: rise 1 of 10 steps must leave steps on both sides of the peak]`,
    );
    expect(() => cosineRestarts({ from: 1, steps: 5, factor: 0.5 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: cosineRestarts: factor must be 1 or more, got 0.5]`,
    );
  });

  it("that are combined are checked", () => {
    expect(() => sequential({ boundaries: [0], schedules: [1, 2] })).toThrow("must rise from above 0, got 0");
    expect(() => sequential({ boundaries: [5], schedules: [1] })).toThrow(
      "1 boundaries part 2 schedules, got 1",
    );
    expect(() => cyclic({ low: 0, high: 1, rise: 0 })).toThrow(
      "steps up and down must be above 0, got 0 and 0",
    );
    expect(() => cyclic({ low: 0, high: 1, mode: "square" as never })).toThrow('mode "square" is unknown');
  });

  it("need steps above 0", () => {
    expect(() => linear({ from: 1, to: 0, steps: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: linear: steps must be above 0, got 0]`,
    );
    expect(() => exponential({ from: 1, factor: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: exponential: factor must be above 0, got 0]`,
    );
  });
});
