/** Linear algebra: batched, differentiable, the same on every target up to rounding, and the same bits on each. */
export { cholesky } from "./cholesky.ts";
export { eigh, eigvalsh, svd, svdvals } from "./eigen.ts";
export { matrixExp, matrixPower } from "./functions.ts";
export { det, inverse, type LuFactors, lu, slogdet, solve } from "./lu.ts";
export {
  cond,
  type MatrixNormOrder,
  matrixNorm,
  matrixRank,
  pinv,
  type RankOptions,
  trace,
  type VectorNormOptions,
  vectorNorm,
} from "./norms.ts";
export { lstsq, qr } from "./qr.ts";
export { solveTriangular, type TriangularOptions } from "./triangular.ts";
