/** Ops and functions of nodes against PyTorch's values and gradients, on every target. */
import { describe, expect, test } from "vitest";
import { gradients } from "../src/autodiff/index.ts";
import { decode } from "../src/base/dtype.ts";
import { broadcastShapes, normalizeAxes } from "../src/base/shape.ts";
import type { Node } from "../src/graph/node.ts";
import type { DenseArray } from "../src/graph/op.ts";
import { Trace, withTrace } from "../src/graph/trace.ts";
import * as ops from "../src/ops/index.ts";
import { createWasmDevice } from "../src/runtime/wasm-device.ts";
import { methods } from "../src/tensor/methods/index.ts";
import { deviceTarget, type EvaluationTarget, interpreterTarget } from "../src/testing/index.ts";
import { nativeTargets } from "../src/testing/native-targets.ts";
import {
  decodeArray,
  type EncodedArray,
  hashedUniform,
  type OpCase,
  type OpFixture,
  opFixtures,
  readFixture,
} from "./fixtures.ts";
import { byTier } from "./tier.ts";

type Attributes = Readonly<Record<string, never>>;
type Build = (inputs: readonly Node[], attributes: Attributes) => Node;

const unary =
  (op: (x: Node) => Node): Build =>
  ([x]) =>
    op(x!);

/** Operands broadcast as PyTorch does. */
const broadcast =
  (op: (...x: readonly Node[]) => Node): Build =>
  (inputs) => {
    const shape = inputs.map((x) => x.shape).reduce((a, b) => broadcastShapes(a, b));
    return op(...inputs.map((x) => ops.broadcastTo(x, shape)));
  };
const binary = (op: (a: Node, b: Node) => Node): Build => broadcast((a, b) => op(a!, b!));

/** Axes of null are all; kept axes come back with size 1. */
const reduction =
  (op: (x: Node, axes: readonly number[], attributes: Attributes) => Node): Build =>
  ([x], attributes) => {
    const { axis, keepDims } = attributes as unknown as { axis: number | number[] | null; keepDims: boolean };
    const axes = normalizeAxes(axis ?? undefined, x!.shape.length, "fixture");
    const result = op(x!, axes, attributes);
    return keepDims
      ? ops.reshape(
          result,
          x!.shape.map((size, i) => (axes.includes(i) ? 1 : size)),
        )
      : result;
  };

/** The index along one axis, or of the flattened array. */
const indexing = (op: (x: Node, axis: number) => Node): Build =>
  reduction((x, axes) => (axes.length === 1 ? op(x, axes[0]!) : op(ops.reshape(x, [count(x)]), 0)));

const count = (x: Node): number => (x.shape as readonly number[]).reduce((n, size) => n * size, 1);

/** Vectors become rows or columns, batch dimensions are broadcast. */
const matmul: Build = ([a, b]) => {
  const left = a!.shape.length === 1 ? ops.reshape(a!, [1, ...a!.shape]) : a!;
  const right = b!.shape.length === 1 ? ops.reshape(b!, [...b!.shape, 1]) : b!;
  const batch = broadcastShapes(left.shape.slice(0, -2), right.shape.slice(0, -2));
  const product = ops.dot(
    ops.broadcastTo(left, [...batch, ...left.shape.slice(-2)]),
    ops.broadcastTo(right, [...batch, ...right.shape.slice(-2)]),
  );
  const rows = a!.shape.length === 1 ? [] : [left.shape.at(-2)!];
  const columns = b!.shape.length === 1 ? [] : [right.shape.at(-1)!];
  return ops.reshape(product, [...batch, ...rows, ...columns]);
};

const layerNorm: Build = ([x, scale, shift], { epsilon }) => {
  const y = ops.normalize(x!, -1, Number(epsilon));
  const scaled = scale ? ops.mul(y, ops.broadcastTo(scale, x!.shape)) : y;
  return shift ? ops.add(scaled, ops.broadcastTo(shift, x!.shape)) : scaled;
};

