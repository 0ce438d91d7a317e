/**
 * The inner loop over rows that are plain, as WebAssembly: it has the 64-bit integers that JavaScript lacks. What is not
 * plain is left to who called.
 */
import { ModuleBuilder } from "../../codegen/wasm/module.ts";
import type { ValueType } from "../../codegen/wasm/opcodes.ts";
import { type Emit, Writer } from "../../codegen/wasm/writer.ts";
import { convert, digitBlocks, exponentPart, mantissa } from "./kernel-number.ts";
import {
  byteAt,
  carriageReturn,
  isEnd,
  layout,
  lineFeed,
  minus,
  next,
  parameters,
  quote,
} from "./kernel-writer.ts";

/** Calls end when so many fields are left over. */
export const maxOdd = 1024;
export const columnBytes = 8;
/** What a string column gets for each row: start, end (below zero where quotes within are doubled), hash. */
export const stringBytes = 12;

/** What the module exports. Gives the position of the first row that was not read. */
export type ReadRows = (
  from: number,
  to: number,
  maxRows: number,
  columnsEnd: number,
  delimiter: number,
  decimalPoint: number,
  comment: number,
  hasEmpty: number,
  hashStart: number,
) => number;

/** The module's bytes. */
export function kernelModule(pages: {
  readonly initialPages: number;
  readonly maximumPages: number;
}): Uint8Array {
  const w = new Writer(parameters);
  w.declare(
    "i32",
    "p",
    "row",
    "rowStart",
    "column",
    "kind",
    "out",
    "byte",
    "hash",
    "start",
    "isOdd",
    "isNegative",
    "highestEnd",
  );
  w.declare(
    "i32",
    "mark",
    "exponent",
    "power",
    "isBelow",
    "isEscaped",
    "shift",
    "upper",
    "binary",
    "address",
  );
  w.declare("i64", "digits", "eight", "high", "low", "factor", "cross", "middle");
  w.declare("f64", "value");
  const { code, get, i32 } = w;
  w.set("p", get("from"));
  w.when(
    w.op("i32.gt_u", get("delimiter"), i32(carriageReturn)),
    () => w.set("highestEnd", get("delimiter")),
    () => w.set("highestEnd", i32(carriageReturn)),
  );
  // Left by branching out: the row that begins at rowStart is not read.
  code.block(() => {
    code.loop(() => {
      w.set("rowStart", get("p"));
      w.op("i32.ge_u", get("row"), get("maxRows"))();
      code.branchIf(1);
      w.op("i32.ge_u", get("p"), get("to"))();
      code.branchIf(1);
      w.set("byte", byteAt(w, "p"));
      w.op(
        "i32.or",
        w.op("i32.or", w.is(get("byte"), i32(lineFeed)), w.is(get("byte"), i32(carriageReturn))),
        w.is(get("byte"), get("comment")),
      )();
      code.branchIf(1);
      w.set("column", i32(layout.columns));
      code.loop(() => {
        w.set("kind", w.load("i32.load", get("column")));
        w.set("out", w.load("i32.load", get("column"), 4));
        w.set("byte", byteAt(w, "p"));
        w.when(
          w.is(get("kind"), i32(1)),
          // Depth of the outermost block: the two loops and this condition lie between.
          () => number(w, 3),
          () =>
            w.when(
              w.is(get("kind"), i32(3)),
              () => whole(w, 4),
              () => text(w, 4),
            ),
        );
        w.set("column", w.add(get("column"), i32(columnBytes)));
        w.op("i32.lt_u", get("column"), get("columnsEnd"))();
        code.if(() => {
          w.op("i32.ne", get("byte"), get("delimiter"))();
          code.branchIf(3);
          w.set("p", w.add(get("p"), i32(1)));
          code.branch(1);
        });
      });
      // The end of the row.
      w.when(w.is(get("byte"), i32(carriageReturn)), () => {
        w.set("p", w.add(get("p"), i32(1)));
        w.set("byte", byteAt(w, "p"));
      });
      w.op("i32.ne", get("byte"), i32(lineFeed))();
      code.branchIf(1);
      w.set("p", w.add(get("p"), i32(1)));
      w.set("row", w.add(get("row"), i32(1)));
      // What was left over counts with its row.
      w.store("i32.store", i32(0), get("row"), layout.rows);
      w.store("i32.store", i32(0), get("isOdd"), layout.oddCount);
      code.branch(0);
    });
  });
  get("rowStart")();
  const module = new ModuleBuilder("csv", { shared: false, ...pages });
  const index = module.declare();
  const type = { parameters: parameters.map((): ValueType => "i32"), results: ["i32" as const] };
  module.define(index, "readRows", type, w.locals, [code]);
  module.export("readRows", index);
  return module.encode();
}

