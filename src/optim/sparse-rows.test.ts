/** Optimizers on gradients that are few rows of a table. */
import { describe, expect, it } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import { Embedding, Linear, Module } from "../nn/index.ts";
import { compile, device, grad, sparseRows, type Tensor, tensor } from "../tensor/index.ts";
import {
  Adam,
  adagrad,
  clipByGlobalNorm,
  globalNorm,
  type OptimizerFactory,
  SGD,
  SparseAdam,
  sgd,
  sparseAdam,
} from "./index.ts";

interface Run {
  optimizer: keyof typeof factories;
  options: Record<string, unknown>;
  losses: number[];
  after: Record<string, EncodedArray>;
}
const fixture = readFixture<{ table: EncodedArray; y: EncodedArray; indices: number[][]; runs: Run[] }>(
  "sparse-rows.json",
);
const factories = { sgd, adagrad, sparseAdam } satisfies Record<string, (options: never) => OptimizerFactory>;

const tableOf = (values: Float32Array, sparse: boolean, paddingIndex?: number): Embedding =>
  new Embedding(values.length / 3, 3, {
    sparse,
    ...(paddingIndex !== undefined && { paddingIndex }),
    weightInit: () => values.slice(),
  });

const y = tensor(decodeArray(fixture.y), { shape: [6, 3] }) as Tensor;

/** Losses, and the table after each step. */
async function train(table: Embedding, factory: OptimizerFactory, isCompiled: boolean, steps = 20) {
  const optimizer = factory([table.weight]);
  const step = (indices: Tensor): Tensor => {
    const loss = table.forward(indices).sub(y).square().mean() as Tensor;
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  };
  const run = (isCompiled ? compile(step) : step) as typeof step;
  const losses: number[] = [];
  const tables: Float32Array[] = [];
  for (const row of fixture.indices.slice(0, steps)) {
    losses.push(Number(await run(tensor(row, { dtype: "i32" }) as Tensor).item()));
    tables.push((await table.weight.data()).slice() as Float32Array);
  }
  return { losses, tables };
}

describe("20 steps of PyTorch with sparse=True", () => {
  const rows = fixture.runs.map((run) => [`${run.optimizer} ${JSON.stringify(run.options)}`, run] as const);
  async function follow(run: Run, isCompiled: boolean, steps?: number): Promise<void> {
    const start = decodeArray(fixture.table) as Float32Array;
    const table = tableOf(start, true, 0);
    table.weight.assign(tensor(start, { shape: [10, 3] }));
    const factory = factories[run.optimizer](run.options as never);
    const { losses, tables } = await train(table, factory, isCompiled, steps);
    losses.forEach((loss, i) => {
      expect(Math.abs(loss - run.losses[i]!)).toBeLessThan(1e-5 * run.losses[i]!);
    });
    for (const [step, after] of Object.entries(run.after)) {
      const [got, want] = [tables[Number(step) - 1], decodeArray(after)];
      got?.forEach((x, i) => {
        expect(Math.abs(x - want[i]!)).toBeLessThan(1e-6 + 1e-5 * Math.abs(want[i]!));
      });
    }
  }
  it.each(rows)("%s", (_, run) => follow(run, true));
  it("two of them without compile", () => follow(fixture.runs.at(-1)!, false, 2));
});

it.each([
  ["SGD", sgd({ learningRate: 0.5 })],
  ["Adagrad", adagrad({ learningRate: 0.1, initialAccumulator: 0.1 })],
])("%s gives the bits of the dense gradient", async (_, factory) => {
  const start = decodeArray(fixture.table) as Float32Array;
  const [sparse, dense] = await Promise.all(
    [true, false].map((isSparse) => train(tableOf(start, isSparse), factory, true)),
  );
  expect(sparse).toEqual(dense);
});

