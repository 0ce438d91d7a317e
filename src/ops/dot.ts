import { isFloat, roundTo } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { multiplySizes, sizesAgree } from "../base/size.ts";
import type { Attributes, Node, TensorType } from "../graph/node.ts";
import type { DotOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { mul } from "./arithmetic.ts";
import { broadcastTo, reshape } from "./broadcast.ts";
import { transpose } from "./permute.ts";
import { dense, requireDType, requireSameDType, shapesAgree } from "./rules.ts";

/** `(32, 784) × (64, 10)` */
const productText = (a: TensorType, b: TensorType): string => `${shapeText(a.shape)} × ${shapeText(b.shape)}`;

export const dotOp: DotOp = {
  name: "dot",
  kind: "dot",
  type([a, b]) {
    requireDType("dot", a!, "number");
    requireSameDType("dot", a!, b!);
    const rank = a!.shape.length;
    if (rank < 2 || rank !== b!.shape.length)
      throw new ShapeError(
        `dot: both need one rank of at least 2, got ${productText(a!, b!)}; reshape one of them`,
      );
    const batch = a!.shape.slice(0, -2);
    if (!shapesAgree(batch, b!.shape.slice(0, -2)))
      throw new ShapeError(`dot: batch dimensions differ: ${productText(a!, b!)}; broadcast them first`);
    const [K, rows] = [a!.shape[rank - 1]!, b!.shape[rank - 2]!];
    if (!sizesAgree(K, rows)) throw new ShapeError(innerText(a!, b!));
    return { shape: [...batch, a!.shape[rank - 2]!, b!.shape[rank - 1]!], dtype: a!.dtype };
  },
  reference([a, b], _attributes: Attributes, { outputs: [out] }) {
    const [M, K] = a!.shape.slice(-2) as [number, number];
    const N = b!.shape.at(-1)!;
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
  gradient: ({ inputs: [a, b] }, [g]) => [dot(g!, transpose(b!)), dot(transpose(a!), g!)],
  map({ shape, inputs: [left] }, { given: [a, b], isMapped, inputs, size }) {
    // Outer products, one an element (per-sample gradients of a weight): nothing is summed.
    if (left!.shape.at(-1) === 1) {
      const [x, y] = inputs.map((input) => broadcastTo(input, [size, ...shape]));
      return mul(x!, y!);
    }
    const [M, K, N] = [a!.shape.at(-2)!, a!.shape.at(-1)!, b!.shape.at(-1)!];
    if (isMapped[1] || a!.shape.length > 3) return dot(inputs[0]!, inputs[1]!);
    // One matrix for all: their rows are rows of one product.
    return reshape(dot(reshape(a!, [multiplySizes(size, M), K]), b!), [size, M, N]);
  },
};

function innerText(a: TensorType, b: TensorType): string {
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
export const dot = (a: Node, b: Node): Node => makeNode(dotOp, [a, b], {});
