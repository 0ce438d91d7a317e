/** Shorthand for the expansions of transcendental functions: constants in the dtype of x, and polynomials. */
import type { ScalarBuilder } from "../../graph/scalar.ts";

/** Float instructions with plain numbers as constants of one dtype. */
export class Float<V> {
  readonly b: ScalarBuilder<V>;
  readonly dtype: "f32" | "f64";

  constructor(b: ScalarBuilder<V>, x: V) {
    this.b = b;
    this.dtype = b.dtypeOf(x) === "f64" ? "f64" : "f32";
  }
  of(x: V | number): V {
    return typeof x === "number" ? this.b.constant(this.dtype, x) : x;
  }
  add(x: V, y: V | number): V {
    return this.b.binary("add", x, this.of(y));
  }
  sub(x: V | number, y: V | number): V {
    return this.b.binary("sub", this.of(x), this.of(y));
  }
  mul(x: V, y: V | number): V {
    return this.b.binary("mul", x, this.of(y));
  }
  div(x: V | number, y: V): V {
    return this.b.binary("div", this.of(x), y);
  }
  min(x: V, y: number): V {
    return this.b.binary("min", x, this.of(y));
  }
  max(x: V, y: number): V {
    return this.b.binary("max", x, this.of(y));
  }
  abs(x: V): V {
    return this.b.unary("abs", x);
  }
  /** x · y + z */
  mulAdd(x: V, y: V | number, z: V | number): V {
    return this.b.mulAdd(x, this.of(y), this.of(z));
  }
  /** Σ coefficients[i] · x^i by Horner's rule, the lowest power first. */
  polynomial(x: V, coefficients: readonly number[]): V {
    let sum = this.of(coefficients[coefficients.length - 1]!);
    for (let i = coefficients.length - 2; i >= 0; i--) sum = this.mulAdd(sum, x, coefficients[i]!);
    return sum;
  }
  less(x: V, y: number): V {
    return this.b.compare("less", x, this.of(y));
  }
  lessEqual(x: V, y: number): V {
    return this.b.compare("lessEqual", x, this.of(y));
  }
  greaterEqual(x: V, y: number): V {
    return this.b.compare("greaterEqual", x, this.of(y));
  }
  equal(x: V, y: number): V {
    return this.b.compare("equal", x, this.of(y));
  }
  select(condition: V, whenTrue: V | number, whenFalse: V | number): V {
    return this.b.select(condition, this.of(whenTrue), this.of(whenFalse));
  }
  /** f32 only: |x| with the sign bit of `sign`; x must be at least 0. */
  copySign(x: V, sign: V): V {
    const bit = this.b.binary("and", this.b.bitcast("u32", sign), this.b.constant("u32", 0x80000000));
    return this.b.bitcast("f32", this.b.binary("or", this.b.bitcast("u32", x), bit));
  }
  /** `result` where pole < x < Infinity; −Infinity at the pole, NaN below; Infinity and NaN are themselves. */
  withPoles(x: V, result: V, pole: number): V {
    const finite = this.select(this.less(x, Infinity), result, x);
    const below = this.select(this.less(x, pole), NaN, -Infinity);
    return this.select(this.lessEqual(x, pole), below, finite);
  }
}
