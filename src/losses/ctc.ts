/** Connectionist temporal classification: sequences whose alignment to the input is not known. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import {
  arange,
  asTensor,
  full,
  scan,
  stack,
  stopGradient,
  type Tensor,
  type TensorLike,
  where,
} from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { checked } from "./checks.ts";
import { classIndices, wideLabels } from "./classes.ts";
import { type LossOptions, reduce, sharedOptions } from "./reduction.ts";

export interface CtcOptions extends LossOptions {
  /** The class that stands for "nothing new", default 0. */
  readonly blank?: number;
  /** Default false. True: a target that no alignment of its length can give costs 0 instead of Infinity. */
  readonly zeroInfinity?: boolean;
}

export interface CtcLengths {
  /** How many steps of each input count, i32 of shape (N). */
  readonly inputs: TensorLike;
  /** How many labels of each target count, i32 of shape (N). */
  readonly targets: TensorLike;
}

/** The logarithm of "impossible": far below any likelihood, and still a number whose gradient is one. */
const impossible = -1e30;

/**
 * −log of the probability that some alignment of the input gives the target: summed over all sequences of classes that become
 * the target when repetitions are merged and blanks left out. Graves, Fernández, Gomez and Schmidhuber, "Connectionist temporal
 * classification", ICML 2006: their forward variable, in logarithms, as one loop over the steps.
 *
 * The mean is that of the losses divided by their targets' lengths (1 where that is 0), as in PyTorch. A target that does not
 * fit into its input costs Infinity with gradient 0 (0 with `zeroInfinity`). What follows a length may be anything.
 *
 * @param logProbabilities (T, N, classes), as `logSoftmax` gives them
 * @param targets class indices (N, S), none of them the blank
 * @param lengths of inputs and targets, (N) each
 * @returns a scalar, or with reduction "none" the values (N)
 * @throws ShapeError when shapes do not fit. A label or a length out of range fails the step, which changes nothing.
 * @example
 * const probabilities = tensor([[[0.25, 0.75]], [[0.5, 0.5]]]);
 * const lengths = { inputs: [2], targets: [1] };
 * (await ctc(probabilities.log(), tensor([[1]]), lengths).exp().item()).toFixed(4); // "1.1429"
 */
export function ctc(
  logProbabilities: Tensor,
  targets: TensorLike,
  lengths: CtcLengths,
  options: CtcOptions = {},
): Tensor {
  return located(() => {
    checkOptions("ctc", options, ["blank", "zeroInfinity", ...sharedOptions]);
    const { steps, batch, classes } = sizesOf(logProbabilities);
    const { blank = 0, zeroInfinity = false, reduction = "mean" } = options;
    if (!(Number.isInteger(blank) && blank >= 0 && blank < classes))
      throw new ArgumentError(`ctc: the blank must be a class 0 … ${classes - 1}, got ${blank}`);
    const labels = wideLabels(targets);
    const [rows, most] = labels.shape as readonly number[];
    if (labels.shape.length !== 2 || rows !== batch)
      throw new ShapeError(
        `ctc: targets must be (${batch}, S) class indices, got ${shapeText(labels.shape)}`,
      );
    const inputs = lengthsOf("inputs", lengths.inputs, batch, steps);
    const counts = lengthsOf("targets", lengths.targets, batch, most!);
    const states = statesOf(labels, counts, { blank, classes });
    const emissions = emissionsOf(logProbabilities, states, inputs);
    const last = forwardVariable(emissions, states, inputs, blank);
    const likelihood = ofLastStates(last, counts);
    const isImpossible = likelihood.less(impossible / 10);
    const values = where(
      isImpossible,
      zeroInfinity ? 0 : Number.POSITIVE_INFINITY,
      likelihood.neg(),
    ) as Tensor;
    return reduce("ctc", reduction === "mean" ? values.div(counts.maximum(1)) : values, options);
  });
}

function sizesOf(x: Tensor): { steps: number; batch: number; classes: number } {
  const [steps, batch, classes] = x.shape as readonly number[];
  if (x.shape.length === 3) return { steps: steps!, batch: batch!, classes: classes! };
  throw new ShapeError(
    `ctc: expects logarithms of probabilities (T, N, classes), got ${shapeText(x.shape)}; add an axis for one sequence`,
  );
}

