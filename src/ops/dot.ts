import { isFloat, roundTo } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import type { Node, TensorType } from "../graph/node.ts";
import type { DotOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { mul } from "./arithmetic.ts";
import { broadcastTo } from "./broadcast.ts";
import { permute } from "./permute.ts";
import { countOf, dense, requireDType, requireSameDType, shapesAgree } from "./rules.ts";

/** `(32, 784) × (64, 10)` */
const productText = (a: TensorType, b: TensorType): string => `${shapeText(a.shape)} × ${shapeText(b.shape)}`;

/**
 * How the axes of a product are read: the first `batch` of both operands are the batch's; the last `depth` of the first and
 * those after the batch of the second are summed over.
 */
export type DotAxes = { batch: number; depth: number };

interface Groups<T> {
  readonly batch: readonly T[];
  /** Own axes of the first operand, of the second, and those that are summed over. */
  readonly rows: readonly T[];
  readonly columns: readonly T[];
  readonly depth: readonly T[];
}

/** What belongs to each axis of the operands, by what the axes are. */
function groupsOf<T>(a: readonly T[], b: readonly T[], { batch, depth }: DotAxes): Groups<T> {
  return {
    batch: a.slice(0, batch),
    rows: a.slice(batch, a.length - depth),
    columns: b.slice(batch + depth),
    depth: a.slice(a.length - depth),
  };
}

export const dotOp: DotOp = {
  name: "dot",
  kind: "dot",
  type([a, b], axes) {
    requireDType("dot", a!, "number");
    requireSameDType("dot", a!, b!);
    requireRanks(a!, b!, axes);
    const { batch, rows, columns, depth } = groupsOf(a!.shape, b!.shape, axes);
    if (!shapesAgree(batch, b!.shape.slice(0, axes.batch)))
      throw new ShapeError(`dot: batch dimensions differ: ${productText(a!, b!)}; broadcast them first`);
    if (!shapesAgree(depth, b!.shape.slice(axes.batch, axes.batch + axes.depth)))
      throw new ShapeError(innerText(a!, b!, axes));
    return { shape: [...batch, ...rows, ...columns], dtype: a!.dtype };
  },
  reference([a, b], axes, { outputs: [out] }) {
    const { rows, columns, depth } = groupsOf(a!.shape, b!.shape, axes);
    const [M, N, K] = [rows, columns, depth].map(countOf) as [number, number, number];
    const product = isFloat(out!.dtype) ? (x: number, y: number) => x * y : Math.imul;
    return [
      dense(out!, (_index, position) => {
        const [batch, row, column] = [
          Math.floor(position / (M * N)),
          Math.floor(position / N) % M,
          position % N,
        ];
        let total = 0;
        for (let k = 0; k < K; k++) {
          const term = product(a!.data[(batch * M + row) * K + k]!, b!.data[(batch * K + k) * N + column]!);
          total = isFloat(out!.dtype) ? total + term : roundTo(out!.dtype, total + term);
        }
        return total;
      }),
    ];
  },
  gradient({ inputs: [a, b], attributes: axes }, [g]) {
    const { batch } = axes;
    const { rows, columns } = groupsOf(a!.shape, b!.shape, axes);
    return [
      contract(g!, exchanged(b!, batch, axes.depth), { batch, depth: columns.length }),
      contract(exchanged(a!, batch, rows.length), g!, { batch, depth: rows.length }),
    ];
  },
  map(node, { given: [a, b], isMapped, inputs, size }) {
    const { batch, depth } = node.attributes;
    // Outer products, one an element (per-sample gradients of a weight): nothing is summed.
    if (node.inputs[0]!.shape.at(-1) === 1 && isPlain(node)) {
      const [x, y] = inputs.map((input) => broadcastTo(input, [size, ...node.shape]));
      return mul(x!, y!);
    }
    // One matrix for all: their rows are rows of one product.
    if (!isMapped[1] && batch === 0) return contract(a!, b!, { batch, depth });
    return contract(inputs[0]!, inputs[1]!, { batch: batch + 1, depth });
  },
};

/** A product of matrices: one axis each of rows, of columns and of what is summed over. */
const isPlain = ({ inputs, attributes: { batch, depth } }: Node<DotAxes>): boolean =>
  depth === 1 && inputs.every((input) => input.shape.length === batch + 2);

/** x with its next `count` axes after the batch behind the others. */
function exchanged(x: Node, batch: number, count: number): Node {
  const axes = x.shape.map((_, axis) => axis);
  return permute(x, [
    ...axes.slice(0, batch),
    ...axes.slice(batch + count),
    ...axes.slice(batch, batch + count),
  ]);
}

/** bᵀ·aᵀ for a·b: columns before rows, each element the same sum. */
export function transposedDot({ inputs: [a, b], attributes: { batch, depth } }: Node<DotAxes>): Node {
  const rows = a!.shape.length - batch - depth;
  return contract(exchanged(b!, batch, depth), exchanged(a!, batch, rows), { batch, depth });
}

function requireRanks(a: TensorType, b: TensorType, { batch, depth }: DotAxes): void {
  if (batch < 0)
    throw new ShapeError(
      `dot: both need one rank of at least 2, got ${productText(a, b)}; reshape one of them`,
    );
  if (Math.min(a.shape.length, b.shape.length) < batch + depth)
    throw new ShapeError(
      `dot: both need ${batch} batch axes and ${depth} that are summed over, got ${productText(a, b)}`,
    );
}

function innerText(a: TensorType, b: TensorType, { batch, depth }: DotAxes): string {
  if (depth !== 1 || b.shape.length !== batch + 2) {
    const [inner, outer] = [a.shape.slice(a.shape.length - depth), b.shape.slice(batch, batch + depth)];
    return `dot: inner dimensions ${shapeText(inner)} and ${shapeText(outer)} differ: ${productText(a, b)}`;
  }
  const [K, rows, columns] = [a.shape.at(-1)!, b.shape.at(-2)!, b.shape.at(-1)!];
  const remedy = columns === K ? "; transpose the second" : "";
  return `dot: inner dimensions ${K} and ${rows} differ: ${productText(a, b)}${remedy}`;
}

/**
 * The matrix product (batch…, M, K) × (batch…, K, N) → (batch…, M, N), batch dimensions equal.
 *
 * @throws ShapeError when the inner or batch dimensions differ
 * @example dot(x, weight) // (32, 784) × (784, 64) → (32, 64)
 */
export function dot(a: Node, b: Node): Node {
  const rank = a.shape.length;
  const areMatrices = rank >= 2 && rank === b.shape.length;
  return contract(a, b, { batch: areMatrices ? rank - 2 : -1, depth: 1 });
}

/**
 * The product over several axes: (batch…, rows…, depth…) × (batch…, depth…, columns…) → (batch…, rows…, columns…), summed over
 * the depth's axes in row-major order. Each group may have any number of axes.
 *
 * @throws ShapeError when the batch's or the depth's sizes differ
 * @example contract(f32("windows", 2, 7, 7, 3, 3, 8), f32("kernels", 3, 3, 8, 16), { batch: 0, depth: 3 }) // (2, 7, 7, 16)
 */
export function contract(a: Node, b: Node, axes: DotAxes): Node {
  return makeNode(dotOp, [a, b], { batch: axes.batch, depth: axes.depth });
}
