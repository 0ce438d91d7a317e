/** Rows of the elementwise ops and functions. */
import type { DType } from "../../base/dtype.ts";
import { threefry2x32 } from "../../base/random.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import type { Case } from "../cases.ts";

const floats: readonly DType[] = ["f32", "f64", "f16", "bf16"];
const integers: readonly DType[] = ["i32", "u32", "i8", "u8"];
const numbers: readonly DType[] = [...floats, ...integers];
const all: readonly DType[] = [...numbers, "bool"];

/** Places where unary functions go wrong. */
const edges = [
  0,
  -0,
  1,
  -1,
  Infinity,
  -Infinity,
  NaN,
  400,
  -400,
  88,
  -88,
  100,
  -100,
  1e-20,
  -1e-20,
  1e30,
  -1e30,
  0.5,
  -0.5,
].map((x) => [x]);

/** Every pair of some places where binary functions go wrong. */
const pairs = (...places: readonly number[]): number[][] => places.flatMap((a) => places.map((b) => [a, b]));
const binaryEdges = pairs(0, -0, 1, -2.5, Infinity, -Infinity, NaN, 1e30);

type Unary = (x: Node) => Node;
type Binary = (a: Node, b: Node) => Node;

const unary = (name: string, op: Unary, formula: (x: number) => number, more: Partial<Case> = {}): Case => ({
  name,
  build: ([x]) => op(x!),
  arguments: [{}],
  formula: formula as Case["formula"] & {},
  extremes: edges,
  dtypes: floats,
  ...more,
});

const binary = (
  name: string,
  op: Binary,
  formula: (a: number, b: number) => number,
  more: Partial<Case> = {},
): Case => ({
  name,
  build: ([a, b]) => op(a!, b!),
  arguments: [{}, {}],
  formula: formula as Case["formula"] & {},
  extremes: binaryEdges,
  dtypes: numbers,
  ...more,
});

const above = (low: number, high = 3): Partial<Case> => ({ arguments: [{ low, high }] });
/** Beyond where pieces meet. */
const wideUnary: Partial<Case> = { arguments: [{ low: -8, high: 8 }] };
const integerOnly = { dtypes: integers, gradient: false, extremes: undefined } as const;
const wide = {
  arguments: [
    { low: -100, high: 100 },
    { low: -100, high: 100 },
  ],
};

const bitwise: Partial<Case> = { ...wide, ...integerOnly, dtypes: ["i32", "i8", "u8", "bool"] };
/** So few values that many are equal. */
const few = {
  arguments: [
    { low: 0, high: 2 },
    { low: 0, high: 2 },
  ],
};

const roundHalfEven = (x: number): number => {
  const near = Math.round(x);
  return Math.abs(near - x) === 0.5 && near % 2 !== 0 ? near - 1 : near;
};
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const arithmetic: readonly Case[] = [
  unary("neg", ops.neg, (x) => -x, { dtypes: ["f32", "f64", "f16", "bf16", "i32", "i8"] }),
  unary("abs", ops.abs, Math.abs, { dtypes: ["f32", "f64", "f16", "bf16", "i32", "i8"] }),
  unary("sign", ops.sign, Math.sign, { gradient: false, extremes: edges.filter(([x]) => !Number.isNaN(x)) }),
  unary("sqrt", ops.sqrt, Math.sqrt, above(0.1)),
  unary("rsqrt", ops.rsqrt, (x) => 1 / Math.sqrt(x), above(0.1)),
  unary("floor", ops.floor, Math.floor, { gradient: false }),
  unary("ceil", ops.ceil, Math.ceil, { gradient: false }),
  unary("trunc", ops.trunc, Math.trunc, { gradient: false }),
  unary("round", ops.round, roundHalfEven, {
    gradient: false,
    extremes: [[0.5], [1.5], [-0.5], [-2.5], [NaN], [Infinity], [2 ** 24 + 2]],
  }),
  binary("add", ops.add, (a, b) => a + b),
  binary("sub", ops.sub, (a, b) => a - b, { dtypes: [...floats, "i32", "i8"] }),
  binary("mul", ops.mul, (a, b) => a * b, { ...wide, dtypes: [...floats, "i32", "u32"] }),
  binary("div", ops.div, (a, b) => a / b, { arguments: [{}, { low: 0.5, high: 3 }], dtypes: floats }),
  binary("div of integers", ops.div, (a, b) => (b === 0 ? 0 : Math.trunc(a / b)), {
    ...wide,
    ...integerOnly,
  }),
  binary("remainder", ops.remainder, (a, b) => a - Math.floor(a / b) * b, {
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
    // One step of the dividend is several of a small remainder.
    tolerance: { steps: 16, toLargest: true },
    formulaTolerance: { steps: 16, toLargest: true },
  }),
  binary("remainder of integers", ops.remainder, (a, b) => (b === 0 ? 0 : a - Math.floor(a / b) * b), {
    ...wide,
    ...integerOnly,
  }),
  binary("maximum", ops.maximum, Math.max),
  binary("minimum", ops.minimum, Math.min),
  binary("pow", ops.pow, (a, b) => a ** b, {
    arguments: [
      { low: 0.2, high: 3 },
      { low: -2, high: 3 },
    ],
    dtypes: floats,
    extremes: pairs(0, 1, -1, 2, -2, 3, 0.5, Infinity, -Infinity, NaN),
  }),
];

