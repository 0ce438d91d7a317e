/**
 * A kernel as one function: rdi points to its record (`layout.ts`). Outside vector loops every value is one element in the
 * low lane of an xmm. Loops over vectors are in `vector-loop.ts`.
 */
import { bytesOf } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { boundsOf, type Size } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import type {
  Affine,
  Kernel,
  KernelBuffer,
  Loop,
  Register as LoopRegister,
  Statement,
  Value,
} from "../../ir/kernel.ts";
import type { Assembler } from "./assembler/assembler.ts";
import { at, type Register, rsp, withBits } from "./assembler/operands.ts";
import { computeElementwise } from "./elementwise.ts";
import { Emitter, type KernelOptions, placeAt } from "./emitter.ts";
import { operandsOf } from "./flatten.ts";
import { type Isa, type Shape, scalarShape } from "./isa.ts";
import { Lanes, type Vectors } from "./lanes.ts";
import { record } from "./layout.ts";
import { type FinishedFunction, finishFunction } from "./machine/finish.ts";
import { rowsAhead } from "./rows-ahead.ts";
import { type Address, Scope, Scopes } from "./scopes.ts";
import { SharedLoop } from "./shared-loop.ts";
import { Storage } from "./storage.ts";
import { VectorLoop } from "./vector-loop.ts";

/** Offsets in the frame of what the report routine takes. */
export const reportArguments = { check: 0, position: 8, value: 16, block: 24 } as const;

/** Writes the kernel's function at the assembler's place. */
export function emitKernel(assembler: Assembler, kernel: Kernel, options: KernelOptions): FinishedFunction {
  const emitter = new KernelEmitter(assembler, kernel, options);
  emitter.block(kernel.body);
  if (emitter.e.streams) emitter.e.code.emit("sfence");
  return finishFunction(emitter.e.code, options.isa, emitter.e.record);
}

export class KernelEmitter {
  readonly e: Emitter;
  readonly scopes: Scopes;
  readonly options: KernelOptions;
  readonly scalar: Lanes;
  readonly lanes: Lanes;
  readonly storage: Storage;
  /** Loads that ask for the same place in the next row, so many bytes further on. */
  readonly ahead: ReadonlyMap<Value, number>;
  /** Values outside vector loops. */
  readonly values = new Map<Value, Register>();
  private readonly registers = new Map<LoopRegister, Register[]>();
  /** Integers that are in a general register too. */
  private readonly generals = new Map<number, Register>();

  constructor(assembler: Assembler, kernel: Kernel, options: KernelOptions) {
    this.options = options;
    this.e = new Emitter(assembler, options);
    const offsetOf = (i: number): number => record.first + 8 * i;
    const buffers = new Map(kernel.buffers.map((buffer, i) => [buffer, offsetOf(i)]));
    const parameters = new Map(
      kernel.parameters.map(({ index }, i) => [index, offsetOf(kernel.buffers.length + i)]),
    );
    this.scopes = new Scopes(this.e, parameters, buffers);
    this.scalar = new Lanes(this.e, scalarShape);
    this.lanes = new Lanes(this.e, shapeFor(kernel, options.isa));
    this.storage = new Storage(this.e, this.lanes);
    this.ahead = rowsAhead(kernel, options.far);
  }

  block(statements: readonly Statement[]): void {
    for (const statement of statements) this.statement(statement);
  }

  private statement(statement: Statement): void {
    switch (statement.kind) {
      case "define":
        this.values.set(statement.value, this.defined(statement.value));
        return;
      case "store": {
        const { buffer, value } = statement;
        const dynamic = statement.dynamic.map(({ index, stride }) => ({ index: this.use(index), stride }));
        const address = this.address(buffer, statement.address, dynamic);
        const flush = value.dtype === "f32" && this.options.flush.has(buffer);
        return this.storage.storeScalar(buffer.dtype, address, this.use(value), flush);
      }
      case "set":
        return this.set(
          statement.register,
          this.scopes.known(statement.subscript),
          this.use(statement.value),
        );
      case "prefetch": {
        const { base, offset } = this.address(statement.buffer, statement.address, []);
        return this.e.code.emit("prefetcht0", placeAt(base, offset, 8));
      }
      case "loop":
        return this.loop(statement);
    }
  }

  private use(value: Value): Register {
    const found = this.values.get(value);
    if (found === undefined) throw new InternalError(`a ${value.kind} value is used before it is defined`);
    return found;
  }

  // ---- values -------------------------------------------------------------------------------------------------

