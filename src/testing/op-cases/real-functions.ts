/** Rows of functions of the reals that are computed in f64, and of functions of two numbers composed of primitives. */
import type { DType } from "../../base/dtype.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import type { Case } from "../cases.ts";

const floats: readonly DType[] = ["f32", "f64", "f16", "bf16"];
const integers: readonly DType[] = ["i32", "u32", "i8", "u8"];

const places = [0, -0, 1, -1, 0.5, -2.5, 3, 1e-20, -1e-20, 30, -30, 400, -400, 1e30, -1e30];
const edges = [...places, Infinity, -Infinity, NaN].map((x) => [x]);
const within = (limit: number): readonly number[][] => edges.filter(([x]) => !(Math.abs(x!) > limit));
const pairs = (...each: readonly number[]): number[][] => each.flatMap((a) => each.map((b) => [a, b]));
const pairEdges = pairs(0, -0, 1, -2.5, Infinity, -Infinity, NaN, 1e30);

type Range = { readonly low?: number; readonly high?: number };

const real = (
  name: string,
  op: (x: Node) => Node,
  formula: (x: number) => number,
  range: Range = {},
  more: Partial<Case> = {},
): Case => ({
  name,
  build: ([x]) => op(x!),
  arguments: [range],
  formula: (x) => formula(x!),
  extremes: edges,
  dtypes: floats,
  ...more,
});

const pair = (
  name: string,
  op: (a: Node, b: Node) => Node,
  formula: (a: number, b: number) => number,
  more: Partial<Case> = {},
): Case => ({
  name,
  build: ([a, b]) => op(a!, b!),
  arguments: [{}, {}],
  formula: (a, b) => formula(a!, b!),
  extremes: pairEdges,
  dtypes: floats,
  ...more,
});

const loose = { tolerance: { steps: 8 }, formulaTolerance: { steps: 8 } } as const;
const several = {
  tolerance: { steps: 16, toLargest: true },
  formulaTolerance: { steps: 16, toLargest: true },
} as const;
const wholes = { dtypes: integers, gradient: false, extremes: undefined } as const;
const hundred = {
  arguments: [
    { low: -100, high: 100 },
    { low: -9, high: 9 },
  ],
} as const;

const computedWide: readonly Case[] = [
  real("exp2", ops.exp2, (x) => 2 ** x),
  real("log2", ops.log2, Math.log2, { low: 0.1 }),
  real("log10", ops.log10, Math.log10, { low: 0.1 }),
  real("cbrt", ops.cbrt, Math.cbrt, { low: 0.3 }),
  real("erfc", ops.erfc, (x) => 1 - erf(x), { low: -2, high: 0.8 }, loose),
  real("erfinv", ops.erfinv, (x) => inverseOf(erf, x), { low: -0.9, high: 0.9 }, loose),
  real("tan", ops.tan, Math.tan, { low: -1.2, high: 1.2 }, { extremes: within(400) }),
  real("asin", ops.asin, Math.asin, { low: -0.9, high: 0.9 }),
  real("acos", ops.acos, Math.acos, { low: -0.9, high: 0.9 }),
  real("atan", ops.atan, Math.atan),
  real("sinh", ops.sinh, Math.sinh),
  real("cosh", ops.cosh, Math.cosh),
  real("asinh", ops.asinh, Math.asinh),
  real("acosh", ops.acosh, Math.acosh, { low: 1.2, high: 4 }),
  real("atanh", ops.atanh, Math.atanh, { low: -0.8, high: 0.8 }),
  pair("atan2", ops.atan2, Math.atan2, { arguments: [{ low: 0.3 }, { low: -2 }] }),
];

/** erf by the op's own definition. */
function erf(x: number): number {
  const input = { shape: [], dtype: "f64", data: Float64Array.of(x) } as const;
  const context = { outputs: [{ shape: [], dtype: "f64" }] };
  return ops.erfOp.reference([input], {}, context as never, undefined as never)[0]!.data[0]!;
}

/** Where a rising function has a value, by halving. */
function inverseOf(rising: (x: number) => number, value: number): number {
  let [low, high] = [-6, 6];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (rising(middle) < value) low = middle;
    else high = middle;
  }
  return high;
}

const composed: readonly Case[] = [
  real(
    "clamp",
    (x) => ops.clamp(x, ops.like(x, -1), ops.like(x, 0.5)),
    (x) => Math.min(Math.max(x, -1), 0.5),
  ),
  real("isInfinite", ops.isInfinite, (x) => Number(Math.abs(x) === Infinity), {}, { gradient: false }),
  real(
    "nanToNum",
    (x) => ops.nanToNum(x, 0, 5, -5),
    (x) => x,
  ),
  pair("fmod", ops.fmod, (a, b) => a % b, {
    arguments: [
      { low: -5, high: 5 },
      { low: 0.7, high: 1.9 },
    ],
    dtypes: ["f32", "f64"],
    extremes: [
      [5.5, 2],
      [-5.5, 2],
      [5.5, -2],
      [-5.5, -2],
      [6, 3],
      [1, Infinity],
      [-1, Infinity],
      [1, 0],
      [NaN, 1],
    ],
    ...several,
  }),
  pair("fmod of integers", ops.fmod, (a, b) => (b === 0 ? 0 : a % b), { ...wholes, ...hundred }),
  pair("hypot", ops.hypot, Math.hypot, {
    ...loose,
    dtypes: ["f32", "f64"],
    arguments: [{ low: 0.3 }, { low: 0.3 }],
  }),
  pair("logAddExp", ops.logAddExp, (a, b) => Math.log(Math.exp(a) + Math.exp(b)), {
    ...several,
    dtypes: ["f32", "f64"],
  }),
  pair("xlogy", ops.xlogy, (a, b) => a * Math.log(b), {
    ...loose,
    arguments: [{}, { low: 0.1 }],
    dtypes: ["f32", "f64"],
  }),
  pair("xlog1py", ops.xlog1py, (a, b) => a * Math.log1p(b), {
    ...loose,
    arguments: [{}, { low: -0.7 }],
    dtypes: ["f32", "f64"],
  }),
  {
    // gammaincc is the other half of the same program.
    name: "gammainc",
    build: ([a, x]) => ops.gammainc(a!, x!),
    arguments: [
      { low: 0.3, high: 4, shape: [3, 7] },
      { low: 0.1, high: 6, shape: [3, 7] },
    ],
    extremes: pairs(0, 1, -1, 1e-20, 30, Infinity, NaN),
    gradient: 1,
    ...{ ...several, dtypes: ["f32"] },
  },
  {
    name: "betainc",
    build: ([a, b, x]) => ops.betainc(a!, b!, x!),
    arguments: [
      { low: 0.3, high: 4, shape: [3, 7] },
      { low: 0.3, high: 4, shape: [3, 7] },
      { low: 0.1, high: 0.9, shape: [3, 7] },
    ],
    extremes: [0, 1, 1e-20, 30, NaN].flatMap((a) => [-0.1, 0, 0.5, 1, NaN].map((x) => [a, 2, x])),
    gradient: 1,
    ...{ ...several, dtypes: ["f32"] },
  },
  {
    name: "lerp",
    build: ([a, b, weight]) => ops.lerp(a!, b!, weight!),
    arguments: [{}, {}, {}],
    formula: (a, b, weight) => a! + weight! * (b! - a!),
    dtypes: ["f32", "f64"],
    ...several,
  },
];

export const realFunctionCases: readonly Case[] = [...computedWide, ...composed];
