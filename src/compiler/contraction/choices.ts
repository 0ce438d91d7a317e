/** What tells products apart whose tiles may be searched for, as text: a key in a file that outlives the process. */
import { maxElementCount } from "../../base/shape.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import type { TargetDescription } from "../../ir/target.ts";
import {
  type ContractionAxes,
  type ContractionOperand,
  type Problem,
  problemsOf,
  type Side,
} from "./problem.ts";
import type { Product } from "./product.ts";

/**
 * Sizes, layouts, dtypes and threads: `f32 512x512x512 f32:d512 f32:o512 threads 2` (a: steps in depth side by side, rows 512
 * apart). undefined for what is not searched for: several axes of rows or depth, dimensions, operands that are computed.
 */
export function productKey(
  { batch, rows, depth, columns, left, right, isExchanged }: Problem,
  dtype: ScalarDType,
  { target, product }: { readonly target: TargetDescription; readonly product: Product },
): string | undefined {
  const sizes = [...rows, ...depth, columns];
  if (rows.length !== 1 || depth.length !== 1 || isExchanged || product.count > 1) return undefined;
  if ([...batch, ...sizes].some((size) => typeof size !== "number")) return undefined;
  if (left.produced !== undefined || right.produced !== undefined) return undefined;
  const sides = [layoutOf(left), layoutOf(right)];
  if (sides.includes(undefined)) return undefined;
  const matrices = maxElementCount(batch);
  const batches = matrices === 1 ? "" : `${matrices} of `;
  return `${dtype} ${batches}${sizes.join("x")} ${sides.join(" ")} threads ${target.threads}`;
}

/** `d` and the distance of rows or columns where the depth lies side by side, `o` and that of steps in depth where they do. */
function layoutOf({
  buffer,
  batchStrides,
  ownStrides: [own],
  depthStrides: [depth],
}: Side): string | undefined {
  const isShared = batchStrides.length > 0 && batchStrides.every((stride) => stride === 0) ? ":shared" : "";
  if (depth === 1) return `${buffer.dtype}:d${String(own)}${isShared}`;
  return own === 1 ? `${buffer.dtype}:o${String(depth)}${isShared}` : undefined;
}

/** A product of matrices that lie in memory by themselves, each as it is or transposed. */
export interface PlainProduct {
  readonly batch: number;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  /** `tn`: the first is stored (depth, rows); `nt`: the second (columns, depth). */
  readonly form: "nn" | "tn" | "nt";
}

/** The two ways to see a plain product of f32, the first one as it is. */
export function plainProblems({
  batch,
  rows,
  depth,
  columns,
  form,
}: PlainProduct): readonly [Problem, Problem] {
  const batches = batch > 1 ? [batch] : [];
  const operand = (name: string, shape: [number, number], isTransposed: boolean): ContractionOperand => {
    const elements = shape[0] * shape[1];
    return {
      buffer: { name, dtype: "f32", elements: elements * batch, access: "read", scope: "program" },
      view: {
        shape: [...batches, ...shape],
        strides: [...batches.map(() => elements), ...(isTransposed ? [1, shape[0]] : [shape[1], 1])],
        offset: 0,
      },
    };
  };
  const axes: ContractionAxes = { batch: batches.length, depth: 1 };
  const a = operand("a", [rows, depth], form === "tn");
  const b = operand("b", [depth, columns], form === "nt");
  return problemsOf(a, b, [...batches, rows, columns], axes);
}
