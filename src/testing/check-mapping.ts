/** A row of cases over an added axis: each element along it must be what the row gives for that element alone. */
import type { GraphFunction } from "../graph/function.ts";
import type { Node } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { Mapping, parameter } from "../ops/index.ts";
import { type Case, draw, dtypesOf, gradientsOf } from "./cases.ts";
import { requireClose } from "./compare.ts";
import { type EvaluationTarget, interpreterTarget } from "./evaluation-target.ts";

const size = 3;

/** Values and gradients, with all arguments mapped and with each alone; `target` runs what is mapped. */
export function checkMapping(row: Case, target: EvaluationTarget = interpreterTarget): void {
  const all = row.arguments.map(() => true);
  const alone = row.arguments.map((_, i) => all.map((_, k) => k === i));
  for (const isMapped of row.arguments.length > 1 ? [all, ...alone] : [all])
    checkMapped(row, isMapped, target);
}

function checkMapped(row: Case, isMapped: readonly boolean[], target: EvaluationTarget): void {
  const [dtype] = dtypesOf(row);
  const samples = Array.from({ length: size }, (_, seed) => draw(row, dtype!, [2, 3], seed));
  const stacked = row.arguments.map((_, i) =>
    isMapped[i] ? stack(samples.map((sample) => sample[i]!)) : samples[0]![i]!,
  );
  const results = (x: readonly Node[]): Node[] => [
    row.build(x),
    ...(row.gradient === false ? [] : gradientsOf(row, x)),
  ];
  const single = functionOf(row.name, samples[0]!, results);
  const mapped = functionOf(row.name, stacked, (given) => {
    const own = samples[0]!.map((type, i) => parameter(type, `element ${i}`));
    const known = new Map(own.map((p, i) => [p, { node: given[i]!, isMapped: isMapped[i]! }]));
    const mapping = new Mapping(size, known);
    return mapping.of(results(own)).map((result) => mapping.whole(result));
  });
  const got = target.evaluate(mapped, stacked);
  for (let at = 0; at < size; at++) {
    const inputs = samples[at]!.map((own, i) => (isMapped[i] ? own : samples[0]![i]!));
    interpreterTarget.evaluate(single, inputs).forEach((want, i) => {
      const what = `${row.name} mapped over [${isMapped}], element ${at}, result ${i}`;
      requireClose(what, elementAt(got[i]!, at), want, { steps: 64, toLargest: true });
    });
  }
}

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

const stack = (parts: readonly DenseArray[]): DenseArray => ({
  dtype: parts[0]!.dtype,
  shape: [parts.length, ...parts[0]!.shape],
  data: Float64Array.from(parts.flatMap(({ data }) => [...data])),
});

function elementAt({ dtype, shape, data }: DenseArray, at: number): DenseArray {
  const count = data.length / shape[0]!;
  return { dtype, shape: shape.slice(1), data: data.slice(at * count, (at + 1) * count) };
}
