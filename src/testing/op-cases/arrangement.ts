/** Rows of what repeats, turns round, accumulates and contracts by letters. */
import type { DType } from "../../base/dtype.ts";
import type { Node } from "../../graph/node.ts";
import type { DenseArray } from "../../graph/op.ts";
import * as ops from "../../ops/index.ts";
import type { Case } from "../cases.ts";

const numbers: readonly DType[] = ["f32", "f64", "f16", "bf16", "i32", "u32", "i8", "u8"];
const toLargest = { steps: 64, toLargest: true } as const;
const exact = { tolerance: { steps: 0 }, dtypes: numbers } as const;

const shaped = (
  name: string,
  shape: readonly number[],
  op: (x: Node) => Node,
  expected: (x: Float64Array) => readonly number[],
  more: Partial<Case> = {},
): Case => ({
  name: `${name} (${shape.join(", ")})`,
  build: ([x]) => op(x!),
  arguments: [{ shape }],
  expected: ({ data }: DenseArray) => expected(data as Float64Array),
  ...more,
});

/** The elements at these places of the flattened argument; −1 is a zero. */
const at =
  (...places: readonly number[]) =>
  (x: Float64Array): number[] =>
    places.map((place) => (place < 0 ? 0 : x[place]!));

const arrangement: readonly Case[] = [
  shaped("tile", [3], (x) => ops.tile(x, [2, 2]), at(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2), exact),
  shaped("tile", [2, 2], (x) => ops.tile(x, [2]), at(0, 1, 0, 1, 2, 3, 2, 3), exact),
  shaped("repeat", [2, 2], (x) => ops.repeat(x, 2, 0), at(0, 1, 0, 1, 2, 3, 2, 3), exact),
  shaped("repeat", [2, 2], (x) => ops.repeat(x, 2, 1), at(0, 0, 1, 1, 2, 2, 3, 3), exact),
  shaped("roll", [5], (x) => ops.roll(x, 2, 0), at(3, 4, 0, 1, 2), exact),
  shaped("roll", [2, 3], (x) => ops.roll(x, -4, 1), at(1, 2, 0, 4, 5, 3), exact),
  shaped("lowerTriangle", [2, 3], (x) => ops.lowerTriangle(x), at(0, -1, -1, 3, 4, -1), exact),
  shaped("upperTriangle", [3, 2], (x) => ops.upperTriangle(x, 1), at(-1, 1, -1, -1, -1, -1), exact),
  shaped("diagonal", [3, 4], (x) => ops.diagonal(x, 1), at(1, 6, 11), exact),
  shaped("diagonal", [3, 2], (x) => ops.diagonal(x, -1), at(2, 5), exact),
  shaped("diagonal", [2, 3, 2], (x) => ops.diagonal(x, 0, 0, 2), at(0, 7, 2, 9, 4, 11), exact),
  shaped("diagonalMatrix", [3], (x) => ops.diagonalMatrix(x), at(0, -1, -1, -1, 1, -1, -1, -1, 2), exact),
  {
    name: "stack",
    build: (x) => ops.stack(x, 1),
    arguments: [{ shape: [2, 2] }, { shape: [2, 2] }],
    expected: ({ data: a }, { data: b }) => [a[0]!, a[1]!, b[0]!, b[1]!, a[2]!, a[3]!, b[2]!, b[3]!],
    ...exact,
  },
  ...[0, 1].map(
    (axis): Case => ({
      name: `takeAlong ${axis}`,
      build: ([x, indices]) => ops.takeAlong(x!, indices!, axis),
      arguments: [{ shape: [3, 3] }, { shape: axis === 0 ? [5, 3] : [3, 2], dtype: "i32", low: 0, high: 2 }],
      expected: (x, indices) =>
        [...indices.data].map((index, i) => {
          const [row, column] = [Math.floor(i / indices.shape[1]!), i % indices.shape[1]!];
          return x.data[axis === 0 ? index * 3 + column : row * 3 + index]!;
        }),
      dtypes: ["f32", "f64", "i32"],
    }),
  ),
];

