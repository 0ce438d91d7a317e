import { describe, expect, test } from "vitest";
import { readFixture } from "../../test/fixtures.ts";
import { interpret } from "../codegen/interpreter/index.ts";
import type { DenseArray } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { grad, random, state, type Tensor, tensor, zeros } from "../tensor/index.ts";
import * as all from "./index.ts";
import {
  Bernoulli,
  Beta,
  Binomial,
  Categorical,
  Dirichlet,
  type Distribution,
  Exponential,
  Gamma,
  klDivergence,
  Laplace,
  LogNormal,
  Mixture,
  Multinomial,
  MultivariateNormal,
  Normal,
  OneHotCategorical,
  Poisson,
  StudentT,
  Uniform,
} from "./index.ts";

type Numbers = number | readonly Numbers[];

interface Row {
  readonly name: string;
  readonly arguments: readonly unknown[];
  readonly values: Numbers;
  readonly logProb: Numbers;
  readonly mean: Numbers;
  readonly variance: Numbers;
  readonly entropy: Numbers | null;
  readonly cdf: Numbers | null;
  readonly other?: readonly unknown[];
  readonly divergence?: Numbers;
}

interface Fixture {
  readonly cases: readonly Row[];
  readonly gammaSlope: { concentration: number[]; value: number[]; slope: number[] };
  readonly special: { x: number[]; lgamma: number[]; digamma: number[] };
}

const fixture = readFixture<Fixture>("distributions.json");

type Family = new (...args: never[]) => Distribution;

function make(name: string, args: readonly unknown[]): Distribution {
  if (name === "Mixture") return new Mixture(args[0] as never, make(args[1] as string, args.slice(2)));
  return new (all as unknown as Record<string, Family>)[name]!(...(args as never[]));
}

const flat = (x: Numbers): number[] => (typeof x === "number" ? [x] : x.flatMap(flat));

async function requireNear(what: string, got: Tensor, want: Numbers, tolerance = 2e-5): Promise<void> {
  const [actual, expected] = [[...(await got.data())], flat(want)];
  expect(actual.length, what).toBe(expected.length);
  expected.forEach((value, i) => {
    const error = Math.abs(actual[i]! - value) / Math.max(1, Math.abs(value));
    expect(error, `${what}: ${actual[i]} for ${value}`).toBeLessThan(tolerance);
  });
}

describe("PyTorch's and SciPy's figures", () => {
  test.each(fixture.cases.map((row) => [`${row.name} ${JSON.stringify(row.arguments)}`, row] as const))(
    "%s",
    async (_, row) => {
      const p = make(row.name, row.arguments);
      const values = tensor(row.values as number[]);
      await requireNear("logProb", p.logProb(values), row.logProb);
      await requireNear("mean", p.mean, row.mean);
      await requireNear("variance", p.variance, row.variance);
      if (row.entropy !== null) await requireNear("entropy", p.entropy(), row.entropy);
      if (row.cdf !== null) await requireNear("cdf", p.cdf(values), row.cdf);
      if (row.other)
        await requireNear("divergence", klDivergence(p, make(row.name, row.other)), row.divergence!);
    },
  );

  const dense = (data: readonly number[]): DenseArray => ({
    shape: [data.length],
    dtype: "f64",
    data: Float64Array.from(data),
  });
  const evaluate = (
    op: (...x: ReturnType<typeof ops.parameter>[]) => ReturnType<typeof ops.parameter>,
    ...inputs: number[][]
  ) => {
    const parameters = inputs.map((data) => ops.parameter({ shape: [data.length], dtype: "f64" }));
    return [
      ...interpret(
        { name: "f", parameters, results: [op(...parameters)], assignments: [] },
        inputs.map(dense),
      ).results[0]!.data,
    ];
  };
  const requireDigits = (got: readonly number[], want: readonly number[], tolerance: number): void =>
    want.forEach((value, i) => {
      expect(Math.abs(got[i]! - value) / Math.max(1, Math.abs(value))).toBeLessThan(tolerance);
    });

  test("ln Γ, ψ and the slope of gamma numbers, in f64", () => {
    const { special, gammaSlope } = fixture;
    requireDigits(evaluate(ops.lgamma, special.x), special.lgamma, 1e-14);
    requireDigits(evaluate(ops.digamma, special.x), special.digamma, 1e-14);
    // PyTorch's own approximation is good to about 1e-3 in places; exact differences are in the next test.
    requireDigits(
      evaluate(ops.gammaSlope, gammaSlope.concentration, gammaSlope.value),
      gammaSlope.slope,
      2e-3,
    );
  });

  test("the slope of gamma numbers of shape 1 is that of the closed form", () => {
    // P(1, x) = 1 − e⁻ˣ; ∂P/∂α by central differences of P's series.
    const P = (a: number, x: number): number => {
      let term = 1 / a;
      let sum = term;
      for (let n = 1; n < 200; n++) sum += term *= x / (a + n);
      const logGamma = evaluate(ops.lgamma, [a])[0]!;
      return sum * Math.exp(a * Math.log(x) - x - logGamma);
    };
    for (const x of [0.1, 1, 3, 12]) {
      const difference = (P(1 + 1e-4, x) - P(1 - 1e-4, x)) / 2e-4;
      const want = -difference / Math.exp(-x);
      expect(evaluate(ops.gammaSlope, [1], [x])[0]! / want).toBeCloseTo(1, 3);
    }
  });
});

