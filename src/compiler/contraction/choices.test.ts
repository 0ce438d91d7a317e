/** Searched tiles: a product is known by its key, and every choice gives the same bits. */
import { describe, expect, it } from "vitest";
import { Trace, withTrace } from "../../graph/trace.ts";
import { type TileChoice, type TileChoices, x64Target } from "../../ir/target.ts";
import { dot, parameter, transpose } from "../../ops/index.ts";
import { createNativeDevice } from "../../runtime/x64-device.ts";
import { nativeDevices } from "../../testing/native-targets.ts";
import { compileProgram } from "../compile.ts";
import { type PlainProduct, plainProblems, productKey } from "./choices.ts";
import { choicesFor, type Plan, planContraction } from "./plan.ts";
import { numberProduct } from "./product.ts";

function traced({ batch, rows, depth, columns, form }: PlainProduct) {
  return withTrace(new Trace("compiled"), () => {
    const batches = batch > 1 ? [batch] : [];
    const a = parameter({
      shape: [...batches, ...(form === "tn" ? [depth, rows] : [rows, depth])],
      dtype: "f32",
    });
    const b = parameter({
      shape: [...batches, ...(form === "nt" ? [columns, depth] : [depth, columns])],
      dtype: "f32",
    });
    const y = dot(form === "tn" ? transpose(a) : a, form === "nt" ? transpose(b) : b);
    return { name: "product", parameters: [a, b], results: [y], assignments: [] };
  });
}

const products: readonly PlainProduct[] = [
  { batch: 1, rows: 90, depth: 70, columns: 130, form: "nn" },
  { batch: 1, rows: 90, depth: 70, columns: 130, form: "tn" },
  { batch: 1, rows: 90, depth: 70, columns: 130, form: "nt" },
  { batch: 6, rows: 20, depth: 30, columns: 40, form: "nn" },
];

const keyOf = (product: PlainProduct, target = x64Target) =>
  productKey(plainProblems(product)[0], "f32", { target, product: numberProduct });

/** One choice for whatever is asked, and what was asked for. */
class Choice implements TileChoices {
  readonly stamp = "";
  readonly asked: string[] = [];
  readonly choice: TileChoice | undefined;

  constructor(choice: TileChoice | undefined) {
    this.choice = choice;
  }
  of(product: string): TileChoice | undefined {
    this.asked.push(product);
    return this.choice;
  }
}

describe("searched tiles", () => {
  it("are asked for by the key that the search keeps them under", () => {
    for (const product of products) {
      const tiles = new Choice(undefined);
      compileProgram(traced(product), { target: { ...x64Target, tiles } });
      expect(tiles.asked).toEqual([keyOf(product)]);
    }
    expect(products.map((product) => keyOf(product))).toEqual([
      "f32 90x70x130 f32:d70 f32:o130 threads 1",
      "f32 90x70x130 f32:o90 f32:o130 threads 1",
      "f32 90x70x130 f32:d70 f32:d70 threads 1",
      "f32 6 of 20x30x40 f32:d30 f32:o40 threads 1",
    ]);
  });

  it("make the plan, if they suit the product", () => {
    const problems = plainProblems(products[0]!);
    const planned = (choice: TileChoice) =>
      planContraction(problems, "f32", { ...x64Target, tiles: new Choice(choice) });
    const choice = { isExchanged: true, packsLeft: true, packsRight: false, height: 3, groups: 2 };
    const plan = planned(choice);
    expect(plan.problem.isExchanged).toBe(true);
    expect([plan.packsLeft, plan.packsRight]).toEqual([true, false]);
    expect(plan.rows).toEqual([
      {
        kind: "static",
        segments: [
          { start: 0, count: 42, size: 3 },
          { start: 126, count: 2, size: 2 },
        ],
      },
    ]);
    // Registers for 40 × 4 vectors there are none: the estimates choose.
    const tilesOf = ({ rows, columns, packsLeft, packsRight }: Plan) => ({
      rows,
      columns,
      packsLeft,
      packsRight,
    });
    const estimated = tilesOf(planContraction(problems, "f32", x64Target));
    expect(tilesOf(planned({ ...choice, height: 40, groups: 4 }))).toEqual(estimated);
    expect(tilesOf(planned({ ...choice, height: 0 }))).toEqual(estimated);
  });

  it("begin with what is estimated to be fastest", () => {
    const choices = choicesFor(plainProblems(products[0]!), "f32", x64Target);
    expect(choices.length).toBeGreaterThan(50);
    const { rows, columns } = planContraction(plainProblems(products[0]!), "f32", x64Target);
    const [first] = choices;
    const plan = planContraction(plainProblems(products[0]!), "f32", {
      ...x64Target,
      tiles: new Choice(first),
    });
    expect({ rows: plan.rows, columns: plan.columns }).toEqual({ rows, columns });
  });

  it.skipIf(nativeDevices.length === 0)("give the same bits, whichever is chosen", () => {
    for (const product of products) {
      const fn = traced(product);
      const inputs = fn.parameters.map(({ shape }, i) => {
        const count = (shape as number[]).reduce((n, size) => n * size, 1);
        const data = Float32Array.from({ length: count }, (_, j) => Math.sin(j * 12.9898 + i) * 3);
        return { dtype: "f32" as const, shape: shape as number[], data };
      });
      const run = (tiles: TileChoices | undefined, threads: number) => {
        const executable = createNativeDevice({ threads, tiles }).compile(fn);
        const data = executable.run(inputs)[0]!.readSync();
        executable.dispose();
        return data;
      };
      const want = run(undefined, 1);
      const choices = choicesFor(plainProblems(product), "f32", { ...x64Target, threads: 3 });
      const some = [0, 0.3, 0.7, 0.99].map((part) => choices[Math.floor(part * choices.length)]!);
      for (const [i, choice] of some.entries()) {
        const tiles = new Choice(choice);
        expect(run(tiles, i % 2 === 0 ? 1 : 3), JSON.stringify(choice)).toEqual(want);
        expect(tiles.asked).not.toEqual([]);
      }
    }
  });
});
