/** Which frequencies a sound has when. Allen and Rabiner, "A unified approach to short-time Fourier analysis and synthesis", 1977. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type Complex, irfft, rfft } from "../fft/index.ts";
import { foldWindows, windows } from "../ops/index.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";

/** Weights of a frame's samples. */
export type WindowName = "hann" | "hamming" | "blackman" | "rectangular";

/** The cosines of each window's weights. */
const cosines: Readonly<Record<WindowName, readonly number[]>> = {
  hann: [0.5, -0.5],
  hamming: [0.54, -0.46],
  blackman: [0.42, -0.5, 0.08],
  rectangular: [1],
};

/**
 * A window's weights, (size): periodic, as transforms want them.
 *
 * @throws ArgumentError for an unknown name or a size that is no positive integer
 * @example windowWeights("hann", 4) // Float64Array [0, 0.5, 1, 0.5]
 */
export function windowWeights(name: WindowName, size: number): Float64Array {
  const terms = cosines[name];
  if (terms === undefined)
    throw new ArgumentError(`window "${name as string}" is unknown; use ${Object.keys(cosines).join(", ")}`);
  if (!Number.isInteger(size) || size < 1)
    throw new ArgumentError(`a window's size must be a positive integer, got ${size}`);
  return Float64Array.from({ length: size }, (_, i) =>
    terms.reduce((sum, weight, k) => sum + weight * Math.cos((2 * Math.PI * k * i) / size), 0),
  );
}

export interface StftOptions {
  /** Samples of a transform; default 400. */
  readonly fftSize?: number;
  /** Samples from one frame to the next; default half of `fftSize`. */
  readonly hop?: number;
  /** Default "hann". */
  readonly window?: WindowName;
  /** Samples that the window spans, in the middle of the transform's; default `fftSize`. */
  readonly windowSize?: number;
  /** Default true: frame t is centred at sample t·hop, the signal reflected at its ends. False: it begins there. */
  readonly center?: boolean;
}

interface Frames {
  readonly fftSize: number;
  readonly hop: number;
  readonly center: boolean;
  /** (fftSize), with zeros around the window. */
  readonly weights: Float64Array;
}

