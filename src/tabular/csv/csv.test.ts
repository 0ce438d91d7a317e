import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { byTier, fullTest } from "../../../test/tier.ts";
import { randomKey, uniform } from "../../base/random.ts";
import { table } from "../table.ts";
import { readDecimal } from "./decimal.ts";
import { parseCsv, readCsv, streamCsv } from "./read.ts";
import { formatCsv, writeCsv } from "./write.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-csv-"));
let files = 0;
function fileOf(content: string | Uint8Array, ending = "csv"): string {
  const path = join(folder, `${files++}.${ending}`);
  writeFileSync(path, content);
  return path;
}

/** A generator of whole numbers below a bound, from one seed. */
function random(seed: number): (bound: number) => number {
  const numbers = uniform(randomKey(seed), 1 << 16);
  let at = 0;
  return (bound) => Math.floor(numbers[at++ % numbers.length]! * bound);
}

describe("numbers", () => {
  const bytes = new Uint8Array(64);
  const source = { bytes, words: new DataView(bytes.buffer) };
  const out = new Float64Array(1);
  const read = (text: string): number | undefined => {
    bytes.fill(0);
    bytes.set(new TextEncoder().encode(text));
    return readDecimal(source, 0, 46, out, 0) === text.length ? out[0] : undefined;
  };

  test("are those of JavaScript, to the last bit", { timeout: 300_000 }, () => {
    const below = random(1);
    let plain = 0;
    for (let i = 0; i < byTier(20_000, 2_000_000); i++) {
      const digits = Array.from({ length: 1 + below(18) }, () => below(10)).join("");
      const point = below(digits.length + 1);
      const zeros = below(4) === 0 ? "0".repeat(below(5)) : "";
      const exponent = below(3) === 0 ? `e${below(2) ? "-" : ""}${below(25)}` : "";
      const text = `${below(2) ? "-" : ""}${digits.slice(0, point)}.${zeros}${digits.slice(point)}${exponent}`;
      const value = read(text);
      if (value === undefined) continue;
      plain++;
      if (!Object.is(value, Number(text))) throw new Error(`${text} was read as ${value}`);
    }
    expect(plain).toBeGreaterThan(byTier(14_000, 1_400_000));
  });

  test("doubles come back from their shortest text", () => {
    const key = randomKey(2);
    const [mantissas, scales] = [uniform(key, 4000), uniform(randomKey(3), 4000)];
    for (let i = 0; i < 4000; i++) {
      const value = (1 + mantissas[i]! + scales[i]! * 2 ** -30) * 10 ** Math.round(8 * scales[i]! - 3);
      expect(Object.is(read(String(value)), value)).toBe(true);
    }
  });

  test.each(["0", "-0.0", "007", "1.", ".5", "9007199254740993.5", "123456789012345678"])("%s", (text) =>
    expect(Object.is(read(text), Number(text))).toBe(true),
  );

  test.each(["", "-", ".", "e5", "1e", "1e+", "1234567890123456789", "--1", "1e-400", "4503599627370497.5"])(
    "%j is left to others",
    (text) => expect(read(text)).toBeUndefined(),
  );
});