const logical: readonly Case[] = [
  unary("not", ops.not, (x) => 1 - x, {
    arguments: [{ low: 0, high: 1, dtype: "bool" }],
    gradient: false,
    extremes: undefined,
  }),
  unary("not of integers", ops.not, (x) => ~x, {
    dtypes: ["i32", "i8"],
    gradient: false,
    extremes: undefined,
  }),
  binary("and", ops.and, (a, b) => a & b, bitwise),
  binary("or", ops.or, (a, b) => a | b, bitwise),
  binary("xor", ops.xor, (a, b) => a ^ b, bitwise),
  binary("shiftLeft", ops.shiftLeft, (a, b) => a << b, {
    ...integerOnly,
    arguments: [
      { low: -9, high: 9 },
      { low: 0, high: 7 },
    ],
    dtypes: ["i32", "i8"],
  }),
  binary("shiftRight", ops.shiftRight, (a, b) => a >> b, {
    ...integerOnly,
    arguments: [
      { low: -99, high: 99 },
      { low: 0, high: 7 },
    ],
    dtypes: ["i32", "i8", "u8"],
  }),
  binary("equal", ops.equal, (a, b) => Number(a === b), { ...few, dtypes: all, gradient: false }),
  binary("notEqual", ops.notEqual, (a, b) => Number(a !== b), { ...few, dtypes: all, gradient: false }),
  binary("less", ops.less, (a, b) => Number(a < b), { gradient: false }),
  binary("lessEqual", ops.lessEqual, (a, b) => Number(a <= b), { gradient: false }),
  binary("greater", ops.greater, (a, b) => Number(a > b), { gradient: false }),
  binary("greaterEqual", ops.greaterEqual, (a, b) => Number(a >= b), { gradient: false }),
  {
    name: "select",
    build: ([condition, a, b]) => ops.select(condition!, a!, b!),
    arguments: [{ dtype: "bool", low: 0, high: 1 }, {}, {}],
    dtypes: all,
    formula: (condition, a, b) => (condition ? a! : b!),
    extremes: [
      [0, NaN, 1],
      [1, NaN, 1],
      [1, -0, 0],
      [0, 1, Infinity],
    ],
  },
];

/** Casts from one dtype to each other. */
const casts: readonly Case[] = all.flatMap((from) =>
  all.map((to): Case => {
    const isFloat = (dtype: DType): boolean => floats.includes(dtype);
    const values = [
      [-300.7],
      [3.99],
      [-0.5],
      [1e10],
      [-1e10],
      [NaN],
      [Infinity],
      [65519],
      [65520],
      [1 + 2 ** -11],
      [3 * 2 ** -25],
      [-(2 ** -30)],
    ];
    return {
      name: `cast ${from} to ${to}`,
      build: ([x]) => ops.cast(ops.cast(x!, from), to),
      arguments: [{ dtype: from === "bool" ? "bool" : from, low: -9, high: 9 }],
      gradient: false,
      tolerance: { steps: 0 },
      ...(isFloat(from) && { extremes: values }),
    };
  }),
);

const transcendental: readonly Case[] = [
  unary("exp", ops.exp, Math.exp),
  unary("expm1", ops.expm1, Math.expm1),
  unary("log", ops.log, Math.log, above(0.1)),
  unary("log1p", ops.log1p, Math.log1p, above(-0.8)),
  unary("tanh", ops.tanh, Math.tanh),
  // Beyond 6.2 million compiled targets give NaN.
  unary("sin", ops.sin, Math.sin, { extremes: edges.filter(([x]) => !(Math.abs(x!) === 1e30)) }),
  unary("cos", ops.cos, Math.cos, { extremes: edges.filter(([x]) => !(Math.abs(x!) === 1e30)) }),
  unary(
    "erf",
    ops.erf,
    (x) =>
      ops.erfOp.reference(
        [{ shape: [], dtype: "f64", data: Float64Array.of(x) }],
        {},
        { outputs: [{ shape: [], dtype: "f64" }] } as never,
        undefined as never,
      )[0]!.data[0]!,
  ),
];

