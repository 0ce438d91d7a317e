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

/** Digits and point: `digits`, their count `shift`, and `exponent`. At most 19 digits after leading zeros. */
export function mantissa(w: Writer, odd: number): void {
  const { code, get, i32, i64 } = w;
  w.set("digits", i64(0));
  w.set("exponent", i32(0));
  w.set("mark", get("p"));
  digitLoop(w);
  w.set("shift", w.op("i32.sub", get("p"), get("mark")));
  w.when(w.is(get("byte"), get("point")), () => {
    w.set("p", w.add(get("p"), i32(1)));
    w.set("address", get("p"));
    digitBlocks(w);
    w.set("exponent", w.op("i32.sub", get("address"), get("p")));
    w.set("shift", w.op("i32.sub", get("shift"), get("exponent")));
  });
  w.op("i32.eqz", get("shift"))();
  code.branchIf(odd);
  w.when(w.op("i32.gt_u", get("shift"), i32(19)), () => {
    withoutLeadingZeros(w);
    w.op("i32.gt_u", get("shift"), i32(19))();
    code.branchIf(odd + 1);
  });
}

/** Counts digits from the first that is not zero. */
function withoutLeadingZeros(w: Writer): void {
  const { code, get, i32 } = w;
  code.block(() => {
    code.loop(() => {
      w.set("power", byteAt(w, "mark"));
      const isZero = w.is(get("power"), i32(48));
      w.op("i32.eqz", w.op("i32.or", isZero, w.is(get("power"), get("point"))))();
      code.branchIf(1);
      w.set("shift", w.op("i32.sub", get("shift"), isZero));
      w.set("mark", w.add(get("mark"), i32(1)));
      code.branch(0);
    });
  });
}

/** Digit by digit: what stands before a point is mostly short, and as long as in the row before. */
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

/** The same byte eight times. */
const every = (w: Writer, byte: number): Emit => w.i64(BigInt(byte) * 0x0101010101010101n);

/**
 * Digits from `p` on, added to `digits`: eight bytes at a time, as long as all are digits; then those of the last eight that are, without a branch for each: how
 * many there are cannot be predicted.
 */
export function digitBlocks(w: Writer): void {
  const { code, get, i32, i64 } = w;
  code.block(() => {
    code.loop(() => {
      w.set("eight", w.op("i64.xor", w.load("i64.load", get("p")), every(w, 0x30)));
      // The top bit of each byte that is no digit, exact up to the first such byte.
      const sum = w.op("i64.add", get("eight"), every(w, 0x76));
      w.set("low", w.op("i64.and", w.op("i64.or", sum, get("eight")), every(w, 0x80)));
      w.op("i64.ne", get("low"), i64(0))();
      code.branchIf(1);
      w.set("digits", w.op("i64.add", w.op("i64.mul", get("digits"), i64(100_000_000)), eightDigits(w)));
      w.set("p", w.add(get("p"), i32(8)));
      code.branch(0);
    });
  });
  w.set("low", w.op("i64.and", w.op("i64.ctz", get("low")), i64(0x78)));
  w.when(w.op("i64.ne", get("low"), i64(0)), () => {
    // Moved up, so that zeros stand before them.
    w.set("eight", w.op("i64.shl", get("eight"), w.op("i64.sub", i64(64), get("low"))));
    const power = w.load("i64.load", w.op("i32.wrap_i64", get("low")), layout.wholePowersOfTen);
    w.set("digits", w.op("i64.add", w.op("i64.mul", get("digits"), power), eightDigits(w)));
    w.set("p", w.add(get("p"), w.op("i32.wrap_i64", w.op("i64.shr_u", get("low"), i64(3)))));
  });
  w.set("byte", byteAt(w, "p"));
}

