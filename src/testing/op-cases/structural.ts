/** Rows of the ops that move, place, reduce, contract, index and repeat. */
import type { DType } from "../../base/dtype.ts";
import type { Node } from "../../graph/node.ts";
import type { DenseArray } from "../../graph/op.ts";
import * as ops from "../../ops/index.ts";
import type { Case } from "../cases.ts";

const numbers: readonly DType[] = ["f32", "f64", "f16", "bf16", "i32", "u32", "i8", "u8"];
const toLargest = { steps: 64, toLargest: true } as const;

/** A case of one argument of a fixed shape. */
const shaped = (
  name: string,
  shape: readonly number[],
  op: (x: Node) => Node,
  more: Partial<Case> = {},
): Case => ({
  name: `${name} (${shape.join(", ")})`,
  build: ([x]) => op(x!),
  arguments: [{ shape }],
  ...more,
});

const exact = { tolerance: { steps: 0 }, dtypes: numbers } as const;

const movement: readonly Case[] = [
  shaped("reshape", [4, 6], (x) => ops.reshape(x, [2, 12]), exact),
  shaped("reshape", [3, 1, 4], (x) => ops.reshape(x, [12]), exact),
  shaped("broadcastTo", [3, 1], (x) => ops.broadcastTo(x, [2, 3, 5]), exact),
  shaped("broadcastTo", [], (x) => ops.broadcastTo(x, [2, 3]), exact),
  shaped("permute", [2, 3, 4], (x) => ops.permute(x, [2, 0, 1]), exact),
  shaped("transpose", [5, 7], (x) => ops.transpose(x), exact),
  shaped("slice", [7, 9], (x) => ops.slice(x, { start: [1, 8], step: [2, -3], shape: [3, 3] }), exact),
  shaped("slice of nothing", [3, 4], (x) => ops.slice(x, { start: [1, 0], shape: [0, 4] }), exact),
  shaped("sliceAxis", [4, 5], (x) => ops.sliceAxis(x, -1, 2, 3), exact),
  shaped("flip", [3, 4], (x) => ops.flip(x, [0, 1]), exact),
  shaped(
    "windows",
    [9],
    (x) => ops.windows(x, { axes: [0], sizes: [3], strides: [2], dilations: [2] }),
    exact,
  ),
  shaped(
    "windows",
    [2, 6, 7],
    (x) => ops.windows(x, { axes: [1, 2], sizes: [3, 2], strides: [1, 2] }),
    exact,
  ),
  shaped("pad", [3, 4], (x) => ops.pad(x, { low: [1, 0], high: [0, 2], interior: [1, 2], value: 3 }), exact),
  shaped("pad of nothing", [0, 2], (x) => ops.pad(x, { low: [1, 0], high: [1, 0], interior: [2, 0] }), exact),
  shaped("foldWindows", [4, 3], (x) => ops.foldWindows(x, [9], { axes: [0], sizes: [3], strides: [2] })),
  shaped("foldWindows", [2, 2, 2, 2], (x) =>
    ops.foldWindows(x, [3, 5], { axes: [0, 1], sizes: [2, 2], strides: [1, 2] }),
  ),
  {
    name: "concat",
    build: (x) => ops.concat(x, 1),
    arguments: [{ shape: [2, 3] }, { shape: [2, 0] }, { shape: [2, 4] }],
    expected: (a, _, b) => [...rowOf(a, 0), ...rowOf(b, 0), ...rowOf(a, 1), ...rowOf(b, 1)],
    ...exact,
  },
];

const rowOf = ({ shape, data }: DenseArray, row: number): Float64Array =>
  data.slice(row * shape[1]!, (row + 1) * shape[1]!);

/** A reduction over no axis, the first, the last, several, all; of sizes below, at and above the lanes of a sum. */
const reduction = (
  name: string,
  op: (x: Node, axes?: readonly number[]) => Node,
  more: Partial<Case> = {},
): readonly Case[] => [
  shaped(name, [7], (x) => op(x), more),
  shaped(name, [3, 16], (x) => op(x, [1]), more),
  shaped(name, [3, 37], (x) => op(x, [0]), more),
  shaped(name, [2, 3, 5], (x) => op(x, [0, 2]), more),
  shaped(name, [2, 3, 5], (x) => op(x, [1]), more),
  shaped(name, [2, 0, 3], (x) => op(x, [1]), { ...more, gradient: false }),
  shaped(name, [1, 1], (x) => op(x), more),
];

