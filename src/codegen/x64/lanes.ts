/**
 * Operations on all lanes of a shape: f32, i32 and u32 in one register, f64 in as many as the shape needs, bool in a mask
 * register or as a vector of 32-bit masks. Every function takes and gives the registers of a value.
 */
import { InternalError } from "../../base/errors.ts";
import type { BinaryOperator, CompareOperator, ScalarDType, UnaryOperator } from "../../graph/scalar.ts";
import type { Memory, Operand, Register } from "./assembler/operands.ts";
import { withBits } from "./assembler/operands.ts";
import type { Mnemonic } from "./assembler/tables/index.ts";
import type { Emitter } from "./emitter.ts";
import type { Shape } from "./isa.ts";

export type Vectors = readonly Register[];

export const missing = (operator: string, dtype: ScalarDType): InternalError =>
  new InternalError(`${operator} of ${dtype} has no instruction`);

const roundings = { round: 8, floor: 9, ceil: 10, trunc: 11 } as const;
/** Predicates of the compare instructions for floats (ordered, quiet) and integers. */
const floatPredicates = {
  equal: 0,
  less: 0x11,
  lessEqual: 0x12,
  notEqual: 4,
  greaterEqual: 0x1d,
  greater: 0x1e,
} as const;
const integerPredicates = {
  equal: 0,
  less: 1,
  lessEqual: 2,
  notEqual: 4,
  greaterEqual: 5,
  greater: 6,
} as const;
/** For `vpternlogd` of a, b and the sign bit: a or b, the sign cleared where they differ. */
const eitherButDifferentSigns = 0xd4;
const shifts = { shiftLeft: "vpsllvd", i32: "vpsravd", u32: "vpsrlvd" } as const;
const integerNames = {
  add: "vpaddd",
  sub: "vpsubd",
  mul: "vpmulld",
  and: "vandps",
  or: "vorps",
  xor: "vxorps",
} as const satisfies Partial<Record<BinaryOperator, Mnemonic>>;

export class Lanes {
  readonly e: Emitter;
  readonly shape: Shape;

  constructor(e: Emitter, shape: Shape) {
    this.e = e;
    this.shape = shape;
  }

  // ---- making values ------------------------------------------------------------------------------------------

  /** The result of an instruction in a new register. */
  op(mnemonic: Mnemonic, ...operands: readonly Operand[]): Register {
    const target = this.e.code.vector(this.shape.bits);
    this.e.code.emit(mnemonic, target, ...operands);
    return target;
  }
  private maskOp(mnemonic: Mnemonic, ...operands: readonly Operand[]): Register {
    const target = this.e.code.maskValue();
    this.e.code.emit(mnemonic, target, ...operands);
    return target;
  }
  private opMasked(
    mnemonic: Mnemonic,
    mask: Register,
    zeroing: boolean,
    ...operands: readonly Operand[]
  ): Register {
    const target = this.e.code.vector(this.shape.bits);
    this.e.code.emitMasked(mnemonic, mask, zeroing, target, ...operands);
    return target;
  }
  partsOf(dtype: ScalarDType): number {
    return dtype === "f64" ? this.shape.wideParts : 1;
  }
  integer(value: number): Register {
    return this.e.integer(value, this.shape.bits);
  }
  float(dtype: "f32" | "f64", value: number): Register {
    return this.e.constant(dtype, value, this.shape.bits);
  }
  constant(dtype: ScalarDType, value: number): Vectors {
    if (dtype === "bool" && this.shape.hasMaskRegisters) {
      const target = this.e.code.maskValue();
      this.e.code.emit(value ? "kxnorw" : "kxorw", target, target, target);
      return [target];
    }
    return Array<Register>(this.partsOf(dtype)).fill(this.e.constant(dtype, value, this.shape.bits));
  }
  /** The low half of a register, as half as many lanes. */
  private half(x: Register): Register {
    return withBits(x, this.shape.bits === 512 ? 256 : 128);
  }
  private highHalf(x: Register): Register {
    const { bits } = this.shape;
    const target = this.e.code.vector(bits === 512 ? 256 : 128);
    this.e.code.emit(bits === 512 ? "vextractf64x4" : "vextractf128", target, x, 1);
    return target;
  }
  private joined(low: Register, high: Register): Register {
    const whole = withBits(low, this.shape.bits);
    return this.op(this.shape.bits === 512 ? "vinsertf64x4" : "vinsertf128", whole, high, 1);
  }
  /** Bits of a register that holds half as many 32-bit lanes. */
  private get halfBits(): 128 | 256 {
    return this.shape.bits === 512 ? 256 : 128;
  }
  private halfOp(mnemonic: Mnemonic, ...operands: readonly Operand[]): Register {
    const target = this.e.code.vector(this.halfBits);
    this.e.code.emit(mnemonic, target, ...operands);
    return target;
  }

