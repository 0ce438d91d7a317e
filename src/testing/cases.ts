/**
 * The case runner: one row of a table describes an op, and gives its forward value, gradients to second order, dtypes,
 * shapes, views and extremes, on every target. Nothing here knows a test framework: each check throws where it finds a
 * difference.
 */
import { gradients } from "../autodiff/index.ts";
import { type DType, isFloat, roundTo } from "../base/dtype.ts";
import type { GraphFunction } from "../graph/function.ts";
import type { Node } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { add, array, cast, mul, parameter, sum } from "../ops/index.ts";
import { checkGradients } from "./check-gradients.ts";
import { requireClose, type Tolerance } from "./compare.ts";
import { type EvaluationTarget, interpreterTarget } from "./evaluation-target.ts";
import { Numbers } from "./numbers.ts";
import { argumentViews } from "./views.ts";

export interface CaseArgument {
  /** Elements are drawn from low to high; −2 to 2 when left out. */
  readonly low?: number;
  readonly high?: number;
  /** Fixed for this argument; else the case's dtypes are gone through. */
  readonly dtype?: DType;
  /** Fixed for this argument; left out for all arguments of an elementwise case, which runs in many shapes. */
  readonly shape?: readonly number[];
}

export interface Case {
  readonly name: string;
  build(inputs: readonly Node[]): Node;
  readonly arguments: readonly CaseArgument[];
  /** Of the arguments that fix none; f32 and f64 when left out. */
  readonly dtypes?: readonly DType[];
  /** The closed form: of the elements at one place for an elementwise case, … */
  formula?(...x: readonly number[]): number;
  /** … or of whole arguments. */
  expected?(...inputs: readonly DenseArray[]): readonly number[];
  /** Arguments, one list a place, at which the result must be that of the interpreter, its gradient too. */
  readonly extremes?: readonly (readonly number[])[];
  /** Whether gradients flow; true when left out. 1: the first order only. */
  readonly gradient?: boolean | 1;
  /** Of targets against the interpreter; 4 steps when left out. */
  readonly tolerance?: Tolerance;
  /** Of the formula; 1 step when left out. */
  readonly formulaTolerance?: Tolerance;
}

const elementwiseShapes: readonly (readonly number[])[] = [
  [],
  [0],
  [1],
  [7],
  [3, 5],
  [2, 0, 3],
  [67],
  [4, 33],
];
const viewShape: readonly number[] = [6, 19];

/** The dtypes that a row runs in. */
export const dtypesOf = ({ dtypes, arguments: list }: Case): readonly DType[] =>
  list.every(({ dtype }) => dtype !== undefined) ? [list[0]!.dtype!] : (dtypes ?? ["f32", "f64"]);

const shapesOf = ({ arguments: list }: Case): readonly (readonly number[] | undefined)[] =>
  list.every(({ shape }) => shape !== undefined) ? [undefined] : elementwiseShapes;

/** Arguments of a case in one dtype and, for an elementwise one, one shape; other numbers for another seed. */
export function draw(row: Case, dtype: DType, shape: readonly number[] | undefined, seed = 0): DenseArray[] {
  const numbers = new Numbers(row.name.length + 1000 * seed);
  return row.arguments.map((argument) => {
    const type = { shape: argument.shape ?? shape!, dtype: argument.dtype ?? dtype };
    const [low, high] = [argument.low ?? -2, argument.high ?? 2];
    return numbers.array(type, isUnsigned(type.dtype) ? Math.max(0, low) : low, high);
  });
}

const isUnsigned = (dtype: DType): boolean => dtype === "u8" || dtype === "u32" || dtype === "bool";

/** `results` of parameters like `inputs`, and the function that computes them. */
function functionOf(
  name: string,
  inputs: readonly DenseArray[],
  results: (parameters: readonly Node[]) => readonly Node[],
): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const parameters = inputs.map((input, i) => parameter(input, `x${i}`));
    return { name, parameters, results: results(parameters), assignments: [] };
  });
}

/** The interpreter's value against the closed form, in every dtype and shape. */
export function checkDefinition(row: Case): void {
  const { formula, expected } = row;
  if (formula === undefined && expected === undefined) return;
  for (const dtype of dtypesOf(row)) {
    for (const shape of shapesOf(row)) {
      const inputs = draw(row, dtype, shape);
      const fn = functionOf(row.name, inputs, (x) => [row.build(x)]);
      const [got] = interpreterTarget.evaluate(fn, inputs);
      const values =
        expected?.(...inputs) ?? [...got!.data].map((_, i) => formula!(...inputs.map((x) => x.data[i]!)));
      const data = Float64Array.from(values, (value) => roundTo(got!.dtype, value));
      const want = { shape: got!.shape, dtype: got!.dtype, data };
      requireClose(`${row.name} of ${dtype}`, got!, want, row.formulaTolerance ?? { steps: 1 });
    }
  }
}

