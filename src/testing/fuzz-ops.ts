/** The ways a random graph grows: each takes nodes of the pool and gives one more, or nothing where it does not fit. */
import { broadcastShapes } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import * as ops from "../ops/index.ts";
import type { Numbers } from "./numbers.ts";

export type Growth = (pool: readonly Node[], numbers: Numbers) => Node | undefined;

const shapeOf = (x: Node): readonly number[] => x.shape as readonly number[];
export const countOfShape = (x: Node): number => shapeOf(x).reduce((n, size) => n * size, 1);

/** Any node, the latest more often. */
const pick = (pool: readonly Node[], numbers: Numbers): Node =>
  numbers.next() < 0.5 ? pool[pool.length - 1]! : numbers.pick(pool);

const unaryOps: readonly ((x: Node) => Node)[] = [
  ops.neg,
  ops.abs,
  ops.relu,
  ops.tanh,
  ops.sigmoid,
  ops.softplus,
  ops.silu,
  ops.gelu,
  ops.sin,
  ops.erf,
  (x) => ops.exp(ops.tanh(x)),
  (x) => ops.sqrt(ops.add(ops.mul(x, x), ops.like(x, 0.1))),
  (x) => ops.log1p(ops.abs(x)),
  (x) => ops.mul(x, ops.like(x, 0.7)),
  (x) => ops.stopGradient(x),
];

const unary: Growth = (pool, numbers) => numbers.pick(unaryOps)(pick(pool, numbers));

const binaryOps: readonly ((a: Node, b: Node) => Node)[] = [
  ops.add,
  ops.sub,
  ops.mul,
  ops.maximum,
  ops.minimum,
  (a, b) => ops.div(a, ops.add(ops.abs(b), ops.like(b, 0.5))),
  (a, b) => ops.select(ops.less(a, ops.like(a, 0.25)), a, b),
  (a, b) => ops.select(ops.and(ops.greater(a, ops.zerosLike(a)), ops.notEqual(b, ops.like(b, 3))), b, a),
];

const binary: Growth = (pool, numbers) => {
  const [a, b] = [pick(pool, numbers), pick(pool, numbers)];
  try {
    const shape = broadcastShapes(a.shape, b.shape);
    return ops.tanh(numbers.pick(binaryOps)(ops.broadcastTo(a, shape), ops.broadcastTo(b, shape)));
  } catch {
    return undefined;
  }
};

/** Some axes of x, perhaps none. */
const someAxes = (x: Node, numbers: Numbers): number[] =>
  x.shape.flatMap((_, axis) => (numbers.next() < 0.5 ? [axis] : []));

const reductions: readonly ((x: Node, axes: readonly number[]) => Node)[] = [
  ops.sum,
  ops.mean,
  ops.max,
  ops.min,
  ops.logSumExp,
  ops.variance,
  ops.norm,
];

const reduction: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  const axes = someAxes(x, numbers);
  const folded = ops.tanh(numbers.pick(reductions)(x, axes));
  return numbers.next() < 0.4 ? ops.sub(x, ops.expandAxes(folded, axes, x.shape)) : folded;
};

const rowOps: readonly ((x: Node, axis: number) => Node)[] = [
  ops.softmax,
  ops.logSoftmax,
  (x, axis) => ops.normalize(x, axis, 0.01),
];

const row: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  if (x.shape.length === 0) return undefined;
  return ops.tanh(numbers.pick(rowOps)(x, numbers.integer(0, x.shape.length - 1)));
};

const reshape: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  const count = countOfShape(x);
  const divisors = [1, 2, 3, 5, 11, 17].filter((size) => count % size === 0);
  const first = numbers.pick(divisors);
  return ops.reshape(x, numbers.next() < 0.3 ? [count] : [first, count / first]);
};

const permute: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  const order = x.shape.map((_, axis) => axis);
  for (let i = order.length - 1; i > 0; i--) {
    const j = numbers.integer(0, i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return ops.permute(x, order);
};

const slice: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  const step = shapeOf(x).map(() => numbers.pick([1, 1, 2, -1]));
  const shape = shapeOf(x).map((size, i) => numbers.integer(1, Math.ceil(size / Math.abs(step[i]!))));
  const start = shapeOf(x).map((size, i) => {
    const reach = (shape[i]! - 1) * Math.abs(step[i]!);
    const low = numbers.integer(0, size - 1 - reach);
    return step[i]! > 0 ? low : low + reach;
  });
  return ops.slice(x, { start, step, shape });
};

const flip: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  return ops.flip(x, someAxes(x, numbers));
};

const pad: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  const amounts = (most: number): number[] => x.shape.map(() => numbers.integer(0, most));
  return ops.pad(x, {
    low: amounts(2),
    high: amounts(2),
    interior: amounts(1),
    value: numbers.pick([0, 0.5]),
  });
};

const concat: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  if (x.shape.length === 0) return undefined;
  const axis = numbers.integer(0, x.shape.length - 1);
  const fits = pool.filter((other) => {
    const [a, b] = [shapeOf(x), shapeOf(other)];
    return a.length === b.length && a.every((size, i) => i === axis || size === b[i]);
  });
  return ops.concat([x, numbers.pick(fits)], axis);
};