  private defined(value: Value): Register {
    const operands =
      value.kind === "load"
        ? value.dynamic.map(({ index }) => this.use(index))
        : operandsOf(value).map((x) => this.use(x));
    return this.computed(value, operands);
  }

  /** One element of a value, from its operands; `affine` replaces the one in the value where that is resolved. */
  computed(value: Value, operands: readonly Register[], affine?: Affine, element?: number): Register {
    const { scalar } = this;
    const [a, b, c] = operands as [Register, Register, Register];
    switch (value.kind) {
      case "constant":
        return scalar.constant(value.dtype, value.value)[0]!;
      case "index": {
        const general = this.scopes.value(affine ?? value.affine);
        const x = scalar.op("vmovd", withBits(general, 32));
        this.generals.set(x.number, general);
        return x;
      }
      case "load": {
        const dynamic = value.dynamic.map(({ stride }, i) => ({ index: operands[i]!, stride }));
        const address = this.address(value.buffer, affine ?? value.address, dynamic);
        return this.storage.loadScalar(value.buffer.dtype, address);
      }
      case "checkIndex":
        return this.checkedIndex(value, a, affine ?? value.position);
      case "check":
        this.checked(value, a, b, affine ?? value.position);
        return b;
      case "register": {
        if (value.register.lanes > 1)
          throw new InternalError(
            `register ${value.register.name}: its lanes are read outside a vector loop`,
          );
        const subscript = element ?? this.scopes.known(value.subscript);
        // A copy: the register may be set while the value is still used.
        return scalar.op("vmovaps", this.registerVectors(value.register, subscript, 0)[0]!);
      }
      case "combine":
        return this.combined(value);
      default:
        return computeElementwise(scalar, value, [[a], [b], [c]])[0]!;
    }
  }

  /** An integer as a 64-bit number in a general register. */
  general(x: Register): Register {
    const known = this.generals.get(x.number);
    if (known !== undefined) return known;
    const target = this.e.code.general();
    this.e.code.emit("vmovd", withBits(target, 32), withBits(x, 128));
    this.e.code.emit("movsxd", target, withBits(target, 32));
    return target;
  }

  private checkedIndex(
    value: Extract<Value, { kind: "checkIndex" }>,
    x: Register,
    position: Affine,
  ): Register {
    const { code } = this.e;
    const index = code.general();
    code.emit("vmovd", withBits(index, 32), x);
    code.emit("movsxd", index, withBits(index, 32));
    const size = this.e.size(value.size);
    const [bad, back] = [code.label(), code.label()];
    code.emit("cmp", index, size);
    code.emit("jae", bad);
    code.bind(back);
    const checked = this.scalar.op("vmovd", withBits(index, 32));
    this.generals.set(checked.number, index);
    code.cold(bad, back, () => {
      this.report(value.check, this.scopes.value(position), this.scalar.convert("i32", "f64", [x])[0]!);
      const [zero, last] = [code.general(), code.general()];
      code.emit("xor", zero, zero);
      if (typeof size === "number") this.e.setNumber(last, size);
      else code.emit("mov", last, size);
      code.emit("sub", last, 1);
      code.emit("cmp", index, 0);
      code.emit("mov", index, last);
      code.emit("cmovl", index, zero);
    });
    return checked;
  }

  private checked(
    value: Extract<Value, { kind: "check" }>,
    condition: Register,
    x: Register,
    position: Affine,
  ): void {
    const { code } = this.e;
    const [bad, back] = [code.label(), code.label()];
    const word = withBits(code.general(), 32);
    code.emit("vmovd", word, condition);
    code.emit("test", word, word);
    code.emit("je", bad);
    code.bind(back);
    code.cold(bad, back, () => {
      const wide = this.asF64(value.dtype, x);
      this.report(value.check, this.scopes.value(position), wide);
    });
  }
  asF64(dtype: ScalarDType, x: Register): Register {
    return this.scalar.convert(dtype, "f64", [x])[0]!;
  }

  /** Calls the routine that notes a failed check; it keeps all registers. */
  report(check: number, position: Register, value: Register): void {
    const { code } = this.e;
    const slot = (offset: number) => at(rsp, offset);
    code.emit("mov", slot(reportArguments.check), check);
    code.emit("mov", slot(reportArguments.position), position);
    code.emit("vmovsd", slot(reportArguments.value), value);
    code.emit("mov", slot(reportArguments.block), this.e.argumentBlock);
    code.emitCall(this.options.report);
  }

