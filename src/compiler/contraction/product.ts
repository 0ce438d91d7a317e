/** What one step in depth adds to a sum: a product of numbers, or of the bytes that lie in words. */
import type { KernelBuilder } from "../../ir/builder.ts";
import type { Value } from "../../ir/kernel.ts";

export type OperandName = "a" | "b";

export interface Product {
  /** Values that a loaded element is taken apart into, for each operand. */
  readonly parts: 1 | 2;
  /** Products of numbers in one step. */
  readonly count: number;
  partsOf(b: KernelBuilder, operand: OperandName, loaded: Value): readonly Value[];
  /** sum + the products of an element of each operand. */
  add(b: KernelBuilder, x: readonly Value[], y: readonly Value[], sum: Value): Value;
}

export const numberProduct: Product = {
  parts: 1,
  count: 1,
  partsOf: (_, __, loaded) => [loaded],
  add: (b, [x], [y], sum) => b.mulAdd(x!, y!, sum),
};

/** Four bytes a word, in one instruction: those of one operand have no sign, those of the other one. */
export const byteProduct = (withoutSign: OperandName): Product => ({
  parts: 1,
  count: 4,
  partsOf: (_, __, loaded) => [loaded],
  add: (b, [x], [y], sum) => (withoutSign === "a" ? b.dotAdd(4, x!, y!, sum) : b.dotAdd(4, y!, x!, sum)),
});

/** Four bytes a word, even and odd ones apart as pairs of 16-bit integers; each operand's with sign or without. */
export const pairProduct = (isSigned: Readonly<Record<OperandName, boolean>>): Product => ({
  parts: 2,
  count: 4,
  partsOf: (b, operand, loaded) =>
    (["even", "odd"] as const).map((which) => b.bytePairs(which, isSigned[operand], loaded)),
  add: (b, x, y, sum) => x.reduce((total, part, i) => b.dotAdd(2, part, y[i]!, total), sum),
});

/** The same for operands the other way round. */
export const exchanged = ({ parts, count, partsOf, add }: Product): Product => ({
  parts,
  count,
  partsOf: (b, operand, loaded) => partsOf(b, operand === "a" ? "b" : "a", loaded),
  add: (b, x, y, sum) => add(b, y, x, sum),
});
