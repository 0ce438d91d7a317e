/** Margins between the scores of classes: the right ones should be ahead of the others. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { asTensor, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { checked } from "./checks.ts";
import { classCount, classIndices, classWeightsOf, placesOf, wideLabels } from "./classes.ts";
import type { MarginOptions } from "./margins.ts";
import { type LossOptions, masked, reduce, requireEqualShapes, sharedOptions } from "./reduction.ts";

export interface MultiMarginOptions extends MarginOptions {
  /** The power of each missing margin, 1 (default) or 2. */
  readonly p?: 1 | 2;
  /** A weight for each class, shape (classes): each sample's loss is multiplied by that of its label. */
  readonly classWeights?: TensorLike;
}

/**
 * Σ_{c ≠ y} max(0, margin − x_y + x_c)ᵖ / classes: the score of the label should be ahead of every other by the margin, 1 when
 * left out. Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", JMLR 2001.
 *
 * @param scores x, (…, classes)
 * @param labels class indices (…)
 * @throws ShapeError when the labels do not fit. A label out of range fails the step, which changes nothing.
 * @example
 * await multiMargin(tensor([[0.5, 0, 2]]), tensor([2])).item(); // 0
 */
export function multiMargin(scores: Tensor, labels: TensorLike, options: MultiMarginOptions = {}): Tensor {
  return located(() => {
    checkOptions("multiMargin", options, ["margin", "p", "classWeights", ...sharedOptions]);
    const { margin = 1, p = 1, classWeights } = options;
    if (p !== 1 && p !== 2) throw new ArgumentError(`multiMargin: p must be 1 or 2, got ${p as number}`);
    const given = wideLabels(labels);
    const [classes, samples] = [classCount("multiMargin", scores), scores.shape.slice(0, -1)];
    if (!sameShape(given.shape, samples))
      throw new ShapeError(
        `multiMargin: scores ${shapeText(scores.shape)} need labels ${shapeText(samples)}, got ${shapeText(given.shape)}`,
      );
    const isLabel = placesOf(classIndices("multiMargin", masked(given, options), classes), classes);
    const x = masked(scores, options, { features: true });
    const own: Tensor = where(isLabel, x, 0).sum(-1, { keepDims: true });
    const missing = x.sub(own).add(margin).relu() as Tensor; // (…, classes)
    const terms = where(isLabel, 0, p === 1 ? missing : missing.square()) as Tensor;
    const weight =
      classWeights && where(isLabel, classWeightsOf("multiMargin", classWeights, classes), 0).sum(-1);
    const values: Tensor = terms.sum(-1).div(classes);
    return reduce("multiMargin", weight ? values.mul(weight) : values, options);
  });
}

/**
 * Σ over labels y and other classes c of max(0, 1 − (x_y − x_c)) / classes: each of a sample's classes should be ahead of each
 * that is none of it.
 *
 * @param scores x, (…, classes)
 * @param targets (…, classes): 1 for the classes of the sample, 0 for others. (PyTorch lists their indices, ended by −1.)
 * @throws ShapeError when the shapes differ. Another target fails the step, which changes nothing.
 * @example
 * await multiLabelMargin(tensor([[2, 0]]), tensor([[1, 0]])).item(); // 0
 */
export function multiLabelMargin(scores: Tensor, targets: TensorLike, options: LossOptions = {}): Tensor {
  return located(() => {
    checkOptions("multiLabelMargin", options, sharedOptions);
    const { x, isClass } = multiLabels("multiLabelMargin", scores, targets, options);
    // (…, classes of the sample, other classes)
    const missing: Tensor = x.expandDims(-2).sub(x.expandDims(-1)).add(1).relu();
    const isPair = isClass.expandDims(-1).and(isClass.expandDims(-2).not()) as Tensor;
    const values: Tensor = where(isPair, missing, 0)
      .sum([-2, -1])
      .div(classCount("multiLabelMargin", scores));
    return reduce("multiLabelMargin", values, options);
  });
}

export interface MultiLabelSoftMarginOptions extends LossOptions {
  /** A weight for each class, shape (classes). */
  readonly classWeights?: TensorLike;
}

/**
 * −mean over classes of y·log σ(x) + (1 − y)·log σ(−x): a yes or no for each class, one value a sample.
 *
 * @param scores x, (…, classes)
 * @param targets (…, classes): 1 for the classes of the sample, 0 for others
 * @throws ShapeError when the shapes differ. Another target fails the step, which changes nothing.
 * @example
 * await multiLabelSoftMargin(tensor([[0, 0]]), tensor([[1, 0]])).item(); // 0.6931471824645996
 */
export function multiLabelSoftMargin(
  scores: Tensor,
  targets: TensorLike,
  options: MultiLabelSoftMarginOptions = {},
): Tensor {
  return located(() => {
    checkOptions("multiLabelSoftMargin", options, ["classWeights", ...sharedOptions]);
    const { x, isClass } = multiLabels("multiLabelSoftMargin", scores, targets, options);
    const terms: Tensor = where(isClass, x.neg(), x).softplus();
    const { classWeights } = options;
    const classes = classCount("multiLabelSoftMargin", scores);
    const weighted: Tensor =
      classWeights === undefined
        ? terms
        : terms.mul(classWeightsOf("multiLabelSoftMargin", classWeights, classes));
    return reduce("multiLabelSoftMargin", weighted.mean(-1), options);
  });
}

/** Scores and targets of the samples that count. */
function multiLabels(
  what: string,
  scores: Tensor,
  targets: TensorLike,
  options: LossOptions,
): { x: Tensor; isClass: Tensor } {
  const given = asTensor(targets);
  requireEqualShapes(what, scores, given);
  classCount(what, scores);
  const y = masked(given, options, { features: true });
  if (y.dtype === "bool") return { x: masked(scores, options, { features: true }), isClass: y };
  const isTarget = y.equal(0).or(y.equal(1)) as Tensor;
  const isClass = checked(y, isTarget, `${what}: targets must be 0 or 1`).equal(1) as Tensor;
  return { x: masked(scores, options, { features: true }), isClass };
}
