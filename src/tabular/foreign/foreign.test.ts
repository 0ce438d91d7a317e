import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { openSqlite } from "../../platform/node.ts";
import { table } from "../table.ts";
import { readArrow, tableFromArrow, writeArrow } from "./arrow.ts";
import { readParquet, streamParquet, writeParquet } from "./parquet.ts";
import { openParquet, withPageIndex } from "./parquet-file.ts";
import { readDuckDb, readSqlite } from "./sql.ts";
import { columnOfValues, tableOfRows } from "./values.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-foreign-"));
const original = table({
  i: Int32Array.of(1, -2, 2 ** 31 - 1),
  x: [0.1, null, 1e300],
  s: ["é", null, "a\nb"],
  b: [true, false, null],
  d: [new Date("2024-02-29T12:30:00.123Z"), null, new Date(0)],
  none: [null, null, null] as (number | null)[],
});

test.each([
  ["Parquet", writeParquet, readParquet],
  ["Arrow", writeArrow, readArrow],
] as const)("%s keeps every value and every kind", async (name, write, read) => {
  const path = join(folder, `all.${name}`);
  await write(original, path);
  for (const source of [path, new Uint8Array(readFileSync(path))]) {
    const found = await read(source);
    expect([...found.rows()]).toEqual([...original.rows()]);
    expect(found.schema).toEqual(original.schema);
    expect(found.column("i").data).toBeInstanceOf(Int32Array);
  }
});

test("columns and rows of a Parquet file that are asked for, or too many", async () => {
  const path = join(folder, "some.parquet");
  await writeParquet(original, path);
  expect((await readParquet(path, { columns: ["s", "i"] })).names).toEqual(["s", "i"]);
  await expect(readParquet(path, { maxRows: 2 })).rejects.toThrow(
    `${path} has 3 rows, more than the 2 allowed`,
  );
});

describe("a Parquet file with one large row group", () => {
  const length = 20_000;
  const rows = Array.from({ length }, (_, i) => i);
  const columnData = [
    { name: "i", type: "INT32", data: rows, nullable: false },
    { name: "x", type: "DOUBLE", data: rows.map((i) => (i % 7 === 0 ? null : Math.sin(i))), nullable: true },
    {
      name: "s",
      type: "STRING",
      data: rows.map((i) => ["red", "green", null, "blue"][i % 4]),
      nullable: true,
    },
    { name: "late", type: "STRING", data: rows.map((i) => (i < 15_000 ? null : `n${i}`)), nullable: true },
  ];
  const bytes = new Uint8Array(
    parquetWriteBuffer({ columnData, rowGroupSize: length, pageSize: 4096 } as never),
  );

  test("comes in tables of any size, of the kinds that it states", async () => {
    const whole = await readParquet(bytes);
    for (const batchRows of [700, length, 1e6]) {
      const found = [];
      for await (const part of streamParquet(bytes, { batchRows })) {
        expect(part.schema).toEqual(whole.schema);
        expect(part.length).toBeLessThanOrEqual(batchRows);
        found.push(...part.rows());
      }
      expect(found).toEqual([...whole.rows()]);
    }
    for await (const part of streamParquet(bytes, { columns: ["s"] })) expect(part.names).toEqual(["s"]);
  });

  test("is read page by page", async () => {
    const parquet = await openParquet("test", bytes);
    const [group] = parquet.metadata.row_groups;
    const pages = await parquet.checkColumns(group!, ["i", "x"]);
    const indexed = withPageIndex(parquet, group!, pages);
    let read = 0;
    const { slice } = indexed.file;
    const file = { ...indexed.file, slice: (a: number, b?: number) => ((read += b! - a), slice(a, b)) };
    const columns = ["i", "x"];
    const found = await parquet.rows({
      ...indexed,
      file,
      columns,
      rowStart: 9000,
      rowEnd: 9010,
      useOffsetIndex: true,
    });
    expect(found.map(({ i }) => i)).toEqual(rows.slice(9000, 9010));
    expect(read).toBeLessThan(bytes.length / 8);
  });
});

