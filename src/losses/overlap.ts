/** Losses of overlap, for masks of segments: how much of prediction and target is not in both. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { asTensor, type Tensor, type TensorLike } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import type { ShapeOf } from "../tensor/types.ts";
import { masked, type Reduction, reduceWeighted, requireEqualShapes } from "./reduction.ts";
import type { TargetsCheck } from "./shape-check.ts";

export interface OverlapOptions {
  readonly reduction?: Reduction;
  /** What the first argument holds, default "probabilities"; "logits" are put through a sigmoid. */
  readonly from?: "probabilities" | "logits";
  /** The axes that are summed over; default all but the first, so that each sample has its own overlap. */
  readonly axis?: number | readonly number[];
  /** Added to both sides of the fraction, default 1e-5: an empty target that is predicted empty is right. */
  readonly smooth?: number;
  /** Which elements count: bool, of the predictions' shape or one that broadcasts to it. */
  readonly mask?: TensorLike;
}

export interface TverskyOptions extends OverlapOptions {
  /** What wrongly predicted elements cost, default 0.5. */
  readonly alpha?: number;
  /** What missed elements cost, default 0.5. */
  readonly beta?: number;
}

interface Sums {
  /** Σ p·y, Σ p·(1 − y), Σ (1 − p)·y. */
  readonly both: Tensor;
  readonly wrong: Tensor;
  readonly missed: Tensor;
}

/**
 * 1 − (2·Σp·y + s) / (Σp + Σy + s): Dice's coefficient (F1 of the elements). Milletari, Navab and Ahmadi, "V-Net", 3DV 2016, with
 * sums in place of squares, as in MONAI.
 *
 * @param predictions p, probabilities (or logits, with `from`), (N, …)
 * @param targets y, the same shape: 0 or 1, or shares between
 * @throws ShapeError when the shapes differ
 * @example
 * (await dice(tensor([[1, 1, 0]]), tensor([[1, 0, 0]])).item()).toFixed(3); // "0.333"
 */
export function dice<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"dice", S, ShapeOf<T>>,
  options: OverlapOptions = {},
): Tensor {
  return overlap("dice", predictions, targets, { ...options, alpha: 0.5, beta: 0.5 });
}

/**
 * 1 − (Σp·y + s) / (Σp + Σy − Σp·y + s): Jaccard's index, intersection over union. Arguments and errors as for {@link dice}.
 *
 * @example
 * (await jaccard(tensor([[1, 1, 0]]), tensor([[1, 0, 0]])).item()).toFixed(3); // "0.500"
 */
export function jaccard<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"jaccard", S, ShapeOf<T>>,
  options: OverlapOptions = {},
): Tensor {
  return overlap("jaccard", predictions, targets, { ...options, alpha: 1, beta: 1 });
}

/**
 * 1 − (Σp·y + s) / (Σp·y + α·Σp·(1 − y) + β·Σ(1 − p)·y + s): what is wrongly predicted and what is missed cost differently. With
 * α = β = ½ it is {@link dice}, with 1 {@link jaccard}. Arguments and errors as there. Salehi, Erdogmus and Gholipour,
 * "Tversky loss function for image segmentation", 2017.
 *
 * @example
 * (await tversky(tensor([[1, 1, 0]]), tensor([[1, 0, 0]]), { alpha: 0.25 }).item()).toFixed(3); // "0.200"
 */
export function tversky<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"tversky", S, ShapeOf<T>>,
  options: TverskyOptions = {},
): Tensor {
  checkOptions("tversky", options, ["reduction", "from", "axis", "smooth", "mask", "alpha", "beta"]);
  const { alpha = 0.5, beta = 0.5 } = options;
  if (!(alpha >= 0 && beta >= 0))
    throw new ArgumentError(`tversky: alpha and beta must be 0 or more, got ${alpha} and ${beta}`);
  return overlap("tversky", predictions, targets, { ...options, alpha, beta });
}

function overlap(
  what: string,
  given: Tensor,
  targets: TensorLike,
  { alpha, beta, ...options }: OverlapOptions & { alpha: number; beta: number },
): Tensor {
  return located(() => {
    if (what !== "tversky") checkOptions(what, options, ["reduction", "from", "axis", "smooth", "mask"]);
    const { smooth = 1e-5, reduction } = options;
    // Dice's two in numerator and denominator halves what is added.
    const added = what === "dice" ? smooth / 2 : smooth;
    const { both, wrong, missed } = sumsOf(what, given, asTensor(targets), options);
    const all: Tensor = both.add(wrong.mul(alpha)).add(missed.mul(beta)).add(added);
    const values: Tensor = both.add(added).div(all).neg().add(1);
    return reduceWeighted(what, values, { weights: undefined, reduction });
  });
}

function sumsOf(what: string, given: Tensor, targets: Tensor, options: OverlapOptions): Sums {
  requireEqualShapes(what, given, targets);
  const { from = "probabilities", axis = given.shape.slice(1).map((_: unknown, i: number) => i + 1) } =
    options;
  if (from !== "probabilities" && from !== "logits")
    throw new ArgumentError(`${what}: from "${String(from)}" is unknown; use "probabilities" or "logits"`);
  const x = masked(given, options);
  const p = masked((from === "logits" ? x.sigmoid() : x) as Tensor, options);
  const y = masked(targets.cast(p.dtype) as Tensor, options);
  const both: Tensor = p.mul(y).sum(axis);
  return { both, wrong: p.sum(axis).sub(both) as Tensor, missed: y.sum(axis).sub(both) as Tensor };
}
