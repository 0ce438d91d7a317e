/** Changes of images in bytes by the loops of `kernel-code.ts`, in a memory of theirs. */
import type { ByteImage, Region } from "./image.ts";
import {
  lowerBits,
  type PixelKernel,
  pairBytes,
  pixelModule,
  rowsAtOnce,
  slackBytes,
} from "./kernel-code.ts";
import { resultFloats, scratchBytes } from "./scratch.ts";
import { fixedPoint, type Weights } from "./weights.ts";

const pageBytes = 2 ** 16;
/** 64 MiB: what needs more is left to loops in JavaScript. */
const maximumPages = 1024;

interface Kernel {
  readonly memory: WebAssembly.Memory;
  readonly run: PixelKernel;
}

/** One for all images: nothing is left in its memory that is needed later. */
let shared: Kernel | "none" | undefined;

/** The kernel with a memory of so many bytes; undefined where there is no such. */
function kernelWith(bytes: number): Kernel | undefined {
  shared ??= instantiated();
  if (shared === "none" || bytes > maximumPages * pageBytes) return undefined;
  const missing = Math.ceil((bytes - shared.memory.buffer.byteLength) / pageBytes);
  if (missing > 0) shared.memory.grow(missing);
  return shared;
}

function instantiated(): Kernel | "none" {
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: maximumPages });
    const bytes = pixelModule({ initialPages: 1, maximumPages }) as Uint8Array<ArrayBuffer>;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { netwright: { memory } });
    return { memory, run: instance.exports as unknown as PixelKernel };
  } catch (error) {
    // A page may forbid it, a process may have no address space left; loops in JavaScript take longer.
    if (error instanceof WebAssembly.CompileError || error instanceof RangeError) return "none";
    throw error;
  }
}

/** Hands out addresses, with room for what is read and written past the ends. */
class Layout {
  #end = slackBytes;

  place(bytes: number): number {
    const address = this.#end;
    this.#end = Math.ceil((address + bytes + 2 * slackBytes) / 16) * 16;
    return address;
  }
  get sizeBytes(): number {
    return this.#end;
  }
}

/** A change of size along one axis. */
export interface Pass {
  readonly axis: "across" | "down";
  readonly weights: Weights;
}

/** A region of an image after the passes, of which there is at least one. */
export function resampled(
  { shape, data }: ByteImage,
  region: Region,
  passes: readonly Pass[],
): ByteImage | undefined {
  const [, columnCount, channels] = shape;
  const layout = new Layout();
  let [stride, height, width] = [columnCount * channels, region.height, region.width];
  const first = (region.top * columnCount + region.left) * channels;
  const source = data.subarray(first, first + (height - 1) * stride + width * channels);
  const from = layout.place(source.length + rowsAtOnce * stride);
  const steps = passes.map(({ axis, weights }) => {
    const count = weights.starts.length;
    const rows = height;
    if (axis === "across") width = count;
    else height = count;
    const pairs = Math.ceil(Math.max(...weights.counts) / 2);
    const [starts, values] = [layout.place(4 * count), layout.place(pairBytes * count * pairs)];
    const step = { axis, weights, starts, values, pairs, fromStride: stride, rows, width };
    stride = width * channels;
    // Groups of rows go past the last one, and so does the second row of a pair.
    return { ...step, toStride: stride, height, to: layout.place((height + rowsAtOnce) * stride) };
  });
  const kernel = kernelWith(layout.sizeBytes);
  if (kernel === undefined) return undefined;
  const { memory, run } = kernel;
  const bytes = new Uint8Array(memory.buffer);
  bytes.set(source, from);
  let at = from;
  for (const step of steps) {
    const { axis, weights, starts, values, pairs, fromStride, toStride, to } = step;
    const unit = axis === "across" ? channels : fromStride;
    new Int32Array(memory.buffer, starts, weights.starts.length).set(
      weights.starts.map((start) => start * unit),
    );
    writePairs(new Int16Array(memory.buffer, values, 4 * pairs * weights.starts.length), weights, pairs);
    if (axis === "across")
      run[`across${channels as 1 | 2 | 3 | 4}`](
        at,
        fromStride,
        to,
        toStride,
        step.rows,
        step.width,
        starts,
        values,
        pairs,
      );
    else run.down(at, fromStride, to, toStride, step.height, toStride, starts, values, pairs);
    at = to;
  }
  return {
    dtype: "u8",
    shape: [height, width, channels],
    data: copied(bytes, at, height * width * channels),
  };
}

/** Fixed-point weights as pairs: two upper parts, two lower parts. */
function writePairs(to: Int16Array, { counts, values, stride }: Weights, pairs: number): void {
  const fixed = fixedPoint(values);
  const lower = (1 << lowerBits) - 1;
  to.fill(0);
  for (let i = 0; i < counts.length; i++)
    for (let k = 0; k < counts[i]!; k++) {
      const at = 4 * (i * pairs + (k >> 1)) + (k & 1);
      const value = fixed[i * stride + k]!;
      to[at] = value >> lowerBits;
      to[at + 2] = value & lower;
    }
}

/** Left and right exchanged. */
export function mirrored({ shape, data }: ByteImage): ByteImage | undefined {
  const [height, width, channels] = shape;
  const layout = new Layout();
  const [from, to] = [layout.place(data.length), layout.place(data.length)];
  const kernel = kernelWith(layout.sizeBytes);
  if (kernel === undefined) return undefined;
  const bytes = new Uint8Array(kernel.memory.buffer);
  bytes.set(data, from);
  kernel.run[`mirrored${channels as 1 | 2 | 3 | 4}`](from, to, height, width * channels);
  return { dtype: "u8", shape, data: copied(bytes, to, data.length) };
}

function copied(memory: Uint8Array, at: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = scratchBytes(length);
  bytes.set(memory.subarray(at, at + length));
  return bytes;
}

/** What tables of f32 say, (channels, height, width). */
export function lookedUp(
  { shape, data }: ByteImage,
  tables: readonly Float32Array[],
): Float32Array | undefined {
  const [height, width, channels] = shape;
  const count = height * width;
  const layout = new Layout();
  const [from, table, to] = [
    layout.place(data.length + slackBytes),
    layout.place(4 * 256 * channels),
    layout.place(4 * data.length),
  ];
  const kernel = kernelWith(layout.sizeBytes);
  if (kernel === undefined) return undefined;
  const { memory, run } = kernel;
  new Uint8Array(memory.buffer).set(data, from);
  for (const [channel, values] of tables.entries()) {
    const address = table + 4 * 256 * channel;
    new Float32Array(memory.buffer, address, 256).set(values.subarray(0, 256));
    run.lookedUp(from + channel, channels, to + 4 * count * channel, count, address);
  }
  const found = resultFloats(data.length);
  found.set(new Float32Array(memory.buffer, to, data.length));
  return found;
}
