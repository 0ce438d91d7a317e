/** The transcendental functions with expansions of their own in f32, and the accuracy that their docstrings promise. */
import type { Node } from "../graph/node.ts";
import type { ScalarBuilder } from "../graph/scalar.ts";
import { erf as erfOfNumber } from "../ops/erf-reference.ts";
import { expandErf } from "../ops/expand/erf.ts";
import { expandExp, expandExpm1, expandTanh } from "../ops/expand/exp.ts";
import { expandLog, expandLog1p } from "../ops/expand/log.ts";
import { expandCos, expandSin, trigLimit } from "../ops/expand/trig.ts";
import { cos, erf, exp, expm1, log, log1p, sin, tanh } from "../ops/index.ts";

export interface AccuracyRow {
  readonly name: string;
  readonly build: (x: Node) => Node;
  expand<V>(b: ScalarBuilder<V>, x: V): V;
  reference(x: number): number;
  /** The bound, as measured over every f32 and rounded up. */
  readonly ulp: number;
  /** Scalar instructions of the f32 expansion. */
  readonly instructions: number;
  /** The same where multiply-adds round once, if it is another number. */
  readonly fusedInstructions?: number;
  /** Magnitudes between which errors can arise; outside the result is a constant, or a constant times x. */
  readonly low: number;
  readonly high: number;
  /** Beyond this the result is NaN. */
  readonly limit?: number;
}

export const accuracyRows: readonly AccuracyRow[] = [
  {
    name: "exp",
    build: exp,
    expand: expandExp,
    reference: Math.exp,
    ulp: 1,
    instructions: 18,
    fusedInstructions: 17,
    low: 2 ** -26,
    high: 105,
  },
  {
    name: "expm1",
    build: expm1,
    expand: expandExpm1,
    reference: Math.expm1,
    ulp: 1.6,
    instructions: 19,
    low: 2 ** -26,
    high: 105,
  },
  {
    name: "tanh",
    build: tanh,
    expand: expandTanh,
    reference: Math.tanh,
    ulp: 1.9,
    instructions: 29,
    fusedInstructions: 28,
    low: 2 ** -14,
    high: 10,
  },
  {
    name: "log",
    build: log,
    expand: expandLog,
    reference: Math.log,
    ulp: 0.96,
    instructions: 30,
    low: 2 ** -149,
    high: Infinity,
  },
  {
    name: "log1p",
    build: log1p,
    expand: expandLog1p,
    reference: Math.log1p,
    ulp: 1.71,
    instructions: 29,
    low: 2 ** -26,
    high: Infinity,
  },
  {
    name: "erf",
    build: erf,
    expand: expandErf,
    reference: erfOfNumber,
    ulp: 1.4,
    instructions: 33,
    fusedInstructions: 32,
    low: 2 ** -14,
    high: 4.5,
  },
  {
    name: "sin",
    build: sin,
    expand: expandSin,
    reference: Math.sin,
    ulp: 1.6,
    instructions: 26,
    low: 2 ** -14,
    high: trigLimit,
    limit: trigLimit,
  },
  {
    name: "cos",
    build: cos,
    expand: expandCos,
    reference: Math.cos,
    ulp: 1.6,
    instructions: 27,
    low: 2 ** -14,
    high: trigLimit,
    limit: trigLimit,
  },
];
