import { describe, expect, it } from "vitest";
import { dimension, type Size } from "../base/size.ts";
import { addAffine, constantAffine, indexAffine, scaleAffine } from "./affine.ts";
import { KernelBuilder } from "./builder.ts";
import type { Affine, Index, Kernel, KernelBuffer, Register, Statement } from "./kernel.ts";
import { printKernel } from "./print.ts";
import { verifyKernel } from "./verify.ts";

const buffer = (
  name: string,
  elements: Size,
  access: KernelBuffer["access"] = "readwrite",
): KernelBuffer => ({
  name,
  dtype: "f32",
  elements,
  access,
  scope: "program",
});
const x = buffer("x", 100, "read");
const y = buffer("y", 100);
const register = (name: string, count = 1, lanes = 1): Register => ({ name, dtype: "f32", count, lanes });
const sum = (...parts: Affine[]): Affine => parts.reduce(addAffine);
const at = (constant: Size) => constantAffine(constant);

function kernelOf(body: readonly Statement[], buffers: readonly KernelBuffer[] = [x, y]): Kernel {
  return { name: "example", buffers, parameters: [], body, cost: { flop: 0, bytes: 0 } };
}

function build(body: (b: KernelBuilder) => void, buffers?: readonly KernelBuffer[]): Kernel {
  const builder = new KernelBuilder();
  body(builder);
  return kernelOf(builder.statements, buffers);
}

/** The message of the InternalError that the kernel is rejected with. */
function reasonOf(body: (b: KernelBuilder) => void, buffers?: readonly KernelBuffer[]): string {
  return reasonOfKernel(build(body, buffers));
}
function reasonOfKernel(kernel: Kernel): string {
  try {
    verifyKernel(kernel);
  } catch (error) {
    expect((error as Error).name).toBe("InternalError");
    return (error as Error).message;
  }
  return "verifies";
}

describe("bounds", () => {
  const copy = (extent: Size, address: (i: Affine) => Affine, buffers?: readonly KernelBuffer[]) =>
    reasonOf((b) => b.vector("i", extent, (i) => b.store(y, i, b.load(x, address(i)))), buffers);

  it("holds for the last element and fails one beyond it", () => {
    expect(copy(100, (i) => i)).toBe("verifies");
    expect(copy(100, (i) => sum(scaleAffine(i, -1), at(99)))).toBe("verifies");
    expect(copy(100, (i) => sum(i, at(1)))).toMatchInlineSnapshot(`
      "kernel "example": the address can reach 100, x has 100 elements
        vector i < 100 › v0 = x[i + 1]"
    `);
    expect(copy(100, (i) => sum(scaleAffine(i, -1), at(98)))).toMatchInlineSnapshot(`
      "kernel "example": the address can fall to -1, before x
        vector i < 100 › v0 = x[-1·i + 98]"
    `);
  });

  it("is symbolic in dimensions", () => {
    const time = dimension("time", { min: 1, max: 50 });
    const tokens = buffer("tokens", time, "read");
    const out = buffer("out", time);
    const run = (extent: Size, address: (i: Affine) => Affine) =>
      reasonOf(
        (b) => b.vector("i", extent, (i) => b.store(out, i, b.load(tokens, address(i)))),
        [tokens, out],
      );
    expect(run(time, (i) => i)).toBe("verifies");
    expect(run(50, (i) => i)).toMatchInlineSnapshot(`
      "kernel "example": the address can reach 49, tokens has time (1 … 50) elements
        vector i < 50 › v0 = tokens[i]"
    `);
  });

  it("knows that a stepped index leaves room for its step", () => {
    const rows = dimension("rows", { min: 1, max: 25 });
    const data = buffer("data", rows);
    const blocks = (inner: number, extent: Size = rows) =>
      reasonOf(
        (b) => {
          const one = b.constant("f32", 1);
          b.loop("serial", "i", extent, {
            step: 8,
            body: (i) => b.vector("j", inner, (j) => b.store(data, sum(i, j), one)),
            remainder: (i) => b.store(data, i, one),
          });
        },
        [data],
      );
    expect(blocks(8)).toBe("verifies");
    expect(blocks(9)).toMatchInlineSnapshot(`
      "kernel "example": the address can reach rows (1 … 25), data has rows (1 … 25) elements
        serial i < rows step 8 › vector j < 9 › data[i + j] = 1"
    `);
  });

  it("ignores what never runs, and checks what a remainder reaches", () => {
    const stepped = (extent: Size, beyond: number) =>
      reasonOf((b) => {
        const one = b.constant("f32", 1);
        b.loop("serial", "i", extent, {
          step: 8,
          body: (i) => b.store(y, sum(i, at(7)), one),
          remainder: (i) => b.store(y, sum(i, at(beyond)), one),
        });
      });
    expect(stepped(96, 1000)).toBe("verifies");
    expect(stepped(100, 0)).toBe("verifies");
    expect(stepped(100, 1)).toContain("the address can reach 100");
    expect(copy(0, (i) => sum(i, at(1000)))).toBe("verifies");
  });

  it("bounds data-dependent indices by what checkIndex promised", () => {
    const ids: KernelBuffer = { ...buffer("ids", 10, "read"), dtype: "i32" };
    const gather = (size: Size, checked = true) =>
      reasonOf(
        (b) => {
          b.serial("i", 10, (i) => {
            const id = b.load(ids, i);
            const index = checked ? b.at({ check: 0, position: i }, () => b.checkIndex(id, size)) : id;
            b.vector("j", 10, (j) =>
              b.store(y, sum(scaleAffine(i, 10), j), b.load(x, j, [{ index, stride: 10 }])),
            );
          });
        },
        [ids, x, y],
      );
    expect(gather(10)).toBe("verifies");
    expect(gather(11)).toMatchInlineSnapshot(`
      "kernel "example": the address can reach 109, x has 100 elements
        serial i < 10 › vector j < 10 › v2 = x[10·v1 + j]"
    `);
    expect(gather(10, false)).toMatchInlineSnapshot(`
      "kernel "example": a data-dependent index must come from checkIndex
        serial i < 10 › vector j < 10 › v1 = x[10·v0 + j]"
    `);
    expect(gather(dimension("vocabulary", { min: 0, max: 10 }))).toContain(
      "no index can be below a size that may be 0",
    );
  });

  it("honours access and the list of buffers", () => {
    expect(reasonOf((b) => b.store(x, at(0), b.constant("f32", 0)))).toContain("buffer x is only read");
    const w = buffer("w", 1, "write");
    expect(reasonOf((b) => void b.load(w, at(0)), [w])).toContain("buffer w is only written");
    expect(reasonOf((b) => void b.load(x, at(0)), [y])).toContain("buffer x is not among the kernel's");
  });
});

