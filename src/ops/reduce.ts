/** The largest, the smallest and the product along axes; any and all of bool. `sum` is in `broadcast.ts`. */
import { computeDType } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import { elementCount, type Shape } from "../base/shape.ts";
import { maxOf } from "../base/size.ts";
import type { Node, TensorType } from "../graph/node.ts";
import type { ReduceOp } from "../graph/op.ts";
import type { ScalarDType } from "../graph/scalar.ts";
import { div, mul } from "./arithmetic.ts";
import { expandAxes, foldAxes, reducedType, reduceWith, reshape, sum, withoutAxes } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { equal } from "./compare.ts";
import { permute } from "./permute.ts";
import { requireDType, typeText } from "./rules.ts";
import { pad, sliceAxis } from "./slice.ts";

type Axes = { axes: readonly number[] };

const bounds: Record<ScalarDType, readonly [number, number]> = {
  f32: [-Infinity, Infinity],
  f64: [-Infinity, Infinity],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  bool: [0, 1],
};

function extremeOp(name: "max" | "min"): ReduceOp<Axes> {
  const identity = (dtype: ScalarDType): number => bounds[dtype][name === "max" ? 0 : 1];
  return {
    name,
    kind: "reduce",
    operator: name,
    identity,
    type: ([x], { axes }) => reducedType(x!, axes),
    reference([x], { axes }, { outputs: [out] }) {
      const start = identity(computeDType(x!.dtype));
      const step = name === "max" ? Math.max : Math.min;
      return [foldAxes(x!, axes, out!, { start, step: (total, value) => step(total, value) })];
    },
    gradient(node, [g]) {
      const { inputs, attributes } = node;
      const x = inputs[0]!;
      const chosen = cast(equal(x, expandAxes(node, attributes.axes, x.shape)), x.dtype);
      const share = div(g!, sum(chosen, attributes.axes));
      return [mul(chosen, expandAxes(share, attributes.axes, x.shape))];
    },
  };
}

type Reduction = (x: Node, axes?: number | readonly number[]) => Node;

export const maxOp = extremeOp("max");
/**
 * The largest along `axes` (all when left out); NaN if any is. Equal ones share the gradient equally. Over an empty axis:
 * −Infinity (floats) or the smallest 32-bit value.
 */
export const max: Reduction = reduceWith(maxOp);

export const minOp = extremeOp("min");
/** The smallest along `axes` (all when left out); NaN if any is. Over an empty axis Infinity or the largest 32-bit value. */
export const min: Reduction = reduceWith(minOp);

function requireBool(name: string, x: TensorType): void {
  if (x.dtype !== "bool") throw new DTypeError(`${name}: takes bool, got ${typeText(x)}; compare it first`);
}

/** Whether one along `axes` is true; false over an empty axis. */
export function any(x: Node, axes?: number | readonly number[]): Node {
  requireBool("any", x);
  return max(x, axes);
}

/** Whether all along `axes` are true; true over an empty axis. */
export function all(x: Node, axes?: number | readonly number[]): Node {
  requireBool("all", x);
  return min(x, axes);
}

export const prodOp: ReduceOp<Axes> = {
  name: "prod",
  kind: "reduce",
  operator: "mul",
  identity: () => 1,
  type([x], { axes }) {
    requireDType("prod", x!, "number");
    return reducedType(x!, axes);
  },
  reference([x], { axes }, { outputs: [out] }) {
    const isInteger = computeDType(x!.dtype) === "i32" || x!.dtype === "u32";
    const step = isInteger ? Math.imul : (total: number, value: number) => total * value;
    return [foldAxes(x!, axes, out!, { start: 1, step })];
  },
  gradient: ({ inputs: [x], attributes: { axes } }, [g]) => [
    mul(expandAxes(g!, axes, x!.shape), productOfOthers(x!, axes)),
  ],
};

/** The product along `axes` (all when left out); 1 over an empty axis. Its gradient is right with zeros among the factors. */
export const prod: Reduction = reduceWith(prodOp);

/**
 * For each element the product of the others along `axes`: of those before times of those after. Dividing the whole product
 * by the element would fail at zeros.
 */
function productOfOthers(x: Node, axes: readonly number[]): Node {
  const rank = x.shape.length;
  const kept = withoutAxes(
    x.shape.map((_, axis) => axis),
    axes,
  ) as number[];
  const order = [...kept, ...axes];
  const sorted = permute(x, order);
  const flat = reshape(sorted, [elementCount(pick(x.shape, kept)), elementCount(pick(x.shape, axes))]);
  const others = mul(productOfEarlier(flat, 1), productOfEarlier(flat, -1));
  const back = Array.from({ length: rank }, (_, axis) => order.indexOf(axis));
  return permute(reshape(others, sorted.shape), back);
}

const pick = (shape: Shape, axes: readonly number[]): Shape => axes.map((axis) => shape[axis]!);

/** (rows, n): Π of the elements before (direction 1) or after (−1) each in its row, by doubling the reach log₂ n times. */
function productOfEarlier(x: Node, direction: 1 | -1): Node {
  const n = maxOf(x.shape[1]!);
  let product = shifted(x, direction, 1);
  for (let reach = 1; reach < n; reach *= 2) product = mul(product, shifted(product, direction, reach));
  return product;
}

/** Each row moved by `by` places towards its end (direction 1) or start, ones coming in. */
function shifted(x: Node, direction: 1 | -1, by: number): Node {
  const [before, after] = direction === 1 ? [by, 0] : [0, by];
  const padded = pad(x, { low: [0, before], high: [0, after], value: 1 });
  return sliceAxis(padded, 1, after, x.shape[1]!);
}
