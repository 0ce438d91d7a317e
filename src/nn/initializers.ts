/**
 * First values of parameters, drawn on the host from an explicit key: the same key, the same weights, on every machine.
 *
 * Linear's default is Keras's: `glorotUniform` weights, `zeros` biases. PyTorch's own default for `nn.Linear`, U(±1/√fanIn)
 * for both, is `fanInUniform`: `new Linear(784, 64, { weightInit: fanInUniform(), biasInit: fanInUniform() })`.
 */
import { ArgumentError } from "../base/errors.ts";
import { fillNormal, fillUniform, fold, permutation, type RandomKey } from "../base/random.ts";

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

/**
 * All elements `value`.
 *
 * @example new Linear(2, 1, { weightInit: constant(0.5) }).weight; // [[0.5, 0.5]]
 */
export const constant =
  (value: number): Initializer =>
  ({ shape }) =>
    new Float32Array(countOf(shape)).fill(value);

/**
 * All elements 0.
 *
 * @example new Linear(2, 1, { weightInit: zeros() }).weight; // [[0, 0]]
 */
export const zeros = (): Initializer => constant(0);
/**
 * All elements 1.
 *
 * @example new Linear(2, 1, { weightInit: ones() }).weight; // [[1, 1]]
 */
export const ones = (): Initializer => constant(1);

/**
 * U[low, high).
 *
 * @example new Linear(64, 10, { weightInit: uniform(-0.1, 0.1) });
 */
export const uniform =
  (low: number, high: number): Initializer =>
  ({ shape, key }) => {
    const out = new Float32Array(countOf(shape));
    fillUniform(key, out, low, high);
    return out;
  };

/**
 * N(mean, standardDeviation²).
 *
 * @example new Linear(64, 10, { weightInit: normal(0, 0.02) });
 */
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
 *
 * @example new Linear(64, 10, { weightInit: glorotUniform() });
 */
export const glorotUniform = ({ gain = 1 }: { gain?: number } = {}): Initializer =>
  scaledUniform(({ fanIn, fanOut }) => (gain * gain * 2) / (fanIn + fanOut));

/**
 * N(0, gain²·2 / (fanIn + fanOut)): see {@link glorotUniform}. Not truncated (as in PyTorch; Keras cuts at 2 deviations).
 *
 * @example new Linear(64, 10, { weightInit: glorotNormal() });
 */
export const glorotNormal = ({ gain = 1 }: { gain?: number } = {}): Initializer =>
  scaledNormal(({ fanIn, fanOut }) => (gain * gain * 2) / (fanIn + fanOut));

/**
 * U(±√(6 / ((1 + a²)·fanIn))) with a the negative slope of a leaky ReLU (0 for ReLU): keeps the variance of activations
 * through it. He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015.
 *
 * @example new Linear(64, 10, { weightInit: heUniform() });
 */
export const heUniform = ({ negativeSlope = 0 }: { negativeSlope?: number } = {}): Initializer =>
  scaledUniform(({ fanIn }) => 2 / ((1 + negativeSlope ** 2) * fanIn));

/**
 * N(0, 2 / ((1 + a²)·fanIn)): see {@link heUniform}.
 *
 * @example new Linear(64, 10, { weightInit: heNormal({ negativeSlope: 0.01 }) });
 */
export const heNormal = ({ negativeSlope = 0 }: { negativeSlope?: number } = {}): Initializer =>
  scaledNormal(({ fanIn }) => 2 / ((1 + negativeSlope ** 2) * fanIn));

/**
 * U(±√(3 / fanIn)). LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998.
 *
 * @example new Linear(64, 10, { weightInit: lecunUniform() });
 */
export const lecunUniform = (): Initializer => scaledUniform(({ fanIn }) => 1 / fanIn);

/**
 * N(0, 1 / fanIn): see {@link lecunUniform}; what self-normalising networks (SELU) need.
 *
 * @example new Linear(64, 10, { weightInit: lecunNormal() });
 */
export const lecunNormal = (): Initializer => scaledNormal(({ fanIn }) => 1 / fanIn);

/**
 * U(±1/√fanIn): the default of PyTorch's `nn.Linear`, for weight and bias.
 *
 * @example new Linear(64, 10, { weightInit: fanInUniform() });
 */
export const fanInUniform = (): Initializer => scaledUniform(({ fanIn }) => 1 / (3 * fanIn));

/**
 * N(mean, standardDeviation²) without what lies outside `low` … `high` (default: two deviations from the mean, as in Keras):
 * draws outside are drawn again.
 *
 * @throws ArgumentError when next to nothing lies between the bounds
 * @example new Linear(64, 10, { weightInit: truncatedNormal({ standardDeviation: 0.02 }) });
 */
