/** Φ⁻¹ in f64: three rational approximations of Wichura's AS 241 (PPND16), 1988. */
import type { Float } from "./float.ts";
import { log64 } from "./log64.ts";

interface Ratio {
  readonly above: readonly number[];
  readonly below: readonly number[];
}

const middle: Ratio = {
  above: [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
    67265.7709270087, 33430.57558358813, 2509.0809287301227,
  ],
  below: [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852854,
  ],
};
const near: Ratio = {
  above: [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  below: [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
};
const far: Ratio = {
  above: [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
    0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
  ],
  below: [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
    0.000018463183175100548, 1.421511758316446e-7, 2.0442631033899397e-15,
  ],
};

export function quantile<V>(f: Float<V>, p: V): V {
  const q = f.sub(p, 0.5);
  return fromCentre(f, q, f.b.select(f.less(q, 0), p, f.sub(1, p)));
}

/** The inverse of erf: √½ Φ⁻¹((1 + x)/2), without the sum, which would lose small x. */
export function erfInverse64<V>(f: Float<V>, x: V): V {
  const tail = f.mul(f.sub(1, f.abs(x)), 0.5);
  return f.mul(fromCentre(f, f.mul(x, 0.5), tail), Math.SQRT1_2);
}

/** Φ⁻¹(½ + q), with ½ − |q| in the precision that small ones need. */
function fromCentre<V>(f: Float<V>, q: V, tail: V): V {
  const { b } = f;
  const ratio = (x: V, { above, below }: Ratio): V => f.div(f.polynomial(x, above), f.polynomial(x, below));
  const inner = f.mul(q, ratio(f.sub(0.180625, f.mul(q, q)), middle));
  const isLow = f.less(q, 0);
  const r = b.unary("sqrt", f.sub(0, log64(f, tail)));
  const outer = b.select(f.lessEqual(r, 5), ratio(f.sub(r, 1.6), near), ratio(f.sub(r, 5), far));
  // At 0 the tail is 0 and r infinite: the ratio of infinities is put right here.
  const magnitude = f.select(f.equal(tail, 0), Infinity, outer);
  const signed = b.select(isLow, f.sub(0, magnitude), magnitude);
  return b.select(f.lessEqual(f.abs(q), 0.425), inner, signed);
}