/** A field of strings, or one that is skipped: where it stands and its hash. `outside`: the depth of the block that gives up. */
function text(w: Writer, outside: number): void {
  const { code, get, i32 } = w;
  w.set("hash", get("hashStart"));
  w.set("isEscaped", i32(0));
  w.when(
    w.is(get("byte"), i32(quote)),
    () => {
      next(w);
      w.set("start", get("p"));
      code.block(() => {
        code.loop(() => {
          w.when(w.is(get("byte"), i32(quote)), () => {
            w.op("i32.ne", byteAt(w, "p", 1), i32(quote))();
            code.branchIf(2);
            w.set("isEscaped", i32(1));
            next(w);
          });
          // Line breaks in quotes are counted elsewhere; a zero is the end of what is there.
          w.op("i32.lt_u", get("byte"), i32(14))();
          code.branchIf(outside + 3);
          hashed(w);
          next(w);
          code.branch(0);
        });
      });
      w.set("mark", get("p"));
      next(w);
      w.op("i32.eqz", isEnd(w))();
      code.branchIf(outside + 1);
    },
    () => {
      w.set("start", get("p"));
      code.block(() => {
        code.loop(() => {
          // Most bytes lie above all that need a closer look.
          w.when(w.op("i32.le_u", get("byte"), get("highestEnd")), () => {
            isEnd(w)();
            code.branchIf(2);
            w.op("i32.eqz", get("byte"))();
            code.branchIf(outside + 4);
          });
          hashed(w);
          next(w);
          code.branch(0);
        });
      });
      w.set("mark", get("p"));
    },
  );
  w.when(w.is(get("kind"), i32(2)), () => {
    w.set("address", w.add(get("out"), w.op("i32.mul", get("row"), i32(stringBytes))));
    w.store("i32.store", get("address"), get("start"));
    // Below zero where two quotes stand for one: written out by who called.
    w.when(get("isEscaped"), () => w.set("mark", w.op("i32.sub", i32(0), get("mark"))));
    w.store("i32.store", get("address"), get("mark"), 4);
    w.store("i32.store", get("address"), get("hash"), 8);
  });
}

/** Notes a field that is left over; `full` is the depth of the block that gives up. */
function noteOdd(w: Writer, end: Emit, full: number): void {
  const { code, get, i32 } = w;
  w.is(get("isOdd"), i32(maxOdd))();
  code.branchIf(full);
  w.set("address", w.op("i32.shl", get("isOdd"), i32(4)));
  w.store("i32.store", get("address"), get("row"), layout.odd);
  w.store("i32.store", get("address"), get("column"), layout.odd + 4);
  w.store("i32.store", get("address"), get("start"), layout.odd + 8);
  w.store("i32.store", get("address"), end, layout.odd + 12);
  w.set("isOdd", w.add(get("isOdd"), i32(1)));
}

/** FNV-1a, as `byte-dictionary.ts` has it. */
const hashed = (w: Writer): void =>
  w.set("hash", w.op("i32.mul", w.op("i32.xor", w.get("hash"), w.get("byte")), w.i32(0x01000193)));

