/** L-BFGS: Newton's method with a curvature learnt from the last gradients. For smooth losses of whole data sets. */
import { ArgumentError } from "../base/errors.ts";
import type { Parameter } from "../nn/index.ts";
import type { Arguments } from "../tensor/compile.ts";
import { type Compiled, compile, concat, grad, type Tensor, tensor } from "../tensor/index.ts";
import { strongWolfe, type Trial } from "./line-search.ts";
import { requireRange, withDefaults } from "./options.ts";

export interface LBFGSOptions {
  /** Default 1: the first step that is tried, or the step itself without a line search. */
  readonly learningRate: number;
  /** Directions in one step, default 20. */
  readonly maxIterations: number;
  /** Evaluations of the loss in one step, default 25. */
  readonly maxEvaluations: number;
  /** Default 1e-7: a gradient without an element above it ends the step. */
  readonly toleranceGradient: number;
  /** Default 1e-9: a smaller change of loss or parameters ends the step. */
  readonly toleranceChange: number;
  /** Pairs of differences that are kept, default 100. */
  readonly historySize: number;
  /** Default "strong wolfe", which needs no learning rate. PyTorch's default is none: steps of the learning rate. */
  readonly lineSearch: "strong wolfe" | "none";
}

const defaults: LBFGSOptions = {
  ...{
    learningRate: 1,
    maxIterations: 20,
    maxEvaluations: 25,
    toleranceGradient: 1e-7,
    toleranceChange: 1e-9,
  },
  ...{ historySize: 100, lineSearch: "strong wolfe" },
};

/** Differences of two steps: of gradients y, of parameters s, and 1 / y·s. */
interface Pair {
  readonly y: Float64Array;
  readonly s: Float64Array;
  readonly rho: number;
}

interface Point {
  readonly x: Float64Array;
  readonly loss: number;
  readonly gradient: Float64Array;
}

/**
 * Limited-memory BFGS as PyTorch has it, with a line search. One step takes several directions, and evaluates the loss as often as
 * the line search asks: so it is given the loss as a function, which `compiled` makes into one program for loss and gradient.
 * Evaluations run there; what is between them (dot products over all parameters) is computed in f64 beside it.
 *
 * It keeps `historySize` pairs of vectors of all parameters in memory. They are no part of a checkpoint: a run that goes on begins
 * with the gradient again. Frozen parameters stay. Liu and Nocedal, "On the limited memory BFGS method", 1989.
 *
 * @example
 * const weight = new Parameter([-1, 1]);
 * const optimizer = new LBFGS([weight]);
 * const step = optimizer.compiled(() => {
 *   const [x, y] = weight.unstack();
 *   return x.neg().add(1).square().add(y.sub(x.square()).square().mul(100)); // Rosenbrock's valley
 * });
 * for (let i = 0; i < 3; i++) await step();
 * (await weight.toArray()).map((w: number) => w.toFixed(3)); // ["1.000", "1.000"]
 */
export class LBFGS {
  readonly parameters: readonly Parameter[];
  readonly options: LBFGSOptions;
  readonly #history: Pair[] = [];
  /** Directions taken so far. */
  #iterations = 0;
  #last:
    | { readonly direction: Float64Array; readonly step: number; readonly gradient: Float64Array }
    | undefined;

  constructor(parameters: Iterable<Parameter>, options: Partial<LBFGSOptions> = {}) {
    this.parameters = [...parameters];
    if (this.parameters.length === 0)
      throw new ArgumentError("LBFGS: no parameters; pass model.parameters(), of a model that has some");
    this.options = withDefaults("LBFGS", options, defaults);
    const { lineSearch, ...numbers } = this.options;
    for (const [name, value] of Object.entries(numbers)) requireRange("LBFGS", name, value, 0);
    if (lineSearch !== "strong wolfe" && lineSearch !== "none")
      throw new ArgumentError(
        `LBFGS: lineSearch must be "strong wolfe" or "none", got "${lineSearch as string}"`,
      );
  }

  /**
   * One step of this loss as a function of its inputs, which gives the loss before the step. Loss and gradient are compiled once
   * for each signature of the inputs. Without randomness: evaluations of a step must see one function.
   */
  compiled<A extends readonly any[]>(
    loss: (...inputs: A) => Tensor,
  ): (...inputs: Arguments<A>) => Promise<number> {
    const trained = this.parameters.filter(({ trainable }) => trainable);
    const evaluation = compile((point: Tensor, ...inputs: A) => {
      assignFrom(point, trained);
      const value = loss(...inputs);
      const gradients = grad(value, trained) as Tensor[];
      return [
        value,
        concat(
          gradients.map((g) => g.reshape([-1]).cast("f32")),
          0,
        ),
      ] as readonly [Tensor, Tensor];
    }) as unknown as Compiled<[Tensor, ...any[]], readonly [Tensor, Tensor]>;
    return async (...inputs) => {
      const evaluate = async (x: Float64Array): Promise<Point> => {
        const [value, gradient] = evaluation(Float32Array.from(x) as never, ...(inputs as never[]));
        return {
          x,
          loss: Number(await value.item()),
          gradient: Float64Array.from((await gradient.data()) as Float32Array),
        };
      };
      const begin = await evaluate(await flatValues(trained));
      const end = await this.#descend(begin, evaluate);
      assignFrom(tensor(Float32Array.from(end.x)) as Tensor, trained);
      return begin.loss;
    };
  }

