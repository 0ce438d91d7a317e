/**
 * A kernel as one function: parameters are the address of the argument block, with threads the thread's number and the
 * count, the address of each buffer and the value of each parameter. Loops over vectors are in `vector-loop.ts`.
 */
import { bytesOf } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { boundsOf, type Dimension, type Size, subtractSizes } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import type { Affine, Kernel, KernelBuffer, Loop, Register, Statement, Value } from "../../ir/kernel.ts";
import { argumentsParameter, Emitter, type Push, partsOf, scalarType } from "./emitter.ts";
import { operandsOf } from "./flatten.ts";
import { type Count, emitLoop, emitTileLoop, threadShare } from "./loops.ts";
import type { ModuleBuilder } from "./module.ts";
import type { ValueType } from "./opcodes.ts";
import {
  pushBinary,
  pushBitcast,
  pushCompare,
  pushConstant,
  pushConvert,
  pushMulAdd,
  pushSelect,
  pushUnary,
} from "./scalar.ts";
import { Scope, Scopes } from "./scopes.ts";
import { type Address, pushLoad, storeScalar } from "./storage.ts";
import { registersWithFreeTails } from "./tails.ts";
import { extractLane, splatScalar, vectorBinary, vectorBytePairs, vectorDotAdd, words } from "./vector.ts";
import { VectorLoop } from "./vector-loop.ts";

export interface KernelOptions {
  /** Several threads call it, each with its number; parallel loops share out their iterations. */
  readonly spmd: boolean;
  readonly fused: boolean;
  /** Buffers whose f32 subnormals become zero as they are stored. */
  readonly flush: ReadonlySet<KernelBuffer>;
  dimensionOffset(dimension: Dimension): number;
  /** The function that `report(arguments, check, position, value)` is. */
  readonly reportFunction: number;
}

/** Parameters before the buffers' addresses. */
export const leadingParameters = (spmd: boolean): number => (spmd ? 3 : 1);

export function emitKernel(
  module: ModuleBuilder,
  index: number,
  kernel: Kernel,
  options: KernelOptions,
): void {
  const emitter = new KernelEmitter(kernel, options);
  emitter.block(kernel.body);
  const { e, parameterCount } = emitter;
  const parameters = Array<ValueType>(parameterCount).fill("i32");
  module.define(index, kernel.name, { parameters, results: [] }, e.locals, [e.prologue, e.code]);
}

export class KernelEmitter {
  readonly e: Emitter;
  readonly scopes: Scopes;
  readonly options: KernelOptions;
  readonly parameterCount: number;
  /** Values outside vector loops: each is a local or a constant. */
  readonly values = new Map<Value, Push>();
  private readonly registers = new Map<Register, number[]>();
  readonly freeTails: ReadonlySet<Register>;

  constructor(kernel: Kernel, options: KernelOptions) {
    this.options = options;
    this.freeTails = registersWithFreeTails(kernel.body);
    const leading = leadingParameters(options.spmd);
    this.parameterCount = leading + kernel.buffers.length + kernel.parameters.length;
    this.e = new Emitter(this.parameterCount, options);
    const buffers = new Map(kernel.buffers.map((buffer, i) => [buffer, leading + i]));
    const first = leading + kernel.buffers.length;
    const parameters = new Map(kernel.parameters.map(({ index }, i) => [index, first + i]));
    this.scopes = new Scopes(this.e, parameters, buffers);
  }

  /** Values defined in a block are not used after it, so their locals are free then. */
  block(statements: readonly Statement[]): void {
    this.e.scoped(() => {
      for (const statement of statements) this.statement(statement);
    });
  }

  private statement(statement: Statement): void {
    const { e } = this;
    switch (statement.kind) {
      case "define": {
        const { value } = statement;
        if (value.kind === "constant")
          this.values.set(value, () => pushConstant(e, value.dtype, value.value));
        else
          this.values.set(
            value,
            e.keep(scalarType(value.dtype), () => this.pushDefined(value)),
          );
        return;
      }
      case "store":
        e.scoped(() => {
          const { buffer, value } = statement;
          const dynamic = statement.dynamic.map(({ index, stride }) => ({ index: this.use(index), stride }));
          const address = this.address(buffer, statement.address, dynamic);
          const flush = value.dtype === "f32" && this.options.flush.has(buffer);
          storeScalar(e, buffer.dtype, address, this.use(value), flush);
        });
        return;
      case "set":
        return this.set(
          statement.register,
          this.scopes.known(statement.subscript),
          this.use(statement.value),
        );
      case "prefetch":
        return;
      case "loop":
        return this.loop(statement);
    }
  }

