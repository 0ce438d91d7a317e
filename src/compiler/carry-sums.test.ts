/** Column sums that another kernel carries along: the same bits as alone, and one pass over the rows. */
import { describe, expect, test } from "vitest";
import type { Node } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import type { Program } from "../ir/program.ts";
import { wasmTarget } from "../ir/target.ts";
import { expandAxes } from "../ops/broadcast.ts";
import { max, mul, parameter, sub, sum, tanh } from "../ops/index.ts";
import { Numbers } from "../testing/numbers.ts";
import { evaluateProgram } from "../testing/program-evaluator.ts";
import { rowsOfPart } from "./carry-sums.ts";
import { compileProgram } from "./compile.ts";

type Build = (x: Node, y: Node) => Node[];

function programOf(shape: readonly number[], build: Build): Program {
  return withTrace(new Trace("compiled"), () => {
    const parameters = ["x", "y"].map((name) => parameter({ shape, dtype: "f32" }, name));
    const [x, y] = parameters as [Node, Node];
    return compileProgram(
      { name: "f", parameters, results: build(x, y), assignments: [] },
      { target: wasmTarget },
    );
  });
}

function resultsOf(program: Program, shape: readonly number[]): number[][] {
  const inputs = [1, 2].map((seed) => {
    const { data } = new Numbers(seed).array({ shape: [...shape], dtype: "f32" }, -1, 1);
    return Float32Array.from(data);
  });
  return evaluateProgram(program, { inputs }).results.map((values) => [...values]);
}

const kernelsOf = ({ compute }: Program): string[] =>
  compute.map((step) => (step.kind === "call" ? step.kernel.name : step.kind));

/** Rows less their sum. */
const rows = (x: Node): Node => {
  const last = x.shape.length - 1;
  const total = sum(x, last);
  return sub(x, expandAxes(total, [last], x.shape));
};

test.each([
  [32, undefined],
  [64, 16],
  [100, undefined],
  [768, 16],
  [4096, 256],
  [65_536, 4096],
  [40_000, 16],
])("parts of %i rows", (count, part) => {
  expect(rowsOfPart(count)).toBe(part);
});

describe.each([[[768, 40]], [[4096, 33]], [[4, 64, 80]]])("rows of %j", (shape) => {
  const axes = shape.slice(0, -1).map((_, axis) => axis);
  const build: Build = (x, y) => {
    const product = mul(rows(x), y);
    return [product, sum(product, axes), sum(y, axes), max(x, axes)];
  };

  test("the sums are the same bits as alone", () => {
    const [product, ofProduct, ofY, ofX] = resultsOf(programOf(shape, build), shape);
    expect(ofProduct).toEqual(sumsInTree(product!, shape.at(-1)!));
    expect(ofY).toEqual(
      resultsOf(
        programOf(shape, (_, y) => [sum(y, axes)]),
        shape,
      )[0],
    );
    expect(ofX).toEqual(
      resultsOf(
        programOf(shape, (x) => [max(x, axes)]),
        shape,
      )[0],
    );
  });

  test("one kernel reads the rows", () => {
    const [carrying, ...finishing] = programOf(shape, build).compute;
    expect(carrying!.kind === "call" && carrying!.kernel.name).toMatch(/^row /);
    expect(finishing.length).toBe(3);
    for (const step of finishing) {
      const buffers = step.kind === "call" ? step.buffers : [];
      for (const { elements } of buffers) expect(elements).toBeLessThan(shape.reduce((a, b) => a * b));
    }
  });
});

/** Blocks of 16 rows, 16 blocks, …: what a column kernel does alone. */
function sumsInTree(values: readonly number[], columns: number): number[] {
  let level = Array.from({ length: values.length / columns }, (_, row) =>
    values.slice(row * columns, (row + 1) * columns),
  );
  while (level.length > 1) {
    const next: number[][] = [];
    for (let first = 0; first < level.length; first += 16) {
      const block = level.slice(first, first + 16);
      next.push(block[0]!.map((_, c) => block.reduce((total, row) => Math.fround(total + row[c]!), 0)));
    }
    level = next;
  }
  return level[0]!;
}

test.each([64, 96])("a map and the sums of what it makes, in %i columns", (columns) => {
  const shape = [768, columns];
  const build: Build = (x, y) => {
    const product = tanh(mul(x, y));
    const total = sum(product, 0);
    return [product, mul(total, total)];
  };
  const program = programOf(shape, build);
  // Few values: columns side by side keep their sums in registers. Many: rows are stored one after the other.
  expect(kernelsOf(program)).toEqual(
    columns === 64 ? ["column mul,tanh,sum 768×64"] : ["map mul,tanh,sum 768×96", "column sum,mul 48×96"],
  );
  const [product, square] = resultsOf(program, shape) as [number[], number[]];
  expect(square).toEqual(sumsInTree(product, columns).map((total) => Math.fround(total * total)));
});

test("sums of much memory walk its rows once", () => {
  const program = programOf([16_384, 256], (x, y) => [sum(x, 0), sum(mul(x, y), 0)]);
  expect(kernelsOf(program)).toMatchInlineSnapshot(`
    [
      "map mul,sum 16384×256",
      "column sum 64×256",
      "column sum 64×256",
    ]
  `);
  expect(program.arenaBytes).toBeLessThan(1_000_000);
});

test("sums that the same rows need are not carried", () => {
  const shape = [768, 64];
  const program = programOf(shape, (x) => {
    const total = sum(x, 0);
    return [rows(sub(x, expandAxes(total, [0], shape))), total];
  });
  expect(kernelsOf(program)).toMatchInlineSnapshot(`
    [
      "column sum 768×64",
      "row sub,sum 768×64",
    ]
  `);
});
