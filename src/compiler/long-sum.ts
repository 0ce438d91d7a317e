/**
 * The accumulators of a pass over rows or columns. Long sums are cut into blocks (16 steps of the lanes, 16 blocks, …), each
 * from zero, so that rounding grows with the logarithm of the length: the order depends on the shape alone.
 */
import { computeDType } from "../base/dtype.ts";
import type { Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { ReduceOp } from "../graph/op.ts";
import type { BinaryOperator, ScalarDType } from "../graph/scalar.ts";
import { addAffine, constantAffine, scaleAffine, zeroAffine } from "../ir/affine.ts";
import type { KernelBuilder } from "../ir/builder.ts";
import type { Affine, Register, Value } from "../ir/kernel.ts";

/** Steps of one block of a long sum. */
export const blockSteps = 16;

/** The dtype a reduction or row value is kept in: bool folds as i32. */
export const accumulatorDType = (member: Node): ScalarDType => {
  const dtype = computeDType(member.dtype);
  return dtype === "bool" ? "i32" : dtype;
};

interface SumSizes {
  /** Of the tile, in column kernels. */
  readonly columns: number | undefined;
  readonly lanes: number;
  /** The largest and smallest are the same in any order: so many chains that none waits for another. */
  readonly lanesOfExtremes: number;
}

/** Accumulators of the reductions of one stage, cut into blocks when the axis is long. */
export class LongSum {
  private readonly builder: KernelBuilder;
  private readonly reductions: readonly Node[];
  private readonly sizes: SumSizes;
  private readonly width: number;
  private readonly isColumn: boolean;
  private readonly registers = new Map<Node, Register[]>();

  constructor(builder: KernelBuilder, reductions: readonly Node[], sizes: SumSizes) {
    this.builder = builder;
    this.reductions = reductions;
    this.sizes = sizes;
    this.isColumn = sizes.columns !== undefined;
    this.width = sizes.columns ?? sizes.lanes;
  }

  /** Extremes do not round: they have no levels. */
  private register(reduction: Node, level: number): Register {
    const list = this.registers.get(reduction) ?? [];
    this.registers.set(reduction, list);
    const { lanes, lanesOfExtremes } = this.sizes;
    const rounds = this.rounds(reduction);
    list[rounds ? level : 0] ??= {
      name: `${reduction.op.name}${reduction.id}.${level}`,
      dtype: accumulatorDType(reduction),
      count: 1,
      lanes: rounds ? lanes : lanesOfExtremes,
    };
    return list[rounds ? level : 0]!;
  }
  private rounds(reduction: Node): boolean {
    return this.operator(reduction) === "add" || this.operator(reduction) === "mul";
  }
  private identity(reduction: Node): Value {
    const dtype = accumulatorDType(reduction);
    return this.builder.constant(dtype, (reduction.op as ReduceOp).identity(computeDType(reduction.dtype)));
  }
  private operator(reduction: Node): "add" | "mul" | "min" | "max" {
    return (reduction.op as ReduceOp).operator;
  }

  reset(level: number): void {
    for (const reduction of this.levelled(level))
      this.builder.set(this.register(reduction, level), this.identity(reduction));
  }

  private levelled(level: number): readonly Node[] {
    return this.reductions.filter((reduction) => level === 0 || this.rounds(reduction));
  }

  add(reduction: Node, value: Value, level: number): void {
    const register = this.register(reduction, level);
    const folded = this.builder.binary(
      this.operator(reduction) as BinaryOperator,
      this.builder.read(register),
      this.builder.convert(register.dtype, value),
    );
    this.builder.set(register, folded);
  }

  /**
   * Calls `piece(start, length, level)` over 0 … extent so that no register takes more than `blockSteps` additions in a
   * row: blocks of `unit` go to level 0, each is then added to level 1, 16 of these to the next, and so on.
   * Level numbers count down to 0, the innermost.
   */
  inBlocks(
    extent: Size,
    unit: number,
    isOnlyAxis: boolean,
    piece: (start: Affine, length: Size, level: number) => void,
  ): void {
    const rounds = this.reductions.some((reduction) => this.rounds(reduction));
    if (typeof extent !== "number" || extent <= unit || !isOnlyAxis || !rounds)
      return piece(zeroAffine, extent, 0);
    let height = 0;
    while (unit * blockSteps ** height < extent) height++;
    this.block(zeroAffine, extent, unit, height, piece, 0);
  }

  /** Sums `length` elements from `start` into the registers of `level`; deeper levels have higher numbers. */
  private block(
    start: Affine,
    length: number,
    unit: number,
    height: number,
    piece: (start: Affine, length: Size, level: number) => void,
    level: number,
  ): void {
    if (length <= unit) return piece(start, length, level);
    const size = unit * blockSteps ** (height - 1);
    const whole = Math.floor(length / size);
    const inner = (from: Affine, n: number): void => {
      this.reset(level + 1);
      this.block(from, n, unit, height - 1, piece, level + 1);
      this.foldLevel(level + 1, level);
    };
    if (whole > 0)
      this.builder.serial("block", whole, (i) => inner(addAffine(start, scaleAffine(i, size)), size));
    if (length % size > 0) inner(addAffine(start, constantAffine(whole * size)), length % size);
  }

  private foldLevel(from: number, to: number): void {
    this.builder.vector("lane", this.width, () => {
      for (const reduction of this.levelled(from))
        this.add(reduction, this.builder.read(this.register(reduction, from)), to);
    });
  }

  /** Leaves the finished value in the row's register. */
  finish(reduction: Node, row: Register): void {
    const register = this.register(reduction, 0);
    if (!this.isColumn) {
      this.builder.set(row, this.builder.combine(register, this.operator(reduction)));
      return;
    }
    this.builder.vector("c", this.width, () => this.builder.set(row, this.builder.read(register)));
  }
}