describe("what a gradient's rows are", () => {
  const table = tableOf(
    Float32Array.from({ length: 30 }, (_, i) => i),
    true,
  );
  const at = (...rows: number[]): Tensor => table.forward(tensor(rows, { dtype: "i32" }) as Tensor);

  it("sums over several reads and products with scalars", async () => {
    const loss = at(4, 1).sum().add(at(1).sum().mul(2)) as Tensor;
    const [gradient] = grad(loss, [table.weight]);
    const { indices, rows, isFirst } = sparseRows(gradient!.mul(0.5).div(tensor([2])) as Tensor)!;
    expect(await indices.toArray()).toEqual([1, 1, 4]);
    expect(await isFirst.toArray()).toEqual([true, false, true]);
    expect(await rows.toArray()).toEqual([
      [0.75, 0.75, 0.75],
      [0.75, 0.75, 0.75],
      [0.25, 0.25, 0.25],
    ]);
  });

  it("norms are those of the whole table, and clipping keeps it sparse", async () => {
    const loss = at(4, 1, 4).square().sum() as Tensor;
    const gradients = grad(loss, [table.weight]);
    const dense = [...(await gradients[0]!.data())].reduce((sum, x) => sum + Number(x) ** 2, 0);
    expect(Number(await globalNorm(gradients).item())).toBeCloseTo(Math.sqrt(dense), 3);
    const [clipped] = clipByGlobalNorm(gradients, 1);
    expect(sparseRows(clipped!)).toBeDefined();
    expect(Number(await globalNorm([clipped!]).item())).toBeCloseTo(1, 5);
  });

  it("none where the table is read whole as well", () => {
    const loss = at(4).sum().add(table.weight.square().sum()) as Tensor;
    expect(sparseRows(grad(loss, [table.weight])[0]!)).toBeUndefined();
  });
});

it("optimizers that change every row refuse it, and SparseAdam what is dense", () => {
  const table = new Embedding(10, 3, { sparse: true });
  const gradients = () =>
    grad(table.forward(tensor([1], { dtype: "i32" }) as Tensor).sum() as Tensor, [table.weight]);
  const step = (optimizer: { step(gradients: readonly Tensor[]): void }) => () => optimizer.step(gradients());
  expect(step(new Adam([table.weight]))).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: Adam: the gradient of "weight" is sparse, and this update changes every row; use SparseAdam, or SGD or Adagrad without momentum and decay, or make the Embedding without sparse]`,
  );
  expect(step(new SGD([table.weight], { momentum: 0.9 }))).toThrow("SGD: the gradient of");
  const layer = new Linear(3, 1);
  const loss = layer.forward(tensor([[1, 2, 3]])).sum() as Tensor;
  expect(() =>
    new SparseAdam([layer.weight]).step(grad(loss, [layer.weight])),
  ).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: SparseAdam: the gradient of "weight" is dense; give SparseAdam the weights of Embedding(…, { sparse: true }) alone, and the others to Adam]`,
  );
});

describe("a step of a large table", () => {
  class Scorer extends Module {
    readonly table: Embedding;
    constructor(rows: number, sparse: boolean) {
      super();
      this.table = new Embedding(rows, 64, { sparse, weightInit: () => new Float32Array(rows * 64) });
    }
    forward(users: Tensor, items: Tensor): Tensor {
      return this.table.forward(users).mul(this.table.forward(items)).sum(1) as Tensor;
    }
  }
  function costOf(rows: number, factory: OptimizerFactory, sparse = true) {
    const model = new Scorer(rows, sparse);
    const optimizer = factory(model.parameters());
    const step = compile((users: Tensor, items: Tensor) => {
      const loss = model.forward(users, items).square().mean() as Tensor;
      optimizer.step(clipByGlobalNorm(grad(loss, optimizer.parameters), 1));
      return loss;
    });
    const batch = tensor(new Int32Array(32), { dtype: "i32" }) as Tensor;
    const { bytes, arenaBytes, kernels } = step.describe(batch, batch);
    return { bytes, arenaBytes, kernels: kernels.length };
  }

  // The interpreter writes nothing in place: what it describes is the whole table.
  it.skipIf(device().target === "interpreter").each([
    ["SGD", sgd()],
    ["Adagrad", adagrad()],
    ["SparseAdam", sparseAdam()],
  ])("costs %s what its batch does: the same for 1,000 rows and a million", (_, factory) => {
    const [small, large] = [costOf(1000, factory), costOf(1_000_000, factory)];
    expect(large).toEqual(small);
    expect(large.bytes).toBeLessThan(1e6);
    expect(large.arenaBytes).toBeLessThan(3e5);
  });

  it("where a dense gradient costs the table", () => {
    expect(costOf(10_000, sgd(), false).bytes).toBeGreaterThan(10_000 * 64 * 4);
  });
});
