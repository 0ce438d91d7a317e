/** With the same budget, model-based search finds better places than random search does in the median. `npm run bench -- search` has more. */
import { expect, test } from "vitest";
import { uniform } from "./distribution.ts";
import { gaussianProcess } from "./samplers/gaussian-process.ts";
import { randomSearch } from "./samplers/random.ts";
import type { Sampler } from "./samplers/sampler.ts";
import { tpe } from "./samplers/tpe.ts";
import { space } from "./space.ts";
import { study } from "./study.ts";

const branin = {
  trials: 30,
  space: space({ x: uniform(-5, 10), y: uniform(0, 15) }),
  objective: ({ x, y }: { readonly x: number; readonly y: number }): number =>
    (y - (5.1 / (4 * Math.PI ** 2)) * x ** 2 + (5 / Math.PI) * x - 6) ** 2 +
    10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) +
    10,
};

async function median(sampler: (seed: number) => Sampler, seeds: number): Promise<number> {
  const found: number[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const search = await study({ space: branin.space, sampler: sampler(seed) });
    await search.optimize(branin.objective, { trials: branin.trials });
    found.push(search.best!.value);
  }
  return found.sort((a, b) => a - b)[Math.floor(seeds / 2)]!;
}

test("Branin's function, 30 trials: TPE and the Gaussian process beat the median of random search", async () => {
  const random = await median((seed) => randomSearch({ seed }), 21);
  expect(await median((seed) => tpe({ seed, multivariate: true }), 5)).toBeLessThan(random);
  // The least value is 0.3979.
  expect(await median((seed) => gaussianProcess({ seed }), 3)).toBeLessThan(0.45);
  expect(random).toBeGreaterThan(0.6);
});