  /** The address of an element with data-dependent terms. */
  address(
    buffer: KernelBuffer,
    affine: Affine,
    dynamic: readonly { readonly index: Register; readonly stride: Size }[],
  ): Address {
    const { base, offset } = this.scopes.address(buffer, affine);
    if (dynamic.length === 0) return { base, offset };
    const { code } = this.e;
    const sum = code.general();
    code.emit("mov", sum, base);
    for (const { index, stride } of dynamic)
      code.emit("add", sum, this.e.multiplied(this.general(index), stride, bytesOf(buffer.dtype)));
    return { base: sum, offset };
  }

  /** Where a vector of values lies while its lanes are reported: an offset in the frame. */
  scratch(): number {
    this.scratchOffset ??= this.e.code.reserve(128).displacement;
    return this.scratchOffset;
  }
  private scratchOffset: number | undefined;

  /** The mask of the first `count` lanes, made once. */
  knownMask(count: number): Register {
    let found = this.knownMasks.get(count);
    if (found === undefined) {
      const mask = this.e.code.maskValue();
      const word = withBits(this.e.code.general(), 32);
      this.e.code.atStart(() => {
        this.e.code.emit("mov", word, 2 ** count - 1);
        this.e.code.emit("kmovw", mask, word);
      });
      this.knownMasks.set(count, (found = mask));
    }
    return found;
  }
  private readonly knownMasks = new Map<number, Register>();

  // ---- registers ----------------------------------------------------------------------------------------------

  /** One element of a register: its lanes from `group` × the vector's on, or its only one. */
  registerVectors(register: LoopRegister, element: number, group: number): Vectors {
    const { lanes, count, dtype, name } = register;
    const { shape } = this.lanes;
    const groups = lanes === 1 ? 1 : lanes / shape.lanes;
    if (!Number.isInteger(groups))
      throw new InternalError(`register ${name} has ${lanes} lanes: need 1 or a multiple of ${shape.lanes}`);
    if (element < 0 || element >= count)
      throw new InternalError(`element ${element} of register ${name} is outside its ${count}`);
    const parts = lanes === 1 ? 1 : this.lanes.partsOf(dtype);
    let found = this.registers.get(register);
    if (found === undefined) {
      const { code } = this.e;
      const isMask = dtype === "bool" && lanes > 1 && shape.hasMaskRegisters;
      const fresh = (): Register => (isMask ? code.maskValue() : code.vector(lanes === 1 ? 128 : shape.bits));
      found = Array.from({ length: count * groups * parts }, fresh);
      this.registers.set(register, found);
    }
    const first = (element * groups + (group % groups)) * parts;
    return found.slice(first, first + parts);
  }

  copyInto(target: Register, from: Register): void {
    this.e.code.emit(target.class === "mask" ? "kmovw" : "vmovaps", target, withBits(from, target.bits));
  }

  private set(register: LoopRegister, element: number, value: Register): void {
    if (register.lanes === 1) return this.copyInto(this.registerVectors(register, element, 0)[0]!, value);
    const { shape } = this.lanes;
    const splat = this.lanes.splat(register.dtype, value);
    for (let group = 0; group < register.lanes / shape.lanes; group++)
      this.registerVectors(register, element, group).forEach((target, i) => {
        this.copyInto(target, splat[i]!);
      });
  }

  /** Lane l with lane l + lanes/2, halving: whole vectors, then halves of one. */
  private combined({ register, subscript, operator }: Extract<Value, { kind: "combine" }>): Register {
    const { dtype, lanes } = register;
    const { code } = this.e;
    const element = this.scopes.known(subscript);
    const groups = lanes === 1 ? 1 : lanes / this.lanes.shape.lanes;
    let vectors: Register[] = Array.from({ length: groups }, (_, g) =>
      this.registerVectors(register, element, g).map((r) => this.lanes.asVector(dtype, r)),
    ).flat();
    if (lanes === 1) return this.scalar.op("vmovaps", vectors[0]!);
    const fold = (shape: Lanes, a: Register, b: Register): Register => {
      // Conditions are folded as vectors.
      const as: ScalarDType = dtype === "bool" ? "bool" : dtype;
      return shape.binary(operator, as, [a], [b])[0]!;
    };
    const vectorFold =
      dtype === "bool" ? new Lanes(this.e, { ...this.lanes.shape, hasMaskRegisters: false }) : this.lanes;
    while (vectors.length > 1) {
      const half = vectors.length / 2;
      vectors = vectors.slice(0, half).map((a, i) => fold(vectorFold, a, vectors[half + i]!));
    }
    let last = vectors[0]!;
    if (this.lanes.shape.lanes === 1) return last;
    for (const bits of [256, 128] as const) {
      if (last.bits <= bits) continue;
      const high = code.vector(bits);
      const name = last.bits === 512 ? "vextractf64x4" : "vextractf128";
      code.emit(name, high, last, 1);
      const narrow = new Lanes(this.e, { ...this.lanes.shape, bits, hasMaskRegisters: false });
      last = fold(narrow, withBits(last, bits), high);
    }
    const swaps = dtype === "f64" ? [0x4e] : [0x4e, 0xb1];
    for (const swap of swaps) last = fold(this.scalar, last, this.scalar.op("vpshufd", last, swap));
    return last;
  }