  private use(value: Value): Push {
    const push = this.values.get(value);
    if (push === undefined) throw new InternalError(`a ${value.kind} value is used before it is defined`);
    return push;
  }

  // ---- values -------------------------------------------------------------------------------------------------

  private pushDefined(value: Value): void {
    const operands =
      value.kind === "load"
        ? value.dynamic.map(({ index }) => this.use(index))
        : operandsOf(value).map((x) => this.use(x));
    this.pushComputed(value, operands);
  }

  /** One element of a value, from its operands; `affine` replaces the one in the value where that is resolved. */
  pushComputed(value: Value, operands: readonly Push[], affine?: Affine, element?: number): void {
    const { e } = this;
    const [a, b, c] = operands as [Push, Push, Push];
    switch (value.kind) {
      case "constant":
        return pushConstant(e, value.dtype, value.value);
      case "index":
        return this.scopes.pushValue(affine ?? value.affine);
      case "load": {
        const dynamic = value.dynamic.map(({ stride }, i) => ({ index: operands[i]!, stride }));
        const address = this.address(value.buffer, affine ?? value.address, dynamic);
        return pushLoad(e, value.buffer.dtype, address);
      }
      case "unary":
        return pushUnary(e, value.operator, value.dtype, a);
      case "binary":
        return pushBinary(e, value.operator, value.dtype, a, b);
      case "compare":
        return pushCompare(e, value.operator, value.a.dtype, a, b);
      case "mulAdd":
        return pushMulAdd(e, value.dtype, a, b, c);
      case "dotAdd":
        return pushLane(e, vectorDotAdd(e, value.parts, splatOf(e, a), splatOf(e, b), splatOf(e, c)));
      case "bytePairs":
        return pushLane(e, vectorBytePairs(e, value.which, value.isSigned, splatOf(e, a)));
      case "select":
        return pushSelect(e, a, b, c);
      case "convert":
        return pushConvert(e, value.x.dtype, value.dtype, a);
      case "bitcast":
        return pushBitcast(e, value.x.dtype, value.dtype, a);
      case "checkIndex":
        return this.pushCheckedIndex(value, a, affine ?? value.position);
      case "check":
        a();
        e.code.op("i32.eqz");
        e.code.if(() => this.report(value.check, affine ?? value.position, value.dtype, b));
        return b();
      case "register": {
        const subscript = element ?? this.scopes.known(value.subscript);
        const [local] = this.registerLocals(value.register, subscript, 0);
        if (value.register.lanes > 1)
          throw new InternalError(
            `register ${value.register.name}: its lanes are read outside a vector loop`,
          );
        return e.code.get(local!);
      }
      case "combine":
        return this.pushCombined(value);
    }
  }

  private pushCheckedIndex(value: Extract<Value, { kind: "checkIndex" }>, x: Push, position: Affine): void {
    const { e } = this;
    const result = e.temporary("i32");
    const [get, size] = [e.local(result), e.size(value.size)];
    x();
    e.code.tee(result);
    size();
    e.code.op("i32.ge_u");
    e.code.if(() => {
      this.report(value.check, position, "i32", get);
      const last: Push = () => {
        size();
        e.code.i32(1);
        e.code.op("i32.sub");
      };
      pushBinary(
        e,
        "max",
        "i32",
        e.keep("i32", () => pushBinary(e, "min", "i32", get, e.keep("i32", last))),
        e.i32(0),
      );
      e.code.set(result);
    });
    get();
  }

  /** Tells the status word that a check failed: out of line, it happens once. */
  report(check: number, position: Affine, dtype: ScalarDType, x: Push): void {
    const { e } = this;
    e.code.get(argumentsParameter);
    e.code.i32(check);
    this.scopes.pushValue(position);
    pushConvert(e, dtype, "f64", x);
    e.code.call(this.options.reportFunction);
  }

