/** Muon: momentum of matrices made orthogonal, so that every direction of a matrix takes a step of one length. */
import { ArgumentError } from "../base/errors.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type AdamOptions, adamStep, type Corrections, checkAdam, corrections, normOf } from "./moments.ts";
import { type Algorithm, Optimizer, type OptimizerFactory } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface MuonOptions extends AdamOptions {
  /** μ, default 0.95. */
  readonly momentum: number;
  /** Default true: looks one step of momentum ahead. */
  readonly nesterov: boolean;
  /** How often Newton and Schulz's polynomial is applied, default 5. */
  readonly iterations: number;
  /** Its coefficients of x, x³ and x⁵, default 3.4445, −4.775 and 2.0315. */
  readonly coefficients: readonly [number, number, number];
  /**
   * "original" (default) multiplies the learning rate by √max(1, rows/columns); "match adamw" by 0.2·√max(rows, columns), so that
   * steps are as long as AdamW's: Liu et al., "Muon is scalable for LLM training", 2025.
   */
  readonly adjust: "original" | "match adamw";
  /** Default "auto": vectors take AdamW's step. "adamw" has a group's matrices take it too: embeddings, the last layer. */
  readonly kind: "auto" | "adamw";
}

type Slot = "momentum" | "firstMoment" | "secondMoment";

const isOrthogonal = ({ kind }: MuonOptions, shape: readonly unknown[]): boolean =>
  kind === "auto" && shape.length >= 2;

const algorithm: Algorithm<MuonOptions, Slot, Corrections> = {
  name: "Muon",
  defaults: {
    ...{ learningRate: 1e-3, weightDecay: 0.1, momentum: 0.95, nesterov: true, iterations: 5 },
    ...{ coefficients: [3.4445, -4.775, 2.0315], adjust: "original", kind: "auto" },
    ...{ betas: [0.9, 0.95], epsilon: 1e-7 },
  },
  check(options) {
    const { momentum, iterations, adjust, kind } = options;
    checkAdam("Muon", options);
    requireRange("Muon", "momentum", momentum, 0, 1);
    if (!(Number.isInteger(iterations) && iterations >= 0 && iterations < 100))
      throw new ArgumentError(`Muon: iterations must be an integer from 0 to 99, got ${iterations}`);
    if (adjust !== "original" && adjust !== "match adamw")
      throw new ArgumentError(`Muon: adjust must be "original" or "match adamw", got "${adjust as string}"`);
    if (kind !== "auto" && kind !== "adamw")
      throw new ArgumentError(`Muon: kind must be "auto" or "adamw", got "${kind as string}"`);
  },
  slots: (options, shape) => (isOrthogonal(options, shape) ? ["momentum"] : ["firstMoment", "secondMoment"]),
  prepare: corrections,
  update(parameter, gradient, slots, shared, options) {
    const { learningRate } = shared;
    const weight = parameter.mul(learningRate.mul(-options.weightDecay).add(1)) as Tensor;
    if (!isOrthogonal(options, parameter.shape)) {
      const { step, moments } = adamStep(gradient, slots as never, shared, { ...options, amsgrad: false });
      return { parameter: weight.sub(step), ...moments } as never;
    }
    const { momentum: keep, nesterov } = options;
    const momentum = slots.momentum.mul(keep).add(gradient.mul(1 - keep)) as Tensor;
    const direction = nesterov ? (gradient.mul(1 - keep).add(momentum.mul(keep)) as Tensor) : momentum;
    const { matrix, rows, columns } = asMatrix(direction);
    const step = orthogonal(matrix, rows > columns, options).reshape(parameter.shape) as Tensor;
    const ratio =
      options.adjust === "original"
        ? Math.sqrt(Math.max(1, rows / columns))
        : 0.2 * Math.sqrt(Math.max(rows, columns));
    return { parameter: weight.sub(step.mul(learningRate.mul(ratio))), momentum };
  },
};

/** Kernels of convolutions as a matrix with a row for each channel that comes out. */
function asMatrix(x: Tensor): { matrix: Tensor; rows: number; columns: number } {
  const [rows, ...rest] = x.shape as readonly number[] as [number, ...number[]];
  const columns = rest.reduce((n, size) => n * size, 1);
  return { matrix: x.reshape([rows, columns]) as Tensor, rows, columns };
}

/** About U·Vᵀ of the singular value decomposition: singular values between 0.7 and 1.2. */
function orthogonal(
  matrix: Tensor,
  isTall: boolean,
  { iterations, coefficients: [a, b, c], epsilon }: MuonOptions,
): Tensor {
  const flat = (isTall ? matrix.transpose() : matrix) as Tensor;
  let x = flat.div(normOf(flat).maximum(epsilon)) as Tensor;
  for (let i = 0; i < iterations; i++) {
    const gram = x.matmul(x.transpose()) as Tensor;
    const polynomial = gram.mul(b).add(gram.matmul(gram).mul(c)) as Tensor;
    x = x.mul(a).add(polynomial.matmul(x)) as Tensor;
  }
  return (isTall ? x.transpose() : x) as Tensor;
}

/**
 * Muon, for the matrices between a network's first and last layer; the momentum B begins at 0.
 *
 *     B = μ·B + (1 − μ)·G          D = (1 − μ)·G + μ·B (nesterov), else B
 *     X = D / ‖D‖, then as often as told  X = a·X + (b·XXᵀ + c·(XXᵀ)²)·X
 *     θ = (1 − lr·λ)·θ − lr·ratio·X
 *
 * Vectors take AdamW's step (betas 0.9 and 0.95), matrices of groups with `kind: "adamw"` too. Kernels of convolutions count as
 * matrices with a row for each output channel. Defaults as PyTorch's: learningRate 1e-3, weightDecay 0.1, momentum 0.95; but all
 * in f32, where PyTorch has bf16 inside. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
 *
 * @example
 * const [hidden, output] = [new Linear(8, 8), new Linear(8, 2)];
 * const optimizer = new Muon([
 *   { parameters: hidden.parameters() },
 *   { parameters: output.parameters(), kind: "adamw" },
 * ]);
 */
export class Muon extends Optimizer<MuonOptions> {
  constructor(parameters: Parameters<MuonOptions>, options: Partial<MuonOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link Muon} as `fit` takes it.
 *
 * @example
 * const optimizer = muon({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const muon =
  (options: Partial<MuonOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new Muon(parameters, options);