export const truncatedNormal =
  ({
    mean = 0,
    standardDeviation = 1,
    low = mean - 2 * standardDeviation,
    high = mean + 2 * standardDeviation,
  }: {
    mean?: number;
    standardDeviation?: number;
    low?: number;
    high?: number;
  } = {}): Initializer =>
  ({ shape, key }) => {
    const out = new Float32Array(countOf(shape));
    const draws = new Float32Array(Math.max(out.length, 64));
    for (let filled = 0, round = 0; filled < out.length; round++) {
      if (round === mostRounds)
        throw new ArgumentError(
          `truncatedNormal: hardly any draw of N(${mean}, ${standardDeviation}²) lies from ${low} to ${high}; widen the bounds`,
        );
      fillNormal(fold(key, round), draws, mean, standardDeviation);
      for (const value of draws) {
        if (value >= low && value <= high && filled < out.length) out[filled++] = value;
      }
    }
    return out;
  };

/** Bounds that keep one draw in a thousand are met long before. */
const mostRounds = 20_000;

/**
 * A matrix (shape[0], the rest) with orthonormal rows or columns, whichever are fewer, times gain; distributed evenly over all
 * such matrices. Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
 * networks", ICLR 2014.
 *
 * @throws ArgumentError for fewer than two axes
 * @example new Linear(64, 10, { weightInit: orthogonal() });
 */
export const orthogonal =
  ({ gain = 1 }: { gain?: number } = {}): Initializer =>
  ({ shape, key }) => {
    const [rows, columns] = matrixSizes("orthogonal", shape);
    const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
    const draws = new Float32Array(count * length);
    fillNormal(key, draws);
    const vectors = Array.from({ length: count }, (_, i) =>
      Float64Array.from(draws.subarray(i * length, (i + 1) * length)),
    );
    vectors.forEach((vector, i) => {
      orthonormalize(vector, vectors.slice(0, i));
    });
    const at = (row: number, column: number): number =>
      rows <= columns ? vectors[row]![column]! : vectors[column]![row]!;
    return Float32Array.from(
      { length: rows * columns },
      (_, i) => gain * at(Math.floor(i / columns), i % columns),
    );
  };

/** Gram and Schmidt, twice: once is not enough for vectors that nearly depend on each other. */
function orthonormalize(vector: Float64Array, before: readonly Float64Array[]): void {
  for (let pass = 0; pass < 2; pass++) {
    for (const other of before) {
      const share = vector.reduce((sum, x, i) => sum + x * other[i]!, 0);
      for (let i = 0; i < vector.length; i++) vector[i]! -= share * other[i]!;
    }
    const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
    for (let i = 0; i < vector.length; i++) vector[i]! /= length;
  }
}

/**
 * N(0, standardDeviation²) with a share `sparsity` of each column zero. Martens, "Deep learning via Hessian-free
 * optimization", ICML 2010.
 *
 * @throws ArgumentError unless 0 ≤ sparsity ≤ 1, or for other than two axes
 * @example new Linear(64, 10, { weightInit: sparse({ sparsity: 0.5 }) });
 */
export const sparse =
  ({ sparsity, standardDeviation = 0.01 }: { sparsity: number; standardDeviation?: number }): Initializer =>
  ({ shape, key }) => {
    const [rows, columns] = matrixSizes("sparse", shape);
    if (!(sparsity >= 0 && sparsity <= 1))
      throw new ArgumentError(`sparse: the share of zeros must be from 0 to 1, got ${sparsity}`);
    const out = new Float32Array(rows * columns);
    fillNormal(fold(key, 0), out, 0, standardDeviation);
    const zeroCount = Math.ceil(sparsity * rows);
    for (let column = 0; column < columns; column++) {
      const order = permutation(fold(key, column + 1), rows);
      for (const row of order.subarray(0, zeroCount)) out[row * columns + column] = 0;
    }
    return out;
  };

/**
 * gain on the diagonal of a matrix, 0 elsewhere: the layer begins as x itself.
 *
 * @throws ArgumentError for other than two axes
 * @example new Linear(2, 2, { weightInit: identity() }).weight; // [[1, 0], [0, 1]]
 */
export const identity =
  ({ gain = 1 }: { gain?: number } = {}): Initializer =>
  ({ shape }) => {
    const [rows, columns] = matrixSizes("identity", shape);
    const out = new Float32Array(rows * columns);
    for (let i = 0; i < Math.min(rows, columns); i++) out[i * columns + i] = gain;
    return out;
  };

function matrixSizes(what: string, shape: readonly number[]): [rows: number, columns: number] {
  const [rows, ...rest] = shape;
  if (rows !== undefined && (rest.length === 1 || (what === "orthogonal" && rest.length > 1)))
    return [rows, countOf(rest)];
  throw new ArgumentError(
    `${what}: fills matrices, got a shape of ${shape.length} axes: (${shape.join(", ")})`,
  );
}

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