describe("values", () => {
  it("are defined before use, once, in an enclosing block", () => {
    const value = { kind: "constant", dtype: "f32", value: 1 } as const;
    const define: Statement = { kind: "define", value };
    const store: Statement = { kind: "store", buffer: y, address: at(0), dynamic: [], value };
    expect(reasonOfKernel(kernelOf([define, store]))).toBe("verifies");
    expect(reasonOfKernel(kernelOf([store, define]))).toMatchInlineSnapshot(`
      "kernel "example": a value is used before it is defined
        y[0] = 1"
    `);
    expect(reasonOfKernel(kernelOf([define, define, store]))).toContain("defined a second time");
    const index: Index = { name: "i" };
    const loop: Statement = {
      kind: "loop",
      mode: "serial",
      index,
      extent: 3,
      step: 1,
      body: [define],
      remainder: [],
      lockstep: false,
    };
    expect(reasonOfKernel(kernelOf([loop, store]))).toContain("used outside the block that defines it");
    const outside: Statement = { ...store, address: indexAffine(index) };
    expect(reasonOfKernel(kernelOf([loop, define, outside]))).toContain("defined a second time");
    expect(reasonOfKernel(kernelOf([define, outside]))).toContain("index i is not in scope");
  });

  it("agree in dtype", () => {
    const f = { kind: "constant", dtype: "f32", value: 1.5 } as const;
    const i = { kind: "constant", dtype: "i32", value: 1 } as const;
    const check = (value: object): string => {
      const statements = [f, i, value].map((v) => ({ kind: "define", value: v }) as Statement);
      return reasonOfKernel(kernelOf(statements)).split("\n")[0]!;
    };
    expect(check({ kind: "binary", dtype: "f32", operator: "add", a: f, b: i })).toMatchInlineSnapshot(
      `"kernel "example": operands are f32, i32, the value f32"`,
    );
    expect(check({ kind: "binary", dtype: "f32", operator: "xor", a: f, b: f })).toMatchInlineSnapshot(
      `"kernel "example": xor has no meaning for f32"`,
    );
    expect(check({ kind: "unary", dtype: "i32", operator: "sqrt", x: i })).toContain(
      "sqrt has no meaning for i32",
    );
    expect(check({ kind: "select", dtype: "f32", condition: i, a: f, b: f })).toContain(
      "the condition is i32, not bool",
    );
    expect(check({ kind: "compare", dtype: "f32", operator: "less", a: f, b: f })).toContain(
      "a comparison is f32, not bool",
    );
    expect(check({ kind: "constant", dtype: "i32", value: 1.5 })).toContain("1.5 is no i32");
    expect(check({ kind: "constant", dtype: "f32", value: 0.1 })).toContain("0.1 is no f32");
    expect(check({ kind: "constant", dtype: "f32", value: NaN })).toBe("verifies");
    expect(check({ kind: "bitcast", dtype: "f64", x: f })).toContain("the bits of f32 are no f64");
    expect(check({ kind: "load", dtype: "i32", buffer: x, address: at(0), dynamic: [] })).toContain(
      "a f32 load is i32",
    );
  });
});

