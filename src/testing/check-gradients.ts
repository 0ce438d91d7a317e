/** Gradients against differences, along random directions and to second order (as autograd's `check_grads` does). */
import { gradients } from "../autodiff/index.ts";
import { NetwrightError } from "../base/errors.ts";
import { interpret } from "../codegen/interpreter/index.ts";
import type { Node } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { add, array, mul, parameter, scalar, sum } from "../ops/index.ts";
import { Numbers } from "./numbers.ts";

export interface GradientCheckOptions {
  /** How far the difference may be from the slope, relative to the larger of 1 and the slope. */
  readonly tolerance?: number;
  /** 1: only the gradient; 2: the gradient of the gradient too. */
  readonly order?: 1 | 2;
  readonly seed?: number;
}

/**
 * Checks the gradient of `build` at `inputs`: f64 inputs are varied together along a random direction, others stay as they
 * are. The slope ⟨gradient, direction⟩ must be the central difference of ⟨output, weights⟩; then the same for the gradient
 * itself.
 *
 * @throws NetwrightError that names the order, the slope and the difference
 */
export function checkGradients(
  build: (inputs: readonly Node[]) => Node,
  inputs: readonly DenseArray[],
  { tolerance = 1e-6, order = 2, seed = 1 }: GradientCheckOptions = {},
): void {
  const numbers = new Numbers(seed);
  const isVaried = inputs.map(({ dtype }) => dtype === "f64");
  const direction = inputs.map((input) => numbers.array(input, -1, 1));
  const functions = withTrace(new Trace("compiled"), () => {
    const parameters = inputs.map((input, i) => parameter(input, `x${i}`));
    const varied = parameters.filter((_, i) => isVaried[i]);
    const steps: { value: Node; slopes: readonly Node[] }[] = [];
    let outputs: readonly Node[] = [build(parameters)];
    for (let at = 1; at <= order; at++) {
      const value = weighted(outputs, numbers);
      const slopes = gradients(value, varied, { allowUnused: at > 1 });
      steps.push({ value, slopes });
      outputs = slopes;
    }
    return { parameters, steps };
  });
  const run = (results: readonly Node[], at: readonly DenseArray[]): readonly DenseArray[] =>
    interpret({ name: "gradient", parameters: functions.parameters, results, assignments: [] }, at).results;
  functions.steps.forEach(({ value, slopes }, i) => {
    const along = direction.filter((_, k) => isVaried[k]);
    const slope = dotProduct(run(slopes, inputs), along);
    const difference = centralDifference(
      (step) => run([value], moved(inputs, direction, isVaried, step))[0]!.data[0]!,
    );
    const scale = Math.max(1, Math.abs(slope), Math.abs(difference));
    if (!(Math.abs(slope - difference) <= tolerance * scale)) {
      const what = i === 0 ? "gradient" : "gradient of the gradient";
      throw new NetwrightError(`the ${what} gives a slope of ${slope}, differences give ${difference}`);
    }
  });
}

/** Σ over outputs of ⟨output, random weights⟩. */
function weighted(outputs: readonly Node[], numbers: Numbers): Node {
  let total: Node = scalar(0, "f64");
  for (const output of outputs) {
    const weights = numbers.array({ shape: output.shape as readonly number[], dtype: "f64" }, -1, 1);
    total = add(total, sum(mul(output, array({ ...weights }))));
  }
  return total;
}

function dotProduct(a: readonly DenseArray[], b: readonly DenseArray[]): number {
  let total = 0;
  a.forEach(({ data }, k) => {
    data.forEach((value, i) => {
      total += value * b[k]!.data[i]!;
    });
  });
  return total;
}

function moved(
  inputs: readonly DenseArray[],
  direction: readonly DenseArray[],
  isVaried: readonly boolean[],
  step: number,
): readonly DenseArray[] {
  return inputs.map((input, k) =>
    isVaried[k] ? { ...input, data: input.data.map((x, i) => x + step * direction[k]!.data[i]!) } : input,
  );
}

/** f′(0) to fourth order in the step. */
function centralDifference(f: (step: number) => number): number {
  const h = 1e-4;
  return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}