describe("distribution functions by incomplete integrals", () => {
  test("are 0 and 1 outside the support, and step where counts do", async () => {
    const at = tensor([-1, 0, 0.5, 2, 3]);
    expect([...(await new Beta(2, 3).cdf(at).data())]).toEqual([0, 0, 0.6875, 1, 1]);
    expect((await new Gamma(2).cdf(at).data())[0]).toBe(0);
    const half = new Binomial(2, { probabilities: 0.5 });
    expect([...(await half.cdf(at).data())]).toEqual([0, 0.25, 0.25, 1, 1]);
    const shares = await new Poisson(Math.LN2).cdf(at).data();
    expect([shares[0], shares[1], shares[2]]).toEqual([0, 0.5, 0.5]);
  });

  test("their slopes are the densities, and those by the parameters flow", async () => {
    const families = [
      (p: Tensor) => new Gamma(p, 2),
      (p: Tensor) => new Beta(p, 2),
      (p: Tensor) => new StudentT(p, 0.1, 2),
    ];
    for (const family of families) {
      const x = tensor([0.1, 0.35, 0.8], { dtype: "f64" });
      const p = tensor([0.7, 2, 9], { dtype: "f64" });
      const [byX, byP] = grad(family(p).cdf(x).sum(), [x, p]) as [Tensor, Tensor];
      const density = await family(p).prob(x).data();
      (await byX.data()).forEach((slope, i) => {
        expect(slope / density[i]!).toBeCloseTo(1, 9);
      });
      const step = 1e-5;
      const above = await family(p.add(step)).cdf(x).data();
      const below = await family(p.sub(step)).cdf(x).data();
      (await byP.data()).forEach((slope, i) => {
        expect(slope).toBeCloseTo((above[i]! - below[i]!) / (2 * step), 7);
      });
    }
  });
});

const count = 20_000;

/** Exceeded by one sample in a thousand. */
const limit = 1.95 / Math.sqrt(count);

async function distance(p: Distribution, x: Tensor): Promise<number> {
  const values = Float64Array.from(await x.data()).sort();
  const shares = await p.cdf(tensor(values as never, { dtype: "f64" })).data();
  return values.reduce(
    (most, _, i) => Math.max(most, shares[i]! - i / count, (i + 1) / count - shares[i]!),
    0,
  );
}

const continuous: readonly [string, Distribution][] = [
  ["Normal", new Normal(0.5, 2)],
  ["LogNormal", new LogNormal(0.2, 0.6)],
  ["Uniform", new Uniform(-1, 3)],
  ["Exponential", new Exponential(1.7)],
  ["Laplace", new Laplace(0.3, 1.4)],
  ["Mixture", new Mixture({ probabilities: [0.3, 0.7] }, new Normal([-1, 2], [0.5, 1.5]))],
];

