/** Complex numbers as two tensors: targets compute with real numbers, and so do gradients. */
import { isFloat } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { asTensor, type Tensor, type TensorLike } from "../tensor/index.ts";

/** real + i·imaginary, of one shape and dtype. */
export interface Complex {
  readonly real: Tensor;
  readonly imaginary: Tensor;
}

/** What transforms take: complex numbers, or real ones. */
export type ComplexLike = TensorLike | { readonly real: TensorLike; readonly imaginary: TensorLike };

const isComplex = (x: ComplexLike): x is { readonly real: TensorLike; readonly imaginary: TensorLike } =>
  typeof x === "object" && x !== null && "imaginary" in x;

/** f32 and f64 stay, everything else becomes f32. */
function floats(x: TensorLike): Tensor {
  const given = asTensor(x) as Tensor;
  return isFloat(given.dtype) && given.dtype !== "f16" && given.dtype !== "bf16"
    ? given
    : (given.cast("f32") as Tensor);
}

export function complexOf(what: string, x: ComplexLike): Complex {
  if (!isComplex(x)) {
    const real = floats(x);
    return { real, imaginary: real.zerosLike() as Tensor };
  }
  const [real, imaginary] = [floats(x.real), floats(x.imaginary)];
  if (sameShape(real.shape, imaginary.shape)) return { real, imaginary };
  throw new ShapeError(
    `${what}: the real part is ${shapeText(real.shape)}, the imaginary ${shapeText(imaginary.shape)}; they must be equal`,
  );
}

export const realOf = (x: TensorLike): Tensor => floats(x);

export const multiply = (a: Complex, b: Complex): Complex => ({
  real: a.real.mul(b.real).sub(a.imaginary.mul(b.imaginary)) as Tensor,
  imaginary: a.real.mul(b.imaginary).add(a.imaginary.mul(b.real)) as Tensor,
});

/** The same to both parts. */
export const mapParts = (x: Complex, f: (part: Tensor) => Tensor): Complex => ({
  real: f(x.real),
  imaginary: f(x.imaginary),
});

export const conjugate = (x: Complex): Complex => ({ real: x.real, imaginary: x.imaginary.neg() as Tensor });
