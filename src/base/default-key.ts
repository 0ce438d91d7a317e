/**
 * The default stream of random keys: whatever is random and was given no key takes the next one. The seed is 42 until
 * `seed` sets another, so a program that never speaks of randomness gives the same numbers every time.
 */
import { fold, type RandomKey, randomKey } from "./random.ts";

const defaultSeed = 42;

let stream = randomKey(defaultSeed);
let drawn = 0;

/**
 * Starts the default stream anew: what is made after it (layers, Dropout's masks) is the same as after any equal seed.
 *
 * @throws ArgumentError unless the seed is an integer from 0 to 2⁵³ − 1
 * @example
 * seed(7);
 * const first = new Linear(3, 2);
 * seed(7);
 * const second = new Linear(3, 2); // the same weights as the first
 */
export function seed(value: number): void {
  stream = randomKey(value);
  drawn = 0;
}

/** The next key of the default stream: key i is the stream's key folded with i. */
export function nextKey(): RandomKey {
  return fold(stream, drawn++);
}