const reshape: Build = ([x], { shape }) => {
  const sizes = shape as unknown as number[];
  const known = sizes.filter((size) => size !== -1).reduce((n, size) => n * size, 1);
  return ops.reshape(
    x!,
    sizes.map((size) => (size === -1 ? count(x!) / known : size)),
  );
};

const slice: Build = ([x], attributes) => {
  const { starts, ends, steps } = attributes as unknown as Record<"starts" | "ends" | "steps", number[]>;
  const shape = starts.map((start, i) => Math.ceil((ends[i]! - start) / steps[i]!));
  return ops.slice(x!, { start: starts, step: steps, shape });
};

/** The same number for every spatial axis. */
function spatial(x: Node, geometry: Partial<Record<"stride" | "padding" | "dilation", number>>) {
  const { stride = 1, padding = 0, dilation = 1 } = geometry;
  const each = <T>(value: T): T[] => x.shape.slice(2).map(() => value);
  return {
    strides: each(stride),
    dilations: each(dilation),
    padding: each([padding, padding] as const),
  };
}

/** "list" for a list among the inputs, [start, stop, step] for a range. */
function indicesOf(indices: unknown, lists: readonly Node[]): ops.NodeIndex[] {
  let next = 0;
  return (indices as readonly unknown[]).map((index) => {
    if (index === "list") return lists[next++]!;
    if (!Array.isArray(index)) return index as ops.NodeIndex;
    const [start, stop, step] = index as (number | null)[];
    return { start: start ?? undefined, stop: stop ?? undefined, step: step ?? 1 };
  });
}

const limit = (x: Node, value: number | undefined): Node | undefined =>
  value === undefined ? undefined : ops.like(x, value);

