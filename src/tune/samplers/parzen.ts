/**
 * Parzen estimators: a density from observations, as a mixture of one kernel at each of them and a prior.
 *
 * Bergstra, Bardenet, Bengio, Kégl, "Algorithms for hyper-parameter optimization", NIPS 2011; the widths, weights and kernels of choices as
 * Optuna sets them (Watanabe, "Tree-structured Parzen estimator", arXiv:2304.11127). With several parameters a kernel is the product over
 * them, so that what goes well together stays together.
 */
import type { ChoiceValue, Distribution } from "../distribution.ts";
import type { Stream } from "../stream.ts";
import { logDensityOfNormal, normalMass } from "./gaussian.ts";

/** The kernels of one parameter: all of them give samples and densities in the parameter's own values. */
interface Kernels {
  sample(kernel: number, stream: Stream): ChoiceValue;
  logDensity(kernel: number, value: ChoiceValue): number;
}

export class ParzenEstimator {
  readonly #weights: Float64Array;
  readonly #kernels: ReadonlyMap<string, Kernels>;

  /** `observations` in the order of their trials: the older of many weigh less. */
  constructor(
    distributions: ReadonlyMap<string, Distribution>,
    observations: readonly ReadonlyMap<string, ChoiceValue>[],
  ) {
    this.#weights = mixtureWeights(observations.length);
    this.#kernels = new Map(
      [...distributions].map(([name, distribution]) => [
        name,
        kernelsOf(
          distribution,
          observations.map((values) => values.get(name)!),
        ),
      ]),
    );
  }

  sample(stream: Stream): Map<string, ChoiceValue> {
    const kernel = stream.weighted(this.#weights);
    return new Map([...this.#kernels].map(([name, kernels]) => [name, kernels.sample(kernel, stream)]));
  }

  logDensity(values: ReadonlyMap<string, ChoiceValue>): number {
    const terms = Float64Array.from(this.#weights, (weight, kernel) => {
      let sum = Math.log(weight);
      for (const [name, kernels] of this.#kernels) sum += kernels.logDensity(kernel, values.get(name)!);
      return sum;
    });
    const largest = terms.reduce((most, term) => Math.max(most, term), Number.NEGATIVE_INFINITY);
    if (largest === Number.NEGATIVE_INFINITY) return largest;
    return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
  }
}

/** The last 25 observations and the prior weigh 1, older ones less the older they are; normalised. */
function mixtureWeights(observations: number): Float64Array {
  const recent = 25;
  const older = observations - recent;
  const weights = Float64Array.from({ length: observations + 1 }, (_, i) =>
    i >= older
      ? 1
      : older === 1
        ? 1 / observations
        : 1 / observations + ((1 - 1 / observations) * i) / (older - 1),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

function kernelsOf(distribution: Distribution, values: readonly ChoiceValue[]): Kernels {
  if (distribution.kind === "choice") return choiceKernels(distribution.values, values);
  return rangeKernels(distribution, values as readonly number[]);
}

/** A kernel gives its own value one more than the 1 / kernels that all values have. */
function choiceKernels(choices: readonly ChoiceValue[], values: readonly ChoiceValue[]): Kernels {
  const kernels = values.length + 1;
  const total = choices.length / kernels + 1;
  const probability = (kernel: number, value: ChoiceValue): number =>
    kernel === values.length
      ? 1 / choices.length
      : (1 / kernels + (values[kernel] === value ? 1 : 0)) / total;
  return {
    sample(kernel, stream) {
      return choices[stream.weighted(choices.map((value) => probability(kernel, value)))]!;
    },
    logDensity: (kernel, value) => Math.log(probability(kernel, value)),
  };
}

type Range = Exclude<Distribution, { kind: "choice" }>;

/** Normal kernels cut off at the range's ends, in the logarithm where the range is logarithmic; over steps, the mass of each. */
function rangeKernels(range: Range, values: readonly number[]): Kernels {
  const { step } = range;
  const half = (step ?? 0) / 2;
  const scaled = (value: number): number => (range.log ? Math.log(value) : value);
  const [low, high] = [scaled(range.low - half), scaled(range.high + half)];
  const centres = [...values.map(scaled), (low + high) / 2];
  const widths = [...kernelWidths(centres.slice(0, -1), low, high), high - low];
  const masses = centres.map((centre, i) =>
    normalMass((low - centre) / widths[i]!, (high - centre) / widths[i]!),
  );
  return {
    sample(kernel, stream) {
      // A centre lies in the range and a width is at most the range: a third of the draws at least are inside.
      let drawn: number;
      do drawn = centres[kernel]! + widths[kernel]! * stream.normal();
      while (!(drawn >= low && drawn <= high) && low < high);
      const value = range.log ? Math.exp(drawn) : drawn;
      const stepped = step === undefined ? value : range.low + Math.round((value - range.low) / step) * step;
      return Math.min(range.high, Math.max(range.low, stepped));
    },
    logDensity(kernel, value) {
      const [centre, width] = [centres[kernel]!, widths[kernel]!];
      if (width === 0) return 0;
      if (step === undefined) {
        return (
          logDensityOfNormal((scaled(value as number) - centre) / width) - Math.log(width * masses[kernel]!)
        );
      }
      const [from, to] = [scaled((value as number) - half), scaled((value as number) + half)];
      const mass = normalMass((from - centre) / width, (to - centre) / width);
      return Math.log(Math.max(mass, Number.MIN_VALUE)) - Math.log(masses[kernel]!);
    },
  };
}

/** The distance to the farther neighbour, the range's ends leaving the outermost alone, within limits that shrink as observations come. */
function kernelWidths(centres: readonly number[], low: number, high: number): number[] {
  const n = centres.length;
  const order = centres.map((_, i) => i).sort((a, b) => centres[a]! - centres[b]!);
  const least = (high - low) / Math.min(100, n + 2);
  const widths: number[] = new Array(n);
  order.forEach((at, rank) => {
    const before = rank > 0 ? centres[order[rank - 1]!] : n >= 2 ? undefined : low;
    const after = rank < n - 1 ? centres[order[rank + 1]!] : n >= 2 ? undefined : high;
    const centre = centres[at]!;
    const width = Math.max(
      before === undefined ? 0 : centre - before,
      after === undefined ? 0 : after - centre,
    );
    widths[at] = Math.min(high - low, Math.max(least, width));
  });
  return widths;
}
