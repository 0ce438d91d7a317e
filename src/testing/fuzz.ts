/**
 * Random graphs, and their comparison between targets. A seed fixes a graph: a failure is reported with its seed and the first
 * node whose own value differs.
 */
import { gradients } from "../autodiff/index.ts";
import { NetwrightError } from "../base/errors.ts";
import { mergeScans } from "../compiler/merge-scans.ts";
import { simplify } from "../compiler/simplify.ts";
import type { GraphFunction } from "../graph/function.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import { graphText } from "../graph/print.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { verifyGraph } from "../graph/verify.ts";
import { mul, parameter, sum } from "../ops/index.ts";
import { differenceOf, type Tolerance } from "./compare.ts";
import { type EvaluationTarget, interpreterTarget } from "./evaluation-target.ts";
import { countOfShape, growths, moreGrowths } from "./fuzz-ops.ts";
import { Numbers } from "./numbers.ts";

export interface RandomProgram {
  readonly fn: GraphFunction;
  readonly inputs: readonly DenseArray[];
}

/** Seeds from here on grow by all ways. */
export const seedsOfOldWays = 10_000;

const sizes = [1, 2, 3, 4, 5, 8, 17, 33];

/** A function of two to three f32 arguments, of about `steps` random ops, with gradients half of the time. */
export function randomProgram(seed: number, steps = 12): RandomProgram {
  const numbers = new Numbers(seed);
  const ways = seed < seedsOfOldWays ? growths : moreGrowths;
  return withTrace(new Trace("compiled"), () => {
    const parameters = Array.from({ length: numbers.integer(2, 3) }, (_, i) => {
      const shape = Array.from({ length: numbers.integer(0, 3) }, () => numbers.pick(sizes));
      return parameter({ shape, dtype: "f32" }, `x${i}`);
    });
    const pool: Node[] = [...parameters];
    while (pool.length < parameters.length + steps) {
      const grown = numbers.pick(ways)(pool, numbers);
      if (grown !== undefined && countOfShape(grown) <= 5000) pool.push(grown);
    }
    const results = pool.slice(-2);
    if (numbers.next() < 0.5) results.push(...gradientsOf(results[1]!, parameters));
    const inputs = parameters.map(({ shape, dtype }) =>
      numbers.array({ shape: shape as readonly number[], dtype }, -1, 1),
    );
    return { fn: { name: `fuzz ${seed}`, parameters, results, assignments: [] }, inputs };
  });
}

function gradientsOf(output: Node, parameters: readonly Node[]): Node[] {
  const reached = new Set(topologicalOrder([output]));
  const used = parameters.filter((node) => reached.has(node));
  return gradients(sum(mul(output, output)), used, { allowUnused: true });
}

/** Rounding errors grow through a dozen ops; a wrong index or order does not stay this small. */
const tolerance: Tolerance = { steps: 3000, toLargest: true, scale: 0.1 };

/**
 * Compares a random program on a target with the interpreter.
 *
 * @throws NetwrightError with the seed, the first node that differs, and the whole graph
 */
export function fuzz(seed: number, target: EvaluationTarget, steps?: number): void {
  const { fn, inputs } = randomProgram(seed, steps);
  verifyGraph(fn);
  verifyGraph(simplify(mergeScans(fn)));
  const want = interpreterTarget.evaluate(fn, inputs);
  const got = target.evaluate(fn, inputs);
  const differences = want.map((value, i) => differenceOf(got[i]!, value, tolerance));
  const i = differences.findIndex((difference) => difference !== undefined);
  if (i < 0) return;
  const first = firstDifference(fn, inputs, target) ?? "no node differs when it alone is asked for";
  throw new NetwrightError(
    `${target.name}, seed ${seed}: result ${i} ${differences[i]}; ${first}\n${graphText(fn)}`,
  );
}

/** The first node in order whose value on the target differs, each node asked for alone. */
function firstDifference(
  fn: GraphFunction,
  inputs: readonly DenseArray[],
  target: EvaluationTarget,
): string | undefined {
  for (const node of topologicalOrder(fn.results)) {
    if (node.outputs !== undefined) continue;
    const alone = { ...fn, results: [node] };
    const [want] = interpreterTarget.evaluate(alone, inputs);
    const difference = differenceOf(target.evaluate(alone, inputs)[0]!, want!, tolerance);
    if (difference !== undefined) return `first ${node.op.name} #${node.id}: ${difference}`;
  }
  return undefined;
}