describe("samples", () => {
  test.each(continuous)("%s passes Kolmogorov and Smirnov's test", async (_, p) => {
    expect(await distance(p, p.sample(11, [count]))).toBeLessThan(limit);
  });

  const others: readonly Distribution[] = [
    new Gamma(2.5, 1.3),
    new Gamma(0.2, 3),
    new Beta(2, 0.7),
    new Dirichlet([0.5, 2, 3.5]),
    new StudentT(8, 1, 2),
    new MultivariateNormal([0.5, -1], {
      covariance: [
        [2, 0.6],
        [0.6, 1],
      ],
    }),
    new Bernoulli({ probabilities: 0.3 }),
    new Binomial(12, { probabilities: 0.35 }),
    new Poisson([0.5, 3.4, 9.9, 10.1, 80]),
    new Categorical({ probabilities: [0.2, 0.5, 0.3] }),
    new OneHotCategorical({ logits: [0.1, -1, 2] }),
    new Multinomial(5, { probabilities: [0.2, 0.5, 0.3] }),
  ];
  test.each(others.map((p) => [p.name, p] as const))("%s has its mean and variance", async (_, p) => {
    const x = p.sample(3, [count]).cast("f64") as Tensor;
    const [mean, variance] = [await x.mean(0).data(), await x.var(0).data()];
    const [wantMean, wantVariance] = [await p.mean.data(), await p.variance.data()];
    wantMean.forEach((want, i) => {
      // Four standard errors; of the variance for a kurtosis of 12 at most.
      expect(Math.abs(mean[i]! - want)).toBeLessThan(4 * Math.sqrt(wantVariance[i]! / count));
      expect(Math.abs(variance[i]! / wantVariance[i]! - 1)).toBeLessThan(4 * Math.sqrt(12 / count));
    });
  });

  test("shapes: sample, batch, event; equal keys, equal draws", async () => {
    expect(new Dirichlet(zeros([4, 3]).add(1)).sample(1, [2]).shape).toEqual([2, 4, 3]);
    expect(new Normal(zeros([4]), 1).sample(1, [2, 5]).shape).toEqual([2, 5, 4]);
    const [a, b] = [new Gamma(2).sample(random.key(5), [3]), new Gamma(2).sample(5, [3])];
    expect([...(await a.data())]).toEqual([...(await b.data())]);
  });

  test("gradients of samples: the mean follows its parameters", async () => {
    const mean = state(0.5);
    const scale = state(2);
    const x = new Normal(mean, scale).sample(1, [count]).mean();
    const [dMean, dScale] = grad(x, [mean, scale]);
    expect(await dMean!.item()).toBeCloseTo(1, 5);
    expect(Math.abs(await dScale!.item())).toBeLessThan(4 / Math.sqrt(count));
    const a = state(1.5);
    // E[x] = α and E[x²] = α² + α: their slopes are 1 and 2α + 1.
    const sample = new Gamma(a).sample(2, [count]);
    expect(await grad(sample.mean(), a).item()).toBeCloseTo(1, 1);
    expect(await grad(sample.square().mean(), a).item()).toBeCloseTo(4, 0);
    const b = state([2, 1]);
    // ∂/∂a of a/(a + b) is b/(a + b)², ∂/∂b is −a/(a + b)².
    const share = new Beta(b.at(0), b.at(1)).sample(3, [count]).mean();
    const [da, db] = await grad(share, b).data();
    expect(da).toBeCloseTo(1 / 9, 2);
    expect(db).toBeCloseTo(-2 / 9, 2);
  });
});

test("vectors of normal numbers: correlated as told, and gradients of the density", async () => {
  const covariance = [
    [2, 0.6],
    [0.6, 1],
  ];
  const p = new MultivariateNormal([0.5, -1], { covariance });
  const x = p.sample(5, [count]).sub(p.mean) as Tensor;
  const found = flat(await (x.transpose() as Tensor).matmul(x).div(count).toArray());
  flat(covariance).forEach((want, i) => {
    expect(Math.abs(found[i]! - want)).toBeLessThan(4 * Math.sqrt(8 / count));
  });
  // ∂ ln p/∂Σ = ½ (Σ⁻¹ d dᵀ Σ⁻¹ − Σ⁻¹) with d = x − μ; Σ⁻¹ = [[1, −0.6], [−0.6, 2]] / 1.64.
  const S = state(covariance);
  const density = new MultivariateNormal([0.5, -1], { covariance: S }).logProb([1.5, 1]);
  const [a, b] = [(1 - 1.2) / 1.64, (-0.6 + 4) / 1.64];
  const slopes = [a * a - 1 / 1.64, a * b + 0.6 / 1.64, a * b + 0.6 / 1.64, b * b - 2 / 1.64].map(
    (s) => s / 2,
  );
  const got = (await grad(density, S).toArray()) as number[][];
  // The factor reads one triangle: the two entries beside the diagonal share what it gets.
  expect(got[0]![0]).toBeCloseTo(slopes[0]!, 4);
  expect(got[1]![1]).toBeCloseTo(slopes[3]!, 4);
  expect(got[0]![1]! + got[1]![0]!).toBeCloseTo(2 * slopes[1]!, 4);
});

