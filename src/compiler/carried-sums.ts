/**
 * The sums that a row kernel carries along: a row of accumulators for each level of the long sum's tree, the outermost in
 * the program's memory (one row a part), the others in the thread's own scratch, where the cache keeps them.
 */

import { computeDType } from "../base/dtype.ts";
import type { Node } from "../graph/node.ts";
import type { ReduceOp } from "../graph/op.ts";
import { addAffine, scaleAffine, zeroAffine } from "../ir/affine.ts";
import type { KernelBuilder } from "../ir/builder.ts";
import type { Affine, KernelBuffer, Value } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import { rowsOfPart } from "./carry-sums.ts";
import type { Cluster } from "./clusters.ts";
import type { KernelContext } from "./kernel-context.ts";
import { accumulatorDType, blockSteps } from "./long-sum.ts";

/** A row of accumulators. */
interface Accumulators {
  readonly buffer: KernelBuffer;
  readonly base: Affine;
}

export class CarriedSums {
  private readonly builder: KernelBuilder;
  private readonly context: KernelContext;
  private readonly sums: readonly Node[];
  private readonly partials: ReadonlyMap<Node, ProgramBuffer>;
  /** Accumulators of each sum, outermost level first; rows go to the last. */
  private levels: ReadonlyMap<Node, Accumulators>[] = [];

  constructor(
    builder: KernelBuilder,
    context: KernelContext,
    { carried }: Cluster,
    partials: ReadonlyMap<Node, ProgramBuffer>,
  ) {
    this.builder = builder;
    this.context = context;
    this.sums = carried!.sums;
    this.partials = partials;
  }

  /** Calls `row` once, inside loops over all rows. */
  overRows([rows, columns]: readonly number[], row: (at: Affine) => void): void {
    const part = rowsOfPart(rows!)!;
    this.builder.parallel("part", rows! / part, (index) => {
      const outermost = this.sums.map((sum) => {
        const memory = this.partials.get(sum)!;
        this.context.bufferFor(memory, "load");
        const buffer = this.context.bufferFor(memory, "store");
        return [sum, { buffer, base: scaleAffine(index, columns!) }] as const;
      });
      this.levels = [new Map(outermost)];
      this.block(scaleAffine(index, part), part, columns!, row);
    });
  }

  /** `rows` rows from `start` into the innermost accumulators there are. */
  private block(start: Affine, rows: number, columns: number, row: (at: Affine) => void): void {
    this.forEachColumn(columns, (sum, _, { buffer, base }) =>
      this.builder.store(buffer, base, this.identity(sum)),
    );
    if (rows === blockSteps) {
      this.builder.serial("row", rows, (index) => row(addAffine(start, index)));
      return;
    }
    const size = rows / blockSteps;
    const inner = this.sums.map((sum) => {
      const name = `${sum.op.name}${sum.id}.${this.levels.length}`;
      const buffer = this.context.scratch(name, accumulatorDType(sum), columns);
      return [sum, { buffer, base: zeroAffine }] as const;
    });
    this.builder.serial("block", blockSteps, (index) => {
      this.levels.push(new Map(inner));
      this.block(addAffine(start, scaleAffine(index, size)), size, columns, row);
      const from = this.levels.pop()!;
      this.forEachColumn(columns, (sum, column, into) => {
        const { buffer, base } = from.get(sum)!;
        this.fold(sum, into, this.builder.load(buffer, addAffine(base, column)));
      });
    });
  }

  /** Adds one row's values at a column. */
  add(column: Affine, termOf: (sum: Node) => Value): void {
    const values = this.sums.map(termOf);
    this.sums.forEach((sum, i) => {
      this.fold(sum, this.at(sum, column), values[i]!);
    });
  }

  private forEachColumn(
    columns: number,
    body: (sum: Node, column: Affine, into: Accumulators) => void,
  ): void {
    this.builder.vector("c", columns, (column) => {
      for (const sum of this.sums) body(sum, column, this.at(sum, column));
    });
  }

  /** A sum's innermost accumulator of one column. */
  private at(sum: Node, column: Affine): Accumulators {
    const { buffer, base } = this.levels[this.levels.length - 1]!.get(sum)!;
    return { buffer, base: addAffine(base, column) };
  }

  private fold(sum: Node, { buffer, base }: Accumulators, value: Value): void {
    const { builder } = this;
    const { operator } = sum.op as ReduceOp;
    const given = builder.convert(accumulatorDType(sum), value);
    builder.store(buffer, base, builder.binary(operator, builder.load(buffer, base), given));
  }

  private identity(sum: Node): Value {
    return this.builder.constant(
      accumulatorDType(sum),
      (sum.op as ReduceOp).identity(computeDType(sum.dtype)),
    );
  }
}