  // ---- conditions ---------------------------------------------------------------------------------------------

  /** The mask for each register of `dtype`. */
  masks(condition: Register, dtype: ScalarDType): Vectors {
    if (dtype !== "f64") return [condition];
    if (this.shape.hasMaskRegisters) return [condition, this.maskOp("kshiftrw", condition, 8)];
    if (this.shape.wideParts === 1) return [this.op("vpmovsxdq", condition)];
    return [this.op("vpmovsxdq", this.half(condition)), this.op("vpmovsxdq", this.highHalf(condition))];
  }
  and(a: Register, b: Register): Register {
    return this.shape.hasMaskRegisters ? this.maskOp("kandw", a, b) : this.op("vandps", a, b);
  }
  /** ¬a ∧ b */
  andNot(a: Register, b: Register): Register {
    return this.shape.hasMaskRegisters ? this.maskOp("kandnw", a, b) : this.op("vandnps", a, b);
  }
  private or(a: Register, b: Register): Register {
    return this.shape.hasMaskRegisters ? this.maskOp("korw", a, b) : this.op("vorps", a, b);
  }
  private xor(a: Register, b: Register): Register {
    return this.shape.hasMaskRegisters ? this.maskOp("kxorw", a, b) : this.op("vxorps", a, b);
  }
  not(a: Register): Register {
    return this.shape.hasMaskRegisters ? this.maskOp("knotw", a) : this.op("vxorps", a, this.integer(-1));
  }
  private boolBinary(operator: BinaryOperator, a: Register, b: Register): Register {
    switch (operator) {
      case "add":
      case "or":
      case "max":
        return this.or(a, b);
      case "mul":
      case "and":
      case "min":
        return this.and(a, b);
      case "sub":
      case "xor":
        return this.xor(a, b);
      default:
        throw missing(operator, "bool");
    }
  }

  // ---- arithmetic ---------------------------------------------------------------------------------------------

  unary(operator: UnaryOperator, dtype: ScalarDType, x: Vectors): Vectors {
    if (dtype === "f32" || dtype === "f64") return x.map((part) => this.floatUnary(operator, dtype, part));
    const [one] = x as [Register];
    if (dtype === "bool") return [operator === "not" ? this.not(one) : one];
    if (operator === "not") return [this.op("vxorps", one, this.integer(-1))];
    if (operator === "neg") return [this.op("vpsubd", this.integer(0), one)];
    if (operator === "abs") return [dtype === "i32" ? this.op("vpabsd", one) : one];
    if (operator === "sqrt") throw missing(operator, dtype);
    return [one];
  }

  private floatUnary(operator: UnaryOperator, dtype: "f32" | "f64", x: Register): Register {
    const suffix = dtype === "f32" ? "ps" : "pd";
    const negativeZero = this.float(dtype, -0);
    switch (operator) {
      case "neg":
        return this.op(`vxor${suffix}`, x, negativeZero);
      case "abs":
        return this.op(`vandn${suffix}`, negativeZero, x);
      case "sqrt":
        return this.op(`vsqrt${suffix}`, x);
      case "not":
        throw missing(operator, dtype);
      default:
        return this.op(
          this.shape.bits === 512 ? `vrndscale${suffix}` : `vround${suffix}`,
          x,
          roundings[operator],
        );
    }
  }