const flags = (name: string, op: (x: Node, axes?: number) => Node): Case => ({
  name,
  build: ([x]) => op(x!, 1),
  arguments: [{ dtype: "bool", low: 0, high: 1, shape: [40, 3] }],
  gradient: false,
});

const reductions: readonly Case[] = [
  ...reduction("sum", ops.sum, { tolerance: toLargest, dtypes: ["f32", "f64", "f16", "bf16", "i32", "u32"] }),
  ...reduction("max", ops.max, { tolerance: { steps: 0 }, dtypes: ["f32", "f64", "i32"] }),
  ...reduction("min", ops.min, { tolerance: { steps: 0 }, dtypes: ["f32", "f64", "i32"] }),
  ...reduction("prod", ops.prod, { tolerance: { steps: 64 } }),
  ...reduction("mean", ops.mean, { tolerance: toLargest }),
  ...reduction("variance", ops.variance, { tolerance: toLargest }),
  ...reduction("standardDeviation", (x, axes) => ops.standardDeviation(x, axes), { tolerance: toLargest }),
  ...reduction("norm", ops.norm, { tolerance: toLargest }),
  ...reduction("logSumExp", ops.logSumExp, { tolerance: toLargest }),
  flags("any", ops.any),
  flags("all", ops.all),
  shaped("long sum", [3, 5000], (x) => ops.sum(x, 1), { tolerance: toLargest, gradient: 1 }),
  shaped("tall sum", [5000, 3], (x) => ops.sum(x, 0), { tolerance: toLargest, gradient: 1 }),
  ...([0, 1] as const).flatMap((axis) => [
    shaped(`argmax along ${axis}`, [5, 7], (x) => ops.argmax(x, axis), { gradient: false }),
    shaped(`argmin along ${axis}`, [5, 7], (x) => ops.argmin(x, axis), { gradient: false }),
    shaped(`softmax along ${axis}`, [5, 19], (x) => ops.softmax(x, axis), { tolerance: toLargest }),
    shaped(`logSoftmax along ${axis}`, [5, 19], (x) => ops.logSoftmax(x, axis), { tolerance: toLargest }),
    shaped(`normalize along ${axis}`, [5, 19], (x) => ops.normalize(x, axis, 1e-5), { tolerance: toLargest }),
  ]),
];

/** A normalization of x along its last axes, scaled by a weight of their shape; ε is large, for rows whose numbers are all equal. */
const affine = (
  name: string,
  [x, weight]: readonly [readonly number[], readonly number[]],
  op: (x: Node, weight: Node, bias: Node) => Node,
  more: Partial<Case> = {},
): Case => ({
  name: `${name} (${x.join(", ")}) by (${weight.join(", ")})`,
  build: ([x, weight, bias]) => op(x!, weight!, bias!),
  arguments: [{ shape: x }, { shape: weight }, { shape: weight }],
  tolerance: toLargest,
  ...more,
});
const layered = (x: Node, weight: Node, bias: Node): Node =>
  ops.layerNormalization(x, 0.01, { weight, bias });
const rooted = (x: Node, weight: Node, bias: Node): Node =>
  ops.add(ops.rmsNormalization(x, 0.01, { weight }), ops.broadcastTo(bias, x.shape));

const normalizations: readonly Case[] = [
  affine("layerNormalization", [[5, 19], [19]], layered),
  affine(
    "layerNormalization",
    [
      [2, 3, 4, 5],
      [4, 5],
    ],
    layered,
  ),
  affine("layerNormalization", [[40], [40]], layered),
  affine("layerNormalization", [[0, 4], [4]], layered, { gradient: false }),
  affine("layerNormalization of long rows", [[4, 300], [300]], layered, { gradient: 1 }),
  affine("rmsNormalization", [[5, 19], [19]], rooted),
  affine(
    "rmsNormalization",
    [
      [2, 3, 4, 5],
      [4, 5],
    ],
    rooted,
  ),
];

const product = (...shapes: readonly [readonly number[], readonly number[]]): Case => ({
  name: `dot (${shapes[0].join(", ")}) × (${shapes[1].join(", ")})`,
  build: ([a, b]) => ops.dot(a!, b!),
  arguments: shapes.map((shape) => ({ shape })),
  expected: matrixProduct,
  tolerance: toLargest,
  formulaTolerance: toLargest,
  dtypes: ["f32", "f64", "f16", "bf16", "i32"],
});