/** The number that eight values of 0 to 9 say, the first in the lowest byte: three multiplications for all of them. */
function eightDigits(w: Writer): Emit {
  const { get, i64 } = w;
  const pairs = w.op(
    "i64.add",
    w.op("i64.mul", get("eight"), i64(10)),
    w.op("i64.shr_u", get("eight"), i64(8)),
  );
  const mask = i64(0x000000ff000000ffn);
  const outer = w.op(
    "i64.mul",
    w.op("i64.and", w.tee("eight", pairs), mask),
    i64(100n + (1_000_000n << 32n)),
  );
  const upper = w.op("i64.and", w.op("i64.shr_u", get("eight"), i64(16)), mask);
  const inner = w.op("i64.mul", upper, i64(1n + (10_000n << 32n)));
  return w.op("i64.shr_u", w.op("i64.add", outer, inner), i64(32));
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
  // Left by branching out where the value is found.
  code.block(() => {
    // How many digits there are is a better guide than how large they are: it changes less from row to row.
    w.when(w.op("i32.gt_u", get("shift"), i32(15)), () => {
      w.set("eight", get("digits"));
      code.block(() => {
        w.op("i64.eqz", get("digits"))();
        code.branchIf(0);
        product(w, 0);
        code.branch(2);
      });
      w.set("digits", get("eight"));
    });
    const isSmall = w.op("i64.le_u", get("digits"), i64(2n ** 53n));
    const isNear = w.op("i32.le_u", w.add(get("exponent"), i32(22)), i32(44));
    w.op("i32.eqz", w.op("i32.and", isSmall, w.op("i32.or", isNear, w.op("i64.eqz", get("digits")))))();
    code.branchIf(odd + 1);
    w.set("value", w.op("f64.convert_i64_u", get("digits")));
    w.op("i64.eqz", get("digits"))();
    code.branchIf(0);
    const powerOf = (exponent: Emit): Emit =>
      w.load("f64.load", w.op("i32.shl", exponent, i32(3)), layout.powersOfTen);
    w.when(
      w.op("i32.lt_s", get("exponent"), i32(0)),
      () => w.set("value", w.op("f64.div", get("value"), powerOf(w.op("i32.sub", i32(0), get("exponent"))))),
      () => w.set("value", w.op("f64.mul", get("value"), powerOf(get("exponent")))),
    );
  });
}

/** `a` · `b`: the upper 64 bits into `upper`. */
function multiplyHigh(w: Writer, a: string, b: string, upper: string): void {
  const { get, i64 } = w;
  const upperHalf = (x: Emit): Emit => w.op("i64.shr_u", x, i64(32));
  const lowerHalf = (x: Emit): Emit => w.op("i64.and", x, i64(0xffffffffn));
  const times = (x: Emit, y: Emit): Emit => w.op("i64.mul", x, y);
  const plus = (x: Emit, y: Emit): Emit => w.op("i64.add", x, y);
  w.set("cross", times(lowerHalf(get(a)), upperHalf(get(b))));
  const carried = plus(upperHalf(times(lowerHalf(get(a)), lowerHalf(get(b)))), lowerHalf(get("cross")));
  w.set("middle", plus(carried, times(upperHalf(get(a)), lowerHalf(get(b)))));
  const high = times(upperHalf(get(a)), upperHalf(get(b)));
  w.set(upper, plus(plus(high, upperHalf(get("cross"))), upperHalf(get("middle"))));
}

