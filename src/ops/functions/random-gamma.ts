/** Gamma and Poisson numbers: by rejection, so in loops that end when every element has been accepted. All in f64. */
import type { Node } from "../../graph/node.ts";
import { add, div, mul, neg, sub } from "../arithmetic.ts";
import { broadcastTo } from "../broadcast.ts";
import { greater, greaterEqual, less, lessEqual } from "../compare.ts";
import { like, zerosLike } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { log } from "../exponential.ts";
import { and, not, or } from "../logical.ts";
import { abs, maximum, sqrt } from "../magnitude.ts";
import { exponentialOf, portableExp, portableLog } from "../portable.ts";
import { any as anyOf } from "../reduce.ts";
import { repeatWhile } from "../repeat-while.ts";
import { floor } from "../rounding.ts";
import { select } from "../select.ts";
import { scalar } from "../sources.ts";
import { digamma, logGammaOfPositive } from "./gamma.ts";
import { foldKey, randomNormal, randomRejection, randomUniform64, splitKey } from "./random.ts";

/** Uniform from (0, 1): the middle of each step. */
function openUniform(key: Node, type: Node): Node {
  const u = randomUniform64(key, type.shape);
  return add(u, like(u, 2 ** -54));
}

/**
 * A gamma number of scale 1 for each concentration (f64). Marsaglia, Tsang: "A simple method for generating gamma variables",
 * 2000; below 1 by Γ(α + 1)·u^(1/α). Its gradient is the implicit one (`gammaSlope`), of first order.
 */
export function randomGamma(key: Node, concentration: Node): Node {
  const [draw, boost] = splitKey(key) as [Node, Node];
  const isSmall = less(concentration, like(concentration, 1));
  const raised = select(isSmall, add(concentration, like(concentration, 1)), concentration);
  const d = sub(raised, like(raised, 1 / 3));
  const c = div(like(d, 1), sqrt(mul(d, like(d, 9))));
  const half = like(d, 0.5);
  const value = randomRejection(draw, d, greater(d, zerosLike(d)), (round) => {
    const [first, second] = splitKey(round) as [Node, Node];
    const x = randomNormal(first, d.shape);
    const root = add(mul(c, x), like(c, 1));
    const v = mul(mul(root, root), root);
    const isPositive = greater(v, zerosLike(v));
    const logV = portableLog(select(isPositive, v, like(v, 1)));
    const bound = add(mul(half, mul(x, x)), mul(d, add(sub(like(v, 1), v), logV)));
    const accepted = and(isPositive, less(portableLog(openUniform(second, d)), bound));
    return { value: mul(d, v), accepted };
  });
  const shrink = portableExp(div(portableLog(openUniform(boost, d)), concentration));
  const sample = select(isSmall, mul(value, shrink), value);
  return customGradient(sample, [concentration], (g, x) => [mul(g, gammaSlope(concentration, x))]);
}

/**
 * ∂x/∂α of a gamma number x that keeps its place in the distribution: −(∂P(α, x)/∂α) / p(x). With P's series this is
 * −x Σₙ xⁿ (ln x − ψ(α + n + 1)) / (α (α + 1) … (α + n)). Figurnov, Mohamed, Mnih: "Implicit reparameterization gradients",
 * 2018.
 */
export function gammaSlope(concentration: Node, x: Node): Node {
  const isPositive = greater(x, zerosLike(x));
  const safe = select(isPositive, x, like(x, 1));
  const logX = log(safe);
  const term = div(like(x, 1), concentration);
  const psi = add(digamma(concentration), term);
  const [sum] = repeatWhile(
    [zerosLike(x), term, psi, scalar(1, "f64")],
    ([, term, , n]) => {
      return anyOf(or(less(broadcastTo(n!, x.shape), safe), greater(mul(safe, term!), like(x, 1e-18))));
    },
    ([sum, term, psi, n]) => {
      const next = add(concentration, broadcastTo(n!, x.shape));
      return [
        add(sum!, mul(term!, sub(logX, psi!))),
        mul(term!, div(safe, next)),
        add(psi!, div(like(x, 1), next)),
        add(n!, like(n!, 1)),
      ];
    },
    { max: 100_000 },
  );
  return select(isPositive, neg(mul(safe, sum!)), zerosLike(x));
}

/** A Poisson number for each rate (f64): whole numbers as f64. */
export function randomPoisson(key: Node, rate: Node): Node {
  const [few, many] = splitKey(key) as [Node, Node];
  const isLarge = greaterEqual(rate, like(rate, 10));
  return select(
    isLarge,
    poissonByRejection(many, select(isLarge, rate, like(rate, 10)), isLarge),
    poissonByCounting(few, rate, not(isLarge)),
  );
}

/** How many exponential numbers fit into the rate. */
function poissonByCounting(key: Node, rate: Node, isWanted: Node): Node {
  const [, count] = repeatWhile(
    [zerosLike(rate), zerosLike(rate), isWanted, scalar(0, "u32")],
    ([, , open]) => anyOf(open!),
    ([sum, count, open, round]) => {
      const next = add(sum!, exponentialOf(randomUniform64(foldKey(key, round!), rate.shape)));
      const goesOn = and(open!, lessEqual(next, rate));
      return [
        next,
        add(count!, select(goesOn, like(rate, 1), zerosLike(rate))),
        goesOn,
        add(round!, like(round!, 1)),
      ];
    },
    { max: 1000 },
  );
  return count!;
}

/** PTRS: Hörmann, "The transformed rejection method for generating Poisson random variables", 1993. */
function poissonByRejection(key: Node, rate: Node, isWanted: Node): Node {
  const number = (value: number): Node => like(rate, value);
  const b = add(mul(sqrt(rate), number(2.53)), number(0.931));
  const a = add(mul(b, number(0.02483)), number(-0.059));
  const inverseAlpha = add(div(number(1.1328), sub(b, number(3.4))), number(1.1239));
  const squeeze = sub(number(0.9277), div(number(3.6224), sub(b, number(2))));
  const logRate = portableLog(rate);
  return randomRejection(key, floor(rate), isWanted, (round) => {
    const [first, second] = splitKey(round) as [Node, Node];
    const u = sub(openUniform(first, rate), number(0.5));
    const v = openUniform(second, rate);
    const us = sub(number(0.5), abs(u));
    const slope = add(div(mul(a, number(2)), us), b);
    const k = floor(add(add(mul(slope, u), rate), number(0.43)));
    const isQuick = and(greaterEqual(us, number(0.07)), lessEqual(v, squeeze));
    const isPossible = and(greaterEqual(k, number(0)), not(and(less(us, number(0.013)), greater(v, us))));
    const logK = logGammaOfPositive(add(maximum(k, number(0)), number(1)), portableLog);
    const left = portableLog(div(mul(v, inverseAlpha), add(div(a, mul(us, us)), b)));
    const right = sub(sub(mul(k, logRate), rate), logK);
    return { value: k, accepted: or(isQuick, and(isPossible, lessEqual(left, right))) };
  });
}
