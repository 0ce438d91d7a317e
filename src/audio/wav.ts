/** WAV files: PCM of 8, 16, 24 and 32 bits, floating point of 32 and 64. Microsoft and IBM, "Multimedia programming interface and data specifications", 1991. */
import { readFile, writeFileAtomic } from "#platform";
import { ArgumentError, FormatError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";

/** Sound: samples in −1 … 1, (channels, length). */
export interface Sound {
  /** Samples a second. */
  readonly sampleRate: number;
  readonly samples: HostArray<[number, number], "f32">;
}

/**
 * @internal
 * @throws ShapeError for samples of another shape than (channels, length)
 */
export function checkSound(what: string, { samples }: Sound): void {
  const shape: readonly number[] | undefined = (samples as Sound["samples"] | undefined)?.shape;
  if (shape?.length === 2 && samples.data.length === shape[0]! * shape[1]!) return;
  const came = shape === undefined ? "none" : `${samples.data.length} of shape ${shapeText(shape)}`;
  throw new ShapeError(
    `${what}: a sound is { sampleRate, samples } with samples of shape (channels, length), (1, length) for one channel; got ${came}`,
  );
}

export interface WavOptions {
  /** Bits of a sample, or floating point of 32; default 16. What lies outside −1 … 1 is clipped, except in floating point. */
  readonly bits?: 8 | 16 | 24 | 32 | "float";
}

const pcm = 1;
const ieee = 3;
const extensible = 0xfffe;

interface Format {
  readonly kind: "integer" | "float";
  readonly channels: number;
  readonly sampleRate: number;
  readonly bytes: number;
}

const textAt = (view: DataView, at: number): string =>
  String.fromCharCode(...Array.from({ length: 4 }, (_, i) => view.getUint8(at + i)));

/**
 * The sound in a WAV file. Chunks that are no sound are passed over; a data chunk that says it is longer than the file ends with the file
 * (as programs that record leave it when they are interrupted).
 *
 * @param name for errors
 * @throws FormatError for anything that is no WAV file with PCM or floating point samples
 * @example
 * const sound = { sampleRate: 8000, samples: await tensor([[0, 0.5, -1]]).toHost() };
 * decodeWav(encodeWav(sound as Sound)).samples.data; // Float32Array [0, 0.5, -1]
 */
export function decodeWav(bytes: Uint8Array, name = "the given bytes"): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || textAt(view, 0) !== "RIFF" || textAt(view, 8) !== "WAVE")
    throw new FormatError(`${name} is no WAV file: it does not begin with RIFF … WAVE`);
  let format: Format | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [chunk, size] = [textAt(view, at), view.getUint32(at + 4, true)];
    const start = at + 8;
    const end = Math.min(bytes.length, start + size);
    if (chunk === "fmt ") format = formatOf(view, start, end, name);
    if (chunk === "data") {
      if (format === undefined) throw new FormatError(`${name}: samples come before their format`);
      return soundOf(view, format, start, end);
    }
    at = start + size + (size % 2);
  }
  throw new FormatError(`${name} holds no samples`);
}

function formatOf(view: DataView, start: number, end: number, name: string): Format {
  if (end - start < 16) throw new FormatError(`${name}: the format has ${end - start} bytes, need 16`);
  let code = view.getUint16(start, true);
  // The first two bytes of the sub-format's GUID are a code as above.
  if (code === extensible && end - start >= 26) code = view.getUint16(start + 24, true);
  const [channels, sampleRate] = [view.getUint16(start + 2, true), view.getUint32(start + 4, true)];
  const bits = view.getUint16(start + 14, true);
  const isKnown = code === pcm ? [8, 16, 24, 32].includes(bits) : code === ieee && [32, 64].includes(bits);
  if (!isKnown)
    throw new FormatError(
      `${name}: samples of format ${code} with ${bits} bits; PCM (1) of 8, 16, 24, 32 bits and floating point (3) of 32, 64 are read`,
    );
  if (channels === 0 || sampleRate === 0)
    throw new FormatError(`${name}: ${channels} channels at ${sampleRate} samples a second`);
  return { kind: code === pcm ? "integer" : "float", channels, sampleRate, bytes: bits / 8 };
}

/** One sample at a byte, in −1 … 1. */
function sampleReader({ kind, bytes }: Format): (view: DataView, at: number) => number {
  if (kind === "float")
    return bytes === 4 ? (v, at) => v.getFloat32(at, true) : (v, at) => v.getFloat64(at, true);
  switch (bytes) {
    case 1:
      return (v, at) => (v.getUint8(at) - 128) / 128;
    case 2:
      return (v, at) => v.getInt16(at, true) / 32768;
    case 3:
      return (v, at) => (v.getUint16(at, true) + v.getInt8(at + 2) * 65536) / 8388608;
    default:
      return (v, at) => v.getInt32(at, true) / 2147483648;
  }
}

