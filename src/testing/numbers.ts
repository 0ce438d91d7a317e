/** Deterministic numbers for tests. */
import { type DType, roundTo } from "../base/dtype.ts";
import type { DenseArray } from "../graph/op.ts";

/** A stream of numbers in [0, 1) that a seed fixes: a 32-bit multiplicative generator with its high bits mixed down. */
export class Numbers {
  private state: number;
  constructor(seed: number) {
    this.state = (seed * 2 + 1) >>> 0;
  }
  next(): number {
    this.state = (Math.imul(this.state, 0x2c9277b5) + 0x9e3779b9) >>> 0;
    const mixed = Math.imul(this.state ^ (this.state >>> 15), 0x85ebca6b);
    return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32;
  }
  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }
  /** An integer from low to high, both included. */
  integer(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1));
  }
  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length - 1)]!;
  }
  /** An array of elements in [low, high], rounded to the dtype. */
  array(type: { shape: readonly number[]; dtype: DType }, low: number, high: number): DenseArray {
    const count = type.shape.reduce((n, size) => n * size, 1);
    const isInteger = type.dtype !== "f64" && !type.dtype.includes("f");
    const draw = (): number => (isInteger ? this.integer(low, high) : this.between(low, high));
    const data = Float64Array.from({ length: count }, () => roundTo(type.dtype, draw()));
    return { shape: type.shape, dtype: type.dtype, data };
  }
}
