/** Random search: Bergstra, Bengio, "Random search for hyper-parameter optimization", JMLR 2012. */

import { checkOptions } from "../../base/options.ts";
import { randomKey } from "../../base/random.ts";
import { fromUnit } from "../distribution.ts";
import { purposeOf, type Sampler, type SeedOptions, streamFor } from "./sampler.ts";

/**
 * Every parameter at random, whatever came before. Trial n has the same values in every run with the seed.
 *
 * @example
 * const search = await study({ sampler: randomSearch({ seed: 1 }), space: space({ x: uniform(0, 1) }) });
 */
export function randomSearch(options: SeedOptions = {}): Sampler {
  checkOptions("randomSearch", options, ["seed"]);
  const key = randomKey(options.seed ?? 0);
  return {
    name: "random",
    alone: (name, distribution, { number }) =>
      fromUnit(distribution, streamFor(key, number, purposeOf(name)).uniform()),
  };
}
