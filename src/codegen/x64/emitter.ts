/** What all parts of a kernel's code generation share: machine code, constants, sizes. */
import type { DType } from "../../base/dtype.ts";
import {
  addSizes,
  type Dimension,
  dimensionsOf,
  multiplySizes,
  type Size,
  SizeExpression,
  sizeKey,
} from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import type { KernelBuffer } from "../../ir/kernel.ts";
import type { Assembler } from "./assembler/assembler.ts";
import { at, gpr64, type Label, type Memory, type Register, withBits } from "./assembler/operands.ts";
import type { Isa } from "./isa.ts";
import { record } from "./layout.ts";
import { MachineCode } from "./machine/code.ts";

export interface KernelOptions {
  readonly isa: Isa;
  /** Buffers whose f32 subnormals become zero as they are stored. */
  readonly flush: ReadonlySet<KernelBuffer>;
  /** Buffers that are larger than the caches and only written: vectors go past the caches. */
  readonly streamed: ReadonlySet<KernelBuffer>;
  /** Buffers that the caches near the processor do not hold. */
  readonly far: ReadonlySet<KernelBuffer>;
  dimensionOffset(dimension: Dimension): number;
  /** Several threads call it, each with its number; parallel loops share out their iterations. */
  readonly isShared: boolean;
  /** Bytes from one thread's copy of a scratch buffer to the next thread's. */
  readonly threadBytes: ReadonlyMap<KernelBuffer, number>;
  /** The routine that notes a failed check. */
  readonly report: Label;
}

export type { DType };

export class Emitter {
  readonly code: MachineCode;
  readonly options: KernelOptions;
  readonly isa: Isa;
  readonly record: Register;
  /** Whether stores that go past the caches were written: what follows the kernel must see them. */
  streams = false;
  /** By their words, as wide as the widest vector. */
  private readonly constants = new Map<string, Register>();
  /** Of constants that are the same in all lanes, by dtype and value. */
  private readonly scalars = new Map<string, Register>();
  private readonly sizes = new Map<string, Register>();
  private block: Register | undefined;

  constructor(assembler: Assembler, options: KernelOptions) {
    this.code = new MachineCode(assembler);
    this.options = options;
    this.isa = options.isa;
    this.record = this.code.general();
    this.code.atStart(() => this.code.emit("mov", this.record, gpr64(7)));
  }

  /** The address of the argument block. */
  get argumentBlock(): Register {
    this.block ??= this.fromRecord(record.arguments);
    return this.block;
  }
  fromRecord(offset: number): Register {
    return this.atStart((target) => this.code.emit("mov", target, at(this.record, offset)));
  }
  /** A 64-bit value computed once, at the start. */
  atStart(compute: (target: Register) => void): Register {
    const target = this.code.general();
    this.code.atStart(() => compute(target));
    return target;
  }

  // ---- constants ----------------------------------------------------------------------------------------------

  /** A vector whose 32-bit words repeat `words`; in a register if one is free, else in memory. */
  wordsVector(words: ArrayLike<number>, bits: Register["bits"]): Register {
    const [first] = words as readonly number[];
    const isUniform = Array.prototype.every.call(words, (word) => word === first);
    const key = isUniform ? `${first}` : Array.prototype.join.call(words, ",");
    let found = this.constants.get(key);
    if (found === undefined) {
      const full = this.isa.vector.bits;
      const bytes = new Uint8Array(full / 8);
      const view = new Int32Array(bytes.buffer);
      for (let i = 0; i < view.length; i++) view[i] = words[i % words.length]!;
      const home = this.code.assembler.constant(bytes);
      const fresh = this.code.virtual("vector", full, home);
      this.code.atStart(() => this.code.emit("vmovups", fresh, home));
      this.constants.set(key, (found = fresh));
    }
    return withBits(found, bits);
  }
  constant(dtype: ScalarDType, value: number, bits: Register["bits"]): Register {
    const key = `${dtype} ${Object.is(value, -0) ? "-0" : value}`;
    let found = this.scalars.get(key);
    if (found === undefined)
      this.scalars.set(key, (found = this.wordsVector(wordsOf(dtype, value), this.isa.vector.bits)));
    return withBits(found, bits);
  }
  integer(value: number, bits: Register["bits"]): Register {
    return this.wordsVector([value], bits);
  }