test("files that are something else", async () => {
  const path = join(folder, "text");
  writeFileSync(path, "a,b\n1,2\n".repeat(20));
  await expect(readParquet(path)).rejects.toThrow(`${path} cannot be read as Parquet:`);
  await expect(readArrow(path)).rejects.toThrow(`${path} cannot be read as Arrow:`);
  const cut = join(folder, "cut.parquet");
  await writeParquet(original, cut);
  const bytes = new Uint8Array(readFileSync(cut));
  for (const length of [0, 4, 100, bytes.length - 1])
    await expect(readParquet(bytes.slice(0, length))).rejects.toThrow(
      "readParquet cannot be read as Parquet:",
    );
});

test("tables of Arrow in memory, from any library", () => {
  const vectors: Record<string, unknown[]> = { t: [0, null], n: [1n, 2n] };
  const arrow = {
    numRows: 2,
    schema: {
      fields: [
        { name: "t", type: "Timestamp<MILLISECOND>" },
        { name: "n", type: "Int64" },
      ],
    },
    getChild: (name: string) => vectors[name],
  };
  expect([...tableFromArrow(arrow).rows()]).toEqual([
    { t: new Date(0), n: 1 },
    { t: null, n: 2 },
  ]);
});

test("whole numbers of any length stay exact", () => {
  expect(columnOfValues("x", "n", [1n, null, 3n])).toEqual({
    kind: "number",
    data: Float64Array.of(1, NaN, 3),
  });
  const long = columnOfValues("x", "n", [9007199254740993n, 1n]);
  expect(long).toEqual({ kind: "string", data: Int32Array.of(0, 1), categories: ["9007199254740993", "1"] });
  expect(() => tableOfRows("query", [{ a: 1 }, { a: [1] }])).toThrow(
    'query: column "a": row 1 is a Array; it must be a number',
  );
});

const load = (name: string): Promise<any> => import(/* @vite-ignore */ name);
const has = (name: string): Promise<boolean> =>
  load(name).then(
    () => true,
    () => false,
  );

test("SQLite answers as a table", async () => {
  const path = join(folder, "pets.sqlite");
  const database = await openSqlite(path);
  database.execute(
    "CREATE TABLE pets (name TEXT, age REAL); INSERT INTO pets VALUES ('Tom', 3.5), (NULL, 4)",
  );
  database.close();
  const rows = await readSqlite(path, "SELECT * FROM pets WHERE age > ?", [1]);
  expect([...rows.rows()]).toEqual([
    { name: "Tom", age: 3.5 },
    { name: null, age: 4 },
  ]);
  await expect(readSqlite(path, "SELECT * FROM cats")).rejects.toThrow(`${path}: no such table: cats`);
  await expect(readSqlite(join(folder, "nowhere"), "SELECT 1")).rejects.toThrow(
    "as SQLite: there is no such file",
  );
});

test("DuckDB answers as a table", async (context) => {
  context.skip(!(await has("@duckdb/node-api")), "@duckdb/node-api is not installed");
  const path = join(folder, "pets.csv");
  writeFileSync(path, "name,age\nTom,3\nRex,5\nTom,4\n");
  const sql = `SELECT name, count(*) AS n, avg(age) AS age, DATE '2024-02-29' AS d FROM '${path}' GROUP BY name ORDER BY name`;
  const date = new Date(Date.UTC(2024, 1, 29));
  expect([...(await readDuckDb(":memory:", sql)).rows()]).toEqual([
    { name: "Rex", n: 1, age: 5, d: date },
    { name: "Tom", n: 2, age: 3.5, d: date },
  ]);
  await expect(readDuckDb(":memory:", "SELECT FROM")).rejects.toThrow("readDuckDb: Parser Error");
});
