/** Rotary position embeddings: pairs of features turn by an angle that grows with the position. Su et al., "RoFormer", 2021. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import { arange, concat, stack, type Tensor, tensor } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";

/** How the angles of a model change for texts longer than it was trained on; Hugging Face's names and formulas. */
export type RotaryScaling =
  /** Positions divided by the factor. Chen et al., "Extending context window of large language models via positional interpolation", 2023. */
  | { readonly type: "linear"; readonly factor: number }
  /** The base grows with the length of the text, beyond the length that the model knows. */
  | { readonly type: "dynamic"; readonly factor: number; readonly originalMaxPositions: number }
  /** Slow pairs are interpolated, fast ones left as they are, with a ramp between. Peng et al., "YaRN", 2023. */
  | {
      readonly type: "yarn";
      readonly factor: number;
      readonly originalMaxPositions: number;
      /** Rotations within the original length from which a pair is left alone; default 32. */
      readonly betaFast?: number;
      /** Rotations below which it is interpolated in full; default 1. */
      readonly betaSlow?: number;
      /** What sines and cosines are multiplied by; default 0.1·ln(factor) + 1. */
      readonly attentionFactor?: number;
    }
  /** By wavelength, with a smooth step. Grattafiori et al., "The Llama 3 herd of models", 2024. */
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly originalMaxPositions: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
    };

export interface RotaryOptions {
  /** Default 10 000. */
  readonly base?: number;
  /** Default false: feature i turns with i + size/2 (GPT-NeoX, Llama). True: neighbours turn together (RoFormer, GPT-J). */
  readonly interleaved?: boolean;
  readonly scaling?: RotaryScaling;
}

export interface RotaryPlace {
  /** The position of the first vector: a number, or an i32 scalar such as a cache's length. Default 0. */
  readonly offset?: number | Tensor | undefined;
  /** All positions, (T) or (…, T), instead. */
  readonly positions?: Tensor | undefined;
  /** How long the whole text is or may become, for "dynamic" scaling; default offset + T. */
  readonly length?: number | undefined;
}

/**
 * Turns queries and keys by their positions; the scores of turned vectors depend on distances alone.
 *
 * With θᵢ = base^(−2i/size), the pair i of features at position p becomes (a·cos pθᵢ − b·sin pθᵢ, b·cos pθᵢ + a·sin pθᵢ).
 * Of heads larger than `size` the first `size` features turn.
 *
 * Shapes: (…, T, headSize) → the same.
 *
 * @throws ArgumentError when the size is odd, or a scaling lacks what it needs
 * @example
 * const rotary = new RotaryEmbedding(16);
 * rotary.forward(zeros([2, 4, 10, 16]), { offset: 3 }).shape; // [2, 4, 10, 16]
 */
export class RotaryEmbedding {
  readonly size: number;
  readonly base: number;
  readonly interleaved: boolean;
  readonly scaling: RotaryScaling | undefined;
  /** What sines and cosines are multiplied by: 1 but for YaRN. */
  readonly attentionFactor: number;
  /** By length. Numbers, not tensors: those belong to the trace that made them. */
  private readonly frequencies = new Map<number, Float32Array>();

  constructor(size: number, options: RotaryOptions = {}) {
    checkOptions("RotaryEmbedding", options, ["base", "interleaved", "scaling"]);
    const { base = 10_000, interleaved = false, scaling } = options;
    if (!Number.isInteger(size) || size < 2 || size % 2 !== 0)
      throw new ArgumentError(`RotaryEmbedding: the size must be even and positive, got ${size}`);
    if (!(base > 1)) throw new ArgumentError(`RotaryEmbedding: the base must be above 1, got ${base}`);
    if (scaling !== undefined && !(scaling.factor >= 1))
      throw new ArgumentError(`RotaryEmbedding: the factor must be 1 or more, got ${scaling.factor}`);
    this.size = size;
    this.base = base;
    this.interleaved = interleaved;
    this.scaling = scaling;
    this.attentionFactor =
      scaling?.type === "yarn" ? (scaling.attentionFactor ?? 0.1 * Math.log(scaling.factor) + 1) : 1;
  }

