/** Rows that the kernel reads, beside what JavaScript's own numbers and a plain split say. */
import { describe, expect, test } from "vitest";
import { fillBits, randomKey, uniform } from "../../base/random.ts";
import type { CsvOptions } from "./dialect.ts";
import { parseCsv } from "./read.ts";

/** Enough rows for the kernel, the values of interest among others. */
function column(texts: readonly string[], rest = "1.5"): string[] {
  const all = [...texts];
  while (all.length < 6000) all.push(rest);
  return all;
}

const read = (texts: readonly string[]): ArrayLike<unknown> =>
  parseCsv(`x,y\n${texts.map((text) => `${text},0`).join("\n")}\n`, { schema: { x: "number" } }).values("x");

/** Doubles of any size, from random bits. */
function anyDoubles(count: number, seed: number): number[] {
  const words = new Uint32Array(2 * count);
  fillBits(randomKey(seed), words);
  return [...new Float64Array(words.buffer)].filter(Number.isFinite);
}

describe("numbers are the nearest doubles", () => {
  const same = (texts: readonly string[]): void => {
    const values = read(column(texts));
    const wrong = texts.filter((text, i) => !Object.is(values[i], Number(text)));
    expect(wrong).toEqual([]);
  };

  test("as JavaScript writes them, of any size", () => {
    same(anyDoubles(4000, 1).map(String));
    same([...uniform(randomKey(2), 4000)].map((x) => String((x - 0.5) * 10 ** Math.floor(40 * (x - 0.5)))));
  });

  test("with any number of digits, before and after the point", () => {
    const digits = anyDoubles(2000, 3).map((x) =>
      String(Math.abs(x))
        .replaceAll(/[^0-9]/g, "")
        .slice(0, 19),
    );
    same(
      digits
        .map((text, i) => `${i % 2 ? "-" : ""}${text.slice(0, i % 9)}.${text.slice(i % 9)}`)
        .filter((t) => /\d/.test(t)),
    );
    same(digits.map((text, i) => `0.${"0".repeat(i % 12)}${text}`));
    same(digits.map((text, i) => `${text.slice(0, 3)}.${text.slice(3)}e${(i % 80) - 40}`));
  });

  test("with as many digits as a block of eight has, one less, one more; zeros of any number", () => {
    const texts = Array.from({ length: 40 }, (_, i) =>
      "1234567890123456789".repeat(3).slice(i % 19, 19 + (i % 20)),
    );
    same(texts.map((text) => `0.${text}`));
    same(texts.map((text, i) => `-${"0".repeat(i)}.${"0".repeat(i % 25)}${text}`));
    same([
      ...texts,
      "0.00000000000000000000",
      "0.1250000000000000",
      "0.5000000000000000",
      "-0.000000000000000000",
    ]);
  });

  test("where 64 bits of a power of five leave the rounding open", () => {
    // 18 digits around the middle between two doubles: one in 512 looks like a tie at first.
    const texts = anyDoubles(200, 5).flatMap((_, i) => {
      const digits = BigInt(`1${String(i * 7919 + 1).padStart(5, "0")}`.repeat(3).slice(0, 18));
      return Array.from({ length: 16 }, (_, k) => `0.${digits + BigInt(k)}`);
    });
    same(texts);
  });

  test("halfway between two doubles, to the even one, and next to it", () => {
    const texts: string[] = [];
    for (let i = 1; i < 300; i++) {
      const x = 2 ** 53 + 2 * i;
      texts.push(
        `${x + 1}.0`.replace("e+", "e"),
        `${BigInt(x) * 10n + 10n}e-1`,
        `${BigInt(x) * 10n + 9n}e-1`,
      );
      texts.push(`${BigInt(x) * 100n + 101n}e-2`, `0.${BigInt(x) * 5n}`);
    }
    same(texts);
  });

  test("too small, too large, nothing, with a point alone", () => {
    same([
      "1e-400",
      "-1e-320",
      "4.9e-324",
      "2.2250738585072014e-308",
      "1e309",
      "-0",
      "0.0",
      "5.",
      ".5",
      "-.25",
    ]);
    same(["1E5", "1e+5", "1e05", "00012", "1.7976931348623157e308", "123456789012345678e-10"]);
  });
});

test("missing and unusual fields among plain ones", () => {
  const values = read(column(["1", "", "NA", "-5", " 7 ", "+3", "nan", "1e3", "inf"]));
  expect(Array.from({ length: 10 }, (_, i) => values[i])).toEqual([
    ...[1, null, null, -5, 7, 3, null, 1000, Number.POSITIVE_INFINITY, 1.5],
  ]);
  const texts = column(["12", "12345678901234567890", "x"], "7");
  expect(
    parseCsv(`x\n${texts.join("\n")}`)
      .values("x")
      .slice(0, 4),
  ).toEqual(texts.slice(0, 4));
});

