/** Errors in units in the last place, and sweeps of an expansion over the floats. */
import type { ScalarBuilder } from "../graph/scalar.ts";
import { type Block, blockOf, ScalarEvaluator } from "./scalar-evaluator.ts";

const smallestNormal = 2 ** -126;
/** An error of two ulp carries what is just above it below. */
const mayBeFlushed = smallestNormal * (1 + 2 ** -22);
const overflow = 2 ** 128 * (1 - 2 ** -25);

/** The distance of two neighbouring f32 at x. */
export function ulpOf(x: number): number {
  const magnitude = Math.max(Math.abs(x), smallestNormal);
  return 2 ** (Math.max(exponentOf(magnitude), -126) - 23);
}

const view = new DataView(new ArrayBuffer(8));
function exponentOf(x: number): number {
  view.setFloat64(0, x);
  return ((view.getUint16(0) >> 4) & 0x7ff) - 1023;
}

/**
 * How far the f32 `got` is from the exact `expected` (a float64), in ulp of f32. Infinity where a special value is lost.
 * A zero is right for what rounds to less than the smallest normal number: targets may flush.
 */
export function ulpError(got: number, expected: number): number {
  if (Number.isNaN(expected)) return Number.isNaN(got) ? 0 : Infinity;
  if (Math.abs(expected) >= overflow && !Number.isFinite(got)) return got * expected > 0 ? 0 : Infinity;
  if (!Number.isFinite(got)) return Math.abs(expected) >= overflow ? 0 : Infinity;
  if (got === 0 && Math.abs(expected) <= mayBeFlushed) return 0;
  return Math.abs(got - expected) / ulpOf(expected);
}

export interface SweepResult {
  readonly maxUlp: number;
  /** Where. */
  readonly at: number;
  readonly got: number;
  readonly expected: number;
  readonly count: number;
  readonly instructions: number;
}

export interface SweepOptions {
  readonly fused: boolean;
  /** Every `stride`-th bit pattern; 1 is all. */
  readonly stride: number;
  /** Magnitudes from `low` to `high`, of both signs; all, NaNs too, when left out. */
  readonly low?: number;
  readonly high?: number;
}

/** The largest error of a unary f32 expansion over the bit patterns of f32. */
export function sweep(
  expand: <V>(b: ScalarBuilder<V>, x: V) => V,
  reference: (x: number) => number,
  { fused, stride, low = 0, high = NaN }: SweepOptions,
): SweepResult {
  const first = bitsOf(low);
  const last = Number.isNaN(high) ? 0x7fffffff : bitsOf(high);
  const evaluator = new ScalarEvaluator({ length: blockLength, fused });
  const run = (x: Block): Block => {
    evaluator.restart();
    return expand(evaluator, x);
  };
  const half = { stride, first, last, expand: run, reference };
  const [positive, negative] = [sweepHalf({ ...half, sign: 0 }), sweepHalf({ ...half, sign: 0x80000000 })];
  const worst = positive.maxUlp >= negative.maxUlp ? positive : negative;
  const count = positive.count + negative.count;
  return { ...worst, count, instructions: evaluator.instructionCount };
}

const blockLength = 4096;

/** The bit pattern of a magnitude. */
function bitsOf(x: number): number {
  view.setFloat32(0, x);
  return view.getUint32(0);
}

interface Half {
  readonly sign: number;
  readonly first: number;
  readonly last: number;
  readonly stride: number;
  expand(x: Block): Block;
  reference(x: number): number;
}

function sweepHalf({
  sign,
  first,
  last,
  stride,
  expand,
  reference,
}: Half): Omit<SweepResult, "instructions"> {
  const bits = new Uint32Array(blockLength);
  const x: Block = { dtype: "f32", data: new Float32Array(bits.buffer) };
  let worst = { maxUlp: -1, at: 0, got: 0, expected: 0 };
  let count = 0;
  for (let start = first; start <= last; start += stride * blockLength) {
    const used = Math.min(blockLength, Math.floor((last - start) / stride) + 1);
    for (let i = 0; i < blockLength; i++) bits[i] = sign + start + Math.min(i, used - 1) * stride;
    const { data } = expand(x);
    for (let i = 0; i < used; i++) {
      const expected = reference(x.data[i]!);
      // Most are right to half an ulp: cheap to see without the exact measure.
      if (Math.fround(expected) === data[i]! && worst.maxUlp >= 0.5) continue;
      const error = ulpError(data[i]!, expected);
      if (error > worst.maxUlp) worst = { maxUlp: error, at: x.data[i]!, got: data[i]!, expected };
    }
    count += used;
  }
  return { ...worst, count };
}

/** The largest relative error of a unary f64 expansion at some points. */
export function relativeError64(
  expand: <V>(b: ScalarBuilder<V>, x: V) => V,
  reference: (x: number) => number,
  points: readonly number[],
): { error: number; at: number } {
  const evaluator = new ScalarEvaluator({ length: points.length, fused: false });
  const { data } = expand(evaluator, blockOf("f64", points));
  let worst = { error: 0, at: 0 };
  points.forEach((at, i) => {
    const expected = reference(at);
    const got = data[i]!;
    if (Object.is(got, expected) || got === expected) return;
    const error = Math.abs(got - expected) / Math.max(Math.abs(expected), 2 ** -1022);
    if (!(error <= worst.error)) worst = { error: Number.isNaN(error) ? Infinity : error, at };
  });
  return worst;
}
