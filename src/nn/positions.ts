/** Embeddings of positions that are added to those of tokens. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { shapeText } from "../base/shape.ts";
import { arange, type Tensor, tensor } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";
import { type Initializer, normal } from "./initializers.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

const requireEven = (what: string, size: number, by: number): void => {
  if (Number.isInteger(size) && size > 0 && size % by === 0) return;
  throw new ArgumentError(`${what}: the size must be a positive multiple of ${by}, got ${size}`);
};

/**
 * Sines and cosines of the positions first … first + length − 1: PE(p, 2i) = sin(p / base^(2i/size)), PE(p, 2i + 1) the cosine.
 * Vaswani et al., 2017.
 *
 * Shape: (length, size).
 *
 * @example sinusoidalPositions(1, 4); // [[0, 1, 0, 1]]
 */
export function sinusoidalPositions(length: number, size: number, { first = 0, base = 10_000 } = {}): Tensor {
  requireEven("sinusoidalPositions", size, 2);
  const data = Array.from({ length: length * size }, (_, at) => {
    const [p, i] = [first + Math.floor(at / size), at % size];
    const angle = p / base ** ((2 * Math.floor(i / 2)) / size);
    return i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
  return tensor(Float32Array.from(data), { shape: [length, size] }) as Tensor;
}

/**
 * Sines and cosines of the places of a grid, row by row, for patches of images: the first half of the features tells the column,
 * the second the row, each as sines, then cosines. As in He et al., "Masked autoencoders are scalable vision learners", 2022.
 *
 * Shape: (height · width, size).
 *
 * @example sinusoidalPositions2d(2, 3, 8).shape; // [6, 8]
 */
export function sinusoidalPositions2d(height: number, width: number, size: number, base = 10_000): Tensor {
  requireEven("sinusoidalPositions2d", size, 4);
  const quarter = size / 4;
  const half = (p: number): number[] => {
    const angles = Array.from({ length: quarter }, (_, i) => p / base ** (i / quarter));
    return [...angles.map(Math.sin), ...angles.map(Math.cos)];
  };
  const data = Array.from({ length: height * width }, (_, at) => [
    ...half(at % width),
    ...half(Math.floor(at / width)),
  ]).flat();
  return tensor(Float32Array.from(data), { shape: [height * width, size] }) as Tensor;
}

/**
 * Adds sines and cosines of the positions: x + PE. Nothing is learnt, and any length is right.
 *
 * Shapes: (…, T, size) → the same.
 *
 * @example
 * new SinusoidalPositions(16).forward(zeros([2, 5, 16])).shape; // [2, 5, 16]
 */
export class SinusoidalPositions extends Module {
  readonly size: number;

  constructor(size: number) {
    super();
    requireEven("SinusoidalPositions", size, 2);
    this.size = size;
  }

  /** @param offset the position of the first vector */
  forward(x: Tensor, offset = 0): Tensor {
    const length = requireVectors(`SinusoidalPositions(${this.size})`, x, this.size);
    return x.add(sinusoidalPositions(length, this.size, { first: offset })) as Tensor;
  }

  protected override describe(): string {
    return `${this.size}`;
  }
}

export interface LearnedPositionsOptions {
  /** Default `initializers.normal(0, 0.02)`, as in GPT-2, BERT and ViT. */
  readonly weightInit?: Initializer;
  /** What the initializer draws from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

/**
 * Adds a learnt vector for each position, up to `maxPositions`. A ViT's patches are positions like any other: (patches, size).
 *
 * Shapes: (…, T, size) → the same.
 *
 * @throws ShapeError when there are more positions than vectors
 * @example
 * new LearnedPositions(100, 16).forward(zeros([2, 5, 16])).shape; // [2, 5, 16]
 */
export class LearnedPositions extends Module {
  readonly maxPositions: number;
  readonly size: number;
  readonly weight: Parameter;

  constructor(maxPositions: number, size: number, options: LearnedPositionsOptions = {}) {
    super();
    checkOptions("LearnedPositions", options, ["weightInit", "key"]);
    for (const [name, count] of Object.entries({ maxPositions, size })) {
      if (!Number.isInteger(count) || count < 1)
        throw new ArgumentError(`LearnedPositions: ${name} must be a positive integer, got ${count}`);
    }
    const { weightInit = normal(0, 0.02), key = nextKey() } = options;
    this.maxPositions = maxPositions;
    this.size = size;
    const shape = [maxPositions, size];
    const fans = { fanIn: maxPositions, fanOut: size };
    const root = toRandomKey(key);
    const data = () => weightInit({ shape, ...fans, key: fold(root, 0) });
    this.weight = new Parameter({ dtype: "f32", shape, data }, { name: "weight" });
  }

  /** @param offset the position of the first vector: a number, or an i32 scalar such as a cache's length (an index too large fails the run) */
  forward(x: Tensor, offset: number | Tensor = 0): Tensor {
    const { maxPositions, size } = this;
    const what = `LearnedPositions(${maxPositions} × ${size})`;
    const length = requireVectors(what, x, size);
    if (typeof offset !== "number")
      return x.add(this.weight.gather((arange(length) as Tensor).add(offset) as Tensor)) as Tensor;
    if (offset + length > maxPositions)
      throw withPlace(new ShapeError(`${what}: ${length} vectors from position ${offset} are too many`));
    return x.add(this.weight.slice(0, offset, offset + length) as Tensor) as Tensor;
  }

  protected override describe(): string {
    return `${this.maxPositions} × ${this.size}`;
  }
}

function requireVectors(what: string, x: Tensor, size: number): number {
  const shape = x.shape as readonly number[];
  if (shape.length < 2 || shape.at(-1) !== size)
    throw withPlace(new ShapeError(`${what}: needs (…, T, ${size}), got ${shapeText(shape)}`));
  return shape.at(-2)!;
}
