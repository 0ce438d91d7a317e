/** The small programs of `examples/programs`, written as a PyTorch user would: their results are their PyTorch versions'. */
import { expect, test } from "vitest";
import { gan } from "../examples/programs/gan.ts";
import { gradientPenalty } from "../examples/programs/gradient-penalty.ts";
import { hessianVector } from "../examples/programs/hessian-vector.ts";
import { metaLearning } from "../examples/programs/meta-learning.ts";
import { mixtureDensity } from "../examples/programs/mixture-density.ts";
import { newton } from "../examples/programs/newton.ts";
import { principalComponents } from "../examples/programs/principal-components.ts";
import { regression } from "../examples/programs/regression.ts";
import { softKMeans } from "../examples/programs/soft-k-means.ts";
import { xor } from "../examples/programs/xor.ts";
import { readFixture } from "./fixtures.ts";

type Program = (given: never) => Promise<Record<string, unknown>>;

const programs: Record<string, Program> = {
  regression,
  xor,
  gan,
  mixtureDensity,
  gradientPenalty,
  hessianVector,
  metaLearning,
  softKMeans,
  principalComponents,
  newton,
};

interface Fixture {
  readonly programs: readonly {
    readonly name: string;
    readonly given: unknown;
    readonly results: Readonly<Record<string, unknown>>;
  }[];
}

/** What they end at is small beside what it is made of: f64 shows that the digits are right. */
const inDouble = ["newton", "principalComponents", "softKMeans"];

const flat = (x: unknown): number[] => (Array.isArray(x) ? x.flatMap(flat) : [x as number]);

test.each(readFixture<Fixture>("programs.json").programs)("$name", async (row) => {
  const got = await programs[row.name]!(row.given as never);
  expect(Object.keys(got)).toEqual(Object.keys(row.results));
  for (const [name, value] of Object.entries(row.results)) {
    const [actual, expected] = [flat(got[name]), flat(value)];
    expect(actual.length).toBe(expected.length);
    const scale = Math.max(...expected.map(Math.abs));
    const error = Math.max(...actual.map((x, i) => Math.abs(x - expected[i]!)));
    expect(error / scale, name).toBeLessThan(inDouble.includes(row.name) ? 1e-10 : 2e-4);
  }
});