describe("edges", () => {
  test("outside the support", async () => {
    const outside: [Distribution, number][] = [
      [new Uniform(0, 1), 2],
      [new Exponential(1), -1],
      [new Gamma(1), -1],
      [new LogNormal(0, 1), -1],
      [new Poisson(1), 0.5],
      [new Poisson(1), -1],
      [new Binomial(3, { probabilities: 0.5 }), 4],
      [new Bernoulli({ probabilities: 0.5 }), 2],
      [new Categorical({ probabilities: [1, 1] }), 2],
      [new Categorical({ probabilities: [1, 0] }), 1],
    ];
    for (const [p, value] of outside) expect(await p.logProb(value).item(), p.name).toBe(-Infinity);
  });

  test("the inverse of cdf", async () => {
    for (const [, p] of continuous.slice(0, 5)) {
      const shares = [0.01, 0.3, 0.5, 0.9];
      const back = await p.cdf(p.icdf(shares)).data();
      shares.forEach((share, i) => {
        expect(back[i]).toBeCloseTo(share, 5);
      });
    }
  });

  test("messages", () => {
    const messageOf = (body: () => unknown): string => {
      try {
        body();
      } catch (error) {
        return (error as Error).message.replace(/[^ ]*\/([\w.]+):\d+:\d+/g, "$1");
      }
      return "no error";
    };
    expect(messageOf(() => klDivergence(new Normal(), new Laplace()))).toMatchInlineSnapshot(
      `"klDivergence: of Normal and Laplace there is no closed form here; average p.logProb(x) − q.logProb(x) over samples x of p"`,
    );
    expect(messageOf(() => new Gamma(1).icdf(0.5))).toMatchInlineSnapshot(
      `"Gamma: icdf has no closed form; estimate it from samples"`,
    );
    expect(messageOf(() => new Bernoulli({} as never))).toMatchInlineSnapshot(
      `"Bernoulli: give either probabilities or logits"`,
    );
    expect(messageOf(() => new Binomial(1.5, { probabilities: 0.5 }))).toMatchInlineSnapshot(
      `"Binomial: the number of trials must be a whole number, got 1.5"`,
    );
    expect(messageOf(() => new MultivariateNormal([0, 0], { covariance: [[1]] }))).toMatchInlineSnapshot(
      `"MultivariateNormal: the mean is (2,), the matrix (1, 1); need (…, D) and (D, D)"`,
    );
    expect(messageOf(() => new MultivariateNormal([0, 0], {} as never))).toMatchInlineSnapshot(
      `"MultivariateNormal: give either covariance or scaleTriangular"`,
    );
    expect(messageOf(() => new Dirichlet(1))).toMatchInlineSnapshot(
      `"Dirichlet: the concentration needs an axis of parts, got a scalar"`,
    );
    expect(messageOf(() => new Mixture({ logits: [0, 0, 0] }, new Normal([0, 1])))).toMatchInlineSnapshot(
      `"Mixture: 3 weights for components that are a batch (2,) of draws (); the batch's last axis must have 3, and draws be scalars"`,
    );
    expect(messageOf(() => new Normal([1, 2], [1, 2, 3]))).toMatchInlineSnapshot(
      `"Normal: cannot broadcast (2,) with (3,): sizes 2 and 3 differ on axis 0; reshape one so that they are equal or 1 (at distributions.test.ts)"`,
    );
  });
});
