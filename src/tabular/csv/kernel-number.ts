/**
 * A plain number's text as the nearest double, in WebAssembly.
 *
 * Its digits become one 64-bit integer, eight at a time, and that a double: by one exact operation where digits and power of
 * ten are exact doubles (Clinger 1990), else by a product with 64 bits of the power of five (Lemire, "Number parsing at a
 * gigabyte per second", 2021), which rounds correctly unless it says so. `odd`: the depth of the block for what is not plain.
 */
import type { Emit, Writer } from "../../codegen/wasm/writer.ts";
import { byteAt, layout, minus, next } from "./kernel-writer.ts";

const largestPower = 64;

/** Digits and point: `digits` and `exponent`. At most 19 digits after leading zeros. */
export function mantissa(w: Writer, odd: number): void {
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

/** The letter, a sign and digits: added to `exponent`. */
export function exponentPart(w: Writer, odd: number): void {
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
export function convert(w: Writer, odd: number): void {
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