function matrixProduct(a: DenseArray, b: DenseArray): number[] {
  const [M, K, N] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!];
  const batch = a.shape.slice(0, -2).reduce((n, size) => n * size, 1);
  return Array.from({ length: batch * M * N }, (_, at) => {
    const [i, m, n] = [Math.floor(at / (M * N)), Math.floor(at / N) % M, at % N];
    let total = 0;
    for (let k = 0; k < K; k++) total += a.data[(i * M + m) * K + k]! * b.data[(i * K + k) * N + n]!;
    return total;
  });
}

const contractions: readonly Case[] = [
  product([2, 3], [3, 4]),
  product([1, 1], [1, 1]),
  product([1, 37], [37, 5]),
  product([33, 17], [17, 1]),
  product([3, 0], [0, 2]),
  product([19, 65], [65, 34]),
  product([2, 3, 4], [2, 4, 5]),
  product([2, 2, 3, 4], [2, 2, 4, 3]),
];

const indices = { dtype: "i32", low: 0, high: 4 } as const;

const indexed: readonly Case[] = [
  {
    name: "gather rows",
    build: ([x, at]) => ops.gather(x!, at!, 0),
    arguments: [{ shape: [5, 3] }, { ...indices, shape: [2, 4] }],
    ...exact,
  },
  {
    name: "gather columns",
    build: ([x, at]) => ops.gather(x!, at!, 1),
    arguments: [{ shape: [3, 5] }, { ...indices, shape: [6] }],
    ...exact,
  },
  {
    name: "gather from a view that walks backwards",
    build: ([x, at]) => ops.gather(ops.flip(ops.add(x!, x!), 0), at!, 0),
    arguments: [{ shape: [5, 700] }, { ...indices, shape: [4] }],
    ...exact,
    gradient: 1,
  },
  {
    name: "gather at counted indices",
    build: ([x]) => ops.gather(x!, ops.iota([3, 2], 0), 0),
    arguments: [{ shape: [5, 3] }],
    ...exact,
  },
  {
    name: "scatterAdd rows",
    build: ([x, at, updates]) => ops.scatterAdd(x!, at!, updates!, 0),
    arguments: [{ shape: [5, 3] }, { ...indices, shape: [7] }, { shape: [7, 3] }],
    dtypes: ["f32", "f64", "i32"],
    tolerance: toLargest,
  },
  {
    name: "scatterAdd columns",
    build: ([x, at, updates]) => ops.scatterAdd(x!, at!, updates!, 1),
    arguments: [{ shape: [2, 5] }, { ...indices, shape: [7] }, { shape: [2, 7] }],
    dtypes: ["f32", "f64", "i32"],
    tolerance: toLargest,
  },
  {
    name: "scatter rows, each once",
    build: ([x, updates]) => ops.scatter(x!, ops.flip(ops.iota([4], 0), 0), updates!, 0),
    arguments: [{ shape: [5, 3] }, { shape: [4, 3] }],
    ...exact,
  },
  {
    name: "scatter columns: the last stays",
    build: ([x, at, updates]) => ops.scatter(x!, at!, updates!, 1),
    arguments: [{ shape: [2, 5] }, { ...indices, shape: [9] }, { shape: [2, 9] }],
    ...exact,
    gradient: false,
  },
  {
    name: "argsort",
    build: ([x]) => ops.argsort(x!, false),
    arguments: [{ shape: [3, 70], low: -20, high: 20 }],
    dtypes: ["f32", "f64", "f16", "bf16", "i32", "u32", "i8", "u8"],
    gradient: false,
  },
  {
    name: "argsort, descending",
    build: ([x]) => ops.argsort(x!, true),
    arguments: [{ shape: [2, 3, 5], low: 0, high: 3 }],
    dtypes: ["f32", "f64", "i32", "bool"],
    gradient: false,
  },
  {
    name: "sort along the first axis",
    build: ([x]) => ops.sort(x!, 0),
    arguments: [{ shape: [7, 3] }],
    ...exact,
    dtypes: ["f32", "f64", "bf16", "i32"],
  },
  {
    name: "indices of every kind",
    build: ([x, at]) => ops.indexed(x!, [null, at!, { start: undefined, stop: 0, step: -2 }, 1]),
    arguments: [{ shape: [5, 4, 3] }, { ...indices, shape: [6] }],
    ...exact,
  },
  {
    name: "oneHot",
    build: ([labels]) => ops.oneHot(labels!, 5, "f32"),
    arguments: [{ ...indices, shape: [2, 3] }],
    gradient: false,
  },
];