  forward(x: Tensor, { offset = 0, positions, length }: RotaryPlace = {}): Tensor {
    const shape = x.shape as readonly number[];
    const [steps, features] = shape.slice(-2) as [number, number];
    if (shape.length < 2 || features < this.size)
      throw withPlace(
        new ShapeError(
          `RotaryEmbedding(${this.size}): needs (…, T, ${this.size} or more), got ${shapeText(shape)}`,
        ),
      );
    const at = positions ?? ((arange(steps) as Tensor).add(offset as Tensor) as Tensor);
    const angles = (at.cast("f32") as Tensor)
      .expandDims(-1)
      .mul(this.frequenciesFor(offset, steps, length)) as Tensor;
    const [cos, sin] = [angles.cos(), angles.sin()].map((y) => y.mul(this.attentionFactor) as Tensor) as [
      Tensor,
      Tensor,
    ];
    const turning = features === this.size ? x : (x.slice(-1, 0, this.size) as Tensor);
    const turned = this.interleaved ? turnNeighbours(turning, cos, sin) : turnHalves(turning, cos, sin);
    return features === this.size
      ? turned
      : (concat([turned, x.slice(-1, this.size, features)], -1) as Tensor);
  }

  /** θᵢ for a text of this length: (size / 2). */
  private frequenciesFor(offset: number | Tensor, steps: number, length: number | undefined): Tensor {
    const { scaling } = this;
    const known = length ?? (typeof offset === "number" ? offset + steps : undefined);
    if (scaling?.type === "dynamic" && known === undefined)
      throw withPlace(
        new ArgumentError('RotaryEmbedding: "dynamic" scaling needs the length where the offset is a tensor'),
      );
    const reach = scaling?.type === "dynamic" ? Math.max(known!, scaling.originalMaxPositions) : 0;
    let found = this.frequencies.get(reach);
    if (found === undefined) {
      found = Float32Array.from(rotaryFrequencies(this.size, this.base, scaling, reach));
      this.frequencies.set(reach, found);
    }
    return tensor(found) as Tensor;
  }
}

function turnHalves(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  const [a, b] = x.split(2, -1) as [Tensor, Tensor];
  return concat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], -1) as Tensor;
}

function turnNeighbours(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  const shape = x.shape as readonly number[];
  const pairs = x.reshape([...shape.slice(0, -1), shape.at(-1)! / 2, 2]) as Tensor;
  const [a, b] = [0, 1].map((i) => pairs.slice(-1, i, i + 1).squeeze(-1) as Tensor) as [Tensor, Tensor];
  const turned = [a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))] as Tensor[];
  return (stack(turned, -1) as Tensor).reshape(shape) as Tensor;
}

/**
 * The angle by which each pair of features turns a step: size/2 numbers. `length` counts for "dynamic" scaling alone.
 *
 * @example rotaryFrequencies(4, 10_000); // [1, 0.01]
 */
export function rotaryFrequencies(size: number, base: number, scaling?: RotaryScaling, length = 0): number[] {
  const of = (from: number): number[] =>
    Array.from({ length: size / 2 }, (_, i) => from ** ((-2 * i) / size));
  const plain = of(base);
  switch (scaling?.type) {
    case undefined:
      return plain;
    case "linear":
      return plain.map((theta) => theta / scaling.factor);
    case "dynamic": {
      const { factor, originalMaxPositions } = scaling;
      const reach = Math.max(length, originalMaxPositions);
      return of(base * ((factor * reach) / originalMaxPositions - (factor - 1)) ** (size / (size - 2)));
    }
    case "yarn":
      return yarnFrequencies(size, base, scaling, plain);
    case "llama3":
      return plain.map((theta) => llama3Frequency(theta, scaling));
  }
}

function yarnFrequencies(
  size: number,
  base: number,
  scaling: Extract<RotaryScaling, { type: "yarn" }>,
  plain: readonly number[],
): number[] {
  const { factor, originalMaxPositions, betaFast = 32, betaSlow = 1 } = scaling;
  /** The pair that turns so often within the original length. */
  const pairOf = (rotations: number): number =>
    (size * Math.log(originalMaxPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(Math.floor(pairOf(betaFast)), 0);
  const last = Math.min(Math.ceil(pairOf(betaSlow)), size - 1);
  const high = last === low ? last + 0.001 : last;
  return plain.map((theta, i) => {
    const interpolated = Math.min(1, Math.max(0, (i - low) / (high - low)));
    return (theta / factor) * interpolated + theta * (1 - interpolated);
  });
}

function llama3Frequency(theta: number, scaling: Extract<RotaryScaling, { type: "llama3" }>): number {
  const { factor, originalMaxPositions, lowFrequencyFactor: low, highFrequencyFactor: high } = scaling;
  const wavelength = (2 * Math.PI) / theta;
  if (wavelength > originalMaxPositions / low) return theta / factor;
  if (wavelength < originalMaxPositions / high) return theta;
  const smooth = (originalMaxPositions / wavelength - low) / (high - low);
  return ((1 - smooth) * theta) / factor + smooth * theta;
}
