/** Signals, images and volumes in another size: by the nearest element, or between neighbours. */

import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import type { PerChannel } from "../base/shape-types.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { located, withPlace } from "../tensor/located.ts";
import { Module } from "./module.ts";
import { adaptiveAverage } from "./pooling.ts";
import { type PerAxis, perAxis, perAxisText } from "./spatial.ts";

export type InterpolationMode =
  | "nearest"
  | "nearest-exact"
  | "linear"
  | "bilinear"
  | "trilinear"
  | "bicubic"
  | "area";

export interface InterpolateOptions {
  /** The spatial sizes wanted; either this or `scaleFactor`. */
  readonly size?: PerAxis;
  /** How many times as large, numbers above 0: sizes are rounded down. */
  readonly scaleFactor?: number | readonly number[];
  /** Default "nearest". Linear takes one spatial axis, bilinear and bicubic two, trilinear three, the others any. */
  readonly mode?: InterpolationMode;
  /**
   * Default false: elements are areas, whose edges coincide. True: elements are points, of which the first and the last coincide.
   * Only where it is interpolated between elements.
   */
  readonly alignCorners?: boolean;
}

const optionNames = ["size", "scaleFactor", "mode", "alignCorners"] as const;

/** How many spatial axes a mode takes; undefined: any. */
const rankOf: Record<InterpolationMode, number | undefined> = {
  ...{ nearest: undefined, "nearest-exact": undefined, area: undefined },
  ...{ linear: 1, bilinear: 2, bicubic: 2, trilinear: 3 },
};

/** One axis: its size, the size wanted, and how far places lie apart in units of the input. */
interface Axis {
  readonly size: number;
  readonly count: number;
  readonly spacing: number;
}

/** For each place of the result an element of the input, and its share. */
interface Tap {
  readonly indices: readonly number[];
  readonly shares: readonly number[];
}

/**
 * x in another size: (N, C, …spatial) → (N, C, …size), with PyTorch's `interpolate` to the element. Downsampling by bilinear or
 * bicubic looks at the same few neighbours (no antialiasing); "area" takes means.
 *
 * @throws ArgumentError for options that contradict each other, ShapeError when the mode takes other axes
 * @example interpolate(tensor([[[1, 3]]]), { size: 4, mode: "linear" }) // [[[1, 1.5, 2.5, 3]]]
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  return located(() => {
    checkOptions("interpolate", options, optionNames);
    return resized("interpolate", x, options);
  });
}

function resized(what: string, x: Tensor, options: InterpolateOptions): Tensor {
  const { mode = "nearest", alignCorners = false } = options;
  const shape = x.shape as readonly number[];
  const rank = shape.length - 2;
  if (!(mode in rankOf))
    throw new ArgumentError(`${what}: mode "${mode}" is unknown; use ${Object.keys(rankOf).join(", ")}`);
  const need = rankOf[mode];
  if (rank < 1 || rank > 3 || (need !== undefined && rank !== need))
    throw withPlace(
      new ShapeError(
        `${what}: mode "${mode}" takes (N, C, …) with ${need ?? "1 to 3"} spatial axes, got ${shapeText(shape)}`,
      ),
    );
  if (alignCorners && need === undefined)
    throw new ArgumentError(
      `${what}: alignCorners goes with linear, bilinear, trilinear and bicubic, not "${mode}"`,
    );
  const axes = axesOf(what, shape.slice(2), options, alignCorners);
  if (mode === "area")
    return adaptiveAverage(
      x,
      axes.map(({ count }) => count),
    );
  return axes.reduce((y, axis, i) => along(y, i + 2, axis, { mode, alignCorners }), x);
}

function axesOf(
  what: string,
  sizes: readonly number[],
  { size, scaleFactor }: InterpolateOptions,
  alignCorners: boolean,
): Axis[] {
  if ((size === undefined) === (scaleFactor === undefined))
    throw new ArgumentError(`${what}: give either size or scaleFactor`);
  const factors = typeof scaleFactor === "number" ? sizes.map(() => scaleFactor) : scaleFactor;
  if (factors && !(factors.length === sizes.length && factors.every((factor) => factor > 0)))
    throw new ArgumentError(
      `${what}: scaleFactor must be a number above 0, or one for each of ${sizes.length} axes, got [${factors.join(", ")}]`,
    );
  const counts = factors
    ? sizes.map((own, i) => Math.floor(own * factors[i]!))
    : perAxis(`${what}: size`, size!, sizes.length, 1);
  return sizes.map((own, i) => {
    const count = counts[i]!;
    const corners = count > 1 ? (own - 1) / (count - 1) : 0;
    return { size: own, count, spacing: alignCorners ? corners : factors ? 1 / factors[i]! : own / count };
  });
}

interface Method {
  readonly mode: InterpolationMode;
  readonly alignCorners: boolean;
}

/** Σ over taps of share · element. */
function along(x: Tensor, at: number, axis: Axis, method: Method): Tensor {
  const isNearest = method.mode === "nearest" || method.mode === "nearest-exact";
  if (axis.size === axis.count && (isNearest || axis.spacing === 1)) return x;
  const factor = axis.count / axis.size;
  if (isNearest && Number.isInteger(factor) && axis.spacing * factor === 1)
    return x.repeat(factor, at) as Tensor;
  const behind = x.shape.length - at - 1;
  const terms = tapsOf(axis, method).map(({ indices, shares }) => {
    const found = x.gather(tensor(indices as number[], { dtype: "i32" }), at) as Tensor;
    if (shares.every((share) => share === 1)) return found;
    const column = tensor(shares as number[]).reshape([axis.count, ...Array<number>(behind).fill(1)]);
    return found.mul(column.cast(x.dtype)) as Tensor;
  });
  return terms.reduce((sum, term) => sum.add(term) as Tensor);
}