  /** The address of an element with data-dependent terms. */
  address(
    buffer: KernelBuffer,
    affine: Affine,
    dynamic: readonly { readonly index: Push; readonly stride: Size }[],
    isSplat = false,
  ): Address {
    const { e } = this;
    const address = this.scopes.address(buffer, affine, isSplat);
    if (dynamic.length === 0) return address;
    const bytes = bytesOf(buffer.dtype);
    // A term that falls may bring the pointer below 0, where the instruction's own offset would trap: the sum must wrap.
    const falls = dynamic.some(({ stride }) => boundsOf(stride).min < 0);
    const base = e.keep("i32", () => {
      address.base();
      if (falls) {
        e.code.i32(address.offset);
        e.code.op("i32.add");
      }
      for (const { index, stride } of dynamic) {
        index();
        e.size(stride, bytes)();
        e.code.op("i32.mul");
        e.code.op("i32.add");
      }
    });
    return { base, offset: falls ? 0 : address.offset };
  }

  // ---- registers ----------------------------------------------------------------------------------------------

  /** The locals of one element of a register: of its four-lane group `group`, or its only one. */
  registerLocals(register: Register, element: number, group: number): readonly number[] {
    const { lanes, count, dtype, name } = register;
    const groups = lanes === 1 ? 1 : lanes / 4;
    if (!Number.isInteger(groups))
      throw new InternalError(`register ${name} has ${lanes} lanes: need 1 or a multiple of 4`);
    if (element < 0 || element >= count)
      throw new InternalError(`element ${element} of register ${name} is outside its ${count}`);
    const parts = lanes === 1 ? 1 : partsOf(dtype);
    let locals = this.registers.get(register);
    if (locals === undefined) {
      const type = lanes === 1 ? scalarType(dtype) : "v128";
      locals = Array.from({ length: count * groups * parts }, () => this.e.locals.fresh(type));
      this.registers.set(register, locals);
    }
    const first = (element * groups + (group % groups)) * parts;
    return locals.slice(first, first + parts);
  }

  private set(register: Register, element: number, value: Push): void {
    const { e } = this;
    if (register.lanes === 1) {
      value();
      return e.code.set(this.registerLocals(register, element, 0)[0]!);
    }
    splatScalar(e, register.dtype, value)();
    const locals = Array.from({ length: register.lanes / 4 }, (_, g) =>
      this.registerLocals(register, element, g),
    );
    const flat = locals.flat();
    flat.forEach((local, i) => {
      if (i < flat.length - 1) e.code.tee(local);
      else e.code.set(local);
    });
  }

  /** Lane l with lane l + lanes/2, halving: whole vectors, then words within one. */
  private pushCombined({ register, subscript, operator }: Extract<Value, { kind: "combine" }>): void {
    const { e } = this;
    const { dtype, lanes } = register;
    const element = this.scopes.known(subscript);
    if (lanes === 1) return e.code.get(this.registerLocals(register, element, 0)[0]!);
    const groups = Array.from({ length: lanes / 4 }, (_, g) => this.registerLocals(register, element, g));
    let vectors = groups.flat().map((local) => e.local(local));
    const keep = (x: Push): Push => e.keep("v128", x);
    // Each vector is taken alone: as one of f32, or as half the lanes of f64.
    const fold = (a: Push, b: Push): Push => keep(vectorBinary(e, operator, dtype, [a], [b])[0]!);
    while (vectors.length > 1) {
      const half = vectors.length / 2;
      vectors = vectors.slice(0, half).map((a, i) => fold(a, vectors[half + i]!));
    }
    let [last] = vectors as [Push];
    const swaps = dtype === "f64" ? [words(2, 3, 2, 3)] : [words(2, 3, 2, 3), words(1, 1, 1, 1)];
    for (const swap of swaps) {
      const from = last;
      last = fold(
        from,
        keep(() => {
          from();
          from();
          e.code.shuffle(swap);
        }),
      );
    }
    extractLane(e, dtype, [last], 0)();
  }

  // ---- loops --------------------------------------------------------------------------------------------------