function framesOf(what: string, options: StftOptions): Frames {
  checkOptions(what, options, ["fftSize", "hop", "window", "windowSize", "center"]);
  const { fftSize = 400, window = "hann", center = true } = options;
  const { hop = Math.floor(fftSize / 2), windowSize = fftSize } = options;
  for (const [name, value] of Object.entries({ fftSize, hop, windowSize }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`${what}: ${name} must be a positive integer, got ${value}`);
  if (windowSize > fftSize)
    throw new ArgumentError(
      `${what}: a window of ${windowSize} samples does not fit into a transform of ${fftSize}`,
    );
  const weights = new Float64Array(fftSize);
  weights.set(windowWeights(window, windowSize), Math.floor((fftSize - windowSize) / 2));
  return { fftSize, hop, center, weights };
}

/**
 * The short-time Fourier transform, with gradients: a transform of each frame.
 *
 * Shapes: (…, length) → (…, ⌊fftSize/2⌋ + 1, frames), as in torch.stft; frames are ⌊length/hop⌋ + 1 with `center`.
 *
 * @throws ShapeError for a signal shorter than a frame, ArgumentError for options out of range
 * @example stft(zeros([2, 800]), { fftSize: 400, hop: 200 }).real.shape // [2, 201, 5]
 */
export function stft(x: Tensor, options: StftOptions = {}): Complex {
  const { fftSize, hop, center, weights } = framesOf("stft", options);
  const half = Math.floor(fftSize / 2);
  const rank = (x.shape as readonly number[]).length;
  const length = (x.shape as readonly number[])[rank - 1]!;
  if (rank < 1 || length < (center ? half + 1 : fftSize))
    throw new ShapeError(
      `stft: ${length ?? 0} samples are less than ${center ? `${half + 1}, which reflecting at the ends needs` : `a frame of ${fftSize}`}`,
    );
  const around = [...Array.from({ length: rank - 1 }, () => [0, 0] as const), [half, half] as const];
  const whole = center ? (x.pad(around as never, { mode: "reflect" }) as Tensor) : x;
  const frames = fromNode(
    windows(nodeOf(whole), { axes: [rank - 1], sizes: [fftSize], strides: [hop] }),
  ) as Tensor;
  const { real, imaginary } = rfft(frames.mul(tensor(Float32Array.from(weights)))); // (…, frames, bins)
  const turned = (part: Tensor): Tensor => part.transpose(-1, -2) as Tensor;
  return { real: turned(real), imaginary: turned(imaginary) };
}

/**
 * The signal whose `stft` with the same options comes nearest: frames added where they overlap, by the sum of the squared windows.
 *
 * Shapes: (…, ⌊fftSize/2⌋ + 1, frames) → (…, length).
 *
 * @param length of the result; (frames − 1)·hop with `center`, else what frames span, when left out
 * @throws ShapeError when bins do not fit `fftSize`; ArgumentError where some samples lie in no window
 * @example
 * const x = random.normal(1, [400]);
 * const back = istft(stft(x, { fftSize: 64, hop: 16 }), { fftSize: 64, hop: 16 });
 * (await back.sub(x).abs().max().item()) < 1e-5; // true
 */
export function istft(spectrum: Complex, options: StftOptions & { readonly length?: number } = {}): Tensor {
  const { length: wanted, ...rest } = options;
  const { fftSize, hop, center, weights } = framesOf("istft", rest);
  const shape = spectrum.real.shape as readonly number[];
  const [bins, count] = shape.slice(-2) as [number, number];
  if (shape.length < 2 || bins !== Math.floor(fftSize / 2) + 1)
    throw new ShapeError(
      `istft: ${bins} bins, transforms of ${fftSize} have ${Math.floor(fftSize / 2) + 1}; give the fftSize of stft`,
    );
  const turned = (part: Tensor): Tensor => part.transpose(-1, -2) as Tensor;
  const frames = irfft(
    { real: turned(spectrum.real), imaginary: turned(spectrum.imaginary) },
    { n: fftSize },
  ).mul(tensor(Float32Array.from(weights))) as Tensor; // (…, frames, fftSize)
  const span = (count - 1) * hop + fftSize;
  const lead = shape.slice(0, -2);
  const added = fromNode(
    foldWindows(nodeOf(frames), [...lead, span], { axes: [lead.length], sizes: [fftSize], strides: [hop] }),
  ) as Tensor;
  const from = center ? Math.floor(fftSize / 2) : 0;
  const length = wanted ?? (center ? (count - 1) * hop : span);
  const envelope = envelopeOf({ weights, hop, count, from, length });
  return added.slice(-1, from, from + length).mul(tensor(envelope)) as Tensor;
}

/** 1 / Σ window² at each sample of the result. */
function envelopeOf({
  weights,
  hop,
  count,
  from,
  length,
}: {
  readonly weights: Float64Array;
  readonly hop: number;
  readonly count: number;
  readonly from: number;
  readonly length: number;
}): Float32Array {
  const sums = new Float64Array((count - 1) * hop + weights.length);
  for (let frame = 0; frame < count; frame++)
    for (const [i, weight] of weights.entries()) sums[frame * hop + i]! += weight ** 2;
  const seen = sums.subarray(from, from + length);
  const hole = seen.findIndex((sum) => sum < 1e-11);
  if (hole >= 0 || seen.length < length)
    throw new ArgumentError(
      `istft: sample ${hole >= 0 ? hole : seen.length} of ${length} lies in no window; use a smaller hop or length, or center`,
    );
  return Float32Array.from(seen, (sum) => 1 / sum);
}