function tapsOf({ size, count, spacing }: Axis, { mode, alignCorners }: Method): Tap[] {
  const places = Array.from({ length: count }, (_, i) => i);
  const inside = (index: number): number => Math.min(Math.max(index, 0), size - 1);
  const ones = places.map(() => 1);
  const shift = mode === "nearest-exact" ? 0.5 : 0;
  if (mode === "nearest" || mode === "nearest-exact")
    return [{ indices: places.map((i) => inside(Math.floor((i + shift) * spacing))), shares: ones }];
  const source = places.map((i) => (alignCorners ? i * spacing : (i + 0.5) * spacing - 0.5));
  if (mode === "bicubic") {
    return [-1, 0, 1, 2].map((offset) => ({
      indices: source.map((s) => inside(Math.floor(s) + offset)),
      shares: source.map((s) => cubic(s - Math.floor(s) - offset)),
    }));
  }
  const bounded = source.map((s) => Math.max(s, 0));
  return [
    {
      indices: bounded.map((s) => inside(Math.floor(s))),
      shares: bounded.map((s) => 1 - (s - Math.floor(s))),
    },
    { indices: bounded.map((s) => inside(Math.floor(s) + 1)), shares: bounded.map((s) => s - Math.floor(s)) },
  ];
}

/** Keys's kernel with a = −¾, as PyTorch and OpenCV have it. Keys, "Cubic convolution interpolation", 1981. */
function cubic(distance: number): number {
  const a = -0.75;
  const d = Math.abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((d - 5) * d + 8) * d * a - 4 * a : 0;
}

/**
 * {@link interpolate} as a layer: (N, C, …spatial) → (N, C, …size).
 *
 * @throws ArgumentError unless one of size and scaleFactor is given
 * @example new Upsample({ scaleFactor: 2, mode: "bilinear" }).forward(zeros([8, 3, 7, 7])).shape // [8, 3, 14, 14]
 */
export class Upsample extends Module {
  /** For the type checker alone: what a chain of layers compares. */
  declare readonly features: PerChannel<"Upsample">;
  readonly options: InterpolateOptions;
  constructor(options: InterpolateOptions) {
    super();
    checkOptions("Upsample", options, optionNames);
    if ((options.size === undefined) === (options.scaleFactor === undefined))
      throw new ArgumentError("Upsample: give either size or scaleFactor");
    this.options = { ...options };
  }
  forward(x: Tensor): Tensor {
    return resized(this.toString(), x, this.options);
  }
  protected override describe(): string {
    const { size, scaleFactor, mode = "nearest" } = this.options;
    const list = (value: PerAxis): string => (typeof value === "number" ? String(value) : perAxisText(value));
    return `${size === undefined ? `${list(scaleFactor!)} times` : `to ${list(size)}`}, ${mode}`;
  }
}
