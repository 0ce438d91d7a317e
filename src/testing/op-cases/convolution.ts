/** Rows of products over several axes, convolutions and pooling. */
import type { Node } from "../../graph/node.ts";
import type { DenseArray } from "../../graph/op.ts";
import * as ops from "../../ops/index.ts";
import type { Case } from "../cases.ts";

const toLargest = { steps: 64, toLargest: true } as const;

/** (batch…, rows…, depth…) × (batch…, depth…, columns…), by numbers of elements. */
function contraction(
  a: readonly number[],
  b: readonly number[],
  axes: { readonly batch: number; readonly depth: number },
): Case {
  const size = (list: readonly number[]): number => list.reduce((n, x) => n * x, 1);
  const [B, K] = [size(a.slice(0, axes.batch)), size(b.slice(axes.batch, axes.batch + axes.depth))];
  const [M, N] = [size(a) / (B * K || 1), size(b) / (B * K || 1)];
  return {
    name: `contract (${a.join(", ")}) × (${b.join(", ")}), batch ${axes.batch}, depth ${axes.depth}`,
    build: ([x, y]) => ops.contract(x!, y!, axes),
    arguments: [{ shape: a }, { shape: b }],
    expected: (x, y) =>
      Array.from({ length: B * M * N }, (_, at) => {
        const [batch, row, column] = [Math.floor(at / (M * N)), Math.floor(at / N) % M, at % N];
        let total = 0;
        for (let k = 0; k < K; k++)
          total += x.data[(batch * M + row) * K + k]! * y.data[(batch * K + k) * N + column]!;
        return total;
      }),
    tolerance: toLargest,
    formulaTolerance: toLargest,
    dtypes: ["f32", "f64", "bf16", "i32"],
  };
}

const contractions: readonly Case[] = [
  contraction([3, 5, 2, 7], [2, 7, 4], { batch: 0, depth: 2 }),
  contraction([2, 3, 5], [5, 3, 6], { batch: 0, depth: 1 }),
  contraction([2, 3, 4, 5, 3], [2, 5, 3, 2, 9], { batch: 1, depth: 2 }),
  contraction([4, 3], [3], { batch: 0, depth: 1 }),
  contraction([3, 2], [3, 2, 17], { batch: 0, depth: 2 }),
  contraction([3, 4], [5, 2], { batch: 0, depth: 0 }),
  contraction([2, 0, 3], [3, 4], { batch: 0, depth: 1 }),
];

interface Geometry {
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  readonly padding?: readonly (readonly [number, number])[];
  readonly groups?: number;
}

const whole = (rank: number, { strides, dilations, padding, groups = 1 }: Geometry) => ({
  strides: strides ?? Array<number>(rank).fill(1),
  dilations: dilations ?? Array<number>(rank).fill(1),
  padding: padding ?? Array.from({ length: rank }, () => [0, 0] as const),
  groups,
});

/** All places of a box, in row-major order. */
function placesOf(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (list, size) => list.flatMap((place) => Array.from({ length: size }, (_, i) => [...place, i])),
    [[]],
  );
}

/** Calls `visit` for each product of a convolution: positions in x, in the weight and in y. */
function forProducts(
  x: readonly number[],
  weight: readonly number[],
  geometry: ReturnType<typeof whole>,
  visit: (x: number, weight: number, y: number) => void,
): number[] {
  const [spatial, kernel] = [x.slice(2), weight.slice(2)];
  const { strides, dilations, padding, groups } = geometry;
  const out = spatial.map((size, i) => {
    const room = size + padding[i]![0] + padding[i]![1] - (kernel[i]! - 1) * dilations[i]! - 1;
    return Math.floor(room / strides[i]!) + 1;
  });
  const shape = [x[0]!, weight[0]!, ...out];
  const position = (at: readonly number[], sizes: readonly number[]): number =>
    at.reduce((sum, i, axis) => sum * sizes[axis]! + i, 0);
  const perGroup = weight[0]! / groups;
  for (const place of placesOf(shape)) {
    const [n, o, ...p] = place as [number, number, ...number[]];
    for (const [c, ...k] of placesOf(weight.slice(1)) as [number, ...number[]][]) {
      const at = p.map((i, axis) => i * strides[axis]! + k[axis]! * dilations[axis]! - padding[axis]![0]);
      if (at.some((i, axis) => i < 0 || i >= spatial[axis]!)) continue;
      const channel = Math.floor(o / perGroup) * weight[1]! + c;
      visit(position([n, channel, ...at], x), position([o, c, ...k], weight), position(place, shape));
    }
  }
  return shape;
}