/** Lemire's product: 64 bits of digits by 64 bits of a power of five, by 128 where those do not decide. Branches where neither does. */
function product(w: Writer, doubt: number): void {
  const { code, get, i32, i64 } = w;
  w.op("i32.gt_u", w.add(get("exponent"), i32(largestPower)), i32(2 * largestPower))();
  code.branchIf(doubt);
  w.set("shift", w.op("i32.wrap_i64", w.op("i64.clz", get("digits"))));
  w.set("digits", w.op("i64.shl", get("digits"), w.op("i64.extend_i32_u", get("shift"))));
  const entry = w.op("i32.shl", w.add(get("exponent"), i32(largestPower)), i32(4));
  w.set("factor", w.load("i64.load", entry, layout.powersOfFive));
  multiplyHigh(w, "digits", "factor", "high");
  w.set("low", w.op("i64.mul", get("digits"), get("factor")));
  // The power was cut: a carry from below could still change the rounding.
  const isCarryPossible = w.op("i64.eq", w.op("i64.and", get("high"), i64(0x1ff)), i64(0x1ff));
  w.when(isCarryPossible, () => {
    w.set("factor", w.load("i64.load", entry, layout.powersOfFive + 8));
    multiplyHigh(w, "digits", "factor", "factor");
    w.set("low", w.op("i64.add", get("low"), get("factor")));
    const carry = w.op("i64.extend_i32_u", w.op("i64.lt_u", get("low"), get("factor")));
    w.set("high", w.op("i64.add", get("high"), carry));
    // What is cut from these 128 bits adds less than 2.
    w.op("i32.and", isCarryPossible, w.op("i64.ge_u", get("low"), i64(-2)))();
    code.branchIf(doubt + 1);
  });
  // It could be a tie.
  w.op("i64.le_u", get("low"), i64(1))();
  code.branchIf(doubt);
  w.set("upper", w.op("i32.wrap_i64", w.op("i64.shr_u", get("high"), i64(63))));
  w.set("digits", w.op("i64.shr_u", get("high"), w.op("i64.extend_i32_u", w.add(get("upper"), i32(9)))));
  // ⌊log2 10^exponent⌋ + 63, then the position of the first bit, with the bias of a double.
  const log2 = w.op("i32.shr_s", w.op("i32.mul", get("exponent"), i32(217706)), i32(16));
  w.set("binary", w.op("i32.sub", w.add(w.add(log2, i32(63 + 1023)), get("upper")), get("shift")));
  w.set(
    "digits",
    w.op("i64.shr_u", w.op("i64.add", get("digits"), w.op("i64.and", get("digits"), i64(1))), i64(1)),
  );
  w.when(w.op("i64.ge_u", get("digits"), i64(2n ** 53n)), () => {
    w.set("digits", w.op("i64.shr_u", get("digits"), i64(1)));
    w.set("binary", w.add(get("binary"), i32(1)));
  });
  // Neither too small for a normal double nor too large for any.
  w.op("i32.ge_u", w.op("i32.sub", get("binary"), i32(1)), i32(2046))();
  code.branchIf(doubt);
  const fraction = w.op("i64.xor", get("digits"), i64(2n ** 52n));
  const bits = w.op("i64.or", fraction, w.op("i64.shl", w.op("i64.extend_i32_u", get("binary")), i64(52)));
  w.set("value", w.op("f64.reinterpret_i64", bits));
}

/** Fills in what the code looks up. */
export function writeTables(memory: ArrayBuffer): void {
  const powersOfTen = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
  new Float64Array(memory, layout.powersOfTen, powersOfTen.length).set(powersOfTen);
  new BigUint64Array(memory, layout.wholePowersOfTen, 8).set(powersOfTen.slice(0, 8).map(BigInt));
  const powers = new BigUint64Array(memory, layout.powersOfFive, 2 * (2 * largestPower + 1));
  for (let i = 0; i < powers.length; i += 2) {
    const bits = leadingBits(i / 2 - largestPower);
    powers[i] = bits >> 64n;
    powers[i + 1] = BigInt.asUintN(64, bits);
  }
}

/** The first 128 bits of 5^exponent. */
function leadingBits(exponent: number): bigint {
  const power = 5n ** BigInt(Math.abs(exponent));
  const size = (x: bigint): number => x.toString(2).length;
  // Divided where it lies below 1.
  const scaled = exponent >= 0 ? power << 128n : (1n << BigInt(size(power) + 128)) / power;
  return scaled >> BigInt(size(scaled) - 128);
}