describe("what a file says", () => {
  test("kinds of columns, missing values", () => {
    const t = parseCsv(
      "i,x,s,b,d,n\n1,1.5,cat,True,2024-02-29,\n-2,NA,dog,false,2024-02-29T12:30:00+01:00,\n3,1e3,,,,\n",
    );
    expect(t.schema).toEqual({ i: "number", x: "number", s: "string", b: "boolean", d: "date", n: "number" });
    expect(t.column("i").data).toEqual(Int32Array.of(1, -2, 3));
    expect(t.values("x")).toEqual([1.5, null, 1000]);
    expect(t.values("s")).toEqual(["cat", "dog", null]);
    expect(t.values("b")).toEqual([true, false, null]);
    expect(t.values("d")).toEqual([
      new Date(Date.UTC(2024, 1, 29)),
      new Date(Date.UTC(2024, 1, 29, 11, 30)),
      null,
    ]);
    expect(t.values("n")).toEqual([null, null, null]);
  });

  test("quotes, line breaks within them, both line ends, a mark of UTF-8, no last line end", () => {
    const text = '\ufeffa,"b ""x"""\r\n"1","say ""hi"",\r\nthen go"\r\n\r\n2,"é"';
    const t = parseCsv(text);
    expect(t.names).toEqual(["a", 'b "x"']);
    expect(t.values("a")).toEqual([1, 2]);
    expect(t.values('b "x"')).toEqual(['say "hi",\r\nthen go', "é"]);
    expect(parseCsv("a\r1\r2\r").values("a")).toEqual([1, 2]);
  });

  test("names as pandas makes them unique", () => {
    expect(parseCsv(",x,x,x.1,\n1,2,3,4,5\n").names).toEqual([
      "Unnamed: 0",
      "x",
      "x.1",
      "x.1.1",
      "Unnamed: 4",
    ]);
  });

  test("delimiter, comment, decimal comma, thousands, own missing values, no header", () => {
    const options = { delimiter: ";", comment: "#", decimal: ",", thousands: ".", missing: ["-"] } as const;
    const t = parseCsv("# made by hand\nx;y\n1.234,5;-\n#no\n-0,25;2.000.000\n", options);
    expect(t.values("x")).toEqual([1234.5, -0.25]);
    expect(t.values("y")).toEqual([null, 2_000_000]);
    expect(parseCsv("1,2\n3,4\n", { header: false }).values("column1")).toEqual([2, 4]);
    expect(parseCsv("1,2\n", { header: ["a", "b"] }).row(0)).toEqual({ a: 1, b: 2 });
  });

  test("columns that are asked for, in that order; tabs of .tsv files", async () => {
    const path = fileOf("a\tb\tc\n1\t2\t3\n", "tsv");
    expect((await readCsv(path, { columns: ["c", "a"] })).row(0)).toEqual({ c: 3, a: 1 });
  });

  test("a text far down makes strings of the column, exactly as they stand there", async () => {
    const lines = Array.from({ length: 70_000 }, (_, i) => `${i}.50,${i}`);
    const t = await readCsv(fileOf(`x,y\n${lines.join("\n")}\nnone at all,70000\n`));
    expect(t.schema).toEqual({ x: "string", y: "number" });
    expect([t.row(0), t.row(69_999), t.row(70_000)]).toEqual([
      { x: "0.50", y: 0 },
      { x: "69999.50", y: 69_999 },
      { x: "none at all", y: 70_000 },
    ]);
  });

  test("whole numbers too long for a double stay exact, as strings", () => {
    const t = parseCsv("id,x\n9007199254740993,9007199254740992.0\n12,1\n");
    expect(t.values("id")).toEqual(["9007199254740993", "12"]);
    expect(t.values("x")).toEqual([9007199254740992, 1]);
    expect(parseCsv("id\n9007199254740993\n", { schema: { id: "number" } }).values("id")).toEqual([2 ** 53]);
  });

  test("Latin-1", () => {
    const bytes = Uint8Array.from("n\xe4me\nM\xfcller\n", (character) => character.charCodeAt(0));
    expect(parseCsv(bytes, { encoding: "latin-1" }).values("näme")).toEqual(["Müller"]);
    expect(() => parseCsv(bytes)).toThrow(
      'line 2, column "n�me" is not valid UTF-8; if the file is in Latin-1',
    );
  });

  test("infinities, spaces around numbers, texts that look like numbers to no one", () => {
    expect(parseCsv("x\ninf\n-Infinity\n 1 \n+2\n").values("x")).toEqual([Infinity, -Infinity, 1, 2]);
    expect(parseCsv("x\n1\n0x10\n").values("x")).toEqual(["1", "0x10"]);
    expect(parseCsv("x\n2023-02-29\n").schema).toEqual({ x: "string" });
  });

  test("bytes of zero, a quote in the middle, fields over several pieces", async () => {
    expect(parseCsv('a,b\nx\0y,5" pipe\n').row(0)).toEqual({ a: "x\0y", b: '5" pipe' });
    const long = "lorem ".repeat(200_000);
    const t = await readCsv(fileOf(`a,b\n1,"${long}"\n2,x\n`));
    expect(t.values("b").map((text) => String(text).length)).toEqual([1_200_000, 1]);
  });

  test("nothing but a header", () => {
    const t = parseCsv("a,b\n");
    expect([t.length, t.names]).toEqual([0, ["a", "b"]]);
  });
});