const builders: Record<string, Build> = {
  neg: unary(ops.neg),
  abs: unary(ops.abs),
  sign: unary(ops.sign),
  exp: unary(ops.exp),
  expm1: unary(ops.expm1),
  square: unary((x) => ops.mul(x, x)),
  tanh: unary(ops.tanh),
  sigmoid: unary(ops.sigmoid),
  sin: unary(ops.sin),
  cos: unary(ops.cos),
  erf: unary(ops.erf),
  relu: unary(ops.relu),
  silu: unary(ops.silu),
  softplus: unary(ops.softplus),
  logSigmoid: unary(ops.logSigmoid),
  leakyRelu: ([x], { negativeSlope }) => ops.leakyRelu(x!, negativeSlope),
  elu: ([x], { alpha }) => ops.elu(x!, alpha),
  celu: ([x], { alpha }) => ops.celu(x!, alpha),
  hardTanh: ([x], { min, max }) => ops.hardTanh(x!, min, max),
  softShrink: ([x], { lambd }) => ops.softShrink(x!, lambd),
  hardShrink: ([x], { lambd }) => ops.hardShrink(x!, lambd),
  parametricRelu: binary(ops.parametricRelu),
  relu6: unary(ops.relu6),
  hardSigmoid: unary(ops.hardSigmoid),
  hardSwish: unary(ops.hardSwish),
  selu: unary(ops.selu),
  mish: unary(ops.mish),
  softsign: unary(ops.softsign),
  tanhShrink: unary(ops.tanhShrink),
  glu: ([x], { axis }) => ops.glu(x!, axis, "sigmoid"),
  softmin: ([x], { axis }) => ops.softmax(ops.neg(x!), Number(axis)),
  floor: unary(ops.floor),
  ceil: unary(ops.ceil),
  round: unary(ops.round),
  log: unary(ops.log),
  log1p: unary(ops.log1p),
  sqrt: unary(ops.sqrt),
  rsqrt: unary(ops.rsqrt),
  reciprocal: unary((x) => ops.div(ops.like(x, 1), x)),
  gelu: ([x], { approximate }) => (approximate === "tanh" ? ops.geluTanh(x!) : ops.gelu(x!)),
  exp2: unary(ops.exp2),
  log2: unary(ops.log2),
  log10: unary(ops.log10),
  tan: unary(ops.tan),
  asin: unary(ops.asin),
  acos: unary(ops.acos),
  atan: unary(ops.atan),
  sinh: unary(ops.sinh),
  cosh: unary(ops.cosh),
  asinh: unary(ops.asinh),
  acosh: unary(ops.acosh),
  atanh: unary(ops.atanh),
  erfc: unary(ops.erfc),
  erfinv: unary(ops.erfinv),
  clamp: ([x], { min, max }) => ops.clamp(x!, limit(x!, min), limit(x!, max)),
  remainder: binary(ops.remainder),
  fmod: binary(ops.fmod),
  atan2: binary(ops.atan2),
  hypot: binary(ops.hypot),
  logAddExp: binary(ops.logAddExp),
  xlogy: binary(ops.xlogy),
  lerp: broadcast((a, b, weight) => ops.lerp(a!, b!, weight!)),
  cumsum: ([x], { axis }) => ops.cumulativeSum(x!, axis),
  cumprod: ([x], { axis }) => ops.cumulativeProduct(x!, axis),
  cumLogSumExp: ([x], { axis }) => ops.cumulativeLogSumExp(x!, axis),
  cummax: ([x], { axis }) => ops.cumulativeMax(x!, axis),
  cummin: ([x], { axis }) => ops.cumulativeMin(x!, axis),
  sort: ([x], { axis, descending }) => ops.sort(x!, axis, descending),
  argsort: ([x], { axis, descending }) => ops.orderAlong(x!, axis, descending),
  topk: ([x], { k, axis, largest }) => ops.topk(x!, k, { axis, largest }).values,
  quantile: ([x], { q, axis }) => (Array.isArray(q) ? ops.quantiles(x!, q, axis) : ops.quantile(x!, q, axis)),
  searchSorted: ([sorted, values], { side }) => ops.searchSorted(sorted!, values!, side),
  bincount: ([x], { length }) => ops.bincount(x!, length),
  histogram: ([x], { bins, low, high }) => {
    const data = Float32Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins);
    return ops.histogram(x!, ops.array({ dtype: "f32", shape: [data.length], data }));
  },
  stack: (x, { axis }) => ops.stack(x, axis),
  tile: ([x], { counts }) => ops.tile(x!, counts),
  repeat: ([x], { count, axis }) => ops.repeat(x!, count, axis),
  roll: ([x], { shift, axis }) => ops.roll(x!, shift, axis),
  tril: ([x], { diagonal }) => ops.lowerTriangle(x!, diagonal),
  triu: ([x], { diagonal }) => ops.upperTriangle(x!, diagonal),
  diagonal: ([x], { offset }) => ops.diagonal(x!, offset),
  takeAlongAxis: ([x, at], { axis }) => ops.takeAlong(x!, at!, axis),
  einsum: (x, { equation }) => ops.einsum(equation, x),
  add: binary(ops.add),
  sub: binary(ops.sub),
  mul: binary(ops.mul),
  div: binary(ops.div),
  pow: binary(ops.pow),
  maximum: binary(ops.maximum),
  minimum: binary(ops.minimum),
  equal: binary(ops.equal),
  notEqual: binary(ops.notEqual),
  less: binary(ops.less),
  lessEqual: binary(ops.lessEqual),
  greater: binary(ops.greater),
  greaterEqual: binary(ops.greaterEqual),
  where: broadcast((condition, a, b) => ops.select(condition!, a!, b!)),
  sum: reduction((x, axes) => ops.sum(x, axes)),
  mean: reduction((x, axes) => ops.mean(x, axes)),
  max: reduction((x, axes) => ops.max(x, axes)),
  min: reduction((x, axes) => ops.min(x, axes)),
  prod: reduction((x, axes) => ops.prod(x, axes)),
  logsumexp: reduction((x, axes) => ops.logSumExp(x, axes)),
  norm: reduction((x, axes) => ops.norm(x, axes)),
  var: reduction((x, axes, { correction }) => ops.variance(x, axes, { correction })),
  std: reduction((x, axes, { correction }) => ops.standardDeviation(x, axes, { correction })),
  argmax: indexing(ops.argmax),
  argmin: indexing(ops.argmin),
  softmax: ([x], { axis }) => ops.softmax(x!, Number(axis)),
  logSoftmax: ([x], { axis }) => ops.logSoftmax(x!, Number(axis)),
  layerNorm,
  matmul,
  reshape,
  slice,
  transpose: ([x], { axes }) => ops.transpose(x!, ...(axes as unknown as [number, number])),
  permute: ([x], { axes }) => ops.permute(x!, axes),
  flip: ([x], { axis }) => ops.flip(x!, axis),
  broadcastTo: ([x], { shape }) => ops.broadcastTo(x!, shape),
  concat: (x, { axis }) => ops.concat(x, axis),
  pad: ([x], { before, after, value }) => ops.pad(x!, { low: before, high: after, value: Number(value) }),
  gather: ([x, at], { axis }) => ops.gather(x!, at!, axis),
  embedding: ([at, weight]) => ops.gather(weight!, at!, 0),
  scatterAdd: ([x, at, updates], { axis }) => ops.scatterAdd(x!, at!, updates!, axis),
  convolution: ([x, weight], { groups, ...geometry }) =>
    ops.convolution(x!, weight!, { groups, ...spatial(x!, geometry) }),
  convolutionTranspose: ([x, weight], { groups, outputPadding, ...geometry }) => {
    const places = spatial(x!, geometry);
    return ops.convolutionTranspose(x!, weight!, {
      groups,
      ...places,
      outputPadding: places.strides.map(() => outputPadding),
    });
  },
  maxPool: ([x], { size, ...geometry }) => {
    const places = spatial(x!, geometry);
    return ops.maxPool(x!, { ...places, sizes: places.strides.map(() => size) });
  },
  averagePool: ([x], { size, countsPadding, ...geometry }) => {
    const places = spatial(x!, geometry);
    return ops.averagePool(x!, { ...places, countsPadding, sizes: places.strides.map(() => size) });
  },
  lgamma: unary(ops.lgamma),
  digamma: unary(ops.digamma),
  // Sizes are stated: here the number of distinct elements, so that nothing is filled up.
  unique: ([x], { size }) => ops.unique(x!, size).values,
  uniqueCounts: ([x], { size }) => ops.unique(x!, size).counts,
  nonzero: ([x], { size }) => ops.nonzero(x!, size).indices,
  at: ([x, ...lists], { indices }) => ops.indexed(x!, indicesOf(indices, lists)),
  set: ([x, value, ...lists], { indices }) => ops.withValuesAt(x!, indicesOf(indices, lists), value!),
  padMode: ([x], { widths, mode }) => methods.pad(x!, ...([widths, { mode }] as never[])) as Node,
  splitSizes: ([x], { sizes, axis, part }) =>
    (methods.split(x!, ...([sizes, axis] as never[])) as Node[])[part]!,
  unstack: ([x], { axis, part }) => (methods.unstack(x!, axis) as Node[])[part]!,
  moveAxis: ([x], { from, to }) => methods.moveAxis(x!, from, to) as Node,
  diff: ([x], { axis }) => methods.diff(x!, axis) as Node,
  normOrder: ([x], { order, axis }) =>
    methods.norm(x!, ...([axis ?? undefined, { order: Number(order) }] as never[])) as Node,
  nanSum: ([x], { axis }) => methods.nanSum(x!, axis) as Node,
  nanMean: ([x], { axis }) => methods.nanMean(x!, axis) as Node,
  countNonzero: ([x], { axis }) => methods.countNonzero(x!, axis) as Node,
  oneHot: ([labels], { classes }) => ops.oneHot(labels!, classes, "f32"),
};