describe("registers", () => {
  const tile = register("tile", 4, 8);
  const fill = (b: KernelBuilder, count: number, lanes: number) =>
    b.vector("j", lanes, () => b.unrolled("i", count, (i) => b.set(tile, b.constant("f32", 0), i)), true);
  const read = (b: KernelBuilder, lanes: number, subscript: (i: Affine) => Affine, count = 4) =>
    b.vector("j", lanes, (j) =>
      b.unrolled("i", count, (i) => b.store(y, sum(j, scaleAffine(i, 10)), b.read(tile, subscript(i)))),
    );

  it("are subscripted within their count, by unrolled indices", () => {
    const use = (count: number, subscript: (i: Affine) => Affine) =>
      reasonOf((b) => {
        fill(b, 4, 8);
        read(b, 8, subscript, count);
      });
    expect(use(4, (i) => i)).toBe("verifies");
    expect(use(4, (i) => sum(i, at(1)))).toMatchInlineSnapshot(`
      "kernel "example": subscript 1 … 4 of register tile, which has 4 element(s)
        vector j.2 < 8 › unrolled i.2 < 4 › v0 = tile[i.2 + 1]"
    `);
    expect(reasonOf((b) => b.serial("i", 4, (i) => b.set(tile, b.constant("f32", 0), i)))).toContain(
      "i subscripts tile but is not unrolled",
    );
  });

  it("are set before they are read, element by element and lane by lane", () => {
    const use = (count: number, lanes: number, readLanes = 8) =>
      reasonOf((b) => {
        fill(b, count, lanes);
        read(b, readLanes, (i) => i);
      });
    expect(use(4, 8)).toBe("verifies");
    expect(use(3, 8)).toContain("tile[3] is read before it is set");
    expect(use(4, 7)).toContain("tile[0] is read in lanes that are not set");
    expect(use(4, 7, 7)).toBe("verifies");
    const time = dimension("time", { min: 0, max: 4 });
    const afterLoop = (extent: Size) =>
      reasonOf((b) => {
        b.serial("t", extent, () => fill(b, 4, 8));
        read(b, 8, (i) => i);
      });
    expect(afterLoop(2)).toBe("verifies");
    expect(afterLoop(time)).toContain("tile[0] is read before it is set");
  });

  it("with one lane are only read in vector loops, and lanes wrap in sixteens", () => {
    const accumulate = (lanes: number, extent: number, lockstep = false) =>
      reasonOf((b) => {
        const total = register("total", 1, lanes);
        b.set(total, b.constant("f32", 0));
        b.vector("j", extent, (j) => b.set(total, b.binary("add", b.read(total), b.load(x, j))), lockstep);
        b.store(y, at(0), b.combine(total, "add"));
      });
    expect(accumulate(16, 100)).toBe("verifies");
    expect(accumulate(8, 8)).toBe("verifies");
    expect(accumulate(8, 100)).toContain("register total wraps after 8 lanes, no multiple of 16");
    expect(accumulate(16, 100, true)).toContain("register total has 16 lanes, the lockstep loop 100");
    expect(accumulate(1, 100)).toContain("register total has one lane: a vector loop may only read it");
    expect(accumulate(12, 12)).toContain("register total: 12 lanes do not halve down to one");
  });

  it("with many lanes are combined, not read, outside vector loops", () => {
    const wide = register("wide", 1, 16);
    expect(
      reasonOf((b) => {
        b.set(wide, b.constant("f32", 0));
        b.store(y, at(0), b.read(wide));
      }),
    ).toContain("outside vector loops only combine reads it");
  });
});

