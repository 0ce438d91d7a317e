/** Programs whose shapes and dtypes fit, or that nobody can judge. */
import { type Tensor, tensor, zeros } from "netwright";

const x = zeros([32, 784]);
const w = zeros([784, 64]);
const b = zeros([64]);
export const h: Tensor<[32, 64]> = x.matmul(w).add(b);
declare const batch: Tensor<[number, 784]>;
export const y: Tensor<[number, 64]> = batch.matmul(w).add(b).add(1);
export const batched: Tensor<[8, 32, 4]> = zeros([8, 32, 16]).matmul(zeros([8, 16, 4]));
declare const unknownRank: Tensor;
export const u: Tensor<[number, 784]> = unknownRank;
export const v: Tensor = x;
export const vv: Tensor<[number, 784]> = x;
export const uw = unknownRank.matmul(w).add(b);
export const t: Tensor<[3, 64]> = uw;
export const asserted: Tensor<[32, 784]> = unknownRank.as([32, 784]);
export const vec: Tensor<[32]> = x.matmul(zeros([784]));
export const s1: Tensor<[32], "f32"> = x.sum(1);
export const s2: Tensor<[32, 1], "f32"> = x.sum(-1, { keepDims: true });
export const s3: Tensor<[], "f32"> = x.sum();
export const r1: Tensor<[32, 28, 28]> = x.reshape([32, 28, 28]);
export const r2: Tensor<[32, 784]> = x.reshape([-1, 784]);
export const p: Tensor<[784, 32]> = x.permute([1, 0]);
export const tt: Tensor<[784, 32]> = x.transpose();
export const sw: Tensor<[3, 2, 1]> = zeros([1, 2, 3]).transpose(0, -1);
export const c: Tensor<[32, 784], "bool"> = x.greater(3);
export const lit: Tensor<[2, 3]> = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
export const i: Tensor<[4], "i32"> = zeros([4], { dtype: "i32" }).add(1);
export const i2: Tensor<[4], "f32"> = zeros([4], { dtype: "i32" }).add(1.5);
export const i3: Tensor<[4], "f32"> = zeros([4], { dtype: "i32" }).div(2);
export const i4: Tensor<[4], "f64"> = zeros([4], { dtype: "f64" }).mul(zeros([4]));
