import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, expectTypeOf, test } from "vitest";
import { parseJsonl, readJsonl, streamJsonl, writeJsonl } from "./jsonl.ts";
import { table, tableFromRows } from "./table.ts";

const pets = table({
  name: ["Tom", "Rex", "Kit", "Bo"],
  kind: ["cat", "dog", "cat", null],
  age: [3, null, 1, 7],
  isTame: [true, true, null, false],
  born: [new Date(0), new Date(864e5), null, new Date(2 * 864e5)],
});

describe("a table", () => {
  test("knows the kinds of its columns, in types too", () => {
    expect(pets.schema).toEqual({
      name: "string",
      kind: "string",
      age: "number",
      isTame: "boolean",
      born: "date",
    });
    expectTypeOf(pets.row(0).age).toEqualTypeOf<number | null>();
    expectTypeOf(pets.values("isTame")).toEqualTypeOf<(boolean | null)[]>();
    expectTypeOf(pets.select("age").row(0)).toEqualTypeOf<{ readonly age: number | null }>();
    // @ts-expect-error There is no such column.
    expect(() => pets.column("aeg")).toThrow('column: there is no column "aeg"; did you mean "age"?');
  });

  test("stores missing values in the arrays", () => {
    expect(pets.column("age").data).toEqual(Float64Array.of(3, NaN, 1, 7));
    expect(pets.column("kind")).toEqual({
      kind: "string",
      data: Int32Array.of(0, 1, 0, -1),
      categories: ["cat", "dog"],
    });
    expect(pets.column("isTame").data).toEqual(Uint8Array.of(1, 1, 255, 0));
  });

  test("selects, filters, sorts, slices", () => {
    expect(pets.select("age", "name").names).toEqual(["age", "name"]);
    expect(pets.drop("born", "age").names).toEqual(["name", "kind", "isTame"]);
    expect(pets.filter((row) => row.age !== null && row.age > 2).values("name")).toEqual(["Tom", "Bo"]);
    expect(pets.sort("age").values("name")).toEqual(["Kit", "Tom", "Bo", "Rex"]);
    expect(pets.sort("age", { descending: true }).values("name")).toEqual(["Bo", "Tom", "Kit", "Rex"]);
    expect(pets.sort(["kind", "name"]).values("name")).toEqual(["Kit", "Tom", "Rex", "Bo"]);
    expect(pets.slice(-2).values("name")).toEqual(["Kit", "Bo"]);
    expect(pets.subset([2, 2, 0]).values("name")).toEqual(["Kit", "Kit", "Tom"]);
    expect(pets.head(0).length).toBe(0);
  });

  test("gets columns: values, or computed from rows", () => {
    const more = pets
      .with("next", (row) => (row.age === null ? null : row.age + 1))
      .with("weight", Float32Array.of(4, 20, 3, 9));
    expect(more.values("next")).toEqual([4, null, 2, 8]);
    expectTypeOf(more.row(0).next).toEqualTypeOf<number | null>();
    expect(more.column("weight").data).toBeInstanceOf(Float32Array);
    expect(() => pets.with("x", [1])).toThrow('column "x" has 1 values, the table has 4 rows');
  });

  test("groups", () => {
    const groups = pets.groupBy("kind").aggregate({
      count: ["name", "count"],
      oldest: ["age", "max"],
      mean: ["age", "mean"],
      first: ["born", "first"],
      names: ["name", "unique"],
    });
    expect([...groups.rows()]).toEqual([
      { kind: "cat", count: 2, oldest: 3, mean: 2, first: new Date(0), names: 2 },
      { kind: "dog", count: 1, oldest: null, mean: null, first: new Date(864e5), names: 1 },
    ]);
    expect(() => pets.groupBy("kind").aggregate({ x: ["name", "mean"] })).toThrow(
      'mean needs numbers, column "name" holds strings',
    );
  });

  test("joins: pairs in order, rows without a partner where they are asked for", () => {
    const left = table({ id: [2, 1, 3, null], x: ["b", "a", "c", "?"] });
    const right = table({ id: [1, 2, 2, 4, null], x: ["A", "B", "BB", "D", "!"], y: [10, 20, 21, 40, 0] });
    expect([...left.join(right, { on: "id" }).rows()]).toEqual([
      { id: 2, x_x: "b", x_y: "B", y: 20 },
      { id: 2, x_x: "b", x_y: "BB", y: 21 },
      { id: 1, x_x: "a", x_y: "A", y: 10 },
    ]);
    expect(left.join(right, { on: "id", how: "left" }).values("y")).toEqual([20, 21, 10, null, null]);
    const outer = left.join(right, { on: "id", how: "outer" });
    expect(outer.values("id")).toEqual([2, 2, 1, 3, null, 4, null]);
    expect(outer.values("x_y")).toEqual(["B", "BB", "A", null, null, "D", "!"]);
  });

  test("stands under another one", () => {
    const more = table({
      name: ["Ann"],
      kind: ["cow"],
      age: [Number.NaN],
      isTame: [true],
      born: [null as Date | null],
    });
    const both = pets.concat(more as unknown as typeof pets);
    expect(both.length).toBe(5);
    expect(both.column("kind").categories).toEqual(["cat", "dog", "cow"]);
    const wrong = pets.drop("age") as unknown as typeof pets;
    expect(() => pets.concat(wrong)).toThrow('column "age" is number in one table and missing in another');
  });

  test("shows itself", () => {
    expect(String(pets)).toBe(
      [
        "name  kind  age  isTame  born",
        "Tom   cat     3  true    1970-01-01",
        "Rex   dog     ·  true    1970-01-02",
        "Kit   cat     1  ·       ·",
        "Bo    ·       7  false   1970-01-03",
        "4 rows × 5 columns",
      ].join("\n"),
    );
  });

  test("of no rows, of no columns", () => {
    const none = pets.filter(() => false);
    expect([none.length, none.describe().values("count")]).toEqual([0, [0, 0, 0, 0, 0]]);
    expect(none.groupBy("kind").aggregate({ n: ["age", "count"] }).length).toBe(0);
    expect(none.join(pets, { on: "name" }).length).toBe(0);
    expect(table({}).length).toBe(0);
  });
});