const text = (value: object): string => JSON.stringify(value).replaceAll('"', "");

function convolution(x: readonly number[], weight: readonly number[], given: Geometry = {}): Case {
  const geometry = whole(x.length - 2, given);
  return {
    name: `convolution (${x.join(", ")}) by (${weight.join(", ")}) ${text(given)}`,
    build: ([image, kernel]) => ops.convolution(image!, kernel!, geometry),
    arguments: [{ shape: x }, { shape: weight }],
    expected(image: DenseArray, kernel: DenseArray) {
      const sums = new Map<number, number>();
      const shape = forProducts(x, weight, geometry, (i, k, at) =>
        sums.set(at, (sums.get(at) ?? 0) + image.data[i]! * kernel.data[k]!),
      );
      return Array.from({ length: shape.reduce((n, size) => n * size, 1) }, (_, at) => sums.get(at) ?? 0);
    },
    tolerance: toLargest,
    formulaTolerance: toLargest,
    dtypes: ["f32", "f64"],
  };
}

/** By the definition: the transpose of the convolution that has the result as its input. */
function transposed(
  y: readonly number[],
  weight: readonly number[],
  places: readonly number[],
  given: Geometry = {},
): Case {
  const geometry = whole(y.length - 2, given);
  const x = [y[0]!, weight[1]! * geometry.groups, ...places];
  const outputPadding = places.map((size, i) => {
    const [low, high] = geometry.padding[i]!;
    const reach = (weight[i + 2]! - 1) * geometry.dilations[i]! + 1;
    return size - ((y[i + 2]! - 1) * geometry.strides[i]! + reach - low - high);
  });
  return {
    name: `convolutionTranspose (${y.join(", ")}) by (${weight.join(", ")}) to (${places.join(", ")}) ${text(given)}`,
    build: ([image, kernel]) => ops.convolutionTranspose(image!, kernel!, { ...geometry, outputPadding }),
    arguments: [{ shape: y }, { shape: weight }],
    expected(image: DenseArray, kernel: DenseArray) {
      const result = Array<number>(x.reduce((n, size) => n * size, 1)).fill(0);
      forProducts(x, weight, geometry, (i, k, at) => {
        result[i]! += image.data[at]! * kernel.data[k]!;
      });
      return result;
    },
    tolerance: toLargest,
    formulaTolerance: toLargest,
    dtypes: ["f32"],
  };
}

