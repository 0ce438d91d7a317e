/** A product of matrices or of batches of them, either of them transposed. */
import { compile, type Tensor, tensor } from "netwright";
import { hashedBytes } from "../data.ts";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

export function matmul(work: WorkOf<"matmul">): Promise<Job> {
  const { products, batch, rows, inner, columns, transposeA, transposeB } = work;
  const product = (x: Tensor, y: Tensor): Tensor =>
    (transposeA ? x.transpose() : x).matmul(transposeB ? y.transpose() : y);
  const matrices = batch > 1 ? [batch] : [];
  const a = uniform(1, [...matrices, ...(transposeA ? [inner, rows] : [rows, inner])]);
  if (products > 1) {
    const factors = uniform(2, [products, inner, columns], Math.sqrt(3 / inner));
    const chain = compile((x: Tensor, ys: Tensor) => ys.unstack().reduce(product, x));
    return repeated([a, factors], () => chain(a, factors));
  }
  const b = uniform(2, [...matrices, ...(transposeB ? [columns, inner] : [inner, columns])]);
  const single = compile(product);
  return repeated([a, b], () => single(a, b));
}

export function matmulBytes({ rows, inner, columns }: WorkOf<"matmul-bytes">): Promise<Job> {
  const bytes = (seed: number, shape: [number, number]): Tensor =>
    tensor(hashedBytes(seed, shape[0] * shape[1]), { shape, dtype: "i8" });
  const [a, b] = [bytes(1, [rows, inner]), bytes(2, [columns, inner])];
  const product = compile((x: Tensor, y: Tensor) => x.cast("i32").matmul(y.cast("i32").transpose()));
  return repeated([a, b], () => product(a, b));
}