describe("mistakes name line and column", () => {
  test.each([
    ["a,b\n1,2\n3\n", {}, 'line 3 has 1 fields, the header has 2: the last one is "a"'],
    ["a,b\n1,2\n\n1,2,3\n", {}, 'line 4 has 3 fields, the header has 2: the line goes on after column "b"'],
    [
      "a\n1\nx\n",
      { schema: { a: "number" } },
      'line 3, column "a": "x" is not a number; say schema: { "a": "string" }',
    ],
    ["a\n1,5\n", { schema: { a: "number" }, delimiter: ";" }, 'for a decimal comma say decimal: ","'],
    ['a\n"x\ny"\nmaybe\n', { schema: { a: "boolean" } }, 'line 2, column "a": "x\\ny" is not true or false'],
    [
      "a\n2024-01-01\n2024-13-01\n",
      { schema: { a: "date" } },
      'line 3, column "a": "2024-13-01" is not an ISO date',
    ],
    ['a,b\n1,"x"y\n', {}, 'line 2, column "b" has characters after the closing quote'],
    ['a\n1\n"never closed\n2\n', {}, "the row that begins on line 3 does not end within"],
    ["", {}, "is empty: there is no line that names the columns"],
    ["\xff\xfea", {}, "is encoded in UTF-16"],
    [
      "a,b\n1,2\n",
      { columns: ["aa"] },
      'columns names "aa", which the header does not have; did you mean "a"?',
    ],
    ["a,b\n1,2\n", { maxColumns: 1 }, "the header has 2 columns, more than the 1 allowed"],
    ["a\n1\n", { delimitr: ";" } as object, 'there is no option "delimitr"; did you mean "delimiter"?'],
    ["a\n1\n", { encoding: "utf-16" } as object, 'encoding must be "utf-8" or "latin-1", got "utf-16"'],
  ])("%j", (text, options: object, message) => {
    const bytes = text.startsWith("\xff") ? Uint8Array.of(0xff, 0xfe, 97, 0) : text;
    expect(() => parseCsv(bytes, options)).toThrow(message);
  });

  test("a file is named, and read no further than the limit when a quote never closes", async () => {
    const path = fileOf(`a\n1\n"${"x\n".repeat(2 ** 20)}`);
    await expect(readCsv(path, { maxRowBytes: 2 ** 16 })).rejects.toThrow(
      `${path}: the row that begins on line 3 does not end within`,
    );
  });
});

describe("in pieces", () => {
  test("tables of so many rows, the same as the whole", async () => {
    const whole = table({
      x: Array.from({ length: 30_001 }, (_, i) => i / 7),
      s: Array.from({ length: 30_001 }, (_, i) => (i % 5 === 0 ? null : `text ${i % 977}\n"q"`)),
    });
    const path = fileOf(formatCsv(whole));
    const parts = [];
    for await (const part of streamCsv(path, { batchRows: 10_000 })) parts.push(part);
    expect(parts.map(({ length }) => length)).toEqual([10_000, 10_000, 10_000, 1]);
    const [first, ...rest] = parts;
    const joined = first!.concat(...rest);
    expect(joined.values("x")).toEqual(whole.values("x"));
    expect(joined.values("s")).toEqual(whole.values("s"));
    expect((await readCsv(path)).values("s")).toEqual(whole.values("s"));
  });

  test("a late value of another kind is an error that names its line", async () => {
    const path = fileOf(`a\n${"1\n".repeat(5000)}x\n`);
    const read = async (): Promise<void> => {
      for await (const part of streamCsv(path, { batchRows: 1000 })) expect(part.length).toBe(1000);
    };
    await expect(read()).rejects.toThrow('line 5002, column "a": "x" is not a number');
  });

  test("bytes as they arrive, one at a time", async () => {
    async function* bytes(): AsyncGenerator<Uint8Array> {
      for (const byte of new TextEncoder().encode('a,b\r\n1,"é ""x"""\r\n\r\n2,y')) yield Uint8Array.of(byte);
    }
    const parts = [];
    for await (const part of streamCsv(bytes(), { batchRows: 1 })) parts.push(part.row(0));
    expect(parts).toEqual([
      { a: 1, b: 'é "x"' },
      { a: 2, b: "y" },
    ]);
  });
});