/** Rows of functions that live in other rooms, which test them: losses, layers, methods of tensors. */
const elsewhere = [
  "crossEntropy",
  "mse",
  "l1",
  "huber",
  "binaryCrossEntropyWithLogits",
  "conv2d",
  "linear",
  "rmsNorm",
];

/** PyTorch refuses these; here a reduction over nothing gives its identity, and the Tensor's method refuses. */
const isAllowedHere = ({ op, error }: OpCase): boolean => error === true && (op === "max" || op === "min");

const toDense = (encoded: EncodedArray): DenseArray => ({
  shape: encoded.shape,
  dtype: encoded.dtype,
  data: decode(encoded.dtype, decodeArray(encoded)),
});

interface Outcome {
  readonly output: DenseArray;
  readonly gradients: readonly (DenseArray | undefined)[];
}

function run(row: OpCase, weightsSeed: number, target: EvaluationTarget): Outcome {
  const inputs = row.inputs.map(toDense);
  const wanted = row.gradients.map((gradient) => gradient !== null);
  const fn = withTrace(new Trace("compiled"), () => {
    const parameters = inputs.map((input, i) => ops.parameter(input, `x${i}`));
    const output = builders[row.op]!(parameters, row.attributes as Attributes);
    const results = [output];
    if (wanted.includes(true)) {
      const shape = output.shape as readonly number[];
      const weights = ops.array({ dtype: "f32", shape, data: hashedUniform(weightsSeed, count(output), 1) });
      results.push(
        ...gradients(
          ops.sum(ops.mul(output, weights)),
          parameters.filter((_, i) => wanted[i]),
          { allowUnused: true },
        ),
      );
    }
    return { name: row.op, parameters, results, assignments: [] };
  });
  const [output, ...rest] = target.evaluate(fn, inputs);
  return { output: output!, gradients: wanted.map((isWanted) => (isWanted ? rest.shift() : undefined)) };
}

