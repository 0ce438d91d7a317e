/**
 * The inner loop over rows that are plain, as WebAssembly: it has the 64-bit integers that JavaScript lacks.
 *
 * A number's digits become one 64-bit integer, eight at a time, and that a double: by one exact operation where digits and
 * power of ten are exact doubles (Clinger 1990), else by a product with 64 bits of the power of five (Lemire, "Number parsing
 * at a gigabyte per second", 2021), which rounds correctly unless it says so. What is not plain is left to who called.
 */
import { Code, Locals } from "../../codegen/wasm/code.ts";
import { ModuleBuilder } from "../../codegen/wasm/module.ts";
import type { MemoryOp, PlainOp, ValueType } from "../../codegen/wasm/opcodes.ts";

/** Where things lie in the memory. */
export const layout = {
  /** Rows read by the last call. */
  rows: 0,
  /** Fields left over by the last call, 16 bytes each from `odd` on: row, column, start, end. */
  oddCount: 4,
  /** f64: 10^0 … 10^22. */
  powersOfTen: 64,
  /** u64: 5^−64 … 5^64, each without its leading zeros, cut to 64 bits. */
  powersOfFive: 256,
  odd: 2048,
  /** Eight bytes each: kind, and where its values go. */
  columns: 2048 + 16 * 1024,
} as const;

/** Calls end when so many fields are left over. */
export const maxOdd = 1024;
export const columnBytes = 8;
/** What a string column gets for each row: start, end (below zero where quotes within are doubled), hash. */
export const stringBytes = 12;
const largestPower = 64;

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

const parameters = [
  "from",
  "to",
  "maxRows",
  "columnsEnd",
  "delimiter",
  "point",
  "comment",
  "hasEmpty",
  "hashStart",
];

type Emit = () => void;

/** Instructions as nested calls: operands first, as they are evaluated. */
class Writer {
  readonly code = new Code();
  readonly locals = new Locals(parameters.length);
  readonly #indices = new Map(parameters.map((name, i) => [name, i]));

  /** Declares locals. */
  declare(type: ValueType, ...names: string[]): void {
    for (const name of names) this.#indices.set(name, this.locals.fresh(type));
  }
  #index(name: string): number {
    return this.#indices.get(name)!;
  }
  get =
    (name: string): Emit =>
    () =>
      this.code.get(this.#index(name));
  tee =
    (name: string, value: Emit): Emit =>
    () => {
      value();
      this.code.tee(this.#index(name));
    };
  set(name: string, value: Emit): void {
    value();
    this.code.set(this.#index(name));
  }
  i32 =
    (value: number): Emit =>
    () =>
      this.code.i32(value);
  i64 =
    (value: number): Emit =>
    () =>
      this.code.i64(value);
  op =
    (name: PlainOp, ...operands: readonly Emit[]): Emit =>
    () => {
      for (const operand of operands) operand();
      this.code.op(name);
    };
  load =
    (name: MemoryOp, address: Emit, offset = 0): Emit =>
    () => {
      address();
      this.code.memory(name, offset);
    };
  store(name: MemoryOp, address: Emit, value: Emit, offset = 0): void {
    address();
    value();
    this.code.memory(name, offset);
  }
  when(condition: Emit, then: Emit, otherwise?: Emit): void {
    condition();
    this.code.if(then, otherwise);
  }
  add = (a: Emit, b: Emit): Emit => this.op("i32.add", a, b);
  is = (a: Emit, value: Emit): Emit => this.op("i32.eq", a, value);
}

const [lineFeed, carriageReturn, quote, minus] = [10, 13, 34, 45];

/** The module's bytes. */
export function kernelModule(pages: {
  readonly initialPages: number;
  readonly maximumPages: number;
}): Uint8Array {
  const w = new Writer();
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
          () => text(w, 3),
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

const byteAt = (w: Writer, name: string, offset = 0): Emit => w.load("i32.load8_u", w.get(name), offset);

/** Moves `p` on and reads the byte there. */
function next(w: Writer): void {
  w.set("p", w.add(w.get("p"), w.i32(1)));
  w.set("byte", byteAt(w, "p"));
}

const isEnd = (w: Writer): Emit =>
  w.op(
    "i32.or",
    w.op("i32.or", w.is(w.get("byte"), w.get("delimiter")), w.is(w.get("byte"), w.i32(lineFeed))),
    w.is(w.get("byte"), w.i32(carriageReturn)),
  );

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
          isEnd(w)();
          code.branchIf(1);
          w.op("i32.eqz", get("byte"))();
          code.branchIf(outside + 3);
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
      w.when(get("isNegative"), () => next(w));
      mantissa(w, 0);
      w.when(w.is(w.op("i32.or", get("byte"), i32(32)), i32(101)), () => exponentPart(w, 1));
      w.op("i32.eqz", isEnd(w))();
      code.branchIf(0);
      convert(w, 0);
      // Large whole numbers: whether they were kept exactly has to be looked at.
      w.op("f64.ge", get("value"), () => code.f64(2 ** 53))();
      code.branchIf(0);
      w.when(get("isNegative"), () => w.set("value", w.op("f64.neg", get("value"))));
      w.store("f64.store", w.add(get("out"), w.op("i32.shl", get("row"), i32(3))), get("value"));
      code.branch(1);
    });
    leftOver(w, outside + 1);
  });
}