test("any bytes give a table or an error of ours, the same whole and byte by byte", {
  timeout: 300_000,
}, async () => {
  const below = random(6);
  const rows = ["1,2\n", 'x,"a\n""b"""\r\n', ",\r", "\n", "#x\r\n", '"é",NA\n'];
  const pieces = [...rows, ...rows, ...rows, ...rows, '"', ",", "\r", "1", "x", "\0"].map((text) => [
    ...new TextEncoder().encode(text),
  ]);
  const counts = { tables: 0, errors: 0 };
  for (let round = 0; round < byTier(150, 20_000); round++) {
    const bytes = Uint8Array.from(
      Array.from({ length: below(16) }, () => pieces[below(pieces.length)]!).flat(),
    );
    const options = {
      sampleRows: 1 + below(3),
      comment: below(2) ? "#" : undefined,
      missing: below(2) ? ["", "NA"] : [],
    };
    const outcome = async (read: () => Promise<object[]>): Promise<unknown> => {
      try {
        return await read();
      } catch (error) {
        expect((error as Error).name).toBe("FormatError");
        return (error as Error).message.replace(/^\w+[: ]*/, "");
      }
    };
    async function* single(): AsyncGenerator<Uint8Array> {
      for (const byte of bytes) yield Uint8Array.of(byte);
    }
    // Kinds are told: what would be inferred depends on how much of the file has come.
    const strict = { ...options, header: ["a", "b"], schema: { a: "string", b: "string" } } as const;
    const whole = await outcome(async () => [...parseCsv(bytes, strict).rows()]);
    const streamed = await outcome(async () => {
      const found: object[] = [];
      for await (const part of streamCsv(single(), { ...strict, batchRows: 2 })) found.push(...part.rows());
      return found;
    });
    expect(streamed).toEqual(whole);
    await outcome(async () => [...parseCsv(bytes, options).rows()]);
    counts[typeof whole === "string" ? "errors" : "tables"]++;
  }
  expect(Math.min(counts.tables, counts.errors)).toBeGreaterThan(30);
});

fullTest("a stream of 300 MB takes no more memory than a table of it", async () => {
  const line = new TextEncoder().encode(`${"1.2345678,some text,".repeat(400)}0\n`.repeat(64));
  async function* source(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode(`${Array.from({ length: 801 }, (_, i) => `c${i}`).join(",")}\n`);
    for (let sent = 0; sent < 3e8; sent += line.length) yield line;
  }
  const before = process.memoryUsage().rss;
  let [rows, peak] = [0, before];
  for await (const part of streamCsv(source(), { batchRows: 1000 })) {
    rows += part.length;
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  expect(rows).toBeGreaterThan(35_000);
  expect(peak - before).toBeLessThan(2.5e8);
});

describe("written and read again", () => {
  test("any text in any quoting", () => {
    const below = random(4);
    const alphabet = ['"', ",", "\n", "\r", " ", "a", "é", "😀", "'", "\t", "#", "NA", "1", "\0"];
    for (let round = 0; round < byTier(60, 3000); round++) {
      const rows = 1 + below(12);
      const text = (): string =>
        Array.from({ length: below(6) }, () => alphabet[below(alphabet.length)]!).join("");
      const columns = Array.from({ length: 1 + below(4) }, (_, c) => {
        return [`${c} ${text()}`, Array.from({ length: rows }, text)] as const;
      });
      const original = table(Object.fromEntries(columns));
      const schema = Object.fromEntries(columns.map(([name]) => [name, "string"] as const));
      const read = parseCsv(formatCsv(original), { schema, missing: [] });
      expect([...read.rows()]).toEqual([...original.rows()]);
    }
  });

  test("numbers to the last bit, dates, booleans, missing values", async () => {
    const original = table({
      x: [0.1, -0, 1e-300, 1.7976931348623157e308, 5e-324, null, Infinity, 2 / 3],
      d: [new Date(0), null, new Date(1e12), ...Array<null>(5).fill(null)],
      b: [true, false, null, true, true, true, true, true],
    });
    const path = join(folder, "again.csv");
    await writeCsv(original, path);
    const read = await readCsv(path);
    expect([...read.rows()]).toEqual([...original.rows()]);
    expect(Object.is(read.values("x")[1], -0)).toBe(true);
    expect(readFileSync(path, "utf8").split("\n")[1]).toBe("0.1,1970-01-01T00:00:00.000Z,true");
  });
});
