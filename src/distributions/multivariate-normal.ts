/** The normal distribution of vectors. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { random, scan, type Tensor, type TensorLike, tensor } from "../tensor/index.ts";
import { Distribution } from "./distribution.ts";
import { argumentOf, type Key, parameters, type Shape } from "./parameters.ts";

/** A unit row for each of `size` places, and its mask of places not before it. */
const units = (size: number): number[][] =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => Number(i === j)));

/**
 * L with L·Lᵀ = A, column by column: what is left of column j, divided by the root of its diagonal entry.
 */
function cholesky(a: Tensor): Tensor {
  const size = a.shape[0] as number;
  const places = tensor(units(size), { dtype: a.dtype as "f32" }) as Tensor;
  const notBefore = places.cumsum(1) as Tensor;
  const column = (factor: Tensor, { unit, mask }: { unit: Tensor; mask: Tensor }) => {
    const row = unit.matmul(factor); // L[j, :]
    const rest = a.matmul(unit).sub(factor.matmul(row)).mul(mask);
    const next = rest.div(rest.mul(unit).sum().sqrt());
    return { carry: factor.add(next.outer(unit)) as Tensor };
  };
  return scan(column, a.mul(0) as Tensor, { unit: places, mask: notBefore }).carry;
}

/** z with L·z = y, for each row of y (…, D): forward substitution. */
function solveLower(factor: Tensor, y: Tensor): Tensor {
  const size = factor.shape[0] as number;
  const places = tensor(units(size), { dtype: factor.dtype as "f32" }) as Tensor;
  const { carry } = scan(
    (z: Tensor, unit: Tensor) => {
      const row = unit.matmul(factor); // L[i, :]
      const rest = y.mul(unit).sum(-1).sub(z.mul(row).sum(-1));
      const entry = rest.div(row.mul(unit).sum()) as Tensor;
      return { carry: z.add((entry.expandDims(-1) as Tensor).mul(unit)) as Tensor };
    },
    y.mul(0) as Tensor,
    places,
  );
  return carry;
}

/** A covariance, or its lower triangular factor. */
export type Spread =
  | { readonly covariance: TensorLike; readonly scaleTriangular?: never }
  | { readonly scaleTriangular: TensorLike; readonly covariance?: never };

/**
 * p(x) = exp(−½ (x − μ)ᵀ Σ⁻¹ (x − μ)) / √|2πΣ| over vectors of D numbers; μ may have batch axes before (…, D), Σ is one (D, D).
 *
 * @throws ArgumentError unless either a covariance or its lower triangular factor L (Σ = L·Lᵀ) is given
 * @throws ShapeError when the shapes do not fit
 * @example
 * const p = new MultivariateNormal([0, 0], { covariance: [[4, 2], [2, 5]] });
 * p.scaleTriangular; // [[2, 0], [1, 2]]
 */
export class MultivariateNormal extends Distribution {
  readonly mean: Tensor;
  /** L with L·Lᵀ = Σ. */
  readonly scaleTriangular: Tensor;

  constructor(mean: TensorLike, spread: Spread) {
    if ((spread.covariance === undefined) === (spread.scaleTriangular === undefined))
      throw new ArgumentError("MultivariateNormal: give either covariance or scaleTriangular");
    const [m] = parameters("MultivariateNormal", mean) as [Tensor];
    const [s] = parameters("MultivariateNormal", (spread.covariance ?? spread.scaleTriangular)!) as [Tensor];
    const size = m.shape.at(-1);
    if (s.rank !== 2 || s.shape[0] !== size || s.shape[1] !== size) {
      const shapes = `the mean is ${shapeText(m.shape)}, the matrix ${shapeText(s.shape)}`;
      throw new ShapeError(`MultivariateNormal: ${shapes}; need (…, D) and (D, D)`);
    }
    super(m.shape.slice(0, -1), m.shape.slice(-1));
    this.mean = m;
    this.scaleTriangular = spread.covariance === undefined ? (s.tril() as Tensor) : cholesky(s);
  }
  get covariance(): Tensor {
    return this.scaleTriangular.matmul(this.scaleTriangular.transpose());
  }
  /** The diagonal of the covariance. */
  get variance(): Tensor {
    return this.scaleTriangular.square().sum(-1).add(this.mean.mul(0));
  }
  /** ½ ln |Σ|. */
  private get halfLogDeterminant(): Tensor {
    return this.scaleTriangular.diagonal().log().sum();
  }
  private get size(): number {
    return this.eventShape[0] as number;
  }
  sample(key: Key, shape: Shape = []): Tensor {
    const size = [...shape, ...this.batchShape, ...this.eventShape];
    const noise = random.normal(key, size, { dtype: this.mean.dtype as "f32" }) as Tensor;
    return noise.expandDims(-2).matmul(this.scaleTriangular.transpose()).squeeze(-2).add(this.mean) as Tensor;
  }
  logProb(value: TensorLike): Tensor {
    const away = argumentOf("MultivariateNormal", value, this.mean).sub(this.mean) as Tensor;
    const square = solveLower(this.scaleTriangular, away).square().sum(-1);
    return square
      .mul(-0.5)
      .sub(this.halfLogDeterminant)
      .sub(0.5 * this.size * Math.log(2 * Math.PI));
  }
  override entropy(): Tensor {
    const constant = 0.5 * this.size * (1 + Math.log(2 * Math.PI));
    return this.halfLogDeterminant.add(constant).add(this.mean.sum(-1).mul(0));
  }
  protected override divergence(other: this): Tensor {
    const away = this.mean.sub(other.mean) as Tensor;
    const distance = solveLower(other.scaleTriangular, away).square().sum(-1);
    // Rows of Lᵀ are columns of L: the squares of M⁻¹·L sum to the trace of Σ₂⁻¹·Σ₁.
    const ratio = solveLower(other.scaleTriangular, this.scaleTriangular.transpose() as Tensor)
      .square()
      .sum();
    const volume = other.halfLogDeterminant.sub(this.halfLogDeterminant);
    return distance.add(ratio).sub(this.size).mul(0.5).add(volume);
  }
}
