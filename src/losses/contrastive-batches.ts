/** Contrastive losses over a batch: each sample's partner against everybody else's. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import { arange, asTensor, concat, eye, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { type Reduction, requireEqualShapes } from "./reduction.ts";

export interface InfoNceOptions {
  /** What similarities are divided by, default 0.1: a small one looks at the hardest others alone. */
  readonly temperature?: number;
  readonly reduction?: Reduction;
  /** Default false: true adds the loss of keys that look for queries, and takes the mean of both (CLIP). */
  readonly symmetric?: boolean;
  /** Further keys, (n, features), that are nobody's partner; not with `symmetric`. */
  readonly negatives?: TensorLike;
}

/** Vectors of length 1; one of zeros stays, with gradient 0. */
const unit = (x: Tensor): Tensor =>
  x.mul(x.square().sum(-1, { keepDims: true }).maximum(1e-24).rsqrt()) as Tensor;

function requireVectors(what: string, a: Tensor, b: Tensor): number {
  requireEqualShapes(what, a, b);
  if (a.shape.length === 2) return (a.shape as readonly number[])[0]!;
  throw new ShapeError(`${what}: expects vectors (batch, features), got ${shapeText(a.shape)}`);
}

function requireTemperature(what: string, temperature: number): void {
  if (!(temperature > 0))
    throw new ArgumentError(`${what}: the temperature must be above 0, got ${temperature}`);
}

/**
 * −log of the share that query i gives to key i: softmax over all keys of cos(qᵢ, kⱼ) / temperature. The keys of other queries
 * are the negatives. Van den Oord, Li and Vinyals, "Representation learning with contrastive predictive coding", 2018; with
 * `symmetric` the loss of CLIP (Radford et al., 2021).
 *
 * @param queries (batch, features)
 * @param keys the same shape; key i is the partner of query i
 * @returns the mean over queries as (), their sum, or with reduction "none" the values (batch)
 * @throws ShapeError when the shapes differ or have other than two axes, ArgumentError unless temperature > 0
 * @example
 * const x = tensor([[1, 0], [0, 1]]);
 * (await infoNce(x, x, { temperature: 1 }).item()).toFixed(4); // "0.3133"
 */
export function infoNce(queries: Tensor, keys: TensorLike, options: InfoNceOptions = {}): Tensor {
  return located(() => {
    checkOptions("infoNce", options, ["temperature", "reduction", "symmetric", "negatives"]);
    const { temperature = 0.1, reduction = "mean", symmetric = false } = options;
    requireTemperature("infoNce", temperature);
    const k = asTensor(keys);
    const batch = requireVectors("infoNce", queries, k);
    const all = withNegatives(k, options);
    const similarities: Tensor = unit(queries).matmul(unit(all).transpose()).div(temperature); // (batch, batch + n)
    const partners = arange(batch);
    const forth = crossEntropy(similarities, partners, { reduction });
    if (!symmetric) return forth;
    const back = crossEntropy(similarities.transpose(), partners, { reduction });
    return forth.add(back).mul(0.5) as Tensor;
  });
}

function withNegatives(keys: Tensor, { negatives, symmetric = false }: InfoNceOptions): Tensor {
  if (negatives === undefined) return keys;
  if (symmetric) throw new ArgumentError("infoNce: negatives look for nobody: they do not go with symmetric");
  const more = asTensor(negatives);
  if (more.shape.length === 2 && more.shape[1] === keys.shape[1]) return concat([keys, more], 0) as Tensor;
  throw new ShapeError(
    `infoNce: negatives must be (n, ${keys.shape[1]}) as the keys ${shapeText(keys.shape)}, got ${shapeText(more.shape)}`,
  );
}

/**
 * SimCLR's loss of two views of each sample: every one of the 2·batch vectors looks for its other view among all vectors but
 * itself. Chen et al., "A simple framework for contrastive learning of visual representations", ICML 2020. Their temperature
 * is 0.5 when left out.
 *
 * @param first one view of each sample, (batch, features)
 * @param second the other view, the same shape
 * @returns the mean over the 2·batch vectors as (), their sum, or with reduction "none" the values (2·batch)
 * @throws ShapeError when the shapes differ or have other than two axes, ArgumentError unless temperature > 0
 * @example
 * await ntXent(tensor([[1, 0]]), tensor([[0, 1]])).item(); // 0
 */
export function ntXent(
  first: Tensor,
  second: TensorLike,
  options: Omit<InfoNceOptions, "symmetric" | "negatives"> = {},
): Tensor {
  return located(() => {
    checkOptions("ntXent", options, ["temperature", "reduction"]);
    const { temperature = 0.5, reduction = "mean" } = options;
    requireTemperature("ntXent", temperature);
    const other = asTensor(second);
    const batch = requireVectors("ntXent", first, other);
    const all = unit(concat([first, other], 0) as Tensor); // (2·batch, features)
    const similarities = all.matmul(all.transpose()).div(temperature) as Tensor;
    const isSelf = eye(2 * batch).equal(1);
    const partners = concat([arange(batch).add(batch), arange(batch)], 0);
    return crossEntropy(where(isSelf, Number.NEGATIVE_INFINITY, similarities), partners as Tensor, {
      reduction,
    });
  });
}
