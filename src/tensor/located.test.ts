import { expect, test } from "vitest";
import { userLine } from "../graph/origin.ts";
import { compile, scan, type Tensor, tensor, vectorize } from "./index.ts";
import { nodeOf } from "./nodes.ts";

/** The line of this file from which the node of a tensor comes. */
const lineOf = (x: Tensor): number =>
  Number(/located\.test\.ts:(\d+):/.exec(userLine(nodeOf(x).origin)!)![1]);

test("all nodes of one call come from its line, those of the next from theirs", () => {
  const x = tensor([1, 2, 3]);
  const mean = x.mean();
  const { origin, inputs } = nodeOf(mean);
  expect(inputs.every((input) => input.origin === origin)).toBe(true);
  const twice = mean.mul(2);
  const half = mean.mul(0.5);
  expect([lineOf(twice) - lineOf(mean), lineOf(half) - lineOf(twice)]).toEqual([3, 1]);
});

test("a function that a call is given has lines of its own", () => {
  const lines: number[] = [];
  const noted = (x: Tensor): Tensor => {
    lines.push(lineOf(x));
    return x;
  };
  vectorize((row: Tensor) => {
    const doubled = noted(row.mul(2));
    return noted(doubled.exp());
  })(tensor([[1, 2]]));
  scan(
    (carry: Tensor) => {
      const next = noted(carry.add(1));
      return { carry: noted(next.mul(next)) };
    },
    tensor(1),
    null,
    { length: 3 },
  );
  expect([lines[1]! - lines[0]!, lines[3]! - lines[2]!]).toEqual([1, 1]);
});

test("an error inside such a function names the line in it", () => {
  const wrong = compile((x: Tensor) =>
    vectorize((row: Tensor) => row.add(1).matmul(tensor([[1], [2], [3]])))(x),
  );
  expect(() => wrong(tensor([[1, 2]]))).toThrow(/located\.test\.ts:\d+:\d+/);
});
