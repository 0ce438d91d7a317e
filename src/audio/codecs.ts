/** Compressed sounds, by optional packages in WebAssembly: FLAC (RFC 9639) and MP3 (ISO/IEC 11172-3). */
import { readFile } from "#platform";
import { ArgumentError, FormatError } from "../base/errors.ts";
import { optionalPackage } from "../base/optional.ts";
import { checkOptions } from "../base/options.ts";
import { decodeWav, type Sound } from "./wav.ts";

export interface DecodeOptions {
  /** A few bytes can stand for hours of silence: more samples than this, in all channels, are refused; 2²⁸ (1 GiB) unless told otherwise. */
  readonly maxSamples?: number;
}

/** What the packages give. */
interface Decoded {
  readonly channelData: readonly Float32Array[];
  readonly samplesDecoded: number;
  readonly sampleRate: number;
  readonly bitDepth?: number;
  readonly errors: readonly { readonly message: string }[];
}

interface Decoder {
  readonly ready: Promise<void>;
  decode(bytes: Uint8Array): Decoded | Promise<Decoded>;
  flush?(): Promise<Decoded>;
  free(): void;
}

/** Bytes that are decoded at once: after each the number of samples is looked at. */
const pieceBytes = 2 ** 16;

/** The package divides by the largest sample, 2ᵇ⁻¹ − 1; WAV and everybody else by 2ᵇ⁻¹. Whole samples make it exact. */
function rescaled(part: Decoded): Decoded {
  const scale = 2 ** ((part.bitDepth ?? 16) - 1);
  const channelData = part.channelData.map((data) => data.map((x) => Math.round(x * (scale - 1)) / scale));
  return { ...part, channelData };
}

/** Whether the first frame says that there is one channel: the package gives such a sound twice. */
function isMonoMpeg(bytes: Uint8Array): boolean {
  let at = 0;
  if (startsWith(bytes, "ID3")) {
    // Its length in four bytes of seven bits, without its own ten.
    const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(6, 10);
    at = 10 + ((a & 127) << 21) + ((b & 127) << 14) + ((c & 127) << 7) + (d & 127);
  }
  for (; at + 3 < bytes.length; at++) {
    if (bytes[at] === 0xff && (bytes[at + 1]! & 0xe0) === 0xe0) return bytes[at + 3]! >> 6 === 3;
  }
  return false;
}

async function decodeWith(
  decoder: Decoder,
  bytes: Uint8Array,
  name: string,
  options: DecodeOptions,
  corrected: (part: Decoded) => Decoded,
): Promise<Sound> {
  const { maxSamples = 2 ** 28 } = options;
  if (!(maxSamples > 0)) throw new ArgumentError(`maxSamples must be above 0, got ${maxSamples}`);
  await decoder.ready;
  const parts: Decoded[] = [];
  let total = 0;
  const take = (decoded: Decoded): void => {
    const [error] = decoded.errors;
    if (error !== undefined) throw new FormatError(`${name} is damaged: ${error.message}`);
    if (decoded.samplesDecoded === 0) return;
    const part = corrected(decoded);
    parts.push(part);
    total += part.samplesDecoded * part.channelData.length;
    if (total > maxSamples)
      throw new FormatError(
        `${name} holds more than ${maxSamples} samples; raise maxSamples if it is trusted`,
      );
  };
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes)
      take(await decoder.decode(bytes.subarray(at, at + pieceBytes)));
    if (decoder.flush !== undefined) take(await decoder.flush());
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`${name} cannot be decoded: ${(cause as Error).message}`, { cause });
  } finally {
    decoder.free();
  }
  return joined(parts, name);
}

function joined(parts: readonly Decoded[], name: string): Sound {
  const [first] = parts;
  if (first === undefined) throw new FormatError(`${name} holds no samples`);
  const { sampleRate } = first;
  const channels = first.channelData.length;
  const length = parts.reduce((sum, { samplesDecoded }) => sum + samplesDecoded, 0);
  const data = new Float32Array(channels * length);
  let at = 0;
  for (const part of parts) {
    if (part.sampleRate !== sampleRate || part.channelData.length !== channels) {
      throw new FormatError(
        `${name} changes its sample rate or number of channels on the way, which is not read`,
      );
    }
    for (let channel = 0; channel < channels; channel++)
      data.set(part.channelData[channel]!, channel * length + at);
    at += part.samplesDecoded;
  }
  return { sampleRate, samples: { dtype: "f32", shape: [channels, length], data } };
}

