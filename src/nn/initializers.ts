/**
 * First values of parameters, drawn on the host from an explicit key: the same key, the same weights, on every machine.
 *
 * Linear's default is Keras's: `glorotUniform` weights, `zeros` biases. PyTorch's own default for `nn.Linear`, U(±1/√fanIn)
 * for both, is `fanInUniform`: `new Linear(784, 64, { weightInit: fanInUniform(), biasInit: fanInUniform() })`.
 */
import { ArgumentError } from "../base/errors.ts";
import { fillNormal, fillUniform, type RandomKey } from "../base/random.ts";

/** What an initializer is told about the parameter it fills. */
export interface InitializerRequest {
  readonly shape: readonly number[];
  /** Inputs that feed one output, and outputs that one input feeds: for a bias, those of its layer. */
  readonly fanIn: number;
  readonly fanOut: number;
  readonly key: RandomKey;
}

/** Makes the f32 elements of a parameter, row-major. */
export type Initializer = (request: InitializerRequest) => Float32Array;

/**
 * Fan-in and fan-out of a weight of shape (out, in, …kernel), PyTorch's and Hugging Face's layout: sizes of the kernel
 * multiply both. Vectors and scalars count as their number of elements.
 *
 * @example
 * fansOf([64, 784]);       // { fanIn: 784, fanOut: 64 }
 * fansOf([8, 3, 5, 5]);    // { fanIn: 75, fanOut: 200 }
 */
export function fansOf(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const [out = 1, into = out, ...kernel] = shape;
  const receptiveField = kernel.reduce((product, size) => product * size, 1);
  return { fanIn: into * receptiveField, fanOut: out * receptiveField };
}

/** All elements `value`. */
export const constant =
  (value: number): Initializer =>
  ({ shape }) =>
    new Float32Array(countOf(shape)).fill(value);

export const zeros = (): Initializer => constant(0);
export const ones = (): Initializer => constant(1);

/** U[low, high). */
export const uniform =
  (low: number, high: number): Initializer =>
  ({ shape, key }) => {
    const out = new Float32Array(countOf(shape));
    fillUniform(key, out, low, high);
    return out;
  };

/** N(mean, standardDeviation²). */
export const normal =
  (mean = 0, standardDeviation = 1): Initializer =>
  ({ shape, key }) => {
    const out = new Float32Array(countOf(shape));
    fillNormal(key, out, mean, standardDeviation);
    return out;
  };

/**
 * U(±gain·√(6 / (fanIn + fanOut))), which keeps the variance of activations and gradients through linear layers alike.
 * Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
 */
export const glorotUniform = ({ gain = 1 }: { gain?: number } = {}): Initializer =>
  scaledUniform(({ fanIn, fanOut }) => (gain * gain * 2) / (fanIn + fanOut));

/** N(0, gain²·2 / (fanIn + fanOut)): see {@link glorotUniform}. Not truncated (as in PyTorch; Keras cuts at 2 deviations). */
export const glorotNormal = ({ gain = 1 }: { gain?: number } = {}): Initializer =>
  scaledNormal(({ fanIn, fanOut }) => (gain * gain * 2) / (fanIn + fanOut));

/**
 * U(±√(6 / ((1 + a²)·fanIn))) with a the negative slope of a leaky ReLU (0 for ReLU): keeps the variance of activations
 * through it. He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015.
 */
export const heUniform = ({ negativeSlope = 0 }: { negativeSlope?: number } = {}): Initializer =>
  scaledUniform(({ fanIn }) => 2 / ((1 + negativeSlope ** 2) * fanIn));

/** N(0, 2 / ((1 + a²)·fanIn)): see {@link heUniform}. */
export const heNormal = ({ negativeSlope = 0 }: { negativeSlope?: number } = {}): Initializer =>
  scaledNormal(({ fanIn }) => 2 / ((1 + negativeSlope ** 2) * fanIn));

/** U(±√(3 / fanIn)). LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998. */
export const lecunUniform = (): Initializer => scaledUniform(({ fanIn }) => 1 / fanIn);

/** N(0, 1 / fanIn): see {@link lecunUniform}; what self-normalising networks (SELU) need. */
export const lecunNormal = (): Initializer => scaledNormal(({ fanIn }) => 1 / fanIn);

/** U(±1/√fanIn): the default of PyTorch's `nn.Linear`, for weight and bias. */
export const fanInUniform = (): Initializer => scaledUniform(({ fanIn }) => 1 / (3 * fanIn));

type Variance = (fans: { fanIn: number; fanOut: number }) => number;

/** A uniform distribution over ±limit has variance limit² / 3. */
const scaledUniform =
  (variance: Variance): Initializer =>
  (request) => {
    const limit = Math.sqrt(3 * variance(checkedFans(request)));
    return uniform(-limit, limit)(request);
  };

const scaledNormal =
  (variance: Variance): Initializer =>
  (request) =>
    normal(0, Math.sqrt(variance(checkedFans(request))))(request);

function checkedFans(request: InitializerRequest): InitializerRequest {
  const { fanIn, fanOut } = request;
  if (fanIn > 0 && fanOut > 0) return request;
  throw new ArgumentError(`initializer: needs fan-in and fan-out above 0, got ${fanIn} and ${fanOut}`);
}

const countOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