/** Relative to the element, or to the largest of the array: what PyTorch's own f32 results were checked for. */
function requireNear(what: string, got: DenseArray, encoded: EncodedArray, tolerance: number): void {
  const want = toDense(encoded);
  expect(got.shape, what).toEqual(want.shape);
  const finite = want.data.filter(Number.isFinite);
  const largest = finite.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  want.data.forEach((expected, i) => {
    const value = got.data[i]!;
    if (Object.is(value, expected) || value === expected) return;
    const error = Math.abs(value - expected) / Math.max(Math.abs(expected), largest, 1e-30);
    if (!(error <= tolerance)) expect.fail(`${what}, element ${i}: ${value}, not ${expected}`);
  });
}

const devices = [deviceTarget(createWasmDevice()), ...nativeTargets];
/** Each row on the definition and on one device, in turn (`conformance.test.ts` has every op on all); the full tier runs all on all. */
const rowsOf = <Row>(target: EvaluationTarget, rows: readonly Row[]): readonly Row[] => {
  const place = devices.indexOf(target);
  return byTier(place < 0 ? rows : rows.filter((_, i) => i % devices.length === place), rows);
};

describe.each(opFixtures.filter((name) => name !== "ops-losses.json"))("%s", (name) => {
  const { cases, weightsSeed } = readFixture<OpFixture>(name);
  const own = cases.filter((row) => !elsewhere.includes(row.op) && !isAllowedHere(row));
  const titled = own.map((row, i) => ({
    row,
    title: `${i} ${row.op} ${JSON.stringify(row.attributes)} ${row.inputs.map(({ shape }) => `(${shape.join(", ")})`).join(" ")}`,
  }));

  describe.each([interpreterTarget, ...devices])("$name", (target) => {
    test.each(rowsOf(target, titled))("$title", ({ row }) => {
      if (row.error) {
        expect(() => run(row, weightsSeed, target)).toThrow();
        return;
      }
      const tolerance = Math.max(row.tolerance ?? 0, 1e-5);
      const { output, gradients: found } = run(row, weightsSeed, target);
      requireNear("value", output, row.output!, tolerance);
      row.gradients.forEach((gradient, i) => {
        if (gradient !== null) requireNear(`gradient ${i}`, found[i]!, gradient, tolerance);
      });
    });
  });
});
