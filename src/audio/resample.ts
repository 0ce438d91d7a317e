/** Sounds at another sample rate. Smith, "Digital audio resampling", 2002: interpolation by windowed sinc functions; figures are torchaudio's. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { checkSound, type Sound } from "./wav.ts";

export interface ResampleOptions {
  /** Zeros of the sinc on each side; default 6. More: sharper, slower. */
  readonly width?: number;
  /** Where the low pass begins, as a share of half the lower rate; default 0.99. */
  readonly rolloff?: number;
}

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b);

/** What a sample of the result is made of: some samples of the source, from `offset` on. */
interface Filter {
  readonly offset: number;
  readonly taps: Float64Array;
}

interface Filters {
  readonly down: number;
  /** One for each place that a sample of the result can have between two of the source. */
  readonly phases: readonly Filter[];
}

function filtersOf(from: number, to: number, width: number, rolloff: number): Filters {
  const divisor = greatestCommonDivisor(from, to);
  const [down, up] = [from / divisor, to / divisor];
  const base = Math.min(down, up) * rolloff;
  const phases = Array.from({ length: up }, (_, phase): Filter => {
    // Outside of ±width the window is 0.
    const first = Math.ceil((phase / up - width / base) * down);
    const last = Math.floor((phase / up + width / base) * down);
    const taps = Float64Array.from({ length: last - first + 1 }, (_, i) => {
      const t = Math.max(-width, Math.min(width, ((first + i) / down - phase / up) * base));
      const window = Math.cos((t * Math.PI) / width / 2) ** 2;
      const sinc = t === 0 ? 1 : Math.sin(t * Math.PI) / (t * Math.PI);
      return sinc * window * (base / down);
    });
    return { offset: first, taps };
  });
  return { down, phases };
}

/**
 * The same sound with another number of samples a second, ⌈length·to/from⌉ of them.
 *
 * @throws ArgumentError for rates that are no positive integers
 * @example
 * const sound = { sampleRate: 8000, samples: { dtype: "f32", shape: [1, 100], data: new Float32Array(100) } } as const;
 * resample(sound as never, 16000).samples.shape; // [1, 200]
 */
export function resample(sound: Sound, sampleRate: number, options: ResampleOptions = {}): Sound {
  checkOptions("resample", options, ["width", "rolloff"]);
  checkSound("resample", sound);
  const { width = 6, rolloff = 0.99 } = options;
  for (const rate of [sound.sampleRate, sampleRate])
    if (!Number.isInteger(rate) || rate < 1)
      throw new ArgumentError(`resample: sample rates must be positive integers, got ${rate}`);
  if (!(width > 0 && rolloff > 0 && rolloff <= 1))
    throw new ArgumentError(`resample: width ${width} must be above 0, rolloff ${rolloff} in 0 … 1`);
  if (sampleRate === sound.sampleRate) return sound;
  const { down, phases } = filtersOf(sound.sampleRate, sampleRate, width, rolloff);
  const [channels, length] = sound.samples.shape;
  const count = Math.ceil((length * phases.length) / down);
  const data = new Float32Array(channels * count);
  for (let channel = 0; channel < channels; channel++) {
    const samples = sound.samples.data.subarray(channel * length, (channel + 1) * length);
    for (let i = 0; i < count; i++) {
      const { offset, taps } = phases[i % phases.length]!;
      const first = Math.floor(i / phases.length) * down + offset;
      let sum = 0;
      for (let k = Math.max(0, -first); k < Math.min(taps.length, length - first); k++)
        sum += taps[k]! * samples[first + k]!;
      data[channel * count + i] = sum;
    }
  }
  return { sampleRate, samples: { dtype: "f32", shape: [channels, count], data } };
}
