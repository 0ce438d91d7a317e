/** What a step minimises: one loss or several, weighted by losses, classes and samples. */
import { ArgumentError, nearestName, ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { classWeightsOf, wideLabels } from "../losses/classes.ts";
import { Tensor, tensor, where } from "../tensor/index.ts";

/**
 * A mean over a batch, from what the model gives and the labels; or several by name, which are added. Where samples or classes
 * have weights it is called with `{ reduction: "none" }` as a third argument, as losses of `netwright/losses` take it.
 */
export type LossFunction = (
  predictions: any,
  labels: any,
  options?: any,
) => Tensor | Readonly<Record<string, Tensor>>;

/** A weight for each class, in order or by class; classes that are left out weigh 1. */
export type ClassWeights = readonly number[] | Readonly<Record<number, number>>;

export interface LossOptions {
  /**
   * A function; or one for each output of a model whose `forward` gives a record: `{ class: crossEntropy, box: smoothL1 }`. Each is
   * given the output and the label of its name, and their sum is minimised.
   */
  readonly loss: LossFunction | Readonly<Record<string, LossFunction>>;
  /** What losses are multiplied by before they are added, by name; 1 unless told otherwise. */
  readonly lossWeights?: Readonly<Record<string, number>>;
  /**
   * What the losses of samples are multiplied by, by their class. The mean is over samples, as Keras's `class_weight` has it; PyTorch's
   * divides by the sum of the weights: for that give `crossEntropy` its own `classWeights`. With several losses, by their names.
   */
  readonly classWeights?: ClassWeights | Readonly<Record<string, ClassWeights>>;
  /**
   * How many things the loss is the mean of, from the labels: samples unless told otherwise. Needed where it differs from batch to
   * batch and batches are put together: `(labels) => labels.notEqual(-100).sum()` for texts with ignored tokens.
   */
  readonly lossCount?: (labels: any) => Tensor;
}

export const lossOptionNames = [
  "loss",
  "lossWeights",
  "classWeights",
  "lossCount",
] as const satisfies readonly (keyof LossOptions)[];

/** Those of a larger set of options. */
export const lossOptions = ({ loss, lossWeights, classWeights, lossCount }: LossOptions): LossOptions => ({
  loss,
  ...(lossWeights && { lossWeights }),
  ...(classWeights && { classWeights }),
  ...(lossCount && { lossCount }),
});

type Labels = Tensor | Readonly<Record<string, Tensor>>;

/** The losses of one batch. */
export interface BatchLosses {
  /** What is minimised: f32 of shape (). */
  readonly total: Tensor;
  /** Of several losses, each before it is weighted. */
  readonly parts: Readonly<Record<string, Tensor>>;
  /** How many things `total` is the mean of; undefined where it is the number of samples. */
  readonly count: Tensor | undefined;
}

/** Names of the losses, where they are given as a record. */
export const headsOf = ({ loss }: Pick<LossOptions, "loss">): readonly string[] =>
  typeof loss === "object" && loss !== null ? Object.keys(loss) : [];

export class Objective {
  readonly #options: LossOptions;

  constructor(what: string, options: LossOptions) {
    this.#options = options;
    const { loss, lossWeights = {} } = options;
    if (typeof loss !== "function" && headsOf(options).length === 0)
      throw new ArgumentError(`${what}: loss must be a function, or a record of them, got ${shown(loss)}`);
    const heads = headsOf(options);
    if (heads.length === 0) return;
    for (const name of Object.keys(lossWeights)) requireName(`${what}: lossWeights`, name, heads);
    if (hasHeads(options.classWeights))
      for (const name of Object.keys(options.classWeights)) requireName(`${what}: classWeights`, name, heads);
  }

  /** Whether samples are weighted, by a column or by class. */
  #isWeighted(weights: Tensor | undefined): boolean {
    return weights !== undefined || this.#options.classWeights !== undefined;
  }

  /** The losses of one batch: called while a step is traced. */
  apply(outputs: unknown, labels: Labels, weights: Tensor | undefined): BatchLosses {
    const { loss, lossCount } = this.#options;
    const count = lossCount?.(labels).cast("f32") as Tensor | undefined;
    if (typeof loss !== "function") {
      const parts = Object.entries(loss).map(([name, own]) => {
        const label = labels instanceof Tensor ? labels : named("label", name, labels);
        const values = this.#valuesOf(own, named("output", name, outputs), label, weights);
        return [name, this.#reduce(name, values, label, weights, count)] as const;
      });
      return this.#sum(Object.fromEntries(parts), count);
    }
    const given = this.#valuesOf(loss, outputs, labels, weights);
    if (given instanceof Tensor)
      return { total: this.#reduce(undefined, given, labels, weights, count), parts: {}, count };
    const parts = Object.entries(given as Readonly<Record<string, Tensor>>).map(
      ([name, values]) => [name, this.#reduce(name, values, labels, weights, count)] as const,
    );
    return this.#sum(Object.fromEntries(parts), count);
  }

  #valuesOf(loss: LossFunction, outputs: unknown, labels: unknown, weights: Tensor | undefined): any {
    return this.#isWeighted(weights) ? loss(outputs, labels, { reduction: "none" }) : loss(outputs, labels);
  }

  /** A loss that is a mean already as it is; values of samples as their weighted mean. */
  #reduce(
    name: string | undefined,
    values: Tensor,
    labels: Labels,
    weights: Tensor | undefined,
    count: Tensor | undefined,
  ): Tensor {
    if (!this.#isWeighted(weights)) return requireScalar(name, values);
    requireValues(name, values);
    const classWeights = this.#classWeightsOf(name);
    const label = labels instanceof Tensor ? labels : name === undefined ? undefined : labels[name];
    const ofClass = classWeights && weightsByClass(classWeights, requireLabel(label), values);
    const byClass: Tensor = ofClass ? values.mul(ofClass) : values;
    const weighted: Tensor = weights === undefined ? byClass : byClass.mul(alongSamples(weights, values));
    return (
      count === undefined ? weighted.mean() : weighted.sum().div(where(count.equal(0), 1, count))
    ) as Tensor;
  }

  #classWeightsOf(name: string | undefined): ClassWeights | undefined {
    const { classWeights } = this.#options;
    return hasHeads(classWeights) ? (name === undefined ? undefined : classWeights[name]) : classWeights;
  }

  #sum(parts: Readonly<Record<string, Tensor>>, count: Tensor | undefined): BatchLosses {
    const { lossWeights = {} } = this.#options;
    const names = Object.keys(parts);
    if (names.length === 0) throw new ArgumentError("the loss gave an empty record: nothing to minimise");
    for (const name of Object.keys(lossWeights)) requireName("lossWeights", name, names);
    const terms = names.map(
      (name) => (name in lossWeights ? parts[name]!.mul(lossWeights[name]!) : parts[name]!) as Tensor,
    );
    return { total: terms.reduce((sum, term) => sum.add(term) as Tensor), parts, count };
  }
}

