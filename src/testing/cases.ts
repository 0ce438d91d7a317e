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
/** Loops do not depend on the dtype: a brief check goes through all shapes in a row's first dtype alone. */
const briefShapes: readonly (readonly number[])[] = [[], [67]];
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

/** Gradients against differences in float64, to second order. */
export function checkDerivatives(row: Case): void {
  if (row.gradient === false) return;
  const inputs = draw(row, "f64", [2, 3]);
  checkGradients(row.build, inputs, { order: row.gradient === 1 ? 1 : 2 });
}

/** One thing that a row says about every target: these results of these inputs are what the interpreter gives. */
interface Trial {
  readonly what: string;
  readonly inputs: readonly DenseArray[];
  results(parameters: readonly Node[]): readonly Node[];
  readonly tolerance: Tolerance;
}

/** The values in every dtype and shape. */
function* forwardTrials(row: Case, isBrief: boolean): Generator<Trial> {
  for (const [i, dtype] of dtypesOf(row).entries()) {
    const shapes = shapesOf(row);
    for (const shape of isBrief && i > 0 && shapes === elementwiseShapes ? briefShapes : shapes) {
      const what = `${row.name} of ${dtype} ${JSON.stringify(shape ?? "")}`;
      const inputs = draw(row, dtype, shape);
      yield { what, inputs, results: (x) => [row.build(x)], tolerance: toleranceOf(row) };
    }
  }
}

/** Operands that are transposed, reversed, strided or broadcast give what copies of them give. */
function* viewTrials(row: Case): Generator<Trial> {
  const [dtype] = dtypesOf(row);
  const wanted = row.arguments.map((argument) => argument.shape ?? viewShape);
  if (wanted.every((shape) => shape.length === 0)) return;
  for (const { name, memory, view } of argumentViews) {
    const list = row.arguments.map((argument, i) => ({ ...argument, shape: memory(wanted[i]!) }));
    yield {
      what: `${row.name}, arguments ${name}`,
      inputs: draw({ ...row, arguments: list }, dtype!, undefined),
      results: (x) => [row.build(x.map((node, i) => view(node, wanted[i]!)))],
      tolerance: toleranceOf(row),
    };
  }
}

/** Gradients, to second order. */
function* gradientTrials(row: Case): Generator<Trial> {
  if (row.gradient === false) return;
  yield {
    what: `gradient of ${row.name}`,
    inputs: draw(row, "f32", [3, 17]),
    results: (x) => {
      const first = gradientsOf(row, x);
      return row.gradient === 1 ? first : [...first, ...secondGradientsOf(first, x)];
    },
    tolerance: { toLargest: true, steps: 8 * Math.max(4, toleranceOf(row).steps) },
  };
}

/** Value and gradient at the extremes: infinities, NaN, zeros, what overflows. */
function* extremeTrials(row: Case): Generator<Trial> {
  const { extremes } = row;
  if (extremes === undefined) return;
  const inputs = row.arguments.map((argument, k): DenseArray => {
    const dtype = argument.dtype ?? "f32";
    const data = Float64Array.from(extremes, (place) => roundTo(dtype, place[k]!));
    return { shape: [data.length], dtype, data };
  });
  const gradientAt = row.gradient === false ? () => [] : (x: readonly Node[]) => gradientsOf(row, x);
  yield {
    what: `${row.name} at its extremes`,
    inputs,
    results: (x) => [row.build(x), ...gradientAt(x)],
    tolerance: toleranceOf(row),
  };
}

/** All trials of a row as one function: a program costs more to make than what is in it. */
interface RowProgram {
  readonly fn: GraphFunction;
  readonly inputs: readonly DenseArray[];
  /** Every result: what it is, what the interpreter gives, how near a target must come. */
  readonly wanted: readonly {
    readonly what: string;
    readonly value: DenseArray;
    readonly tolerance: Tolerance;
  }[];
}

const rowPrograms = { brief: new WeakMap<Case, RowProgram>(), whole: new WeakMap<Case, RowProgram>() };

function makeRowProgram(row: Case, isBrief: boolean): RowProgram {
  const lists = [forwardTrials, viewTrials, gradientTrials, extremeTrials];
  const trials = lists.flatMap((list) => [...list(row, isBrief)]);
  const inputs = trials.flatMap((trial) => trial.inputs);
  const labels: Omit<RowProgram["wanted"][number], "value">[] = [];
  const fn = functionOf(row.name, inputs, (parameters) => {
    let from = 0;
    return trials.flatMap(({ what, inputs: { length }, results, tolerance }) => {
      const nodes = results(parameters.slice(from, from + length));
      from += length;
      nodes.forEach((_, i) => {
        labels.push({ what: nodes.length > 1 ? `${what}, result ${i}` : what, tolerance });
      });
      return nodes;
    });
  });
  const values = interpreterTarget.evaluate(fn, inputs);
  return { fn, inputs, wanted: labels.map((label, i) => ({ ...label, value: values[i]! })) };
}

/**
 * A target against the interpreter: values in every dtype and shape, through every view, gradients, extremes. `isBrief` leaves out
 * most shapes in dtypes behind the row's first.
 */
export function checkOnTarget(row: Case, target: EvaluationTarget, { isBrief = false } = {}): void {
  const programs = rowPrograms[isBrief ? "brief" : "whole"];
  const made = programs.get(row) ?? makeRowProgram(row, isBrief);
  programs.set(row, made);
  const got = target.evaluate(made.fn, made.inputs);
  made.wanted.forEach(({ what, value, tolerance }, i) => {
    requireClose(`${target.name}: ${what}`, got[i]!, value, tolerance);
  });
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