/** A target's value against the interpreter's, in every dtype and shape, and through every view. */
export function checkForward(row: Case, target: EvaluationTarget): void {
  for (const dtype of dtypesOf(row)) {
    for (const shape of shapesOf(row)) {
      const inputs = draw(row, dtype, shape);
      const fn = functionOf(row.name, inputs, (x) => [row.build(x)]);
      compare(`${row.name} of ${dtype} ${JSON.stringify(shape ?? "")}`, fn, inputs, target, toleranceOf(row));
    }
  }
}

/** Operands that are transposed, reversed, strided or broadcast give what copies of them give: a row's views on a target. */
export function checkViews(row: Case, target: EvaluationTarget): void {
  const [dtype] = dtypesOf(row);
  const wanted = row.arguments.map((argument) => argument.shape ?? viewShape);
  if (wanted.every((shape) => shape.length === 0)) return;
  for (const { name, memory, view } of argumentViews) {
    const inputs = draw(
      { ...row, arguments: row.arguments.map((argument, i) => ({ ...argument, shape: memory(wanted[i]!) })) },
      dtype!,
      undefined,
    );
    const fn = functionOf(row.name, inputs, (x) => [row.build(x.map((node, i) => view(node, wanted[i]!)))]);
    compare(`${row.name}, arguments ${name}`, fn, inputs, target, toleranceOf(row));
  }
}

/** Gradients against differences in float64, to second order. */
export function checkDerivatives(row: Case): void {
  if (row.gradient === false) return;
  const inputs = draw(row, "f64", [2, 3]);
  checkGradients(row.build, inputs, { order: row.gradient === 1 ? 1 : 2 });
}

/** A target's gradients against the interpreter's. */
export function checkGradientOnTarget(row: Case, target: EvaluationTarget): void {
  if (row.gradient === false) return;
  const inputs = draw(row, "f32", [3, 17]);
  const fn = functionOf(`${row.name} gradient`, inputs, (x) => {
    const first = gradientsOf(row, x);
    return row.gradient === 1 ? first : [...first, ...secondGradientsOf(first, x)];
  });
  compare(`gradient of ${row.name}`, fn, inputs, target, {
    toLargest: true,
    steps: 8 * Math.max(4, toleranceOf(row).steps),
  });
}

/** Value and gradient at the extremes: infinities, NaN, zeros, what overflows. */
export function checkExtremes(row: Case, target: EvaluationTarget): void {
  const { extremes } = row;
  if (extremes === undefined) return;
  const inputs = row.arguments.map((argument, k): DenseArray => {
    const dtype = argument.dtype ?? "f32";
    const data = Float64Array.from(extremes, (place) => roundTo(dtype, place[k]!));
    return { shape: [data.length], dtype, data };
  });
  const fn = functionOf(`${row.name} extremes`, inputs, (x) =>
    row.gradient === false ? [row.build(x)] : [row.build(x), ...gradientsOf(row, x)],
  );
  compare(`${row.name} at its extremes`, fn, inputs, target, toleranceOf(row));
}

/** Of Σ output · weights: weights of one would hide what sums to nothing. */
export function gradientsOf(row: Case, parameters: readonly Node[]): readonly Node[] {
  const floats = parameters.filter(({ dtype }) => isFloat(dtype));
  return gradients(weighted(row.build(parameters), 5), floats);
}

/** Of Σ gradient · weights: the second order. */
function secondGradientsOf(first: readonly Node[], parameters: readonly Node[]): readonly Node[] {
  const floats = parameters.filter(({ dtype }) => isFloat(dtype));
  const total = first.map((g, i) => weighted(g, 6 + i)).reduce(add);
  return gradients(total, floats, { allowUnused: true });
}

function weighted(x: Node, seed: number): Node {
  const type = { shape: x.shape as readonly number[], dtype: "f32" } as const;
  const { shape, data } = new Numbers(seed).array(type, -1, 1);
  const weights = array({ shape, dtype: "f32", data: Float32Array.from(data) });
  return sum(mul(x, cast(weights, x.dtype)));
}

const toleranceOf = ({ tolerance }: Case): Tolerance => tolerance ?? { steps: 4 };

/** Every result of a function on a target against the interpreter. */
export function compare(
  what: string,
  fn: GraphFunction,
  inputs: readonly DenseArray[],
  target: EvaluationTarget,
  tolerance: Tolerance,
): void {
  const want = interpreterTarget.evaluate(fn, inputs);
  const got = target.evaluate(fn, inputs);
  want.forEach((value, i) => {
    requireClose(
      `${target.name}: ${what}${want.length > 1 ? `, result ${i}` : ""}`,
      got[i]!,
      value,
      tolerance,
    );
  });
}
