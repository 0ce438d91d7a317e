/**
 * The regularised incomplete beta function, in f64 inside: by its continued fraction (DLMF 8.17.22), in a loop that ends when every
 * element has converged. Derivatives by a and b are carried along with the values.
 */
import type { Node } from "../../graph/node.ts";
import { add, div, mul, neg, sub } from "../arithmetic.ts";
import { broadcastTo } from "../broadcast.ts";
import { cast } from "../cast.ts";
import { equal, greater, greaterEqual, less, lessEqual } from "../compare.ts";
import { like, zerosLike } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { exp, log } from "../exponential.ts";
import { and } from "../logical.ts";
import { abs } from "../magnitude.ts";
import { any } from "../reduce.ts";
import { repeatWhile } from "../repeat-while.ts";
import { select } from "../select.ts";
import { scalar } from "../sources.ts";
import { digamma, logBeta, stirlingRemainder } from "./gamma.ts";
import { logOfRatio, settled } from "./incomplete-gamma.ts";
import { xlog1py, xlogy } from "./numbers.ts";

/**
 * I_x(a, b) = 1/B(a, b) ∫₀ˣ tᵃ⁻¹ (1 − t)ᵇ⁻¹ dt for a, b > 0 and 0 ≤ x ≤ 1, of one float dtype and shape: within 1e-13 in f64. NaN
 * elsewhere. Gradients: of any order by x, of the first by a and b.
 */
export function betainc(a: Node, b: Node, x: Node): Node {
  const wide = [a, b, x].map((node) => cast(node, "f64")) as [Node, Node, Node];
  const { value } = inside(wide, false);
  return customGradient(cast(value, x.dtype), [a, b, x], (g) => {
    const { slopes } = inside(wide, true);
    const cotangent = cast(g, "f64");
    return [...slopes, density(wide)].map((slope, i) => cast(mul(cotangent, slope), [a, b, x][i]!.dtype));
  });
}

/** xᵃ⁻¹ (1 − x)ᵇ⁻¹ / B(a, b). */
function density([a, b, x]: readonly [Node, Node, Node]): Node {
  const one = like(x, 1);
  return exp(sub(add(xlogy(sub(a, one), x), xlog1py(sub(b, one), neg(x))), logBeta(a, b)));
}

/** The value, and its derivatives by a and b if asked for. */
function inside([a, b, x]: readonly [Node, Node, Node], isDerived: boolean): Dual {
  const [zero, one] = [zerosLike(x), like(x, 1)];
  const isValid = and(
    and(and(greater(a, zero), less(a, like(a, Infinity))), and(greater(b, zero), less(b, like(b, Infinity)))),
    and(greaterEqual(x, zero), lessEqual(x, one)),
  );
  const isOrdinary = and(isValid, and(greater(x, zero), less(x, one)));
  const [safeA, safeB] = [select(isOrdinary, a, one), select(isOrdinary, b, one)];
  const safeX = select(isOrdinary, x, like(x, 0.5));
  // The fraction converges fast below the mean: above, I_x(a, b) = 1 − I_{1 − x}(b, a).
  const isTurned = greater(mul(safeX, add(add(safeA, safeB), like(x, 2))), add(safeA, one));
  const p = select(isTurned, safeB, safeA);
  const q = select(isTurned, safeA, safeB);
  const y = select(isTurned, sub(one, safeX), safeX);
  const rest = select(isTurned, safeX, sub(one, safeX));
  const fraction = continuedFraction(p, q, y, isDerived);
  const part = mul(div(factor(p, q, y, rest), p), fraction.value);
  const ordinary = select(isTurned, sub(one, part), part);
  const edge = select(isValid, select(equal(x, zero), zero, one), like(x, NaN));
  const value = select(isOrdinary, ordinary, edge);
  if (!isDerived) return { value, slopes: [] };
  const total = digamma(add(p, q));
  const relative = (ln: Node, ownDigamma: Node, i: number): Node =>
    add(sub(add(ln, total), ownDigamma), div(fraction.slopes[i]!, fraction.value));
  const byP = mul(part, sub(relative(log(y), digamma(p), 0), div(one, p)));
  const byQ = mul(part, relative(log(rest), digamma(q), 1));
  const slope = (same: Node, other: Node): Node =>
    select(isOrdinary, select(isTurned, neg(other), same), zero);
  return { value, slopes: [slope(byP, byQ), slope(byQ, byP)] };
}