  /** `known`: operands that are constants, where cheaper instructions may do. */
  binary(
    operator: BinaryOperator,
    dtype: ScalarDType,
    a: Vectors,
    b: Vectors,
    known: { readonly a?: number | undefined; readonly b?: number | undefined } = {},
  ): Vectors {
    if (dtype === "f32" || dtype === "f64")
      return a.map((part, i) => this.floatBinary(operator, dtype, part, b[i]!, known));
    const [x, y] = [a[0]!, b[0]!];
    if (dtype === "bool") return [this.boolBinary(operator, x, y)];
    switch (operator) {
      case "min":
      case "max":
        return [this.op(`vp${operator}${dtype === "i32" ? "sd" : "ud"}`, x, y)];
      case "shiftLeft":
      case "shiftRight":
        return [this.shift(operator, dtype, x, y, known.b)];
      case "div":
        return [this.divided(dtype, x, y)];
      case "remainder": {
        const product = this.op("vpmulld", this.divided(dtype, x, y), y);
        const rest = this.op("vpsubd", x, product);
        return [this.zeroWhereZero(rest, y)];
      }
      case "scale":
        throw missing(operator, dtype);
      default:
        return [this.op(integerNames[operator], x, y)];
    }
  }

  private floatBinary(
    operator: BinaryOperator,
    dtype: "f32" | "f64",
    a: Register,
    b: Register,
    known: { readonly a?: number | undefined; readonly b?: number | undefined },
  ): Register {
    const suffix = dtype === "f32" ? "ps" : "pd";
    switch (operator) {
      case "add":
      case "sub":
      case "mul":
      case "div":
        return this.op(`v${operator}${suffix}`, a, b);
      case "min":
      case "max":
        if (known.a !== undefined && known.b === undefined)
          return this.extreme(operator, suffix, b, a, known.a);
        return this.extreme(operator, suffix, a, b, known.b);
      case "scale":
        if (dtype === "f32") return this.scaled(a, b);
    }
    throw missing(operator, dtype);
  }

  /** a · 2ᵇ: elsewhere two products by powers made of halves of b, neither of which rounds on the way. */
  private scaled(a: Register, b: Register): Register {
    if (this.e.isa.hasScale) return this.op("vscalefps", a, b);
    const whole = this.op("vcvtps2dq", b);
    const half = this.op("vpsrad", whole, 1);
    const power = (exponent: Register): Register =>
      this.op("vpslld", this.op("vpaddd", exponent, this.integer(127)), 23);
    return this.op("vmulps", this.op("vmulps", a, power(half)), power(this.op("vpsubd", whole, half)));
  }

  /**
   * `vmaxps(c, x)` is x where either is NaN or both are zero: right for a constant c that is neither NaN nor a zero whose sign
   * decides; for max(x, +0) adding +0 mends the sign. Else both orders are taken, and where they differ (zeros of two
   * signs, NaN) the difference is put right.
   */
  private extreme(
    operator: "min" | "max",
    suffix: "ps" | "pd",
    x: Register,
    c: Register,
    constant: number | undefined,
  ): Register {
    const name: Mnemonic = `v${operator}${suffix}`;
    if (constant !== undefined && !Number.isNaN(constant)) {
      if (operator === "max" && Object.is(constant, 0))
        return this.op(`vadd${suffix}`, this.op(name, c, x), c);
      if (!(operator === "min" && Object.is(constant, -0))) return this.op(name, c, x);
    }
    const [one, other] = [this.op(name, x, c), this.op(name, c, x)];
    if (operator === "min") return this.op(`vor${suffix}`, one, other);
    if (this.e.isa.hasTernaryLogic) {
      const sign = this.float(suffix === "pd" ? "f64" : "f32", -0);
      this.e.code.emit("vpternlogd", one, other, sign, eitherButDifferentSigns);
      return one;
    }
    const difference = this.op(`vxor${suffix}`, other, one);
    return this.op(`vsub${suffix}`, this.op(`vor${suffix}`, one, difference), difference);
  }

  private shift(
    operator: "shiftLeft" | "shiftRight",
    dtype: "i32" | "u32",
    x: Register,
    count: Register,
    known: number | undefined,
  ): Register {
    if (known !== undefined) {
      const name = operator === "shiftLeft" ? "vpslld" : dtype === "i32" ? "vpsrad" : "vpsrld";
      return this.op(name, x, known & 31);
    }
    const name = operator === "shiftLeft" ? shifts.shiftLeft : shifts[dtype];
    return this.op(name, x, this.op("vandps", count, this.integer(31)));
  }

