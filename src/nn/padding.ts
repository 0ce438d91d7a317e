/** Padding of one, two or three spatial axes of (N, C, …spatial): by zeros, a number, or elements of the input. */
import { ArgumentError } from "../base/errors.ts";
import type { PerChannel } from "../base/shape-types.ts";
import type { Tensor } from "../tensor/index.ts";
import { Module } from "./module.ts";
import { type PaddingMode, requireImage } from "./spatial.ts";

/**
 * Elements before and after each spatial axis: one number for all, or pairs in PyTorch's order, the last axis first: [left, right,
 * top, bottom, front, back]. Negative ones cut off.
 */
export type PadWidths = number | readonly number[];

abstract class Pad<What extends string> extends Module {
  /** For the type checker alone: what a chain of layers compares. */
  declare readonly features: PerChannel<What>;
  /** Before and after each spatial axis, in the order of the axes. */
  readonly padding: readonly (readonly [low: number, high: number])[];
  private readonly mode: PaddingMode;
  private readonly value: number;

  constructor(padding: PadWidths, { rank, mode = "zeros", value = 0 }: PadKind) {
    super();
    const list = typeof padding === "number" ? Array<number>(2 * rank).fill(padding) : padding;
    if (list.length !== 2 * rank || !list.every(Number.isInteger))
      throw new ArgumentError(
        `${this.constructor.name}: padding must be an integer, or ${2 * rank} of them, got ${
          typeof padding === "number" ? padding : `[${list.join(", ")}]`
        }`,
      );
    this.padding = Array.from({ length: rank }, (_, i) => {
      const at = 2 * (rank - 1 - i);
      return [list[at]!, list[at + 1]!] as const;
    });
    this.mode = mode;
    this.value = value;
  }

  forward(x: Tensor): Tensor {
    requireImage(this.toString(), x, this.padding.length);
    const added = [[0, 0], [0, 0], ...this.padding.map((pair) => pair.map((n) => Math.max(n, 0)))] as [
      number,
      number,
    ][];
    const whole: Tensor =
      this.mode === "zeros" ? x.pad(added, this.value) : x.pad(added, { mode: this.mode as "reflect" });
    return this.padding.reduce((y, [low, high], i) => {
      if (low >= 0 && high >= 0) return y;
      const size = (y.shape as readonly number[])[i + 2]!;
      return y.slice(i + 2, Math.max(-low, 0), size - Math.max(-high, 0)) as Tensor;
    }, whole);
  }

  protected override describe(): string {
    return this.padding.map(([low, high]) => (low === high ? low : `${low}+${high}`)).join(" × ");
  }
}

interface PadKind {
  readonly rank: number;
  readonly mode?: PaddingMode;
  readonly value?: number;
}

/** Zeros around a signal (N, C, L). @example new ZeroPad1d([1, 2]).forward(tensor([[[5, 6]]])) // [[[0, 5, 6, 0, 0]]] */
export class ZeroPad1d extends Pad<"ZeroPad1d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 1 });
  }
}

/** Zeros around an image (N, C, H, W). @example new ZeroPad2d(1).forward(zeros([8, 3, 5, 5])).shape // [8, 3, 7, 7] */
export class ZeroPad2d extends Pad<"ZeroPad2d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 2 });
  }
}

/** Zeros around a volume (N, C, D, H, W). @example new ZeroPad3d(1).forward(zeros([1, 2, 4, 5, 6])).shape // [1, 2, 6, 7, 8] */
export class ZeroPad3d extends Pad<"ZeroPad3d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 3 });
  }
}

/** A number around a signal (N, C, L). @example new ConstantPad1d([1, 0], 7).forward(tensor([[[5, 6]]])) // [[[7, 5, 6]]] */
export class ConstantPad1d extends Pad<"ConstantPad1d"> {
  constructor(padding: PadWidths, value = 0) {
    super(padding, { rank: 1, value });
  }
}

/** A number around an image (N, C, H, W). @example new ConstantPad2d([1, 2, 0, 0], 7).forward(zeros([8, 3, 5, 5])).shape // [8, 3, 5, 8] */
export class ConstantPad2d extends Pad<"ConstantPad2d"> {
  constructor(padding: PadWidths, value = 0) {
    super(padding, { rank: 2, value });
  }
}

/** A number around a volume (N, C, D, H, W). @example new ConstantPad3d(1, -1).forward(zeros([1, 2, 4, 5, 6])).shape // [1, 2, 6, 7, 8] */
export class ConstantPad3d extends Pad<"ConstantPad3d"> {
  constructor(padding: PadWidths, value = 0) {
    super(padding, { rank: 3, value });
  }
}

/** What lies inside, mirrored at the first and last element, around a signal (N, C, L). @example new ReflectionPad1d([2, 1]).forward(tensor([[[1, 2, 3]]])) // [[[3, 2, 1, 2, 3, 2]]] */
export class ReflectionPad1d extends Pad<"ReflectionPad1d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 1, mode: "reflect" });
  }
}

/** What lies inside, mirrored at the first and last element, around an image (N, C, H, W). @example new ReflectionPad2d(1).forward(zeros([8, 3, 5, 5])).shape // [8, 3, 7, 7] */
export class ReflectionPad2d extends Pad<"ReflectionPad2d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 2, mode: "reflect" });
  }
}

/** What lies inside, mirrored at the first and last element, around a volume (N, C, D, H, W). @example new ReflectionPad3d(1).forward(zeros([1, 2, 4, 5, 6])).shape // [1, 2, 6, 7, 8] */
export class ReflectionPad3d extends Pad<"ReflectionPad3d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 3, mode: "reflect" });
  }
}

/** The first and last element around a signal (N, C, L). @example new ReplicationPad1d([2, 1]).forward(tensor([[[1, 2, 3]]])) // [[[1, 1, 1, 2, 3, 3]]] */
export class ReplicationPad1d extends Pad<"ReplicationPad1d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 1, mode: "replicate" });
  }
}

/** The first and last element around an image (N, C, H, W). @example new ReplicationPad2d(1).forward(zeros([8, 3, 5, 5])).shape // [8, 3, 7, 7] */
export class ReplicationPad2d extends Pad<"ReplicationPad2d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 2, mode: "replicate" });
  }
}

/** The first and last element around a volume (N, C, D, H, W). @example new ReplicationPad3d(1).forward(zeros([1, 2, 4, 5, 6])).shape // [1, 2, 6, 7, 8] */
export class ReplicationPad3d extends Pad<"ReplicationPad3d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 3, mode: "replicate" });
  }
}

/** The other end around a signal (N, C, L). @example new CircularPad1d([2, 1]).forward(tensor([[[1, 2, 3]]])) // [[[2, 3, 1, 2, 3, 1]]] */
export class CircularPad1d extends Pad<"CircularPad1d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 1, mode: "circular" });
  }
}

/** The other end around an image (N, C, H, W). @example new CircularPad2d(1).forward(zeros([8, 3, 5, 5])).shape // [8, 3, 7, 7] */
export class CircularPad2d extends Pad<"CircularPad2d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 2, mode: "circular" });
  }
}

/** The other end around a volume (N, C, D, H, W). @example new CircularPad3d(1).forward(zeros([1, 2, 4, 5, 6])).shape // [1, 2, 6, 7, 8] */
export class CircularPad3d extends Pad<"CircularPad3d"> {
  constructor(padding: PadWidths) {
    super(padding, { rank: 3, mode: "circular" });
  }
}