/**
 * xᵃ (1 − x)ᵇ / B(a, b) as √(ab/2π(a + b)) times exp of a ln x(a + b)/a + b ln (1 − x)(a + b)/b and remainders of Stirling's formula:
 * for large a and b these are near 0 where B itself is a difference of huge numbers.
 */
function factor(a: Node, b: Node, x: Node, rest: Node): Node {
  const total = add(a, b);
  const distance = sub(mul(x, b), mul(rest, a));
  const power = add(
    mul(a, logOfRatio(mul(x, div(total, a)), div(distance, a))),
    mul(b, logOfRatio(mul(rest, div(total, b)), neg(div(distance, b)))),
  );
  const root = mul(log(div(mul(div(a, total), b), like(x, 2 * Math.PI))), like(x, 0.5));
  const remainders = sub(add(stirlingRemainder(a), stirlingRemainder(b)), stirlingRemainder(total));
  return exp(sub(add(power, root), remainders));
}

/** A value and its derivatives, by a and by b; or by nothing. */
interface Dual {
  readonly value: Node;
  readonly slopes: readonly Node[];
}

const plus = (u: Dual, v: Dual): Dual => ({
  value: add(u.value, v.value),
  slopes: u.slopes.map((slope, i) => add(slope, v.slopes[i]!)),
});
const times = (u: Dual, v: Dual): Dual => ({
  value: mul(u.value, v.value),
  slopes: u.slopes.map((slope, i) => add(mul(slope, v.value), mul(u.value, v.slopes[i]!))),
});
function over(u: Dual, v: Dual): Dual {
  const value = div(u.value, v.value);
  return { value, slopes: u.slopes.map((slope, i) => div(sub(slope, mul(value, v.slopes[i]!)), v.value)) };
}

/** The fraction of 8.17.22, two of its terms each time: Lentz's way. */
function continuedFraction(a: Node, b: Node, x: Node, isDerived: boolean): Dual {
  const constant = (value: Node): Dual => ({ value, slopes: isDerived ? [zerosLike(x), zerosLike(x)] : [] });
  const variable = (value: Node, i: 0 | 1): Dual => ({
    value,
    slopes: isDerived ? [like(x, 1 - i), like(x, i)] : [],
  });
  const number = (value: number): Dual => constant(like(x, value));
  const [one, minusOne, two, at] = [number(1), number(-1), number(2), constant(x)];
  const [p, q] = [variable(a, 0), variable(b, 1)];
  const both = plus(p, q);
  const first = over(one, plus(one, times(minusOne, over(times(both, at), plus(p, one)))));
  const width = isDerived ? 3 : 1;
  const flat = ({ value, slopes }: Dual): Node[] => [value, ...slopes];
  const dual = (list: readonly (Node | undefined)[], i: number): Dual => {
    const [value, ...slopes] = list.slice(i * width, (i + 1) * width) as Node[];
    return { value: value!, slopes };
  };
  const carries = repeatWhile(
    [...[one, first, first].flatMap(flat), like(x, 2), scalar(1, "f64")],
    (list) => any(greater(abs(sub(list[3 * width]!, one.value)), like(x, settled))),
    (list) => {
      const [c, d, value] = [0, 1, 2].map((i) => dual(list, i)) as [Dual, Dual, Dual];
      const count = list.at(-1)!;
      const m = constant(broadcastTo(count, x.shape));
      const [high, low] = [plus(p, times(two, m)), plus(p, plus(times(two, m), minusOne))];
      const even = over(times(times(m, plus(q, times(minusOne, m))), at), times(low, high));
      const odd = times(
        minusOne,
        over(times(times(plus(p, m), plus(both, m)), at), times(high, plus(high, one))),
      );
      const step = (term: Dual, c: Dual, d: Dual): [Dual, Dual] => [
        plus(one, over(term, c)),
        over(one, plus(one, times(term, d))),
      ];
      const [c1, d1] = step(even, c, d);
      const [c2, d2] = step(odd, c1, d1);
      const change = times(c2, d2);
      const next = times(times(value, times(c1, d1)), change);
      return [...[c2, d2, next].flatMap(flat), change.value, add(count, like(count, 1))];
    },
    { max: 100_000 },
  );
  return dual(carries, 2);
}
