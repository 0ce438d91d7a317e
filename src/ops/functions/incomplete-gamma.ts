/**
 * The regularised incomplete gamma functions, in f64 inside: a series for x < a + 1 (DLMF 8.7.1), a continued fraction from there
 * on (8.9.2), each in a loop that ends when every element has converged.
 */
import type { Node } from "../../graph/node.ts";
import { add, div, mul, neg, sub } from "../arithmetic.ts";
import { broadcastTo } from "../broadcast.ts";
import { cast } from "../cast.ts";
import { equal, greater, greaterEqual, less } from "../compare.ts";
import { like, zerosLike } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { exp, log, log1p } from "../exponential.ts";
import { and, not, or } from "../logical.ts";
import { abs } from "../magnitude.ts";
import { any } from "../reduce.ts";
import { repeatWhile } from "../repeat-while.ts";
import { select } from "../select.ts";
import { scalar } from "../sources.ts";
import { lgamma, stirlingRemainder } from "./gamma.ts";
import { xlogy } from "./numbers.ts";
import { gammaSlope } from "./random-gamma.ts";

/** Enough for a up to 10⁸: what is needed grows as √a. */
const limit = { max: 100_000 };
const precision = 1e-17;
/** A factor this near 1 ends a continued fraction: closer, rounding decides whether it ever ends. */
export const settled = 4e-15;

/**
 * P(a, x) = 1/Γ(a) ∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt for a ≥ 0 and x ≥ 0, of one float dtype and shape: within 1e-13 in f64. NaN where a or x is
 * negative. Gradients: of any order by x, of the first by a (implicit, `gammaSlope`).
 */
export const gammainc = (a: Node, x: Node): Node => bothParts(a, x).lower;

/** Q(a, x) = 1 − P(a, x), without cancellation where it is small. */
export const gammaincc = (a: Node, x: Node): Node => bothParts(a, x).upper;

function bothParts(a: Node, x: Node): { lower: Node; upper: Node } {
  const [wideA, wideX] = [cast(a, "f64"), cast(x, "f64")];
  const { lower, upper } = inside(wideA, wideX);
  const result = (value: Node, sign: 1 | -1): Node =>
    customGradient(cast(value, x.dtype), [a, x], (g) => {
      const [slopeA, slopeX] = slopes(wideA, wideX);
      const cotangent = mul(cast(g, "f64"), like(wideX, sign));
      return [cast(mul(cotangent, slopeA), a.dtype), cast(mul(cotangent, slopeX), x.dtype)];
    });
  return { lower: result(lower, 1), upper: result(upper, -1) };
}

/** ∂P/∂a and ∂P/∂x: the latter is the density of the gamma distribution. */
function slopes(a: Node, x: Node): [Node, Node] {
  const one = like(x, 1);
  const density = exp(sub(sub(xlogy(sub(a, one), x), x), lgamma(a)));
  const isProper = and(greater(a, zerosLike(a)), less(x, like(x, Infinity)));
  const slopeA = mul(neg(density), gammaSlope(select(isProper, a, one), select(isProper, x, one)));
  return [slopeA, density];
}

function inside(a: Node, x: Node): { lower: Node; upper: Node } {
  const [zero, one, infinity] = [zerosLike(x), like(x, 1), like(x, Infinity)];
  const isOrdinary = and(and(greater(a, zero), less(a, infinity)), and(greater(x, zero), less(x, infinity)));
  const isFar = and(isOrdinary, greaterEqual(x, add(a, one)));
  const isNear = and(isOrdinary, not(isFar));
  // What the other way computes gets harmless numbers, for which it ends at once.
  const near = mul(
    factor(a, x, isNear),
    div(series(select(isNear, a, one), select(isNear, x, zero)), select(isNear, a, one)),
  );
  const far = mul(factor(a, x, isFar), fraction(select(isFar, a, one), select(isFar, x, like(x, 2))));
  const value = (ordinary: Node, whenLow: number): Node => {
    const [low, high] = [like(x, whenLow), like(x, 1 - whenLow)];
    const isBad = not(and(greaterEqual(a, zero), greaterEqual(x, zero)));
    const isOpen = or(and(equal(a, zero), equal(x, zero)), and(equal(a, infinity), equal(x, infinity)));
    const isLow = or(equal(x, zero), equal(a, infinity));
    const edges = select(or(isBad, isOpen), like(x, NaN), select(isLow, low, high));
    return select(isOrdinary, ordinary, edges);
  };
  return {
    lower: value(select(isFar, sub(one, far), near), 0),
    upper: value(select(isFar, far, sub(one, near)), 1),
  };
}

/** xᵃ e⁻ˣ / Γ(a) where it is asked for, as exp(a (ln x/a − (x − a)/a) + ½ ln a/2π − R(a)), R the remainder of Stirling's formula. */
function factor(a: Node, x: Node, isWanted: Node): Node {
  const one = like(x, 1);
  const [safeA, safeX] = [select(isWanted, a, one), select(isWanted, x, one)];
  const distance = div(sub(safeX, safeA), safeA);
  const power = mul(safeA, sub(logOfRatio(div(safeX, safeA), distance), distance));
  const root = mul(log(div(safeA, like(x, 2 * Math.PI))), like(x, 0.5));
  return exp(sub(add(power, root), stirlingRemainder(safeA)));
}

/** ln r with r = 1 + distance, where the distance is known more exactly than r near 1. */
export function logOfRatio(r: Node, distance: Node): Node {
  const isClose = less(abs(distance), like(r, 0.5));
  const one = like(r, 1);
  return select(isClose, log1p(select(isClose, distance, zerosLike(r))), log(select(isClose, one, r)));
}

/** Σ xⁿ / ((a + 1) … (a + n)). */
function series(a: Node, x: Node): Node {
  const [sum] = repeatWhile(
    [zerosLike(x), like(x, 1), scalar(1, "f64")],
    ([sum, term]) => any(greater(term!, mul(sum!, like(x, precision)))),
    ([sum, term, n]) => {
      const next = div(mul(term!, x), add(a, broadcastTo(n!, x.shape)));
      return [add(sum!, term!), next, add(n!, like(n!, 1))];
    },
    limit,
  );
  return sum!;
}

/** Q(a, x) Γ(a) / (xᵃ e⁻ˣ) = 1/(x + 1 − a − 1 (1 − a)/(x + 3 − a − 2 (2 − a)/(x + 5 − a − …))), by Lentz's way. */
function fraction(a: Node, x: Node): Node {
  const one = like(x, 1);
  const start = sub(add(x, one), a);
  const inverse = div(one, start);
  const [, , value] = repeatWhile(
    // The numerator of the way is infinite before its first step: n · 1/∞ is 0.
    [like(x, Infinity), inverse, inverse, like(x, 2), scalar(1, "f64")],
    ([, , , change]) => any(greater(abs(sub(change!, one)), like(x, settled))),
    ([c, d, value, , n]) => {
      const k = broadcastTo(n!, x.shape);
      const b = add(start, mul(k, like(x, 2)));
      const numerator = mul(k, sub(a, k));
      const nextC = add(b, div(numerator, c!));
      const nextD = div(one, add(b, mul(numerator, d!)));
      const change = mul(nextC, nextD);
      return [nextC, nextD, mul(value!, change), change, add(n!, like(n!, 1))];
    },
    limit,
  );
  return value!;
}