/** A field of numbers. */
function number(w: Writer, outside: number): void {
  const { code, get, i32 } = w;
  w.set("start", get("p"));
  w.is(get("byte"), i32(quote))();
  code.branchIf(outside);
  // Left by branching out where the number is not plain.
  code.block(() => {
    code.block(() => {
      w.set("isNegative", w.is(get("byte"), i32(minus)));
      // No branch: signs follow no pattern.
      w.set("p", w.add(get("p"), get("isNegative")));
      w.set("byte", byteAt(w, "p"));
      mantissa(w, 0);
      w.when(w.is(w.op("i32.or", get("byte"), i32(32)), i32(101)), () => exponentPart(w, 1));
      w.op("i32.eqz", isEnd(w))();
      code.branchIf(0);
      convert(w, 0);
      // Large whole numbers: whether they were kept exactly has to be looked at.
      w.op("f64.ge", get("value"), () => code.f64(2 ** 53))();
      code.branchIf(0);
      const sign = w.op("i64.shl", w.op("i64.extend_i32_u", get("isNegative")), w.i64(63));
      const signed = w.op("i64.or", w.op("i64.reinterpret_f64", get("value")), sign);
      w.store("i64.store", w.add(get("out"), w.op("i32.shl", get("row"), i32(3))), signed);
      code.branch(1);
    });
    leftOver(w, outside + 1);
  });
}

/** A field of whole numbers of 32 bits. */
function whole(w: Writer, outside: number): void {
  const { code, get, i32, i64 } = w;
  w.set("start", get("p"));
  w.is(get("byte"), i32(quote))();
  code.branchIf(outside);
  // Left by branching out where it is none.
  code.block(() => {
    code.block(() => {
      w.set("isNegative", w.is(get("byte"), i32(minus)));
      w.set("p", w.add(get("p"), get("isNegative")));
      w.set("mark", get("p"));
      w.set("digits", i64(0));
      digitBlocks(w);
      w.op("i32.eqz", isEnd(w))();
      code.branchIf(0);
      // One digit to ten, so that the value has not overflowed; then neither too large nor −0.
      w.op("i32.gt_u", w.op("i32.sub", w.op("i32.sub", get("p"), get("mark")), i32(1)), i32(9))();
      code.branchIf(0);
      const least = w.op("i64.extend_i32_u", get("isNegative"));
      w.op("i64.ge_u", w.op("i64.sub", get("digits"), least), i64(2 ** 31 - 1))();
      code.branchIf(0);
      const magnitude = w.op("i32.wrap_i64", get("digits"));
      const flipped = w.op("i32.xor", magnitude, w.op("i32.sub", i32(0), get("isNegative")));
      const address = w.add(get("out"), w.op("i32.shl", get("row"), i32(2)));
      w.store("i32.store", address, w.add(flipped, get("isNegative")));
      code.branch(1);
    });
    leftOver(w, outside + 1);
  });
}

/** A field that is no plain number: missing where nothing stands there, else noted. */
function leftOver(w: Writer, outside: number): void {
  const { code, get, i32 } = w;
  // Back to its start, then to its end.
  w.set("p", get("start"));
  w.set("byte", byteAt(w, "p"));
  code.block(() => {
    code.loop(() => {
      isEnd(w)();
      code.branchIf(1);
      w.op("i32.eqz", get("byte"))();
      code.branchIf(outside + 2);
      next(w);
      code.branch(0);
    });
  });
  w.when(
    w.op(
      "i32.and",
      w.op("i32.and", w.is(get("p"), get("start")), get("hasEmpty")),
      w.is(get("kind"), i32(1)),
    ),
    () => {
      const address = w.add(get("out"), w.op("i32.shl", get("row"), i32(3)));
      w.store("f64.store", address, () => code.f64(Number.NaN));
    },
    () => noteOdd(w, get("p"), outside + 1),
  );
}