const startsWith = (bytes: Uint8Array, text: string): boolean =>
  bytes.length >= text.length && [...text].every((character, i) => bytes[i] === character.charCodeAt(0));

/**
 * The sound in a FLAC file. It needs the package `@wasm-audio-decoders/flac`.
 *
 * @param name for errors
 * @throws FormatError for what is no FLAC file, or a damaged one; PlatformError where the package is missing
 * @example
 * // not run: needs a file
 * const sound = await decodeFlac(new Uint8Array(await (await fetch("https://example.org/tone.flac")).arrayBuffer()));
 */
export async function decodeFlac(
  bytes: Uint8Array,
  options: DecodeOptions = {},
  name = "the given bytes",
): Promise<Sound> {
  checkOptions("decodeFlac", options, ["maxSamples"]);
  if (!startsWith(bytes, "fLaC"))
    throw new FormatError(`${name} is no FLAC file: it does not begin with fLaC`);
  const load = (): Promise<typeof import("@wasm-audio-decoders/flac")> => import("@wasm-audio-decoders/flac");
  const { FLACDecoder } = await optionalPackage("@wasm-audio-decoders/flac", "reading FLAC", load);
  return decodeWith(new FLACDecoder(), bytes, name, options, rescaled);
}

/** Where MPEG frames may begin: after an ID3 tag, or with eleven bits of ones and a layer that there is. */
const isMpeg = (bytes: Uint8Array): boolean =>
  startsWith(bytes, "ID3") || (bytes[0] === 0xff && (bytes[1]! & 0xe0) === 0xe0 && (bytes[1]! & 0x06) !== 0);

/**
 * The sound in an MP3 file (MPEG layers I to III), without the silence that encoders add where the file tells how much it is. It needs the package
 * `mpg123-decoder`.
 *
 * @param name for errors
 * @throws FormatError for what is no MPEG sound, or a damaged one; PlatformError where the package is missing
 * @example
 * // not run: needs a file
 * const sound = await decodeMp3(new Uint8Array(await (await fetch("https://example.org/tone.mp3")).arrayBuffer()));
 */
export async function decodeMp3(
  bytes: Uint8Array,
  options: DecodeOptions = {},
  name = "the given bytes",
): Promise<Sound> {
  checkOptions("decodeMp3", options, ["maxSamples"]);
  if (!isMpeg(bytes))
    throw new FormatError(`${name} is no MP3 file: it begins with neither a frame nor an ID3 tag`);
  const load = (): Promise<typeof import("mpg123-decoder")> => import("mpg123-decoder");
  const { MPEGDecoder } = await optionalPackage("mpg123-decoder", "reading MP3", load);
  const isMono = isMonoMpeg(bytes);
  return decodeWith(new MPEGDecoder(), bytes, name, options, (part) =>
    isMono ? { ...part, channelData: part.channelData.slice(0, 1) } : part,
  );
}

/**
 * The sound in a file, by what it holds: WAV, FLAC or MP3.
 *
 * @throws FileError; FormatError for any other file; PlatformError where the package for FLAC or MP3 is missing
 * @example
 * const samples = { dtype: "f32", shape: [1, 2], data: Float32Array.of(0, 1) } as const;
 * await writeWav("beep.wav", { sampleRate: 8000, samples } as never);
 * (await readSound("beep.wav")).samples.shape; // [1, 2]
 */
export async function readSound(path: string, options: DecodeOptions = {}): Promise<Sound> {
  checkOptions("readSound", options, ["maxSamples"]);
  const bytes = await readFile(path);
  const name = `"${path}"`;
  if (startsWith(bytes, "RIFF")) return decodeWav(bytes, name);
  if (startsWith(bytes, "fLaC")) return decodeFlac(bytes, options, name);
  if (isMpeg(bytes)) return decodeMp3(bytes, options, name);
  throw new FormatError(`${name} is no sound that is read here: WAV, FLAC and MP3 are`);
}