  /** In f64 the quotient of two 32-bit integers is never rounded across an integer, so cutting it off is exact. */
  private divided(dtype: "i32" | "u32", a: Register, b: Register): Register {
    const [x, y] = [this.convert(dtype, "f64", [a]), this.convert(dtype, "f64", [b])];
    const quotient = x.map((part, i) => this.op("vdivpd", part, y[i]!));
    const [whole] = this.convert("f64", dtype, quotient) as [Register];
    const result = this.zeroWhereZero(whole, b);
    if (dtype === "u32") return result;
    // The smallest number ÷ −1 saturated to the largest; wrapping gives the smallest, one more.
    const smallest = this.compareInteger("equal", "i32", a, this.integer(-(2 ** 31)));
    const minusOne = this.compareInteger("equal", "i32", b, this.integer(-1));
    return this.selected(this.and(smallest, minusOne), a, result);
  }
  private zeroWhereZero(x: Register, divisor: Register): Register {
    return this.selected(this.compareInteger("equal", "i32", divisor, this.integer(0)), this.integer(0), x);
  }

  mulAdd(dtype: ScalarDType, a: Vectors, b: Vectors, c: Vectors): Vectors {
    if (dtype !== "f32" && dtype !== "f64")
      return this.binary("add", dtype, this.binary("mul", dtype, a, b), c);
    return a.map((part, i) => {
      const target = this.e.code.vector(this.shape.bits);
      this.e.code.fused(dtype === "f32" ? "ps" : "pd", [target, part, b[i]!, c[i]!]);
      return target;
    });
  }

  /** See `ir/kernel.ts`. Without the instructions that multiply bytes, even and odd bytes are taken apart. */
  dotAdd(parts: 2 | 4, a: Register, b: Register, c: Register): Vectors {
    if (this.e.isa.hasByteProducts) {
      const target = this.e.code.vector(this.shape.bits);
      this.e.code.fused(parts === 4 ? "bytes" : "pairs", [target, a, b, c]);
      return [target];
    }
    if (parts === 2) return [this.op("vpaddd", this.op("vpmaddwd", a, b), c)];
    return (["even", "odd"] as const).reduce<Vectors>(
      ([sum], which) => this.dotAdd(2, this.bytePairs(which, false, a), this.bytePairs(which, true, b), sum!),
      [c],
    );
  }
  bytePairs(which: "even" | "odd", isSigned: boolean, x: Register): Register {
    const shift = isSigned ? "vpsraw" : "vpsrlw";
    if (which === "odd") return this.op(shift, x, 8);
    return isSigned
      ? this.op(shift, this.op("vpsllw", x, 8), 8)
      : this.op("vandps", x, this.integer(0x00ff00ff));
  }

  // ---- compare and select -------------------------------------------------------------------------------------

  compare(operator: CompareOperator, dtype: ScalarDType, a: Vectors, b: Vectors): Register {
    const [x, y] = [a[0]!, b[0]!];
    if (dtype === "bool") return this.compareBool(operator, x, y);
    if (dtype === "i32" || dtype === "u32") return this.compareInteger(operator, dtype, x, y);
    const predicate = floatPredicates[operator];
    const name: Mnemonic = dtype === "f32" ? "vcmpps" : "vcmppd";
    if (this.shape.hasMaskRegisters) {
      const parts = a.map((part, i) => this.maskOp(name, part, b[i]!, predicate));
      return parts.length === 1 ? parts[0]! : this.maskOp("kunpckbw", parts[1]!, parts[0]!);
    }
    const parts = a.map((part, i) => this.op(name, part, b[i]!, predicate));
    return parts.length === 1 ? parts[0]! : this.narrowed(parts[0]!, parts[1]!);
  }
  /** Two masks of 64-bit lanes as one of 32-bit lanes. */
  private narrowed(low: Register, high: Register): Register {
    return this.op("vpermq", this.op("vshufps", low, high, 0x88), 0xd8);
  }
  private compareBool(operator: CompareOperator, a: Register, b: Register): Register {
    switch (operator) {
      case "equal":
        return this.not(this.xor(a, b));
      case "notEqual":
        return this.xor(a, b);
      case "less":
        return this.andNot(a, b);
      case "greater":
        return this.andNot(b, a);
      case "lessEqual":
        return this.not(this.andNot(b, a));
      case "greaterEqual":
        return this.not(this.andNot(a, b));
    }
  }
  compareInteger(operator: CompareOperator, dtype: "i32" | "u32", a: Register, b: Register): Register {
    if (this.shape.hasMaskRegisters)
      return this.maskOp(dtype === "i32" ? "vpcmpd" : "vpcmpud", a, b, integerPredicates[operator]);
    if (operator === "equal") return this.op("vpcmpeqd", a, b);
    if (operator === "notEqual") return this.not(this.op("vpcmpeqd", a, b));
    // There is no unsigned compare: with the top bits turned over the order is the signed one.
    const signed = (x: Register): Register =>
      dtype === "i32" ? x : this.op("vxorps", x, this.integer(-(2 ** 31)));
    const [x, y] = [signed(a), signed(b)];
    if (operator === "greater") return this.op("vpcmpgtd", x, y);
    if (operator === "less") return this.op("vpcmpgtd", y, x);
    return this.not(operator === "lessEqual" ? this.op("vpcmpgtd", x, y) : this.op("vpcmpgtd", y, x));
  }

