/** A product of matrices or of batches of them, either of them transposed. */
import { compile, type Tensor } from "netwright";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

export function matmul({
  batch,
  rows,
  inner,
  columns,
  transposeA,
  transposeB,
}: WorkOf<"matmul">): Promise<Job> {
  const matrices = batch > 1 ? [batch] : [];
  const a = uniform(1, [...matrices, ...(transposeA ? [inner, rows] : [rows, inner])]);
  const b = uniform(2, [...matrices, ...(transposeB ? [columns, inner] : [inner, columns])]);
  const product = compile((x: Tensor, y: Tensor) =>
    (transposeA ? x.transpose() : x).matmul(transposeB ? y.transpose() : y),
  );
  return repeated([a, b], () => product(a, b));
}