/** tanh(state · weight + slice), carried and stacked. */
function recurrent([x, weight, first]: readonly Node[]): Node {
  const { carry, stacked } = ops.scan([first!], [x!], ([state], [slice]) => {
    const next = ops.tanh(ops.add(ops.dot(state!, weight!), slice!));
    return { carry: [next], stacked: [next] };
  });
  return ops.concat([...stacked, ops.reshape(carry[0]!, [1, 2, 3])], 0);
}

const regions: readonly Case[] = [
  {
    name: "scan: a recurrent network",
    build: recurrent,
    arguments: [{ shape: [4, 2, 3] }, { shape: [3, 3] }, { shape: [2, 3] }],
    tolerance: toLargest,
  },
  {
    name: "scan from the last to the first",
    build: ([x]) =>
      ops.scan(
        [ops.zerosLike({ shape: [3], dtype: x!.dtype })],
        [x!],
        ([total], [slice]) => {
          const next = ops.add(ops.mul(total!, ops.like(total!, 0.5)), slice!);
          return { carry: [next], stacked: [ops.mul(next, slice!)] };
        },
        { reverse: true },
      ).stacked[0]!,
    arguments: [{ shape: [5, 3] }],
    tolerance: toLargest,
  },
  {
    name: "rematerialize",
    build: ([x]) => ops.rematerialize([x!], ([x]) => [ops.mul(ops.sin(x!), ops.exp(x!))])[0]!,
    arguments: [{ shape: [2, 5] }],
  },
  {
    name: "scan, its body rematerialized",
    build: ([x]) =>
      ops.scan([ops.full([3], 1, x!.dtype)], [x!], ([a], [b]) => ({
        carry: ops.rematerialize([a!, b!], ([a, b]) => [ops.tanh(ops.mul(ops.add(a!, b!), b!))]),
      })).carry[0]!,
    arguments: [{ shape: [4, 3] }],
    tolerance: toLargest,
  },
  {
    name: "scan from a constant",
    build: ([x]) =>
      ops.scan([ops.scalar(1, x!.dtype)], [x!], ([a], [b]) => ({ carry: [ops.sub(b!, a!)] })).carry[0]!,
    arguments: [{ shape: [5] }],
  },
  {
    name: "scan over nothing",
    build: ([x]) =>
      ops.scan([ops.full([2], 7, x!.dtype)], [x!], ([a], [b]) => ({ carry: [ops.add(a!, b!)] })).carry[0]!,
    arguments: [{ shape: [0, 2] }],
    gradient: false,
  },
  {
    name: "repeatWhile",
    build: ([x]) =>
      ops.repeatWhile(
        [x!, ops.scalar(0, "i32")],
        ([value]) => ops.less(ops.max(value!), ops.scalar(100, x!.dtype)),
        ([value, count]) => [ops.mul(value!, ops.like(value!, 3)), ops.add(count!, ops.scalar(1, "i32"))],
        { max: 50 },
      )[0]!,
    arguments: [{ shape: [3], low: 0.5, high: 2 }],
    gradient: false,
  },
];

/** Ops without arguments, added to one so that they are a case. */
const sources: readonly Case[] = [
  shaped("iota", [3, 4], (x) => ops.add(x, ops.iota([3, 4], 1, x.dtype)), exact),
  shaped("full", [3, 4], (x) => ops.add(x, ops.full([3, 4], 2, x.dtype)), exact),
  shaped(
    "array",
    [3],
    (x) => ops.add(x, ops.array({ dtype: "f32", shape: [3], data: Float32Array.of(1, 2, 3) })),
    { dtypes: ["f32"], gradient: false },
  ),
  {
    name: "portable functions",
    build: ([x]) => ops.add(ops.portableLog(x!), ops.normalQuantile(ops.portableExp(ops.neg(x!)))),
    arguments: [{ dtype: "f64", low: 0.1, high: 3 }],
    tolerance: { steps: 0 },
  },
  {
    name: "randomNormal",
    build: ([key]) => ops.randomNormal(key!, [3, 7]),
    arguments: [{ dtype: "u32", shape: [2], low: 0, high: 2 ** 32 - 1 }],
    gradient: false,
    tolerance: { steps: 0 },
  },
  {
    name: "randomUniform",
    build: ([key]) => ops.randomUniform(key!, [3, 7]),
    arguments: [{ dtype: "u32", shape: [2], low: 0, high: 2 ** 32 - 1 }],
    gradient: false,
  },
];

export const structuralCases: readonly Case[] = [
  ...sources,
  ...movement,
  ...reductions,
  ...normalizations,
  ...contractions,
  ...indexed,
  ...regions,
];
