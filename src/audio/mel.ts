/** Spectra as ears hear them: mel bands and cepstra. Stevens, Volkmann and Newman, 1937; Davis and Mermelstein, 1980. Figures are torchaudio's. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { type StftOptions, stft } from "./stft.ts";

export interface MelOptions {
  /** Samples a second; default 16,000. */
  readonly sampleRate?: number;
  /** Bands; default 128. */
  readonly bands?: number;
  /** Lowest frequency in hertz; default 0. */
  readonly low?: number;
  /** Highest frequency in hertz; default half of the sample rate. */
  readonly high?: number;
  /** Default "htk": 2595·log₁₀(1 + f/700). "slaney": linear below 1000 Hz, as in librosa. */
  readonly scale?: "htk" | "slaney";
  /** Default null: triangles of height 1. "slaney": of area 1. */
  readonly norm?: "slaney" | null;
}

const melNames = ["sampleRate", "bands", "low", "high", "scale", "norm"] as const;

/** Hertz to mel and back. */
const scales = {
  htk: {
    mel: (f: number): number => 2595 * Math.log10(1 + f / 700),
    hertz: (m: number): number => 700 * (10 ** (m / 2595) - 1),
  },
  slaney: {
    mel: (f: number): number => (f < 1000 ? (3 * f) / 200 : 15 + (27 * Math.log(f / 1000)) / Math.log(6.4)),
    hertz: (m: number): number => (m < 15 ? (200 * m) / 3 : 1000 * Math.exp(((m - 15) * Math.log(6.4)) / 27)),
  },
} as const;

/**
 * Weights of a spectrum's bins in each mel band, triangles side by side: row-major (bands, bins).
 *
 * @param bins of a transform: ⌊fftSize/2⌋ + 1
 * @throws ArgumentError for options out of range
 * @example melFilters(201, { bands: 40 }).length // 40 · 201 = 8040
 */
export function melFilters(bins: number, options: MelOptions = {}): Float32Array {
  checkOptions("melFilters", options, melNames);
  const { sampleRate = 16_000, bands = 128, low = 0, scale = "htk", norm = null } = options;
  const { high = sampleRate / 2 } = options;
  if (scales[scale] === undefined)
    throw new ArgumentError(`melFilters: scale "${scale as string}" is unknown; use "htk" or "slaney"`);
  for (const [name, value] of Object.entries({ bins, bands }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`melFilters: ${name} must be a positive integer, got ${value}`);
  if (!(low >= 0 && low < high && high <= sampleRate / 2))
    throw new ArgumentError(
      `melFilters: from ${low} to ${high} Hz is no range within 0 … ${sampleRate / 2} Hz, half of the sample rate`,
    );
  const { mel, hertz } = scales[scale];
  const [from, to] = [mel(low), mel(high)];
  const corners = Array.from({ length: bands + 2 }, (_, i) => hertz(from + ((to - from) * i) / (bands + 1)));
  const weights = new Float32Array(bands * bins);
  for (let band = 0; band < bands; band++) {
    const [start, peak, end] = corners.slice(band, band + 3) as [number, number, number];
    const height = norm === "slaney" ? 2 / (end - start) : 1;
    for (let bin = 0; bin < bins; bin++) {
      const f = bins === 1 ? 0 : (bin * sampleRate) / 2 / (bins - 1);
      const value = Math.min((f - start) / (peak - start), (end - f) / (end - peak));
      weights[band * bins + bin] = height * Math.max(0, value);
    }
  }
  return weights;
}

export type MelSpectrogramOptions = StftOptions & MelOptions;

function parted(options: MelSpectrogramOptions): { frames: StftOptions; bands: MelOptions } {
  const { fftSize, hop, window, windowSize, center, ...bands } = options;
  return { frames: { fftSize, hop, window, windowSize, center }, bands };
}

/**
 * The power of each mel band in each frame, with gradients.
 *
 * Shapes: (…, length) → (…, bands, frames).
 *
 * @throws as `stft` and `melFilters`
 * @example melSpectrogram(zeros([1, 16000]), { bands: 80 }).shape // [1, 80, 81]
 */
export function melSpectrogram(x: Tensor, options: MelSpectrogramOptions = {}): Tensor {
  const { frames, bands } = parted(options);
  const { real, imaginary } = stft(x, frames);
  const power = real.square().add(imaginary.square()) as Tensor; // (…, bins, frames)
  const bins = (power.shape as readonly number[]).at(-2)!;
  const filters = melFilters(bins, bands);
  return tensor(filters, { shape: [filters.length / bins, bins] }).matmul(power) as Tensor;
}

/**
 * Power in decibels: 10·log₁₀(max(x, floor)), and with `range` nothing more than so many below the loudest element.
 *
 * @example powerToDecibels(tensor([1, 100, 0]), { floor: 1e-3 }) // [0, 20, -30]
 */
export function powerToDecibels(
  x: Tensor,
  options: { readonly floor?: number; readonly range?: number } = {},
): Tensor {
  checkOptions("powerToDecibels", options, ["floor", "range"]);
  const { floor = 1e-10, range } = options;
  const decibels = x.maximum(floor).log10().mul(10) as Tensor;
  return range === undefined ? decibels : (decibels.maximum(decibels.max().sub(range) as Tensor) as Tensor);
}

export type MfccOptions = MelSpectrogramOptions & {
  /** Coefficients; default 40. */
  readonly coefficients?: number;
};

/**
 * Mel-frequency cepstral coefficients: the cosine transform (II, orthonormal) of the bands' decibels, 80 below the loudest at least.
 *
 * Shapes: (…, length) → (…, coefficients, frames).
 *
 * @throws ArgumentError for more coefficients than bands, and as `melSpectrogram`
 * @example mfcc(random.normal(1, [1, 4000]), { coefficients: 13 }).shape // [1, 13, 21]
 */
export function mfcc(x: Tensor, options: MfccOptions = {}): Tensor {
  const { coefficients = 40, ...rest } = options;
  const { bands = 128 } = rest;
  if (!Number.isInteger(coefficients) || coefficients < 1 || coefficients > bands)
    throw new ArgumentError(
      `mfcc: coefficients must be an integer of 1 … ${bands}, the bands; got ${coefficients}`,
    );
  const decibels = powerToDecibels(melSpectrogram(x, rest), { range: 80 }); // (…, bands, frames)
  const cosine = Float32Array.from({ length: coefficients * bands }, (_, at) => {
    const [k, n] = [Math.floor(at / bands), at % bands];
    return Math.cos((Math.PI / bands) * (n + 0.5) * k) * Math.sqrt((k === 0 ? 1 : 2) / bands);
  });
  return tensor(cosine, { shape: [coefficients, bands] }).matmul(decibels) as Tensor;
}
