/** erf: an odd polynomial below 0.875, and 1 − exp(ln erfc |x|) with a polynomial for the logarithm above. */
import type { ScalarBuilder } from "../../graph/scalar.ts";
import { erf64 } from "./erf64.ts";
import { exponentOf, reduce, smallExp } from "./exp.ts";
import { Float } from "./float.ts";

const split = 0.875;

/** erf(x)/x − 1 in powers of x², minimax relative to erf below the split. */
const smallCoefficients = [
  0.12837915122509003, -0.3761250376701355, 0.11281921714544296, -0.02677047997713089, 0.004998902790248394,
  -0.000602023268584162,
];

/** ln erfc x in powers of x, minimax for the error it leaves in erf, from the split to 3.93 where erf is 1. */
const largeCoefficients = [
  -0.00013334852701518685, -1.1279371976852417, -0.636735200881958, -0.10432946681976318,
  0.022421233355998993, -0.003092557657510042, 0.00020102346024941653,
];

/** erf x: at most 2 ulp; ±1 from ±3.93 on. */
export function expandErf<V>(b: ScalarBuilder<V>, x: V): V {
  const f = new Float(b, x);
  if (f.dtype === "f64") return erf64(f, x);
  const magnitude = f.abs(x);
  const { nBits, r } = reduce(f, f.polynomial(f.min(magnitude, 3.93), largeCoefficients));
  const power = smallExp(f, r);
  const erfc = b.bitcast("f32", b.binary("add", b.bitcast("i32", power), exponentOf(b, nBits)));
  const large = f.copySign(f.sub(1, erfc), x);
  const small = f.mulAdd(f.polynomial(f.mul(x, x), smallCoefficients), x, x);
  // NaN compares false: it takes the polynomial and stays NaN.
  return f.select(f.greaterEqual(magnitude, split), large, small);
}
