/** Random numbers in f64, one after the other, from a key. */
import { fillBits, type RandomKey } from "../base/random.ts";

/** The numbers depend on the key and on how many were taken before, on nothing else. */
export class Stream {
  readonly #key: RandomKey;
  readonly #words = new Uint32Array(64);
  #start = -64;
  #at = 64;
  #spare: number | undefined;

  constructor(key: RandomKey) {
    this.#key = key;
  }

  /** 32 bits. */
  word(): number {
    if (this.#at === this.#words.length) {
      this.#start += this.#words.length;
      this.#at = 0;
      fillBits(this.#key, this.#words, this.#start);
    }
    return this.#words[this.#at++]!;
  }

  /** From [0, 1), with 53 bits. */
  uniform(): number {
    return ((this.word() >>> 5) * 2 ** 26 + (this.word() >>> 6)) / 2 ** 53;
  }

  /** From 0 … count − 1. */
  below(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  /** Standard normal, by Box and Muller (1958). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** A position, each as likely as its weight says. */
  weighted(weights: ArrayLike<number>): number {
    let total = 0;
    for (let i = 0; i < weights.length; i++) total += weights[i]!;
    let left = this.uniform() * total;
    for (let i = 0; i < weights.length - 1; i++) {
      left -= weights[i]!;
      if (left < 0) return i;
    }
    return weights.length - 1;
  }
}
