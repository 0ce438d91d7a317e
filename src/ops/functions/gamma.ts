/**
 * ln |Γ| and its derivative ψ, in f64 inside: from 10 on by Stirling's series, below by moving up with Γ(x + 1) = x·Γ(x), and
 * left of 0 by reflection. Abramowitz and Stegun, 6.1.40, 6.3.18, 6.1.17, 6.3.7.
 */
import type { Node } from "../../graph/node.ts";
import { add, div, mul, sub } from "../arithmetic.ts";
import { cast } from "../cast.ts";
import { equal, less, lessEqual } from "../compare.ts";
import { like, zerosLike } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { log } from "../exponential.ts";
import { abs } from "../magnitude.ts";
import { floor } from "../rounding.ts";
import { select } from "../select.ts";
import { cos, sin } from "../trigonometric.ts";

type Unary = (x: Node) => Node;

const edge = 10;
/** B₂ₖ / (2k(2k − 1)) for k = 1 … 7. */
const stirling = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];
/** B₂ₖ / 2k for k = 1 … 7. */
const slopes = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12];

function polynomial(x: Node, coefficients: readonly number[]): Node {
  return coefficients
    .slice(0, -1)
    .reduceRight((sum, c) => add(mul(sum, x), like(x, c)), like(x, coefficients.at(-1)!));
}

/** Stirling's formula: (x − ½) ln x − x + ½ ln 2π. */
const stirlingMain = (x: Node, ln: Unary): Node =>
  add(sub(mul(sub(x, like(x, 0.5)), ln(x)), x), like(x, 0.5 * Math.log(2 * Math.PI)));

/** ln Γ(x) less Stirling's formula for x ≥ 10. */
function stirlingTail(x: Node): Node {
  const inverse = div(like(x, 1), x);
  return mul(inverse, polynomial(mul(inverse, inverse), stirling));
}

/** ln Γ(x) for x ≥ 10, with a logarithm of choice. */
const stirlingSeries = (x: Node, ln: Unary): Node => add(stirlingMain(x, ln), stirlingTail(x));

/** ln Γ(x) less Stirling's formula, for x > 0 in f64: small for large x, where the difference of the two would lose digits. */
export function stirlingRemainder(x: Node): Node {
  const isLow = less(x, like(x, edge));
  const low = select(isLow, x, like(x, 1));
  const below = sub(logGammaOfPositive(low), stirlingMain(low, log));
  return select(isLow, below, stirlingTail(select(isLow, like(x, edge), x)));
}

/** x where it is at least 10, else x + 10; and x, x + 1 … x + 9 there, ones elsewhere. */
function moved(x: Node): { high: Node; steps: Node[]; isLow: Node } {
  const isLow = less(x, like(x, edge));
  const steps = Array.from({ length: edge }, (_, k) => add(x, like(x, k)));
  return { high: select(isLow, add(x, like(x, edge)), x), steps, isLow };
}

/** ln Γ(x) for x > 0 in f64, with a logarithm of choice. */
export function logGammaOfPositive(x: Node, ln: Unary = log): Node {
  const { high, steps, isLow } = moved(x);
  const product = steps.map((s) => select(isLow, s, like(x, 1))).reduce(mul);
  return sub(stirlingSeries(high, ln), ln(product));
}

function digammaOfPositive(x: Node): Node {
  const { high, steps, isLow } = moved(x);
  const one = like(x, 1);
  const inverse = div(one, high);
  const square = mul(inverse, inverse);
  const series = sub(sub(log(high), mul(inverse, like(x, 0.5))), mul(square, polynomial(square, slopes)));
  const below = steps.map((s) => div(one, select(isLow, s, one))).reduce(add);
  return select(isLow, sub(series, below), series);
}

/** x − the nearest whole number below: sin πx and cos πx of it are exact in sign and zero. */
const fraction = (x: Node): Node => sub(x, floor(x));

/** f of |x| on the right; left of 0 what `reflect` makes of f(1 − x). */
function onBothSides(x: Node, right: Unary, reflect: (x: Node, mirrored: Node) => Node): Node {
  const isLeft = lessEqual(x, zerosLike(x));
  const value = right(select(isLeft, sub(like(x, 1), x), x));
  // Where x is not left, any harmless number stands in.
  const left = reflect(select(isLeft, x, like(x, -0.5)), value);
  return select(isLeft, left, value);
}

/**
 * ln |Γ(x)|: within 1e-14 in f64, 1 ulp of f32 but near its zeros at 1 and 2, where the error is 1e-15 in absolute terms.
 * Infinity at 0, −1, −2 … The gradient is `digamma`.
 */
export function lgamma(x: Node): Node {
  const wide = cast(x, "f64");
  const value = onBothSides(wide, logGammaOfPositive, (n, mirrored) => {
    const sine = abs(sin(mul(fraction(n), like(n, Math.PI))));
    const pole = equal(fraction(n), zerosLike(n));
    return select(pole, like(n, Infinity), sub(log(div(like(n, Math.PI), sine)), mirrored));
  });
  const isInfinite = equal(abs(wide), like(wide, Infinity));
  const finite = select(isInfinite, like(wide, Infinity), value);
  return customGradient(cast(finite, x.dtype), [x], (g) => [mul(g, digamma(x))]);
}

/** ψ(x) = (ln Γ)′(x), to about 1e-14 in f64; NaN at 0, −1, −2 … Its gradient is right too. */
export function digamma(x: Node): Node {
  const wide = cast(x, "f64");
  const value = onBothSides(wide, digammaOfPositive, (n, mirrored) => {
    const angle = mul(fraction(n), like(n, Math.PI));
    const isPole = equal(fraction(n), zerosLike(n));
    const safe = select(isPole, like(n, 1), angle);
    const cotangent = div(cos(safe), sin(safe));
    return select(isPole, like(n, NaN), sub(mirrored, mul(cotangent, like(n, Math.PI))));
  });
  return cast(value, x.dtype);
}

/** ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b). */
export const logBeta = (a: Node, b: Node): Node => sub(add(lgamma(a), lgamma(b)), lgamma(add(a, b)));