/** `{ class: [1, 2] }` is by loss, `[1, 2]` and `{ 0: 1, 1: 2 }` by class. */
const hasHeads = (weights: LossOptions["classWeights"]): weights is Readonly<Record<string, ClassWeights>> =>
  weights !== undefined &&
  !Array.isArray(weights) &&
  Object.values(weights).some((own) => typeof own === "object");

function requireName(what: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const near = nearestName(name, known);
  throw new ArgumentError(
    `${what}: there is no loss "${name}"; they are ${known.join(", ")}${near ? `. Did you mean "${near}"?` : ""}`,
  );
}

function named(what: string, name: string, record: unknown): Tensor {
  const isRecord = typeof record === "object" && record !== null && !(record instanceof Tensor);
  const found = isRecord ? (record as Record<string, Tensor>)[name] : undefined;
  if (found !== undefined) return found;
  const known = isRecord
    ? `there are ${Object.keys(record as object).join(", ")}`
    : `the model gives ${shown(record)}`;
  throw new ArgumentError(
    `loss "${name}" has no ${what} of its name: ${known}; with several losses, forward gives a record of outputs and labels name a column for each`,
  );
}

const shown = (value: unknown): string => (value instanceof Tensor ? "one tensor" : typeof value);

function requireScalar(name: string | undefined, loss: Tensor): Tensor {
  if (loss instanceof Tensor && loss.shape.length === 0) return loss;
  const what = name === undefined ? "the loss" : `the loss "${name}"`;
  throw new ShapeError(
    `${what} must be one number, a mean over the batch, got ${loss instanceof Tensor ? shapeText(loss.shape) : shown(loss)}; reduce it with .mean()`,
  );
}

function requireValues(name: string | undefined, values: Tensor): void {
  if (values instanceof Tensor && values.shape.length > 0) return;
  throw new ArgumentError(
    `${name === undefined ? "the loss" : `the loss "${name}"`} gave one number where sampleWeights or classWeights need one a sample: ` +
      'pass its third argument on, (predictions, labels, options) => crossEntropy(predictions, labels, { ...options, … }), or reduce nothing when it says { reduction: "none" }',
  );
}

function requireLabel(label: Tensor | undefined): Tensor {
  if (label !== undefined) return label;
  throw new ArgumentError(
    "classWeights need a loss by name for each label: { loss: { class: crossEntropy }, classWeights: { class: [1, 2] } }",
  );
}

/** The weight of each value's class: labels of the values' shape are classes, those with one axis more are shares of them. */
function weightsByClass(given: ClassWeights, labels: Tensor, values: Tensor): Tensor {
  const wide = wideLabels(labels);
  if (sameShape(wide.shape, values.shape)) {
    // Classes that are not listed weigh 1; whether a label is a class at all is the loss's to check.
    const list = [...listOf(given), 1];
    const index = wide
      .maximum(0)
      .minimum(list.length - 1)
      .cast("i32");
    return tensor(list).gather(index, 0) as Tensor;
  }
  const classes: unknown = wide.shape.at(-1);
  if (typeof classes === "number" && sameShape(wide.shape, [...values.shape, classes])) {
    return wide
      .cast("f32")
      .mul(classWeightsOf("classWeights", tensor(listOf(given, classes)), classes))
      .sum(-1) as Tensor;
  }
  throw new ShapeError(
    `classWeights: labels ${shapeText(labels.shape)} are neither classes of the values ${shapeText(values.shape)} nor shares of classes`,
  );
}

function listOf(weights: ClassWeights, classes = 0): number[] {
  const entries = Object.entries(weights).map(([name, weight]) => [Number(name), weight as number] as const);
  for (const [index, weight] of entries) {
    if (Number.isInteger(index) && index >= 0 && weight >= 0) continue;
    throw new ArgumentError(
      `classWeights: weights are 0 or more, for classes 0, 1 …; got ${weight} for class ${index}`,
    );
  }
  const length = Math.max(classes, ...entries.map(([index]) => index + 1));
  const list = new Array<number>(length).fill(1);
  for (const [index, weight] of entries) list[index] = weight;
  return list;
}

/** (N) → (N, 1, …): a weight a sample beside values of any rank. */
const alongSamples = (weights: Tensor, values: Tensor): Tensor => {
  const axes = (values.shape as readonly unknown[]).length;
  let wide = weights.cast("f32") as Tensor;
  for (let axis = 1; axis < axes; axis++) wide = wide.expandDims(-1) as Tensor;
  return wide;
};