describe("loops", () => {
  it("nest as their modes allow", () => {
    const nest = (outer: "parallel" | "serial" | "unrolled" | "vector", inner: typeof outer) =>
      reasonOf((b) => b.loop(outer, "i", 4, { body: () => b.loop(inner, "j", 4, { body: () => {} }) })).split(
        "\n",
      )[0];
    expect(nest("vector", "unrolled")).toBe("verifies");
    expect(nest("vector", "serial")).toContain("a vector loop holds only unrolled loops");
    expect(nest("vector", "vector")).toContain("a vector loop holds only unrolled loops");
    expect(nest("serial", "parallel")).toContain("a parallel loop is outermost in its kernel");
    expect(nest("parallel", "serial")).toBe("verifies");
  });

  it("beside a parallel loop nothing stores", () => {
    const work = (b: KernelBuilder) => b.parallel("p", 4, (p) => b.store(y, p, b.constant("f32", 0)));
    expect(reasonOf((b) => (work(b), work(b)))).toContain("a kernel has one parallel loop at most");
    expect(reasonOf((b) => (work(b), b.store(y, at(9), b.constant("f32", 0))))).toContain(
      "beside a parallel loop",
    );
  });

  it("parallel and vector iterations store to disjoint places", () => {
    const tiles = (rowStride: number, height: number, width = 10) =>
      reasonOf((b) =>
        b.parallel("p", 5, (p) =>
          b.serial("r", height, (r) =>
            b.vector("j", width, (j) =>
              b.store(y, sum(scaleAffine(p, rowStride), scaleAffine(r, 10), j), b.constant("f32", 0)),
            ),
          ),
        ),
      );
    expect(tiles(20, 2)).toBe("verifies");
    expect(tiles(10, 2)).toMatchInlineSnapshot(`
      "kernel "example": two iterations of p may meet in y: what iterations touch is wider than the stride between them
        parallel p < 5"
    `);
    expect(tiles(18, 1, 19)).toContain("may meet");
    // Column tiles: p moves by 2 inside rows of 10.
    expect(tiles(2, 10, 2)).toBe("verifies");
    expect(tiles(2, 8, 3)).toContain("may meet");
    expect(tiles(3, 8, 2)).toContain("iterations reach into the next row");
    const shift = (by: number) =>
      reasonOf((b) => b.vector("j", 50, (j) => b.store(y, sum(j, at(by)), b.load(y, j))));
    expect(shift(0)).toBe("verifies");
    expect(shift(1)).toContain("two iterations of j may meet in y");
    const rows = (places: readonly number[]) =>
      reasonOf((b) =>
        b.vector("j", 8, (j) => {
          for (const place of places) b.store(y, sum(j, at(place)), b.constant("f32", place));
        }),
      );
    expect(rows([40, 10, 30])).toBe("verifies");
    expect(rows([0, 8, 24])).toBe("verifies");
    expect(rows([0, 7])).toContain("may meet");
    expect(rows([0, 10, 25])).toContain("may meet");
  });

  it("steps and remainders of a parallel loop stay apart, in rows of unknown length too", () => {
    const columns = dimension("columns", { min: 1, max: 25 });
    const rows = buffer("rows", (4 * 25) as Size);
    const run = (width: number) =>
      reasonOf(
        (b) => {
          const zero = b.constant("f32", 0);
          b.loop("parallel", "p", columns, {
            step: 4,
            body: (p) =>
              b.serial("r", 4, (r) =>
                b.vector("j", width, (j) => b.store(rows, sum(p, j, scaleAffine(r, columns)), zero)),
              ),
            remainder: (p) => b.serial("r", 4, (r) => b.store(rows, sum(p, scaleAffine(r, columns)), zero)),
          });
        },
        [rows],
      );
    expect(run(4)).toBe("verifies");
    expect(run(5)).not.toBe("verifies");
  });
});

describe("printKernel", () => {
  it("shows buffers, registers, loops and statements", () => {
    const acc = register("acc", 2, 4);
    const kernel = build((b) => {
      b.vector("j", 4, () => b.unrolled("i", 2, (i) => b.set(acc, b.constant("f32", 0), i)), true);
      b.loop("serial", "k", 20, {
        step: 2,
        body: (k) =>
          b.vector(
            "j",
            4,
            (j) => {
              const right = b.load(x, sum(scaleAffine(k, 4), j));
              b.unrolled("i", 2, (i) => b.set(acc, b.mulAdd(b.load(y, k), right, b.read(acc, i)), i));
            },
            true,
          ),
        remainder: () => {},
      });
      b.vector("j", 4, (j) =>
        b.unrolled("i", 2, (i) => b.store(y, sum(scaleAffine(i, 4), j), b.read(acc, i))),
      );
    });
    verifyKernel(kernel);
    expect(printKernel(kernel)).toMatchInlineSnapshot(`
      "kernel "example": read x: f32[100], readwrite y: f32[100]
        register acc: f32[2] × 4 lanes
        vector j < 4 lockstep:
          unrolled i < 2:
            acc[i] = 0
        serial k < 20 step 2:
          vector j.2 < 4 lockstep:
            v0 = x[4·k + j.2]
            unrolled i.2 < 2:
              v1 = y[k]
              v2 = acc[i.2]
              v3 = mulAdd(v1, v0, v2)
              acc[i.2] = v3
        vector j.3 < 4:
          unrolled i.3 < 2:
            v4 = acc[i.3]
            y[4·i.3 + j.3] = v4"
    `);
  });
});
