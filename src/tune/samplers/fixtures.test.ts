/** Samplers and pruners against SciPy, Optuna, cmaes and scikit-learn. */
import { describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../../test/fixtures.ts";
import { randomKey } from "../../base/random.ts";
import { erf } from "../../ops/erf-reference.ts";
import {
  type ChoiceValue,
  choice,
  type Distribution,
  integer,
  logUniform,
  uniform,
} from "../distribution.ts";
import { asha, hyperband } from "../pruners/asha.ts";
import { medianStopping } from "../pruners/median.ts";
import type { Pruner } from "../pruners/pruner.ts";
import { Stream } from "../stream.ts";
import type { TrialRecord } from "../trial-record.ts";
import { defaultPopulation, type Evolution, firstEvolution, nextEvolution, offspring } from "./evolution.ts";
import { normalCdf, normalMass } from "./gaussian.ts";
import { logExpectedImprovement } from "./gaussian-process.ts";
import { GaussianProcess, Likelihood } from "./gp-regression.ts";
import { ParzenEstimator } from "./parzen.ts";
import { SobolSequence, sobolDimensions } from "./sobol.ts";

interface Parzen {
  readonly observed: Record<string, number[]>;
  readonly points: Record<string, number[]>;
  readonly joint: number[];
  readonly alone: Record<string, number[]>;
}
interface Fixture {
  readonly seed: number;
  readonly sobol: { readonly first: EncodedArray; readonly later: EncodedArray };
  readonly discrepancy: number;
  readonly parzen: readonly Parzen[];
  readonly pruning: readonly {
    readonly pruner: Record<string, object>;
    readonly direction: "minimize" | "maximize";
    readonly ends: (number | null)[];
  }[];
  readonly evolution: {
    readonly rows: readonly {
      points: number[];
      losses: number[];
      mean: number[];
      sigma: number;
      covariance: number[];
    }[];
  };
  readonly process: Record<"points" | "values" | "at" | "lengths" | "mean" | "variance", number[]> &
    Record<"scale" | "noise" | "logLikelihood", number>;
}
const fixture = readFixture<Fixture>("tune.json");

describe("Sobol's sequence", () => {
  test("plain points are SciPy's, in all dimensions", () => {
    const first = new SobolSequence(sobolDimensions);
    const points = Array.from({ length: 16 }, (_, n) => [...first.point(n)]).flat();
    expect(points).toEqual([...decodeArray(fixture.sobol.first)]);
    const seven = new SobolSequence(7);
    expect([...seven.point(1000), ...seven.point(1001)]).toEqual([...decodeArray(fixture.sobol.later)]);
  });

  test("scrambled points keep the even spread: each of 64 has its own strip, and the discrepancy is as low", () => {
    const sequence = new SobolSequence(5, randomKey(3));
    const points = Array.from({ length: 256 }, (_, n) => sequence.point(n));
    for (let d = 0; d < 5; d++) {
      const strips = new Set(points.slice(0, 64).map((point) => Math.floor(point[d]! * 64)));
      expect(strips.size).toBe(64);
    }
    expect(points[0]).not.toEqual(new Float64Array(5));
    expect(discrepancy(points)).toBeLessThan(1.3 * fixture.discrepancy);
    const stream = new Stream(randomKey(1));
    const scattered = points.map((point) => point.map(() => stream.uniform()));
    expect(discrepancy(scattered)).toBeGreaterThan(5 * fixture.discrepancy);
    expect(() => new SobolSequence(101)).toThrow("for 1 to 100 dimensions, not 101");
  });
});

/** Centred discrepancy (Hickernell 1998), as scipy.stats.qmc.discrepancy computes it. */
function discrepancy(points: readonly Float64Array[]): number {
  const n = points.length;
  const away = points.map((point) => point.map((x) => Math.abs(x - 0.5)));
  let single = 0;
  let pairs = 0;
  for (let i = 0; i < n; i++) {
    single += away[i]!.reduce((product, a) => product * (1 + 0.5 * a - 0.5 * a * a), 1);
    for (let j = 0; j < n; j++) {
      pairs += away[i]!.reduce(
        (product, a, d) =>
          product * (1 + 0.5 * a + 0.5 * away[j]![d]! - 0.5 * Math.abs(points[i]![d]! - points[j]![d]!)),
        1,
      );
    }
  }
  return (13 / 12) ** points[0]!.length - (2 / n) * single + pairs / n ** 2;
}

test("the normal distribution", () => {
  for (const x of [0, 0.1, -0.5, 1, -2.2, 4, -5])
    expect(normalCdf(x)).toBeCloseTo((1 + erf(x / Math.SQRT2)) / 2, 14);
  expect(normalCdf(-10) / 7.619853024160527e-24).toBeCloseTo(1, 7);
  expect(normalMass(8, 9) / normalMass(-9, -8)).toBe(1);
});

describe("Parzen estimators are Optuna's", () => {
  const distributions: Record<string, Distribution> = {
    real: uniform(-1, 3),
    log: logUniform(1e-4, 1),
    step: uniform(0, 1, { step: 0.25 }),
    whole: integer(1, 9),
    logWhole: integer(1, 64, { log: true }),
    kind: choice("a", "b", "c"),
  };
  const row = (columns: Record<string, number[]>, i: number): Map<string, ChoiceValue> =>
    new Map(
      Object.entries(columns).map(([name, values]) => [
        name,
        name === "kind" ? "abc"[values[i]!]! : values[i]!,
      ]),
    );
  const rows = (columns: Record<string, number[]>): Map<string, ChoiceValue>[] =>
    columns["real"]!.map((_, i) => row(columns, i));

  test.each(fixture.parzen.map((one) => [one.observed["real"]!.length, one] as const))(
    "from %i observations",
    (_, one) => {
      const named = new Map(Object.keys(one.alone).map((name) => [name, distributions[name]!]));
      const joint = new ParzenEstimator(named, rows(one.observed));
      for (const [i, point] of rows(one.points).entries())
        expect(joint.logDensity(point)).toBeCloseTo(one.joint[i]!, 8);
      for (const [name, distribution] of named) {
        const alone = new ParzenEstimator(new Map([[name, distribution]]), rows(one.observed));
        for (const [i, point] of rows(one.points).entries())
          expect(alone.logDensity(point)).toBeCloseTo(one.alone[name]![i]!, 8);
      }
    },
  );

  test("samples follow the density", () => {
    const two = new ParzenEstimator(
      new Map([["step", distributions["step"]!]]),
      rows(fixture.parzen[2]!.observed),
    );
    const stream = new Stream(randomKey(1));
    const counts = new Map<ChoiceValue, number>();
    for (let i = 0; i < 4000; i++) {
      const value = two.sample(stream).get("step")!;
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    for (const value of [0, 0.25, 0.5, 0.75, 1]) {
      expect((counts.get(value) ?? 0) / 4000).toBeCloseTo(
        Math.exp(two.logDensity(new Map([["step", value]]))),
        1,
      );
    }
  });
});

describe("CMA-ES", () => {
  test("generations are those of cmaes", () => {
    let state = firstEvolution(new Float64Array(3).fill(0.5), 0.2);
    for (const row of fixture.evolution.rows) {
      const members = row.losses.map((loss, i) => ({
        loss,
        point: Float64Array.from(row.points.slice(3 * i, 3 * i + 3)),
      }));
      state = nextEvolution(state, members);
      expect(state.sigma).toBeCloseTo(row.sigma, 10);
      for (const [i, m] of state.mean.entries()) expect(m).toBeCloseTo(row.mean[i]!, 10);
      for (const [i, c] of state.covariance.entries()) expect(c).toBeCloseTo(row.covariance[i]!, 9);
    }
  });

  const run = (
    loss: (x: Float64Array) => number,
    n: number,
    generations: number,
  ): { state: Evolution; least: number } => {
    let state = firstEvolution(new Float64Array(n).fill(0.4), 0.15);
    let least = Number.POSITIVE_INFINITY;
    const stream = new Stream(randomKey(5));
    for (let generation = 0; generation < generations; generation++) {
      const members = Array.from({ length: defaultPopulation(n) }, () => offspring(state, stream)).map(
        (point) => ({
          point,
          loss: loss(point),
        }),
      );
      least = Math.min(least, ...members.map((member) => member.loss));
      state = nextEvolution(state, members);
    }
    return { state, least };
  };

  test("sphere and Rosenbrock's valley to the ninth digit", () => {
    const sphere = (x: Float64Array): number => x.reduce((sum, value) => sum + (value - 0.7) ** 2, 0);
    expect(run(sphere, 6, 120).least).toBeLessThan(1e-9);
    const valley = (x: Float64Array): number => {
      const y = x.map((value) => 4 * value - 2);
      return y
        .slice(1)
        .reduce((sum, value, i) => sum + 100 * (value - y[i]! ** 2) ** 2 + (1 - y[i]!) ** 2, 0);
    };
    expect(run(valley, 4, 250).least).toBeLessThan(1e-9);
  });
});

describe("the Gaussian process", () => {
  const { points, values, at, scale, lengths, noise, mean, variance, logLikelihood } = fixture.process;
  const pairs = (flat: readonly number[]): Float64Array[] =>
    Array.from({ length: flat.length / 2 }, (_, i) => Float64Array.of(flat[2 * i]!, flat[2 * i + 1]!));
  const inputs = { points: pairs(points), isChoice: [false, false] };
  const y = Float64Array.from(values);
  const logs = Float64Array.of(
    ...lengths.map((l) => -2 * Math.log(l)),
    Math.log(scale),
    Math.log(noise - 1e-6),
  );

  test("predicts what scikit-learn's predicts", () => {
    const process = new GaussianProcess(inputs, y, logs);
    pairs(at).forEach((point, i) => {
      const predicted = process.predict(point);
      expect(predicted.mean).toBeCloseTo(mean[i]!, 8);
      expect(predicted.variance).toBeCloseTo(variance[i]!, 8);
    });
  });

  test("the likelihood is scikit-learn's, its gradient that of differences", () => {
    const likelihood = new Likelihood(inputs, y);
    const prior =
      lengths.reduce((sum, l) => sum - 0.1 * l * l - 0.1 / l ** 2, 0) +
      Math.log(scale) -
      scale +
      0.1 * Math.log(noise) -
      30 * noise;
    const { value, gradient } = likelihood.negativeLog(logs)!;
    expect(-value - prior).toBeCloseTo(logLikelihood, 8);
    logs.forEach((_, i) => {
      const moved = (by: number): number =>
        likelihood.negativeLog(logs.map((log, j) => (i === j ? log + by : log)))!.value;
      expect(gradient[i]).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 5);
    });
  });

  test("expected improvement is continuous where its formula changes, and right by Monte Carlo", () => {
    const at = (mean: number): number => logExpectedImprovement({ mean, variance: 1 }, 0);
    expect(at(4.999999) - at(5.000001)).toBeLessThan(0.15);
    const stream = new Stream(randomKey(2));
    let sum = 0;
    for (let i = 0; i < 200_000; i++) sum += Math.max(0, -(0.5 + stream.normal()));
    expect(Math.exp(at(0.5))).toBeCloseTo(sum / 200_000, 2);
  });
});

describe("pruners decide as Optuna's", () => {
  const made: Record<string, (options: any) => Pruner> = { median: medianStopping, asha, hyperband };
  const unit = (seed: number, i = 0): number => {
    let h = (i + Math.imul(seed, 0x9e3779b9)) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
  };
  const value = (number: number, step: number): number => {
    const { seed } = fixture;
    const exact =
      unit(seed + 2 * number) + unit(seed + 2 * number, 1) / step + 0.1 * unit(seed + 7 * number + step);
    return Math.round(exact * 1e6) / 1e6;
  };

  test.each(fixture.pruning.map((one) => [JSON.stringify(one.pruner), one] as const))(
    "%s",
    (_, { pruner, direction, ends }) => {
      const [name, options] = Object.entries(pruner)[0]!;
      const one = made[name]!(options);
      const trials: TrialRecord[] = [];
      const own = ends.map((_, number) => {
        const reports = new Map<number, number>();
        let end: number | null = null;
        for (let step = 1; step <= 27 && end === null; step++) {
          reports.set(step, value(number, step));
          const context = { trial: { number, reports }, step, direction, trials, studyName: "fixture" };
          if (one.verdict(context) !== undefined) end = step;
        }
        const empty = {
          parameters: new Map(),
          distributions: new Map(),
          attributes: new Map(),
          reason: undefined,
        };
        const state = end === null ? "complete" : "pruned";
        trials.push({
          ...empty,
          number,
          state,
          value: [...reports.values()].at(-1)!,
          reports,
          startedMs: 0,
          endedMs: 0,
        });
        return end;
      });
      expect(own).toEqual(ends);
    },
  );
});