/** Along an axis of n with `inner` elements between neighbours. */
const accumulated =
  (n: number, inner: number, step: (a: number, b: number) => number) =>
  (x: Float64Array): number[] => {
    const result = [...x];
    for (let i = 0; i < result.length; i++)
      if (Math.floor(i / inner) % n > 0) result[i] = step(result[i - inner]!, x[i]!);
    return result;
  };

const cumulative: readonly Case[] = (
  [
    ["cumulativeSum", ops.cumulativeSum, (a: number, b: number) => a + b],
    ["cumulativeProduct", ops.cumulativeProduct, (a: number, b: number) => a * b],
    ["cumulativeMax", ops.cumulativeMax, Math.max],
    ["cumulativeMin", ops.cumulativeMin, Math.min],
    [
      "cumulativeLogSumExp",
      ops.cumulativeLogSumExp,
      (a: number, b: number) => Math.log(Math.exp(a) + Math.exp(b)),
    ],
  ] as const
).flatMap(([name, op, step]) => {
  const isOfFloats = op === ops.cumulativeLogSumExp;
  const more: Partial<Case> = { tolerance: toLargest, formulaTolerance: toLargest };
  return [
    shaped(name, [13], (x) => op(x, 0), accumulated(13, 1, step), more),
    shaped(name, [2, 5, 3], (x) => op(x, 1), accumulated(5, 3, step), more),
    ...(isOfFloats
      ? []
      : [
          shaped(`${name} of integers`, [9], (x) => op(x, 0), accumulated(9, 1, step), {
            gradient: false,
            dtypes: ["i32"],
          }),
        ]),
    shaped(
      name,
      [0],
      (x) => op(x, 0),
      () => [],
      { gradient: false },
    ),
  ];
});

const summation = (equation: string, shapes: readonly (readonly number[])[]): Case => ({
  name: `einsum ${equation}`,
  build: (x) => ops.einsum(equation, x),
  arguments: shapes.map((shape) => ({ shape })),
  expected: (...x) => einsumByLoops(equation, x),
  tolerance: toLargest,
  formulaTolerance: toLargest,
});

/** The definition: a loop over every letter. */
function einsumByLoops(equation: string, x: readonly DenseArray[]): number[] {
  const [left, output] = equation.split("->") as [string, string];
  const inputs = left.split(",");
  const sizes = new Map(
    inputs.flatMap((letters, i) => [...letters].map((letter, axis) => [letter, x[i]!.shape[axis]!])),
  );
  const place = (letters: string, values: ReadonlyMap<string, number>): number =>
    [...letters].reduce((position, letter) => position * sizes.get(letter)! + values.get(letter)!, 0);
  const all = [...sizes.keys()];
  const result = new Array<number>([...output].reduce((n, letter) => n * sizes.get(letter)!, 1)).fill(0);
  const visit = (depth: number, values: Map<string, number>): void => {
    if (depth === all.length) {
      const term = inputs.reduce((product, letters, i) => product * x[i]!.data[place(letters, values)]!, 1);
      result[place(output, values)]! += term;
      return;
    }
    for (let i = 0; i < sizes.get(all[depth]!)!; i++) visit(depth + 1, values.set(all[depth]!, i));
  };
  visit(0, new Map());
  return result;
}

const contractions: readonly Case[] = [
  summation("ij,jk->ik", [
    [2, 3],
    [3, 4],
  ]),
  summation("bij,bkj->bki", [
    [2, 3, 4],
    [2, 5, 4],
  ]),
  summation("i,j->ji", [[3], [2]]),
  summation("ijk->k", [[2, 3, 4]]),
  summation("ii->", [[3, 3]]),
  summation("iij->ji", [[3, 3, 2]]),
  summation("ij,ij->", [
    [2, 3],
    [2, 3],
  ]),
  summation("ab,bc,cd->da", [
    [2, 3],
    [3, 4],
    [4, 2],
  ]),
  summation("ab,cb,bd->acd", [
    [2, 3],
    [4, 3],
    [3, 2],
  ]),
  summation("ik,jl->i", [
    [2, 3],
    [4, 2],
  ]),
];

export const arrangementCases: readonly Case[] = [...arrangement, ...cumulative, ...contractions];
