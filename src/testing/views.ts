/** The same argument given through different views: what an op must not notice. */
import type { Node } from "../graph/node.ts";
import { broadcastTo, flip, permute, slice } from "../ops/index.ts";

export interface ArgumentView {
  readonly name: string;
  /** The shape of the memory that is viewed. */
  memory(shape: readonly number[]): readonly number[];
  /** The argument, of the shape, from that memory. */
  view(x: Node, shape: readonly number[]): Node;
}

const backwards = (shape: readonly number[]): number[] => shape.map((_, axis) => shape.length - 1 - axis);

/** Each works for any shape of rank 1 or more. */
export const argumentViews: readonly ArgumentView[] = [
  { name: "as it is", memory: (shape) => shape, view: (x) => x },
  {
    name: "transposed",
    memory: (shape) => [...shape].reverse(),
    view: (x, shape) => permute(x, backwards(shape)),
  },
  {
    name: "broadcast along the first axis",
    memory: (shape) => [1, ...shape.slice(1)],
    view: (x, shape) => broadcastTo(x, shape),
  },
  {
    name: "broadcast along the last axis",
    memory: (shape) => [...shape.slice(0, -1), 1],
    view: (x, shape) => broadcastTo(x, shape),
  },
  { name: "backwards", memory: (shape) => shape, view: (x, shape) => flip(x, backwards(shape)) },
  {
    name: "every second element from the second",
    memory: (shape) => shape.map((size, axis) => (axis === shape.length - 1 ? 2 * size + 1 : size)),
    view: (x, shape) =>
      slice(x, {
        start: shape.map((_, axis) => (axis === shape.length - 1 ? 1 : 0)),
        step: shape.map((_, axis) => (axis === shape.length - 1 ? 2 : 1)),
        shape,
      }),
  },
];