const windows: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  const axis = shapeOf(x).findIndex((size) => size >= 4);
  if (axis < 0 || x.shape.length > 3) return undefined;
  const [size, stride, dilation] = [2, numbers.integer(1, 2), numbers.integer(1, 2)];
  return ops.windows(x, { axes: [axis], sizes: [size], strides: [stride], dilations: [dilation] });
};

const dot: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  if (x.shape.length < 2) return undefined;
  const other = numbers.next() < 0.5 ? x : pick(pool, numbers);
  const y = other.shape.length === x.shape.length ? other : x;
  const isBatchEqual = shapeOf(x)
    .slice(0, -2)
    .every((size, i) => size === y.shape[i]);
  const [K, rows, columns] = [x.shape.at(-1), y.shape.at(-2), y.shape.at(-1)];
  if (!isBatchEqual || (K !== rows && K !== columns)) return undefined;
  return ops.tanh(ops.dot(x, K === rows ? y : ops.transpose(y)));
};

const gather: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  if (x.shape.length === 0) return undefined;
  const axis = numbers.integer(0, x.shape.length - 1);
  const shape = [numbers.integer(1, 4)];
  const at = Int32Array.from({ length: shape[0]! }, () => numbers.integer(0, shapeOf(x)[axis]! - 1));
  return ops.gather(x, ops.array({ dtype: "i32", shape, data: at }), axis);
};

const scan: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  if (x.shape.length === 0) return undefined;
  const outer = numbers.pick(pool);
  const scale = outer.shape.length === 0 ? outer : undefined;
  const start = ops.full(x.shape.slice(1), 0.1, "f32");
  const { carry, stacked } = ops.scan(
    [start],
    [x],
    ([state], [slice]) => {
      const input = scale ? ops.mul(slice!, ops.broadcastTo(scale, slice!.shape)) : slice!;
      const next = ops.tanh(ops.add(ops.mul(state!, ops.like(state!, 0.5)), input));
      return { carry: [next], stacked: [ops.mul(next, slice!)] };
    },
    { reverse: numbers.next() < 0.5 },
  );
  return numbers.next() < 0.5 ? carry[0] : stacked[0];
};

/** What a vectorised function may do with one element. */
const inner: readonly Growth[] = [
  unary,
  binary,
  reduction,
  row,
  reshape,
  permute,
  slice,
  flip,
  pad,
  windows,
  dot,
  scan,
];

/** A few ops of one element along the first axis, mapped over it. */
const mapped: Growth = (pool, numbers) => {
  const x = pick(pool, numbers);
  if (x.shape.length === 0) return undefined;
  const [size, ...shape] = shapeOf(x) as [number, ...number[]];
  const element = ops.parameter({ shape, dtype: "f32" }, "element");
  // A scalar of the pool is the same for all elements.
  const same = pool.filter((node) => node.shape.length === 0);
  const own: Node[] = [...same, element];
  for (let step = 0; step < 3; step++) {
    const grown = numbers.pick(inner)(own, numbers);
    if (grown !== undefined && countOfShape(grown) <= 300) own.push(grown);
  }
  const mapping = new ops.Mapping(size, new Map([[element, { node: x, isMapped: true }]]));
  return mapping.whole(mapping.of([own.at(-1)!])[0]!);
};

/** A few ops whose values the gradient computes again. */
const again: Growth = (pool, numbers) => {
  const [x, y] = [pick(pool, numbers), pick(pool, numbers)];
  return ops.rematerialize([x, y], (inputs) => {
    const own = [...inputs];
    for (let step = 0; step < 3; step++) {
      const grown = numbers.pick(inner)(own, numbers);
      if (grown !== undefined && countOfShape(grown) <= 2000) own.push(grown);
    }
    return [own.at(-1)!];
  })[0];
};

const special: readonly ((x: Node) => Node)[] = [
  (x) => ops.tanh(ops.lgamma(ops.add(ops.abs(x), ops.like(x, 0.5)))),
  (x) => ops.tanh(ops.digamma(ops.add(ops.abs(x), ops.like(x, 0.5)))),
  (x) => (x.shape.length === 0 ? x : ops.tanh(ops.cumulativeSum(x, 0))),
];
const specialFunction: Growth = (pool, numbers) => numbers.pick(special)(pick(pool, numbers));

/** Listed as often as they should come. */
export const growths: readonly Growth[] = [
  ...[unary, unary, unary, unary, binary, binary, binary, binary],
  ...[reduction, reduction, reduction, row, reshape, permute, slice, flip],
  ...[pad, concat, windows, dot, dot, gather, scan],
];

/** With graphs that are mapped or computed again; apart, so that older seeds keep their graphs. */
export const moreGrowths: readonly Growth[] = [
  ...growths,
  mapped,
  mapped,
  mapped,
  again,
  again,
  specialFunction,
];