test("tables from rows and values that do not fit", () => {
  expect(tableFromRows([{ a: 1, b: "x" }, { a: null }, { c: true }]).row(2)).toEqual({
    a: null,
    b: null,
    c: true,
  });
  expect(() => table({ a: [1, "x"] as unknown as number[] })).toThrow(
    'column "a": row 1 is "x"; expected a number',
  );
  expect(() => table({ a: [1], b: [1, 2] })).toThrow('column "a" has 1 rows, column "b" has 2');
  expect(() => table({ a: 5 as unknown as number[] })).toThrow('column "a" is number 5');
});

describe("JSON Lines", () => {
  test("kinds, names that some lines lack, dates", () => {
    const t = parseJsonl('{"a":1,"d":"2024-02-29"}\n\n{"b":"x","d":null}\n{"a":2.5,"c":true}');
    expect([...t.rows()]).toEqual([
      { a: 1, d: new Date(Date.UTC(2024, 1, 29)), b: null, c: null },
      { a: null, d: null, b: "x", c: null },
      { a: 2.5, d: null, b: null, c: true },
    ]);
    expect(parseJsonl('{"d":"2024-02-29"}', { schema: { d: "string" } }).values("d")).toEqual(["2024-02-29"]);
    expect(parseJsonl('\uFEFF{"a":1}\r\n{"a":2}\r\n').values("a")).toEqual([1, 2]);
  });

  test.each([
    ['{"a":1}\n{"a":', "line 2 is not valid JSON"],
    ["[1]", "line 1 is [1]; every line must be an object"],
    ['{"a":[1]}', 'line 1, column "a" holds [1]; a value must be a number'],
    ['{"a":1}\n{"a":"x"}', 'line 2, column "a" holds "x", a string; before it held numbers'],
  ])("%j", (text, message) => {
    expect(() => parseJsonl(text)).toThrow(message);
  });

  test("files are written, read whole and in parts; a torn line is named with its file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "netwright-jsonl-"));
    const path = join(folder, "rows.jsonl");
    try {
      await writeJsonl(table({ a: [1, null, 3], s: ["x\ny", "", null] }), path);
      const rows = [...(await readJsonl(path)).rows()];
      expect(rows).toEqual([
        { a: 1, s: "x\ny" },
        { a: null, s: "" },
        { a: 3, s: null },
      ]);
      const parts = [];
      for await (const part of streamJsonl(path, { batchRows: 2 })) parts.push(...part.rows());
      expect(parts).toEqual(rows);
      writeFileSync(path, '\uFEFF{"a":1}\r\n{"a":');
      await expect(readJsonl(path)).rejects.toThrow(`${path}: line 2 is not valid JSON`);
      await expect(readJsonl(path, { maxLineBytes: 3 })).rejects.toThrow("a line is longer than 3 bytes");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a name that objects inherit is a name like any other", () => {
    const t = parseJsonl('{"__proto__":1,"constructor":2,"toString":"x"}');
    expect(t.names).toEqual(["__proto__", "constructor", "toString"]);
    expect(t.values("__proto__")).toEqual([1]);
  });
});
