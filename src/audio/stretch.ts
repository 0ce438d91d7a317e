/**
 * Longer or shorter at the same pitch, and higher or lower in the same time, by a phase vocoder. Flanagan and Golden, "Phase vocoder", 1966;
 * Laroche and Dolson, "Improved phase vocoder time-scale modification of audio", 1999; figures are torchaudio's.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { Complex } from "../fft/index.ts";
import { concat, type Tensor, tensor } from "../tensor/index.ts";
import { resample } from "./resample.ts";
import { istft, type StftOptions, stft } from "./stft.ts";
import { checkSound, type Sound } from "./wav.ts";

function checkRate(what: string, rate: number): void {
  if (Number.isFinite(rate) && rate > 0) return;
  throw new ArgumentError(`${what}: a rate is a number above 0 (2 plays twice as fast), got ${rate}`);
}

/**
 * The spectrum of a sound played `rate` times as fast at the same pitch: magnitudes are interpolated between frames, phases go on as fast as they
 * did. With gradients.
 *
 * Shapes: (…, bins, frames) → (…, bins, ⌈frames / rate⌉).
 *
 * @param hop that `stft` had
 * @throws ArgumentError for a rate that is not above 0; ShapeError for fewer than two axes
 * @example phaseVocoder(stft(zeros([800]), { fftSize: 64, hop: 16 }), 2, 16).real.shape // [33, 26]
 */
export function phaseVocoder(spectrum: Complex, rate: number, hop: number): Complex {
  checkRate("phaseVocoder", rate);
  const shape = spectrum.real.shape as readonly number[];
  if (shape.length < 2) throw new ShapeError("phaseVocoder: expects (…, bins, frames)");
  if (rate === 1) return spectrum;
  const time = shape.length - 1;
  const [bins, frames] = shape.slice(-2) as [number, number];
  const places = Float64Array.from({ length: Math.ceil(frames / rate) }, (_, i) => i * rate);
  const before = Int32Array.from(places, Math.floor);
  const share = tensor(Float32Array.from(places, (place) => place - Math.floor(place)));
  const around = Array.from({ length: shape.length }, (_, axis) => [0, axis === time ? 2 : 0] as const);
  const frame = (part: Tensor, offset: number): Tensor =>
    (part.pad(around as never) as Tensor).gather(
      before.map((at) => at + offset) as never,
      time as never,
    ) as Tensor;
  const [real0, real1] = [frame(spectrum.real, 0), frame(spectrum.real, 1)];
  const [imaginary0, imaginary1] = [frame(spectrum.imaginary, 0), frame(spectrum.imaginary, 1)];
  const turn = 2 * Math.PI;
  // Only what is left of whole turns matters, and small sums keep more digits.
  const expected = Float64Array.from({ length: bins }, (_, bin) => {
    const advance = bins > 1 ? (Math.PI * hop * bin) / (bins - 1) : 0;
    return advance - turn * Math.round(advance / turn);
  });
  const advance = tensor(Float32Array.from(expected), { shape: [bins, 1] }) as Tensor;
  const wrapped = (x: Tensor): Tensor => x.sub(x.div(turn).round().mul(turn)) as Tensor;
  const angle0 = imaginary0.atan2(real0) as Tensor;
  const step = wrapped((imaginary1.atan2(real1) as Tensor).sub(angle0).sub(advance) as Tensor).add(
    advance,
  ) as Tensor;
  const count = places.length;
  const phases = concat([angle0.slice(time, 0, 1), step.slice(time, 0, count - 1)], time).cumsum(
    time as never,
  ) as Tensor;
  const magnitude = (real: Tensor, imaginary: Tensor): Tensor =>
    real.square().add(imaginary.square()).sqrt() as Tensor;
  const [norm0, norm1] = [magnitude(real0, imaginary0), magnitude(real1, imaginary1)];
  const norm = norm0.add(norm1.sub(norm0).mul(share)) as Tensor;
  return {
    real: norm.mul(phases.cos()) as Tensor,
    imaginary: norm.mul(phases.sin()) as Tensor,
  };
}

/**
 * A sound played `rate` times as fast at the same pitch, with gradients.
 *
 * Shapes: (…, length) → (…, round(length / rate)).
 *
 * @param options of the transforms; a `fftSize` of 512 and a `hop` of a quarter of it unless told otherwise
 * @throws ArgumentError for a rate that is not above 0, ShapeError for a signal shorter than half a frame
 * @example timeStretch(zeros([2, 4000]), 1.25).shape // [2, 3200]
 */
export function timeStretch(x: Tensor, rate: number, options: Omit<StftOptions, "center"> = {}): Tensor {
  checkRate("timeStretch", rate);
  checkOptions("timeStretch", options, ["fftSize", "hop", "window", "windowSize"]);
  const { fftSize = 512, hop = Math.max(1, Math.floor(fftSize / 4)) } = options;
  const whole = { ...options, fftSize, hop };
  const length = (x.shape as readonly number[]).at(-1) ?? 0;
  const stretched = phaseVocoder(stft(x, whole), rate, hop);
  return istft(stretched, { ...whole, length: Math.round(length / rate) });
}

/**
 * The same sound some steps higher (or lower, below 0), as long as before: stretched, then played faster.
 *
 * @param steps half tones, unless `stepsPerOctave` is another number than 12; fractions too
 * @throws ArgumentError as `timeStretch`
 * @example
 * const sound = { sampleRate: 8000, samples: { dtype: "f32", shape: [1, 4000], data: new Float32Array(4000) } } as const;
 * (await pitchShift(sound as never, 4)).samples.shape; // [1, 4000]
 */
export async function pitchShift(
  sound: Sound,
  steps: number,
  options: Omit<StftOptions, "center"> & { readonly stepsPerOctave?: number } = {},
): Promise<Sound> {
  checkSound("pitchShift", sound);
  const { stepsPerOctave = 12, ...transforms } = options;
  if (!Number.isFinite(steps) || !(stepsPerOctave > 0)) {
    throw new ArgumentError(
      `pitchShift: steps must be a number, got ${steps} of ${stepsPerOctave} in an octave`,
    );
  }
  const rate = 2 ** (-steps / stepsPerOctave);
  const [channels, length] = sound.samples.shape;
  const stretched = timeStretch(tensor(sound.samples) as Tensor, rate, transforms);
  const samples = (await stretched.toHost()) as Sound["samples"];
  const faster = resample({ sampleRate: Math.floor(sound.sampleRate / rate), samples }, sound.sampleRate);
  const data = new Float32Array(channels * length);
  const [, made] = faster.samples.shape;
  for (let channel = 0; channel < channels; channel++) {
    const own = faster.samples.data.subarray(channel * made, channel * made + Math.min(made, length));
    data.set(own, channel * length);
  }
  return { sampleRate: sound.sampleRate, samples: { dtype: "f32", shape: [channels, length], data } };
}