  // ---- loops --------------------------------------------------------------------------------------------------

  private loop(loop: Loop): void {
    const { mode, index, extent, step, body, remainder } = loop;
    if (mode === "vector") {
      if (step !== 1) throw new InternalError(`vector loop ${index.name} has step ${step}`);
      return new VectorLoop(this, loop).emit();
    }
    // Also where there is one iteration: one thread alone may run it.
    if (mode === "parallel" && this.options.isShared) return new SharedLoop(this, loop).emit();
    const written = mode === "unrolled" || (typeof extent === "number" && extent <= step);
    if (written && typeof extent === "number") {
      let position = 0;
      for (; position + step <= extent; position += step)
        this.scopes.fix(index, position, () => this.block(body));
      for (; position < extent; position++) this.scopes.fix(index, position, () => this.block(remainder));
      return;
    }
    const { code } = this.e;
    const counter = code.general();
    code.emit("xor", counter, counter);
    const main = new Scope(index, counter);
    this.scopes.inside(main, () => this.block(body));
    this.counted(main, { step, end: this.e.size(extent), runs: boundsOf(extent).min >= step });
    if (step === 1 || remainder.length === 0 || (typeof extent === "number" && extent % step === 0)) return;
    const rest = new Scope(index, counter, true);
    this.scopes.inside(rest, () => this.block(remainder));
    this.counted(rest, { step: 1, end: this.e.size(extent), runs: false });
  }

  /** Of integers so small that in f64 the quotient is never rounded across one. */
  quotient(a: Register, b: Register): Register {
    const { code } = this.e;
    // A zero of its own: a constant of the whole kernel would take a register from a tile in a loop further in.
    const zero = code.vector(128);
    code.emit("vxorps", zero, zero, zero);
    const [x, y] = [this.scalar.op("vcvtsi2sd", zero, a), this.scalar.op("vcvtsi2sd", zero, b)];
    const result = code.general();
    code.emit("vcvttsd2si", result, this.scalar.op("vdivsd", x, y));
    return result;
  }

  /** Puts a loop together: it runs while counter + step ≤ end. `runs`: the first iteration surely does. */
  counted(
    scope: Scope,
    {
      step,
      end,
      runs,
      limit: given,
    }: {
      step: number;
      end: number | Register;
      runs: boolean;
      /** end − step, where the start of the function does not know it. */
      limit?: Register;
    },
  ): void {
    const { code } = this.e;
    const { counter } = scope;
    const limit =
      given ??
      (typeof end === "number"
        ? end - step
        : this.e.atStart((target) => {
            code.emit("mov", target, end);
            code.emit("sub", target, step);
          }));
    const [top, done] = [code.label(), code.label()];
    if (!runs) {
      code.emit("cmp", counter, limit);
      code.emit("jg", done);
    }
    code.append(scope.before);
    if (!scope.body.some((item) => item.kind === "loopStart")) code.mark("align");
    code.mark("loopStart");
    code.bind(top);
    code.append(scope.body);
    scope.advance(this.e, step);
    code.emit("add", counter, step);
    code.emit("cmp", counter, limit);
    code.emit("jle", top);
    code.mark("loopEnd");
    code.bind(done);
  }
}

/** The widest shape that divides the lanes of every register: a register is held in one way by all of a kernel. */
function shapeFor(kernel: Kernel, isa: Isa): Shape {
  const lanes = [...registersOf(kernel.body)].map((register) => register.lanes).filter((n) => n > 1);
  return isa.shapes.find((shape) => lanes.every((n) => n % shape.lanes === 0))!;
}

function* registersOf(statements: readonly Statement[]): Generator<LoopRegister> {
  for (const statement of statements) {
    if (statement.kind === "set") yield statement.register;
    if (statement.kind !== "loop") continue;
    yield* registersOf(statement.body);
    yield* registersOf(statement.remainder);
  }
}