/** Digits and point: `digits` and `exponent`. At most 19 digits after leading zeros. */
function mantissa(w: Writer, odd: number): void {
  const { code, get, i32, i64 } = w;
  w.set("digits", i64(0));
  w.set("exponent", i32(0));
  w.set("mark", get("p"));
  digitLoop(w);
  // Digits so far, and below those of the fraction.
  w.set("shift", w.op("i32.sub", get("p"), get("mark")));
  w.when(
    w.is(get("byte"), get("point")),
    () => {
      next(w);
      w.set("address", get("p"));
      w.when(
        w.op("i64.eqz", get("digits")),
        () => {
          code.block(() => {
            code.loop(() => {
              w.op("i32.ne", get("byte"), i32(48))();
              code.branchIf(1);
              next(w);
              code.branch(0);
            });
          });
          // Zeros are digits, but no significant ones: counted from 19 on, there is room for all others.
          w.set("upper", w.op("i32.sub", get("p"), get("address")));
        },
        () => w.set("upper", i32(0)),
      );
      eightDigits(w);
      digitLoop(w);
      w.set("exponent", w.op("i32.sub", get("address"), get("p")));
      w.set("shift", w.op("i32.add", get("shift"), w.op("i32.sub", get("p"), get("address"))));
    },
    () => w.set("upper", i32(0)),
  );
  w.op("i32.eqz", get("shift"))();
  code.branchIf(odd);
  w.op("i32.gt_u", w.op("i32.sub", get("shift"), get("upper")), i32(19))();
  code.branchIf(odd);
}

function digitLoop(w: Writer): void {
  const { code, get, i32 } = w;
  code.block(() => {
    code.loop(() => {
      w.op("i32.ge_u", w.tee("power", w.op("i32.sub", get("byte"), i32(48))), i32(10))();
      code.branchIf(1);
      w.set(
        "digits",
        w.op("i64.add", w.op("i64.mul", get("digits"), w.i64(10)), w.op("i64.extend_i32_u", get("power"))),
      );
      next(w);
      code.branch(0);
    });
  });
}

