/** Margins of decisions, as linear classifiers and support vector machines make them. */
import { ArgumentError } from "../base/errors.ts";
import { type Rows, type SampleOptions, sampleMean } from "./samples.ts";

/**
 * The mean of max(0, 1 − margin). Of two classes a decision d has the margin d where the label is 1 and −d where it is 0; of
 * several the margin is the label's decision less the largest other one (Crammer and Singer 2001).
 *
 * @param decisions a number for each sample, or a row of the classes'
 * @param labels 0 or 1, or classes from 0
 * @throws ArgumentError for a label without a decision, ShapeError when there are not as many of both
 * @example
 * hingeLoss([-2.18, 2.36, 0.09], [0, 1, 1]).toFixed(4);           // "0.3033"
 * hingeLoss([[2, 0.5, 0], [0, 1, 0.75]], [0, 1]);                // 0.375
 */
export function hingeLoss(
  decisions: Rows | ArrayLike<number>,
  labels: ArrayLike<number>,
  options: SampleOptions = {},
): number {
  return sampleMean("hingeLoss", decisions, labels, options, (i) =>
    Math.max(0, 1 - marginOf(decisions[i]!, labels[i]!, i)),
  );
}

function marginOf(decision: number | ArrayLike<number>, label: number, sample: number): number {
  const isOne = typeof decision === "number";
  const classes = isOne ? 2 : decision.length;
  if (!(Number.isInteger(label) && label >= 0 && label < classes))
    throw new ArgumentError(`hingeLoss: label ${sample} is ${label}, not a class 0 … ${classes - 1}`);
  if (isOne) return label === 1 ? decision : -decision;
  let other = -Infinity;
  for (let i = 0; i < decision.length; i++) if (i !== label) other = Math.max(other, decision[i]!);
  return decision[label]! - other;
}