  select(dtype: ScalarDType, condition: Register, a: Vectors, b: Vectors): Vectors {
    if (dtype === "bool" && this.shape.hasMaskRegisters)
      return [this.or(this.and(condition, a[0]!), this.andNot(condition, b[0]!))];
    const masks = this.masks(condition, dtype);
    return a.map((part, i) => this.selected(masks[i]!, part, b[i]!, dtype === "f64"));
  }
  private selected(mask: Register, a: Register, b: Register, isWide = false): Register {
    if (this.shape.hasMaskRegisters)
      return this.opMasked(isWide ? "vblendmpd" : "vblendmps", mask, false, b, a);
    return this.op(isWide ? "vblendvpd" : "vblendvps", b, a, mask);
  }

  // ---- conversions --------------------------------------------------------------------------------------------

  convert(from: ScalarDType, to: ScalarDType, x: Vectors): Vectors {
    if (from === to) return x;
    const [one] = x as [Register];
    if (to === "bool") return [this.compare("notEqual", from, x, this.constant(from, 0))];
    if (from === "bool") {
      const masks = this.masks(one, to);
      return this.constant(to, 1).map((value, i) =>
        this.shape.hasMaskRegisters
          ? this.opMasked(to === "f64" ? "vmovapd" : "vmovaps", masks[i]!, true, value)
          : this.op("vandps", masks[i]!, value),
      );
    }
    if (from === "f64") return [this.fromWide(to as "f32" | "i32" | "u32", x)];
    if (to === "f64") return this.toWide(from as "f32" | "i32" | "u32", one);
    if (from === "f32") return [to === "i32" ? this.truncated(one) : this.truncatedUnsigned(one)];
    if (to === "f32") return [from === "i32" ? this.op("vcvtdq2ps", one) : this.unsignedToFloat(one)];
    return [one];
  }

  private toWide(from: "f32" | "i32" | "u32", x: Register): Vectors {
    const halves = this.shape.wideParts === 1 ? [x] : [this.half(x), this.highHalf(x)];
    if (from === "f32") return halves.map((h) => this.op("vcvtps2pd", h));
    if (from === "i32") return halves.map((h) => this.op("vcvtdq2pd", h));
    if (this.shape.bits === 512) return halves.map((h) => this.op("vcvtudq2pd", h));
    return halves.map((h) => {
      const signed = this.halfOp("vxorps", h, withBits(this.e.integer(-(2 ** 31), 128), this.halfBits));
      return this.op("vaddpd", this.op("vcvtdq2pd", signed), this.float("f64", 2 ** 31));
    });
  }