  private loop(loop: Loop): void {
    const { mode, index, extent, step } = loop;
    if (mode === "vector") {
      if (step !== 1) throw new InternalError(`vector loop ${index.name} has step ${step}`);
      return new VectorLoop(this, loop).emit();
    }
    if (mode === "parallel" && this.options.spmd && !this.isInShared) return this.shared(loop);
    if (typeof extent !== "number") return this.lateLoop(loop);
    if (mode === "unrolled" || extent <= step) return this.written(loop, 0, extent);
    this.earlyLoop(loop, extent);
  }

  /** Indices first … end − 1 written out one after the other. */
  private written({ index, step, body, remainder }: Loop, first: number, end: number): void {
    let at = first;
    for (; at + step <= end; at += step) this.scopes.fix(index, at, () => this.block(body));
    for (; at < end; at++) this.scopes.fix(index, at, () => this.block(remainder));
  }

  private earlyLoop(loop: Loop, extent: number): void {
    const { e } = this;
    const { step, body, remainder } = loop;
    if (step === 1 && hasLockstep(body)) return this.tileLoop(loop, Math.min(tileCopies, extent));
    const main = extent - (extent % step);
    this.withCounter((counter) => {
      this.counted(loop, body, { counter, step, limit: e.i32(main) });
      if (main === extent || remainder.length === 0) return;
      if (main === extent - 1) this.written(loop, main, extent);
      else this.counted(loop, remainder, { counter, step: 1, limit: e.i32(extent), start: e.i32(main) });
    });
  }

  private lateLoop(loop: Loop): void {
    const { e } = this;
    const { extent, step, body, remainder } = loop;
    if (step === 1 && hasLockstep(body)) return this.tileLoop(loop, tileCopies);
    this.withCounter((counter) => {
      this.counted(loop, body, { counter, step, limit: e.size(subtractSizes(extent, step - 1)) });
      if (step === 1 || remainder.length === 0) return;
      this.counted(loop, remainder, { counter, step: 1, limit: e.size(extent), start: e.local(counter) });
    });
  }

  private tileLoop({ index, extent, body }: Loop, copies: number): void {
    const { e, scopes } = this;
    this.withCounter((counter) => {
      const scope = new Scope(index, counter, { isTile: true });
      emitTileLoop(e, scope, { counter, extent, copies }, (ahead) =>
        scopes.inside(scope, () => scopes.shift(index, ahead, () => this.block(body))),
      );
    });
  }

  /** A counter at 0. */
  private withCounter(body: (counter: number) => void): void {
    const counter = this.e.locals.take("i32");
    this.e.code.i32(0);
    this.e.code.set(counter);
    body(counter);
    this.e.locals.give(counter);
  }

  private counted({ index }: Loop, body: readonly Statement[], count: Count): void {
    const scope = new Scope(index, count.counter, { start: count.start });
    this.scopes.inside(scope, () => this.block(body));
    emitLoop(this.e, scope, count);
  }

  private shared(loop: Loop): void {
    const { e } = this;
    const { extent, step, body, remainder } = loop;
    // A parallel loop inside goes with the iteration of this one.
    this.isInShared = true;
    e.scoped(() => {
      this.withCounter((counter) => {
        const share = threadShare(e, extent, step);
        share.first();
        e.code.set(counter);
        this.counted(loop, body, { counter, step, limit: share.end, start: share.first });
        if (step === 1 || remainder.length === 0) return;
        share.isLastThread();
        e.code.if(() => {
          share.whole();
          e.code.set(counter);
          this.counted(loop, remainder, { counter, step: 1, limit: e.size(extent), start: share.whole });
        });
      });
    });
    this.isInShared = false;
  }
  private isInShared = false;
}

/** A word in all lanes, and lane 0 of words. */
const splatOf =
  (e: Emitter, x: Push): Push =>
  () => {
    x();
    e.code.op("i32x4.splat");
  };
function pushLane(e: Emitter, [words]: readonly Push[]): void {
  words!();
  e.code.lane("i32x4.extract_lane", 0);
}

/** Iterations of a tile's loop that are written out. */
const tileCopies = 4;

/** A vector loop in lockstep, straight in these statements or unrolled ones. */
const hasLockstep = (statements: readonly Statement[]): boolean =>
  statements.some(
    (s) =>
      s.kind === "loop" && (s.mode === "vector" ? s.lockstep : s.mode === "unrolled" && hasLockstep(s.body)),
  );