function lengthsOf(name: "inputs" | "targets", given: TensorLike, batch: number, most: number): Tensor {
  const lengths = asTensor(given).cast("i32") as Tensor;
  if (!sameShape(lengths.shape, [batch]))
    throw new ShapeError(`ctc: lengths of ${name} must be (${batch},), got ${shapeText(lengths.shape)}`);
  const isInRange = lengths.greaterEqual(0).and(lengths.lessEqual(most)) as Tensor;
  return checked(lengths, isInRange, `ctc: lengths of ${name} must be 0 … ${most}`);
}

/** The labels with a blank before, between and after them, (N, 2S + 1); blanks where a target has ended. */
function statesOf(
  labels: Tensor,
  counts: Tensor,
  { blank, classes }: { blank: number; classes: number },
): Tensor {
  const [batch, most] = labels.shape as [number, number];
  const counted = counts.expandDims(1).greater(arange(most)) as Tensor; // (N, S)
  const label = where(counted, classIndices("ctc", where(counted, labels, 0) as Tensor, classes), blank);
  const pairs = stack([full([batch, most], blank, { dtype: "i32" }), label], 2) as Tensor;
  return pairs.reshape([batch, 2 * most]).pad(
    [
      [0, 0],
      [0, 1],
    ],
    blank,
  ) as Tensor;
}

/** What each step says of each state, (T, N, 2S + 1); 0 after an input has ended. */
function emissionsOf(logProbabilities: Tensor, states: Tensor, inputs: Tensor): Tensor {
  const { steps, batch } = sizesOf(logProbabilities);
  const isCounted = inputs.greater(arange(steps).expandDims(1)).expandDims(2) as Tensor; // (T, N, 1)
  const counted = where(isCounted, logProbabilities, 0) as Tensor;
  const places = states.broadcastTo([steps, batch, (states.shape as readonly number[])[1]!]);
  return counted
    .cast(counted.dtype === "f64" ? "f64" : "f32")
    .takeAlong(places, 2)
    .maximum(impossible) as Tensor;
}

/**
 * log α after an input's last step, (N, 2S + 1): the probability of all ways to reach a state. A state is reached from itself,
 * from the one before, and past a blank where that parts two different labels.
 */
function forwardVariable(emissions: Tensor, states: Tensor, inputs: Tensor, blank: number): Tensor {
  const [steps, batch, width] = emissions.shape as [number, number, number];
  const maySkip = states.notEqual(blank).and(states.notEqual(later(states, 2, blank))) as Tensor; // (N, 2S + 1)
  // Before the first step only the blank in front is reached: from there the first blank and the first label are.
  const begin = where(
    arange(width).equal(0),
    0,
    full([batch, width], impossible, { dtype: emissions.dtype as "f32" }),
  ) as Tensor;
  const { carry } = scan(
    (alpha: Tensor, [emission, step]: readonly [Tensor, Tensor]) => {
      const skipping = where(maySkip, later(alpha, 2, impossible), impossible) as Tensor;
      const next = logSumExp([alpha, later(alpha, 1, impossible), skipping]).add(emission) as Tensor;
      return { carry: where(inputs.greater(step).expandDims(1), next, alpha) as Tensor };
    },
    begin,
    [emissions, arange(steps) as Tensor] as const,
  );
  return carry;
}

/** Each row moved to the right, with a filler in front. */
function later(x: Tensor, by: number, filler: number): Tensor {
  const width = (x.shape as readonly number[])[1]!;
  return x
    .pad(
      [
        [0, 0],
        [by, 0],
      ],
      filler,
    )
    .slice(1, 0, width) as Tensor;
}

/** A target ends in its last label or in the blank after it. */
function ofLastStates(alpha: Tensor, counts: Tensor): Tensor {
  const end = counts.mul(2) as Tensor;
  const at = (place: Tensor): Tensor => alpha.takeAlong(place.expandDims(1), 1).squeeze(1) as Tensor;
  const [blank, label] = [at(end), at(end.sub(1).maximum(0) as Tensor)];
  return logSumExp([blank, where(counts.greater(0), label, impossible) as Tensor]);
}

/** log Σ eˣ, element by element. */
function logSumExp(terms: readonly Tensor[]): Tensor {
  const largest = stopGradient(terms.reduce((a, b) => a.maximum(b) as Tensor));
  const sum = terms.map((term) => term.sub(largest).exp() as Tensor).reduce((a, b) => a.add(b) as Tensor);
  return largest.add(sum.log()) as Tensor;
}