/** As long as eight bytes are eight digits: three multiplications for all of them. */
function eightDigits(w: Writer): void {
  const { code, get, i64 } = w;
  const every = (byte: number): Emit => w.op("i64.mul", i64(byte), ones);
  const ones: Emit = w.op("i64.or", w.op("i64.shl", i64(0x01010101), i64(32)), i64(0x01010101));
  code.block(() => {
    code.loop(() => {
      w.set("eight", w.load("i64.load", get("p")));
      // A byte is a digit when its high half is 3, and still is after 6 is added.
      w.op(
        "i64.ne",
        w.op(
          "i64.or",
          w.op("i64.and", get("eight"), every(0xf0)),
          w.op("i64.shr_u", w.op("i64.and", w.op("i64.add", get("eight"), every(6)), every(0xf0)), i64(4)),
        ),
        every(0x33),
      )();
      code.branchIf(1);
      w.set("eight", w.op("i64.sub", get("eight"), every(0x30)));
      w.set(
        "eight",
        w.op("i64.add", w.op("i64.mul", get("eight"), i64(10)), w.op("i64.shr_u", get("eight"), i64(8))),
      );
      const mask: Emit = w.op("i64.or", w.op("i64.shl", i64(0xff), i64(32)), i64(0xff));
      // 100 + 1,000,000 · 2^32 and 1 + 10,000 · 2^32.
      const [outer, inner]: [Emit, Emit] = [
        w.op("i64.add", i64(100), w.op("i64.shl", i64(1_000_000), i64(32))),
        w.op("i64.add", i64(1), w.op("i64.shl", i64(10_000), i64(32))),
      ];
      w.set(
        "eight",
        w.op(
          "i64.shr_u",
          w.op(
            "i64.add",
            w.op("i64.mul", w.op("i64.and", get("eight"), mask), outer),
            w.op("i64.mul", w.op("i64.and", w.op("i64.shr_u", get("eight"), i64(16)), mask), inner),
          ),
          i64(32),
        ),
      );
      w.set("digits", w.op("i64.add", w.op("i64.mul", get("digits"), i64(100_000_000)), get("eight")));
      w.set("p", w.add(get("p"), w.i32(8)));
      code.branch(0);
    });
  });
  w.set("byte", byteAt(w, "p"));
}

function exponentPart(w: Writer, odd: number): void {
  const { code, get, i32 } = w;
  next(w);
  w.set("isBelow", w.is(get("byte"), i32(minus)));
  w.when(w.op("i32.or", get("isBelow"), w.is(get("byte"), i32(43))), () => next(w));
  w.set("mark", get("p"));
  w.set("upper", i32(0));
  code.block(() => {
    code.loop(() => {
      w.op("i32.ge_u", w.tee("power", w.op("i32.sub", get("byte"), i32(48))), i32(10))();
      code.branchIf(1);
      w.op("i32.gt_u", w.op("i32.sub", get("p"), get("mark")), i32(4))();
      code.branchIf(1);
      w.set("upper", w.add(w.op("i32.mul", get("upper"), i32(10)), get("power")));
      next(w);
      code.branch(0);
    });
  });
  w.is(get("p"), get("mark"))();
  code.branchIf(odd);
  w.when(
    get("isBelow"),
    () => w.set("exponent", w.op("i32.sub", get("exponent"), get("upper"))),
    () => w.set("exponent", w.add(get("exponent"), get("upper"))),
  );
}

/** `digits` · 10^`exponent` as the nearest double, into `value`. */
function convert(w: Writer, odd: number): void {
  const { code, get, i32, i64 } = w;
  const isSmall = w.op("i64.le_u", get("digits"), w.op("i64.shl", i64(1), i64(53)));
  const isNear = w.op("i32.le_u", w.add(get("exponent"), i32(22)), i32(44));
  w.when(
    w.op("i32.and", isSmall, isNear),
    () => {
      w.set("value", w.op("f64.convert_i64_u", get("digits")));
      const powerOf = (exponent: Emit): Emit =>
        w.load("f64.load", w.op("i32.shl", exponent, i32(3)), layout.powersOfTen);
      w.when(
        w.op("i32.lt_s", get("exponent"), i32(0)),
        () =>
          w.set("value", w.op("f64.div", get("value"), powerOf(w.op("i32.sub", i32(0), get("exponent"))))),
        () => w.set("value", w.op("f64.mul", get("value"), powerOf(get("exponent")))),
      );
    },
    () => {
      w.when(
        w.op("i64.eqz", get("digits")),
        () => w.set("value", () => code.f64(0)),
        () => product(w, odd + 2),
      );
    },
  );
}