const activations: readonly Case[] = [
  unary("relu", ops.relu, (x) => Math.max(x, 0)),
  unary("sigmoid", ops.sigmoid, sigmoid, { formulaTolerance: { steps: 4 }, tolerance: { steps: 6 } }),
  unary("softplus", ops.softplus, (x) => Math.log1p(Math.exp(x)), {
    formulaTolerance: { steps: 4 },
    tolerance: { steps: 6 },
  }),
  unary("logSigmoid", ops.logSigmoid, (x) => -Math.log1p(Math.exp(-x)), {
    formulaTolerance: { steps: 4 },
    tolerance: { steps: 6 },
  }),
  unary("silu", ops.silu, (x) => x * sigmoid(x), { formulaTolerance: { steps: 4 }, tolerance: { steps: 6 } }),
  unary("gelu", ops.gelu, (x) => x, { formula: undefined, tolerance: { steps: 16, toLargest: true } }),
  unary(
    "geluTanh",
    ops.geluTanh,
    (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    {
      formulaTolerance: { steps: 16, toLargest: true },
      tolerance: { steps: 16, toLargest: true },
    },
  ),
  unary(
    "leakyRelu",
    (x) => ops.leakyRelu(x, 0.01),
    (x) => (x > 0 ? x : 0.01 * x),
  ),
  binary("parametricRelu", ops.parametricRelu, (x, slope) => (x > 0 || Number.isNaN(x) ? x : slope * x), {
    dtypes: floats,
  }),
  unary("relu6", ops.relu6, (x) => Math.min(Math.max(x, 0), 6), wideUnary),
  unary(
    "hardTanh",
    (x) => ops.hardTanh(x, -1, 2),
    (x) => Math.min(Math.max(x, -1), 2),
    wideUnary,
  ),
  unary("hardSigmoid", ops.hardSigmoid, (x) => Math.min(Math.max(x / 6 + 0.5, 0), 1), {
    ...wideUnary,
    formulaTolerance: { steps: 4 },
    tolerance: { steps: 4 },
  }),
  unary("hardSwish", ops.hardSwish, (x) => (x < -3 ? 0 : x > 3 ? x : (x * (x + 3)) / 6), {
    ...wideUnary,
    formulaTolerance: { steps: 4 },
    tolerance: { steps: 4 },
  }),
  unary(
    "elu",
    (x) => ops.elu(x, 0.5),
    (x) => (x > 0 ? x : 0.5 * Math.expm1(x)),
    { tolerance: { steps: 4 } },
  ),
  unary(
    "celu",
    (x) => ops.celu(x, 0.5),
    (x) => (x > 0 ? x : 0.5 * Math.expm1(x / 0.5)),
    {
      formulaTolerance: { steps: 4 },
      tolerance: { steps: 6 },
    },
  ),
  unary("selu", ops.selu, (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)), {
    formulaTolerance: { steps: 4 },
    tolerance: { steps: 6 },
  }),
  unary("mish", ops.mish, (x) => x * Math.tanh(Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0)), {
    // Where e^x underflows.
    extremes: edges.filter(([x]) => x !== -88),
    formulaTolerance: { steps: 8 },
    tolerance: { steps: 12 },
  }),
  unary("softsign", ops.softsign, (x) => (Number.isFinite(x) ? x / (1 + Math.abs(x)) : Math.sign(x)), {
    formulaTolerance: { steps: 4 },
    tolerance: { steps: 4 },
  }),
  unary(
    "softShrink",
    (x) => ops.softShrink(x, 0.5),
    (x) => (Math.abs(x) <= 0.5 ? 0 : x - 0.5 * Math.sign(x)),
  ),
  unary(
    "hardShrink",
    (x) => ops.hardShrink(x, 0.5),
    (x) => (Math.abs(x) <= 0.5 ? 0 : x),
  ),
  unary("tanhShrink", ops.tanhShrink, (x) => x - Math.tanh(x), {
    // Small numbers cancel.
    ...above(0.5),
    tolerance: { steps: 8, toLargest: true },
    formulaTolerance: { steps: 8, toLargest: true },
  }),
  ...(["sigmoid", "silu", "gelu", "relu", "tanh", "none"] as const).map((gate) =>
    binary(
      `gated by ${gate}`,
      (a, b) => ops.gated(a, b, gate),
      (a) => a,
      {
        dtypes: floats,
        formula: undefined,
        extremes: pairs(0, 1, -2.5, 100, -100, NaN),
        tolerance: { steps: 16, toLargest: true },
      },
    ),
  ),
  unary("stopGradient", ops.stopGradient, (x) => x, { gradient: false }),
  unary(
    "customGradient",
    (x) => ops.customGradient(ops.mul(x, x), [x], (g) => [ops.mul(g, ops.add(x, x))]),
    (x) => x * x,
  ),
];

const checks: readonly Case[] = [
  unary(
    "check",
    (x) => ops.check(x, ops.equal(x, x), "must not be NaN"),
    (x) => x,
    { extremes: [[1], [Infinity]] },
  ),
  {
    name: "checkIndex",
    build: ([x]) => ops.checkIndex(x!, 10, "must be 0 … 9"),
    arguments: [{ dtype: "i32", low: 0, high: 9 }],
    formula: (x) => x!,
    gradient: false,
  },
  {
    name: "randomBits",
    build: ([k0, k1, c0, c1]) => ops.randomBits([k0!, k1!], [c0!, c1!], 1),
    arguments: Array.from({ length: 4 }, () => ({ dtype: "u32", low: 0, high: 2 ** 32 - 1 }) as const),
    formula: (k0, k1, c0, c1) => threefry2x32(k0!, k1!, c0!, c1!)[1],
    gradient: false,
  },
];

export const elementwiseCases: readonly Case[] = [
  ...arithmetic,
  ...logical,
  ...casts,
  ...transcendental,
  ...activations,
  ...checks,
];