  async #descend(begin: Point, evaluate: (x: Float64Array) => Promise<Point>): Promise<Point> {
    const { maxIterations, maxEvaluations, toleranceGradient, toleranceChange } = this.options;
    let point = begin;
    let evaluations = 1;
    const counting = (x: Float64Array): Promise<Point> => {
      evaluations++;
      return evaluate(x);
    };
    for (let i = 0; i < maxIterations && evaluations < maxEvaluations; i++) {
      if (largest(point.gradient) <= toleranceGradient) break;
      const direction = this.#direction(point.gradient);
      const slope = dot(point.gradient, direction);
      if (slope > -toleranceChange) break;
      const next = await this.#along(direction, slope, point, counting, maxEvaluations - evaluations);
      const isSmall = largest(direction) * this.#last!.step <= toleranceChange;
      const isFlat = Math.abs(next.loss - point.loss) < toleranceChange;
      point = next;
      if (isSmall || isFlat) break;
    }
    return point;
  }

  async #along(
    direction: Float64Array,
    slope: number,
    from: Point,
    evaluate: (x: Float64Array) => Promise<Point>,
    maxTrials: number,
  ): Promise<Point> {
    const { learningRate, toleranceChange, lineSearch } = this.options;
    const isFirst = this.#iterations === 1;
    const firstStep = learningRate * (isFirst ? Math.min(1, 1 / sumOfSizes(from.gradient)) : 1);
    const at = (step: number): Float64Array => from.x.map((x, i) => Math.fround(x + step * direction[i]!));
    const tryStep = async (step: number): Promise<Trial> => {
      const { loss, gradient } = await evaluate(at(step));
      return { step, loss, gradient, slope: dot(gradient, direction) };
    };
    const begin = { step: 0, loss: from.loss, gradient: from.gradient, slope };
    const largestOfDirection = largest(direction);
    const options = { firstStep, maxTrials, toleranceChange, largestOfDirection };
    const end = lineSearch === "none" ? await tryStep(firstStep) : await strongWolfe(tryStep, begin, options);
    this.#last = { direction, step: end.step, gradient: from.gradient };
    return { x: at(end.step), loss: end.loss, gradient: end.gradient };
  }

  /** −H·g, with the inverse Hessian H from the history: the two loops of Nocedal. */
  #direction(gradient: Float64Array): Float64Array {
    this.#iterations++;
    this.#remember(gradient);
    const q = gradient.map((g) => -g);
    const shares = this.#history.map(() => 0);
    for (let i = this.#history.length - 1; i >= 0; i--) {
      const { y, s, rho } = this.#history[i]!;
      shares[i] = dot(s, q) * rho;
      addScaled(q, y, -shares[i]!);
    }
    const newest = this.#history.at(-1);
    const scale = newest === undefined ? 1 : 1 / (newest.rho * dot(newest.y, newest.y));
    const r = q.map((value) => value * scale);
    this.#history.forEach(({ y, s, rho }, i) => {
      addScaled(r, s, shares[i]! - dot(y, r) * rho);
    });
    return r;
  }

  /** Takes in what the last step told about the curvature, unless that is not positive. */
  #remember(gradient: Float64Array): void {
    if (this.#last === undefined) return;
    const { direction, step, gradient: before } = this.#last;
    const y = gradient.map((g, i) => g - before[i]!);
    const s = direction.map((d) => d * step);
    const curvature = dot(y, s);
    if (!(curvature > 1e-10)) return;
    if (this.#history.length >= this.options.historySize) this.#history.shift();
    if (this.options.historySize > 0) this.#history.push({ y, s, rho: 1 / curvature });
  }
}

/** Sets parameters to the parts of one vector. */
function assignFrom(point: Tensor, parameters: readonly Parameter[]): void {
  let start = 0;
  for (const parameter of parameters) {
    const shape = parameter.shape as readonly number[];
    const count = shape.reduce((n, size) => n * size, 1);
    parameter.assign(
      point
        .slice(0, start, start + count)
        .reshape(shape)
        .cast(parameter.dtype),
    );
    start += count;
  }
}

async function flatValues(parameters: readonly Parameter[]): Promise<Float64Array> {
  const all = concat(
    parameters.map((parameter) => parameter.value.reshape([-1]).cast("f32")),
    0,
  ) as Tensor;
  return Float64Array.from((await all.data()) as Float32Array);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
function addScaled(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! + factor * b[i]!;
}
const largest = (x: Float64Array): number => x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const sumOfSizes = (x: Float64Array): number => x.reduce((sum, value) => sum + Math.abs(value), 0);