  private fromWide(to: "f32" | "i32" | "u32", x: Vectors): Register {
    const parts = x.map((part) => this.fromWidePart(to, part));
    return parts.length === 1 ? withBits(parts[0]!, this.shape.bits) : this.joined(parts[0]!, parts[1]!);
  }
  private fromWidePart(to: "f32" | "i32" | "u32", x: Register): Register {
    if (to === "f32") return this.halfOp("vcvtpd2ps", x);
    const clamp = (low: number, high: number): Register => {
      const ordered = this.shape.hasMaskRegisters
        ? this.opMasked("vmovapd", this.maskOp("vcmppd", x, x, 7), true, x)
        : this.op("vandpd", x, this.op("vcmppd", x, x, 7));
      return this.op("vminpd", this.op("vmaxpd", ordered, this.float("f64", low)), this.float("f64", high));
    };
    if (to === "i32") return this.halfOp("vcvttpd2dq", clamp(-(2 ** 31), 2 ** 31 - 1));
    const clamped = clamp(0, 2 ** 32 - 1);
    if (this.shape.bits === 512) return this.halfOp("vcvttpd2udq", clamped);
    const shifted = this.op(
      "vsubpd",
      this.op("vroundpd", clamped, roundings.trunc),
      this.float("f64", 2 ** 31),
    );
    return this.halfOp(
      "vxorps",
      this.halfOp("vcvttpd2dq", shifted),
      this.e.integer(-(2 ** 31), this.halfBits),
    );
  }

  /** Cut off, saturated, NaN made 0: the instruction gives 0x80000000 for all that does not fit. */
  private truncated(x: Register): Register {
    const tooLarge = this.compare("greaterEqual", "f32", [x], [this.float("f32", 2 ** 31)]);
    const whole = this.selected(tooLarge, this.integer(2 ** 31 - 1), this.op("vcvttps2dq", x));
    return this.selected(this.compare("notEqual", "f32", [x], [x]), this.integer(0), whole);
  }
  private truncatedUnsigned(x: Register): Register {
    // The second operand where the first is NaN.
    const positive = this.op("vmaxps", x, this.float("f32", 0));
    if (this.shape.bits === 512) return this.op("vcvttps2udq", positive);
    const limit = this.float("f32", 2 ** 31);
    const isLarge = this.compare("greaterEqual", "f32", [positive], [limit]);
    const rest = this.op("vsubps", positive, limit);
    const overflow = this.compare("greaterEqual", "f32", [rest], [limit]);
    const high = this.op("vxorps", this.op("vcvttps2dq", rest), overflow);
    return this.op("vpaddd", this.op("vcvttps2dq", positive), this.op("vandps", high, isLarge));
  }
  /** Both halves are exact, so the sum is rounded once. */
  private unsignedToFloat(x: Register): Register {
    if (this.shape.bits === 512) return this.op("vcvtudq2ps", x);
    const high = this.op("vmulps", this.op("vcvtdq2ps", this.op("vpsrld", x, 16)), this.float("f32", 65536));
    return this.op("vaddps", high, this.op("vcvtdq2ps", this.op("vandps", x, this.integer(65535))));
  }

  bitcast(from: ScalarDType, to: ScalarDType, x: Vectors): Vectors {
    const isWrong = (from === "f64") !== (to === "f64") || from === "bool" || to === "bool";
    if (isWrong && from !== to) throw missing(`bitcast to ${to}`, from);
    return x;
  }

  // ---- between shapes -----------------------------------------------------------------------------------------

  /** A scalar in every lane. */
  splat(dtype: ScalarDType, x: Register): Vectors {
    if (this.shape.lanes === 1) return [x];
    if (dtype === "f64") return Array<Register>(this.partsOf(dtype)).fill(this.op("vbroadcastsd", x));
    const wide = this.op("vbroadcastss", x);
    if (dtype !== "bool" || !this.shape.hasMaskRegisters) return [wide];
    return [this.maskOp("vpmovd2m", wide)];
  }
  /** Conditions as a vector of all ones or zeros. */
  asVector(dtype: ScalarDType, x: Register): Register {
    if (dtype !== "bool" || !this.shape.hasMaskRegisters) return x;
    return this.op("vpmovm2d", x);
  }
  /** Stores 16 bytes of a register. */
  storeChunk(to: Memory, x: Register, index: number): void {
    const { code, isa } = this.e;
    if (index === 0) code.emit("vmovups", to, withBits(x, 128));
    else code.emit(isa.vectorRegisters === 32 ? "vextractf32x4" : "vextractf128", to, x, index);
  }
  /** 16 bytes of a register as an xmm. */
  chunk(x: Register, index: number): Register {
    if (index === 0 || x.bits === 128) return withBits(x, 128);
    const target = this.e.code.vector(128);
    this.e.code.emit(this.e.isa.vectorRegisters === 32 ? "vextractf32x4" : "vextractf128", target, x, index);
    return target;
  }
}