/** Lemire's product: 64 bits of digits by 64 bits of a power of five. */
function product(w: Writer, odd: number): void {
  const { code, get, i32, i64 } = w;
  w.op("i32.gt_u", w.add(get("exponent"), i32(largestPower)), i32(2 * largestPower))();
  code.branchIf(odd);
  w.set("shift", w.op("i32.wrap_i64", w.op("i64.clz", get("digits"))));
  w.set("digits", w.op("i64.shl", get("digits"), w.op("i64.extend_i32_u", get("shift"))));
  w.set(
    "factor",
    w.load(
      "i64.load",
      w.op("i32.shl", w.add(get("exponent"), i32(largestPower)), i32(3)),
      layout.powersOfFive,
    ),
  );
  const upperHalf = (x: Emit): Emit => w.op("i64.shr_u", x, i64(32));
  const lowerHalf = (x: Emit): Emit => w.op("i64.and", x, w.op("i64.shr_u", i64(-1), i64(32)));
  const times = (a: Emit, b: Emit): Emit => w.op("i64.mul", a, b);
  w.set("cross", times(lowerHalf(get("digits")), upperHalf(get("factor"))));
  w.set(
    "middle",
    w.op(
      "i64.add",
      w.op(
        "i64.add",
        upperHalf(times(lowerHalf(get("digits")), lowerHalf(get("factor")))),
        lowerHalf(get("cross")),
      ),
      times(upperHalf(get("digits")), lowerHalf(get("factor"))),
    ),
  );
  w.set(
    "high",
    w.op(
      "i64.add",
      w.op("i64.add", times(upperHalf(get("digits")), upperHalf(get("factor"))), upperHalf(get("cross"))),
      upperHalf(get("middle")),
    ),
  );
  w.set("low", times(get("digits"), get("factor")));
  // The power was cut: a carry from below could still change the rounding. Or it could be a tie.
  w.op("i64.eq", w.op("i64.and", get("high"), i64(0x1ff)), i64(0x1ff))();
  code.branchIf(odd);
  w.op("i64.le_u", get("low"), i64(1))();
  code.branchIf(odd);
  w.set("upper", w.op("i32.wrap_i64", w.op("i64.shr_u", get("high"), i64(63))));
  w.set("digits", w.op("i64.shr_u", get("high"), w.op("i64.extend_i32_u", w.add(get("upper"), i32(9)))));
  // ⌊log2 10^exponent⌋ + 63, then the position of the first bit, with the bias of a double.
  const log2 = w.op("i32.shr_s", w.op("i32.mul", get("exponent"), i32(217706)), i32(16));
  w.set("binary", w.op("i32.sub", w.add(w.add(log2, i32(63 + 1023)), get("upper")), get("shift")));
  w.set(
    "digits",
    w.op("i64.shr_u", w.op("i64.add", get("digits"), w.op("i64.and", get("digits"), i64(1))), i64(1)),
  );
  w.when(w.op("i64.ge_u", get("digits"), w.op("i64.shl", i64(1), i64(53))), () => {
    w.set("digits", w.op("i64.shr_u", get("digits"), i64(1)));
    w.set("binary", w.add(get("binary"), i32(1)));
  });
  // Neither too small for a normal double nor too large for any.
  w.op("i32.ge_u", w.op("i32.sub", get("binary"), i32(1)), i32(2046))();
  code.branchIf(odd);
  const fraction = w.op("i64.xor", get("digits"), w.op("i64.shl", i64(1), i64(52)));
  const bits = w.op("i64.or", fraction, w.op("i64.shl", w.op("i64.extend_i32_u", get("binary")), i64(52)));
  w.set("value", w.op("f64.reinterpret_i64", bits));
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
    w.op("i32.and", w.is(get("p"), get("start")), get("hasEmpty")),
    () => {
      const address = w.add(get("out"), w.op("i32.shl", get("row"), i32(3)));
      w.store("f64.store", address, () => code.f64(Number.NaN));
    },
    () => noteOdd(w, get("p"), outside + 1),
  );
}

/** Fills in what the code looks up. */
export function writeTables(memory: ArrayBuffer): void {
  new Float64Array(memory, layout.powersOfTen, 23).set(
    Array.from({ length: 23 }, (_, i) => Number(`1e${i}`)),
  );
  const powers = new BigUint64Array(memory, layout.powersOfFive, 2 * largestPower + 1);
  for (let i = 0; i < powers.length; i++) powers[i] = leadingBits(i - largestPower);
}

/** The first 64 bits of 5^exponent. */
function leadingBits(exponent: number): bigint {
  const power = 5n ** BigInt(Math.abs(exponent));
  const bits = power.toString(2).length;
  if (exponent >= 0) return bits <= 64 ? power << BigInt(64 - bits) : power >> BigInt(bits - 64);
  const quotient = (1n << BigInt(bits + 64)) / power;
  return quotient >> BigInt(quotient.toString(2).length - 64);
}