test("texts: quoted, doubled quotes, other line ends, comments, blank lines, NUL, in the order of their appearance", () => {
  const rows: string[] = [];
  const expected: (readonly [number, string | null])[] = [];
  const kinds: readonly (readonly [field: string, value: string | null])[] = [
    ["plain", "plain"],
    ['"with, comma"', "with, comma"],
    ['"say ""hi"""', 'say "hi"'],
    ["", null],
    ['"two\nlines"', "two\nlines"],
    ['in"side', 'in"side'],
    ["ü→", "ü→"],
    ['""', null],
    ["nul\0byte", "nul\0byte"],
  ];
  for (let i = 0; i < 9000; i++) {
    // Each row has a number of its own, so that none is taken for another.
    const [field, value] = kinds[(i * 7) % (i % 100 === 0 ? 9 : 4)]!;
    rows.push(`${i},${field}${i % 3 === 0 ? "\r\n" : "\n"}${i % 500 === 0 ? "#note\n\n" : ""}`);
    expected.push([i, value]);
  }
  const table = parseCsv(`n,t\n${rows.join("")}`, { comment: "#" });
  expect(table.length).toBe(9000);
  const [numbers, texts] = [table.values("n"), table.values("t")];
  const wrong = expected.filter(([n, t], i) => numbers[i] !== n || texts[i] !== t);
  expect(wrong.slice(0, 3)).toEqual([]);
});

test("errors name the line, also behind thousands of plain rows", () => {
  const rows = Array.from({ length: 5000 }, (_, i) => `${i},a`);
  expect(() => parseCsv(`n,t\n${[...rows, "7"].join("\n")}\n`)).toThrow("line 5002 has 1 fields");
  expect(() => parseCsv(`n,t\n${[...rows, "7,b,c"].join("\n")}\n`)).toThrow("line 5002 has 3 fields");
  expect(() => parseCsv(`n,t\n${[...rows, "x,b"].join("\n")}\n`, { schema: { n: "number" } })).toThrow(
    'line 5002, column "n": "x" is not a number',
  );
});

test("a decimal comma, other delimiters, skipped columns", () => {
  const rows = Array.from({ length: 4000 }, (_, i) => `${i},25;text ${i % 5};${-i},5e2`);
  const table = parseCsv(`a;b;c\n${rows.join("\n")}\n`, {
    delimiter: ";",
    decimal: ",",
    columns: ["c", "a"],
  });
  expect(table.names).toEqual(["c", "a"]);
  expect([table.values("a")[3999], table.values("c")[3999]]).toEqual([3999.25, -399950]);
});

describe("a column of whole numbers", () => {
  const rows = Array.from({ length: 9000 }, (_, i) => String((i % 7 === 0 ? -1 : 1) * i * 231_457));
  const read = (changes: Readonly<Record<number, string>>, options: CsvOptions = {}) => {
    const texts = rows.map((text, i) => changes[i] ?? text);
    return parseCsv(`n,t\n${texts.map((text) => `${text},x`).join("\n")}\n`, options).column("n").data;
  };
  const values = rows.map((text) => Number(text) + 0);

  test("stays one up to the last place", () => {
    const ends = { 8000: "2147483646", 8001: "-2147483647", 8002: "0", 8003: "007" };
    const expected = Int32Array.from(values);
    expected.set([2147483646, -2147483647, 0, 7], 8000);
    expect(read(ends)).toEqual(expected);
  });

  test.each([
    ["a fraction", "2.5", 2.5],
    ["nothing", "", Number.NaN],
    ["a missing value", "NA", Number.NaN],
    ["zero below zero", "-0", -0],
    ["more than 32 bits", "9876543210", 9876543210],
    ["an exponent", "1e10", 1e10],
    ["the end of 32 bits", "2147483648", 2147483648],
  ])("holds any numbers once there is %s", (_, text, value) => {
    for (const at of [3000, 8999]) {
      const expected = Float64Array.from(values);
      expected[at] = value;
      expect(read({ [at]: text })).toEqual(expected);
    }
  });

  test.each([
    ["in quotes", '"12"', 12],
    ["with a plus", "+5", 5],
    ["with a point", "3.0", 3],
    ["spaced", " 4 ", 4],
    ["the largest", "2147483647", 2147483647],
    ["the smallest", "-2147483648", -2147483648],
  ])("takes one written otherwise: %s", (_, text, value) => {
    const expected = Int32Array.from(values);
    expected[8500] = value;
    expect(read({ 8500: text })).toEqual(expected);
  });

  test("is strings where one is no number, an error where the schema says numbers", () => {
    const texts = parseCsv(`n\n${[...rows, "many"].join("\n")}\n`).values("n");
    expect([texts.length, texts[1], texts.at(-1)]).toEqual([9001, rows[1], "many"]);
    expect(() => read({ 8500: "many" }, { schema: { n: "number" } })).toThrow(
      'line 8502, column "n": "many" is not a number',
    );
  });
});
