/** Numbers to blocks of few bits, as ggml rounds them (its reference implementations of `quantize_row`). */
import { numberToF16 } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";

/** Layouts of ggml that numbers are rounded to. */
export type RoundedType = "Q4_0" | "Q4_1" | "Q8_0";

const blockSize = 32;

type Encode = (block: Float32Array, out: DataView, at: number) => void;

const encoders: Readonly<Record<RoundedType, readonly [blockBytes: number, encode: Encode]>> = {
  Q4_0: [18, encodeQ4_0],
  Q4_1: [20, encodeQ4_1],
  Q8_0: [34, encodeQ8_0],
};

export const roundedTypes = Object.keys(encoders) as readonly RoundedType[];

export const isRoundedType = (name: string): name is RoundedType => Object.hasOwn(encoders, name);

/**
 * The blocks of 32 numbers each, in ggml's layout: the nearest multiple of a scale, which is chosen by the largest number of the block
 * (Q4_0, Q8_0) or by the largest and the least (Q4_1).
 *
 * @throws ShapeError when the numbers are no whole blocks
 * @example quantizeBlocks(Float32Array.from({ length: 32 }, (_, i) => i), "Q8_0").length; // 34
 */
export function quantizeBlocks(numbers: Float32Array, type: RoundedType): Uint8Array {
  const [blockBytes, encode] = encoders[type];
  if (numbers.length % blockSize !== 0)
    throw new ShapeError(`${type} takes whole blocks of 32 numbers, got ${numbers.length}`);
  const count = numbers.length / blockSize;
  const out = new DataView(new ArrayBuffer(count * blockBytes));
  for (let i = 0; i < count; i++)
    encode(numbers.subarray(i * blockSize, (i + 1) * blockSize), out, i * blockBytes);
  return new Uint8Array(out.buffer);
}

const largest = (block: Float32Array): number =>
  block.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);

const inverse = (scale: number): number => (scale === 0 ? 0 : Math.fround(1 / scale));

/** Two numbers a byte: i below i + 16. */
function setHalves(out: DataView, at: number, numberAt: (i: number) => number): void {
  const half = blockSize / 2;
  for (let i = 0; i < half; i++) out.setUint8(at + i, numberAt(i) | (numberAt(i + half) << 4));
}

/** The number furthest from 0 becomes −8. */
function encodeQ4_0(block: Float32Array, out: DataView, at: number): void {
  const scale = Math.fround(largest(block) / -8);
  const steps = inverse(scale);
  out.setUint16(at, numberToF16(scale), true);
  setHalves(out, at + 2, (i) => Math.min(15, Math.floor(Math.fround(block[i]! * steps) + 8.5)));
}

function encodeQ4_1(block: Float32Array, out: DataView, at: number): void {
  const [least, most] = [Math.min(...block), Math.max(...block)];
  const scale = Math.fround((most - least) / 15);
  const steps = inverse(scale);
  out.setUint16(at, numberToF16(scale), true);
  out.setUint16(at + 2, numberToF16(least), true);
  setHalves(out, at + 4, (i) => Math.min(15, Math.floor(Math.fround((block[i]! - least) * steps) + 0.5)));
}

function encodeQ8_0(block: Float32Array, out: DataView, at: number): void {
  const scale = Math.fround(Math.abs(largest(block)) / 127);
  const steps = inverse(scale);
  out.setUint16(at, numberToF16(scale), true);
  block.forEach((x, i) => {
    const q = Math.fround(x * steps);
    out.setInt8(at + 2 + i, Math.sign(q) * Math.floor(Math.abs(q) + 0.5));
  });
}