  // ---- sizes --------------------------------------------------------------------------------------------------

  /** size × factor: a number, or a register computed at the start. */
  size(size: Size, factor = 1): number | Register {
    const scaled = multiplySizes(size, factor);
    if (typeof scaled === "number") return scaled;
    const key = sizeKey(scaled);
    let found = this.sizes.get(key);
    if (found === undefined)
      this.sizes.set(key, (found = this.atStart((target) => this.computeSize(scaled, target))));
    return found;
  }

  private computeSize(size: Size, target: Register): void {
    const { code } = this;
    const block = this.argumentBlock;
    code.emit("xor", target, target);
    const terms =
      size instanceof SizeExpression ? size.terms : [{ coefficient: 1, dimensions: dimensionsOf(size) }];
    for (const { coefficient, dimensions } of terms) {
      const product = code.general();
      this.setNumber(product, coefficient);
      for (const dimension of dimensions)
        code.emit("imul", product, at(block, this.options.dimensionOffset(dimension)));
      code.emit("add", target, product);
    }
  }

  setNumber(target: Register, value: number): void {
    const { code } = this;
    if (value >= 0 && value < 2 ** 32) code.emit("mov", withBits(target, 32), value);
    else if (value >= -(2 ** 31) && value < 0) code.emit("mov", target, value);
    else code.emit("movabs", target, BigInt(value));
  }
  /** target += size × factor. */
  addSize(target: Register, size: Size, factor = 1): void {
    const value = this.size(size, factor);
    if (typeof value !== "number") return this.code.emit("add", target, value);
    if (value === 0) return;
    if (Math.abs(value) < 2 ** 31) return this.code.emit("add", target, value);
    const large = this.code.general();
    this.setNumber(large, value);
    this.code.emit("add", target, large);
  }
  /** target × size, as a new value. */
  multiplied(x: Register, size: Size, factor = 1): Register {
    const value = this.size(size, factor);
    const target = this.code.general();
    if (typeof value === "number" && Math.abs(value) < 2 ** 31) this.code.emit("imul", target, x, value);
    else {
      this.code.emit("mov", target, x);
      let by = value;
      if (typeof by === "number") {
        const large = this.code.general();
        this.setNumber(large, by);
        by = large;
      }
      this.code.emit("imul", target, by);
    }
    return target;
  }

  /** A register holding the number. */
  inRegister(value: number | Register): Register {
    if (typeof value !== "number") return value;
    const target = this.code.general();
    this.setNumber(target, value);
    return target;
  }
}

/** The part of a size that depends on dimensions, and the number. */
export function splitConstant(constant: Size): [Size, number] {
  if (typeof constant === "number") return [0, constant];
  if (!(constant instanceof SizeExpression)) return [constant, 0];
  const now = constant.terms.find(({ dimensions }) => dimensions.length === 0)?.coefficient ?? 0;
  return [addSizes(constant, -now), now];
}

/** 32-bit words of a number. Conditions are all ones or zeros. */
export function wordsOf(dtype: ScalarDType, value: number): Int32Array {
  if (dtype === "f32") return new Int32Array(Float32Array.of(value).buffer);
  if (dtype === "f64") return new Int32Array(Float64Array.of(value).buffer);
  return Int32Array.of(dtype === "bool" ? (value ? -1 : 0) : value);
}

/** Where an element lies: base + displacement. */
export const placeAt = (base: Register, displacement: number, bits: Memory["bits"] = 64): Memory =>
  at(base, displacement, bits);
