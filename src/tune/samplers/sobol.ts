/** Sobol's sequence: points that fill the unit cube evenly. */
import { ArgumentError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import { fillBits, fold, type RandomKey, randomKey } from "../../base/random.ts";
import { type ChoiceValue, type Distribution, fromUnit } from "../distribution.ts";
import { purposeOf, type Sampler, type SeedOptions, streamFor } from "./sampler.ts";
import { joeKuo } from "./sobol-numbers.ts";

const bits = 32;

// Calls that are marked pure, for pages that do not tune: a bundler keeps what reads a property.
/** One for each dimension from the second on. */
const rows = /* @__PURE__ */ split(joeKuo);
export const sobolDimensions: number = /* @__PURE__ */ dimensionsOf(rows);

function split(text: string): string[] {
  return text.split(",");
}

function dimensionsOf(later: readonly string[]): number {
  return later.length + 1;
}

/** The direction numbers of one dimension, the first bit of the fraction on top. */
function directions(dimension: number): Uint32Array {
  const out = new Uint32Array(bits);
  if (dimension === 0) {
    for (let k = 0; k < bits; k++) out[k] = 2 ** (bits - 1 - k);
    return out;
  }
  const [polynomial, ...first] = rows[dimension - 1]!.split(" ").map(Number) as [number, ...number[]];
  const degree = first.length;
  for (let k = 0; k < bits; k++) {
    if (k < degree) {
      out[k] = first[k]! * 2 ** (bits - 1 - k);
      continue;
    }
    // vₖ = a₁vₖ₋₁ ⊕ … ⊕ aₛ₋₁vₖ₋ₛ₊₁ ⊕ vₖ₋ₛ ⊕ vₖ₋ₛ / 2ˢ
    let v = out[k - degree]! ^ (out[k - degree]! >>> degree);
    for (let j = 1; j < degree; j++) if ((polynomial >>> (degree - j)) & 1) v ^= out[k - j]!;
    out[k] = v >>> 0;
  }
  return out;
}

function parity(word: number): number {
  word ^= word >>> 16;
  word ^= word >>> 8;
  word ^= word >>> 4;
  return (0x6996 >>> (word & 15)) & 1;
}

/**
 * Matoušek's linear scrambling ("On the L2-discrepancy for anchored boxes", J. Complexity 1998): a random lower triangular matrix of bits
 * times the digits, then a random shift. The even spread stays, the regular pattern goes.
 */
function scramble(numbers: Uint32Array, key: RandomKey): number {
  const words = new Uint32Array(bits + 2);
  fillBits(key, words);
  const original = Uint32Array.from(numbers);
  numbers.fill(0);
  for (let row = 0; row < bits; row++) {
    const own = 2 ** (bits - 1 - row);
    // Digits before this one at random, this one itself, none after it.
    const mask = ((words[row]! & ~(own * 2 - 1)) | own) >>> 0;
    for (let k = 0; k < bits; k++) if (parity(mask & original[k]!)) numbers[k] = (numbers[k]! | own) >>> 0;
  }
  return words[bits]!;
}

/** Points of Sobol's sequence, any of them at once. */
export class SobolSequence {
  readonly #numbers: readonly Uint32Array[];
  readonly #shifts: readonly number[];

  /** Plain where there is no key. */
  constructor(dimensions: number, key?: RandomKey) {
    if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > sobolDimensions) {
      throw new ArgumentError(
        `Sobol's sequence is here for 1 to ${sobolDimensions} dimensions, not ${dimensions}`,
      );
    }
    this.#numbers = Array.from({ length: dimensions }, (_, d) => directions(d));
    this.#shifts = this.#numbers.map((numbers, d) =>
      key === undefined ? 0 : scramble(numbers, fold(key, d)),
    );
  }

  /** Point n, in the order of Antonov and Saleev (1979): neighbours differ by one direction number. */
  point(n: number): Float64Array {
    const gray = (n ^ (n >>> 1)) >>> 0;
    return Float64Array.from(this.#numbers, (numbers, d) => {
      let word = this.#shifts[d]!;
      for (let k = 0; k < bits && gray >>> k !== 0; k++) if ((gray >>> k) & 1) word ^= numbers[k]!;
      return (word >>> 0) / 2 ** 32;
    });
  }
}

export interface SobolOptions extends SeedOptions {
  /** Whether the points are scrambled by the seed; true unless told otherwise. Plain points begin at a corner. */
  readonly scramble?: boolean;
}

/**
 * Points of a scrambled Sobol sequence, a dimension for each parameter: as spread out as can be with any number of trials, best with a
 * power of two. Covers what random search leaves in gaps. Without a declared space, the parameters of the first trial are its dimensions.
 *
 * @throws ArgumentError for more than 100 parameters
 * @example
 * const search = await study({ sampler: sobol({ seed: 1 }), space: space({ x: uniform(0, 1), y: uniform(0, 1) }) });
 */
export function sobol(options: SobolOptions = {}): Sampler {
  checkOptions("sobol", options, ["seed", "scramble"]);
  const key = randomKey(options.seed ?? 0);
  const sequences = new Map<number, SobolSequence>();
  const sequenceOf = (dimensions: number): SobolSequence => {
    const made =
      sequences.get(dimensions) ??
      new SobolSequence(dimensions, options.scramble === false ? undefined : key);
    sequences.set(dimensions, made);
    return made;
  };
  return {
    name: "sobol",
    together({ space, joint, number }) {
      const distributions: ReadonlyMap<string, Distribution> = space?.distributions ?? joint;
      if (distributions.size === 0) return undefined;
      const point = sequenceOf(distributions.size).point(number);
      const values = [...distributions].map(([name, distribution], d): [string, ChoiceValue] => [
        name,
        fromUnit(distribution, point[d]!),
      ]);
      return { values: new Map(values) };
    },
    alone: (name, distribution, { number }) =>
      fromUnit(distribution, streamFor(key, number, purposeOf(name)).uniform()),
  };
}