function soundOf(view: DataView, format: Format, start: number, end: number): Sound {
  const { channels, bytes, sampleRate } = format;
  const length = Math.floor((end - start) / (channels * bytes));
  const data = new Float32Array(channels * length);
  const read = sampleReader(format);
  for (let i = 0; i < length; i++)
    for (let channel = 0; channel < channels; channel++)
      data[channel * length + i] = read(view, start + (i * channels + channel) * bytes);
  return { sampleRate, samples: { dtype: "f32", shape: [channels, length], data } };
}

/**
 * The bytes of a WAV file.
 *
 * @throws ArgumentError for a rate that is no positive integer, more than 65,535 channels, samples that are NaN, or more than 4 GiB
 * @example encodeWav({ sampleRate: 8000, samples: { dtype: "f32", shape: [1, 2], data: Float32Array.of(0, 1) } }).length // 48
 */
export function encodeWav(sound: Sound, options: WavOptions = {}): Uint8Array<ArrayBuffer> {
  checkSound("encodeWav", sound);
  const { sampleRate, samples } = sound;
  checkOptions("encodeWav", options, ["bits"]);
  const { bits = 16 } = options;
  if (![8, 16, 24, 32, "float"].includes(bits))
    throw new ArgumentError(`encodeWav: bits must be 8, 16, 24, 32 or "float", got ${bits}`);
  if (!Number.isInteger(sampleRate) || sampleRate < 1)
    throw new ArgumentError(`encodeWav: the sample rate must be a positive integer, got ${sampleRate}`);
  const [channels, length] = samples.shape;
  const bytes = bits === "float" ? 4 : bits / 8;
  const size = channels * length * bytes;
  if (channels < 1 || channels > 65535 || size > 2 ** 32 - 64)
    throw new ArgumentError(
      `encodeWav: ${channels} channels of ${length} samples do not fit into a WAV file`,
    );
  const out = new Uint8Array(44 + size + (size % 2));
  const view = new DataView(out.buffer);
  const text = (at: number, word: string): void => out.set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, out.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, bits === "float" ? ieee : pcm, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * bytes, true);
  view.setUint16(32, channels * bytes, true);
  view.setUint16(34, bytes * 8, true);
  text(36, "data");
  view.setUint32(40, size, true);
  for (let i = 0; i < length; i++)
    for (let channel = 0; channel < channels; channel++) {
      const sample = samples.data[channel * length + i]!;
      if (Number.isNaN(sample))
        throw new ArgumentError(`encodeWav: sample ${i} of channel ${channel} is NaN`);
      writeSample(view, 44 + (i * channels + channel) * bytes, sample, bits);
    }
  return out;
}

function writeSample(view: DataView, at: number, sample: number, bits: 8 | 16 | 24 | 32 | "float"): void {
  if (bits === "float") return view.setFloat32(at, sample, true);
  const scale = 2 ** (bits - 1);
  const value = Math.max(-scale, Math.min(scale - 1, Math.round(sample * scale)));
  if (bits === 8) view.setUint8(at, value + 128);
  else if (bits === 16) view.setInt16(at, value, true);
  else if (bits === 32) view.setInt32(at, value, true);
  else {
    view.setUint16(at, value & 0xffff, true);
    view.setInt8(at + 2, value >> 16);
  }
}

/**
 * The sound in a WAV file at a path.
 *
 * @throws FileError, and FormatError as `decodeWav`
 * @example
 * const samples = { dtype: "f32", shape: [1, 2], data: Float32Array.of(0, 1) } as const;
 * await writeWav("tone.wav", { sampleRate: 8000, samples } as never);
 * (await readWav("tone.wav")).sampleRate; // 8000
 */
export const readWav = async (path: string): Promise<Sound> => decodeWav(await readFile(path), `"${path}"`);

/**
 * Writes a WAV file, whole or not at all.
 *
 * @throws as `encodeWav`, and FileError
 * @example
 * const samples = { dtype: "f32", shape: [1, 2], data: Float32Array.of(0, 1) } as const;
 * await writeWav("click.wav", { sampleRate: 8000, samples } as never, { bits: 24 });
 */
export const writeWav = async (path: string, sound: Sound, options?: WavOptions): Promise<void> =>
  writeFileAtomic(path, [encodeWav(sound, options)]);