const convolutions: readonly Case[] = [
  convolution([2, 3, 7, 5], [4, 3, 3, 2]),
  convolution([1, 2, 9, 8], [17, 2, 3, 3], {
    strides: [2, 2],
    padding: [
      [1, 1],
      [0, 2],
    ],
  }),
  convolution([2, 2, 9], [3, 2, 2], { strides: [3] }),
  convolution([2, 3, 8, 8], [5, 3, 1, 1], { strides: [2, 3] }),
  convolution([1, 2, 9, 7], [3, 2, 3, 2], { dilations: [2, 3] }),
  convolution([1, 2, 9, 7], [3, 2, 2, 2], {
    strides: [2, 1],
    dilations: [3, 2],
    padding: [
      [2, 1],
      [1, 0],
    ],
  }),
  convolution([2, 4, 5, 5], [6, 2, 3, 3], {
    groups: 2,
    strides: [2, 2],
    padding: [
      [1, 1],
      [1, 1],
    ],
  }),
  convolution([2, 5, 6, 5], [5, 1, 3, 3], {
    groups: 5,
    padding: [
      [1, 1],
      [1, 1],
    ],
  }),
  convolution([1, 3, 7, 6], [6, 1, 2, 3], { groups: 3, strides: [2, 2] }),
  convolution([1, 1, 3, 4, 3], [2, 1, 2, 3, 2], { strides: [1, 2, 1] }),
  convolution([2, 1, 4], [1, 1, 2], { padding: [[3, 2]] }),
  convolution([0, 2, 5, 5], [3, 2, 3, 3]),
  transposed([1, 3, 4, 3], [3, 2, 3, 2], [8, 6], {
    strides: [2, 2],
    padding: [
      [1, 1],
      [0, 0],
    ],
  }),
  transposed([2, 2, 5], [2, 3, 2], [18], { strides: [4] }),
  transposed([1, 4, 4], [4, 1, 3], [8], { groups: 2, dilations: [2] }),
];

interface Pool extends Omit<Geometry, "groups"> {
  readonly sizes: readonly number[];
}

/** Windows of x by the definition, each folded; elements outside x are left out. */
function pooling(
  name: string,
  x: readonly number[],
  given: Pool,
  op: (x: Node, geometry: ReturnType<typeof whole> & Pool) => Node,
  fold: (elements: readonly number[], size: number) => number,
): Case {
  const geometry = { ...whole(x.length - 2, given), sizes: given.sizes };
  const kernel = [x[1]!, 1, ...given.sizes];
  return {
    name: `${name} (${x.join(", ")}) ${text(given)}`,
    build: ([image]) => op(image!, geometry),
    arguments: [{ shape: x }],
    expected(image: DenseArray) {
      const seen = new Map<number, number[]>();
      const shape = forProducts(x, kernel, { ...geometry, groups: x[1]! }, (i, _, at) =>
        seen.set(at, [...(seen.get(at) ?? []), image.data[i]!]),
      );
      const size = given.sizes.reduce((n, s) => n * s, 1);
      return Array.from({ length: shape.reduce((n, s) => n * s, 1) }, (_, at) => fold(seen.get(at)!, size));
    },
    tolerance: toLargest,
    formulaTolerance: toLargest,
    dtypes: ["f32", "f64"],
  };
}

const total = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0);

const poolings: readonly Case[] = [
  ...(
    [
      [[2, 3, 6, 4], { sizes: [2, 2], strides: [2, 2] }],
      [
        [1, 2, 7, 5],
        {
          sizes: [3, 2],
          strides: [3, 2],
          padding: [
            [1, 1],
            [1, 0],
          ],
        },
      ],
      [
        [2, 2, 7, 6],
        {
          sizes: [3, 3],
          strides: [2, 2],
          padding: [
            [1, 1],
            [1, 1],
          ],
        },
      ],
      [[1, 2, 9, 7], { sizes: [2, 3], strides: [3, 1] }],
      [[1, 3, 9], { sizes: [3], strides: [2], dilations: [2], padding: [[1, 1]] }],
      [[1, 2, 4, 4, 3], { sizes: [2, 2, 2] }],
    ] as const
  ).flatMap(([x, geometry]) => [
    pooling("maxPool", x, geometry, ops.maxPool, (list) => Math.max(...list)),
    pooling(
      "averagePool",
      x,
      geometry,
      (image, pool) => ops.averagePool(image, { ...pool, countsPadding: true }),
      (list, size) => total(list) / size,
    ),
    pooling(
      "averagePool without padding",
      x,
      geometry,
      (image, pool) => ops.averagePool(image, { ...pool, countsPadding: false }),
      (list) => total(list) / list.length,
    ),
  ]),
];

export const convolutionCases: readonly Case[] = [...contractions, ...convolutions, ...poolings];
