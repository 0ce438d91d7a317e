/**
 * What a kernel means, on typed arrays: one lane after the other, every instruction rounded to its dtype. Slow, and the
 * definition: generated code is compared with it. An access outside a buffer throws.
 */
import {
  bf16ToNumber,
  type DType,
  f16ToNumber,
  numberToBf16,
  numberToF16,
  roundTo,
  type TypedArray,
} from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { type Dimension, evaluateSize, type Size } from "../base/size.ts";
import type { ScalarDType } from "../graph/scalar.ts";
import { bytePairs, dotOfParts } from "./byte-products.ts";
import { binaryMeaning, compareMeaning, convertMeaning, unaryMeaning } from "./fold.ts";
import { fusedMultiplyAdd } from "./fused.ts";
import type {
  Affine,
  DynamicTerm,
  Index,
  Kernel,
  KernelBuffer,
  Loop,
  Register,
  Statement,
  Value,
} from "./kernel.ts";

/** What one call is given: storage bits of each buffer (as `base/dtype`'s arrays hold them) and the scalars. */
export interface KernelRun {
  /** In the order of `kernel.buffers`. */
  readonly buffers: readonly TypedArray[];
  /** In the order of `kernel.parameters`. */
  readonly parameters?: readonly number[];
  readonly dimensions?: ReadonlyMap<Dimension, number>;
  /** `mulAdd` rounds once. */
  readonly fused?: boolean;
  /** Buffers of states in a commit: f32 subnormals become zeros of the same sign as they are stored. */
  readonly flush?: ReadonlySet<KernelBuffer>;
}

/** A check that did not hold. Of all in one kernel, the lowest (check, position, bits of value) is reported. */
export interface CheckFailure {
  readonly check: number;
  readonly position: number;
  readonly value: number;
}

type Action = () => void;
type Expression = () => number;

/** Runs a kernel; returns the failed check to report, if any. */
export function evaluateKernel(kernel: Kernel, run: KernelRun): CheckFailure | undefined {
  const evaluator = new Evaluator(kernel, run);
  evaluator.block(kernel.body)();
  return evaluator.failure;
}

/** Whether `a` is reported rather than `b`. */
export function comesFirst(a: CheckFailure, b: CheckFailure): boolean {
  if (a.check !== b.check) return a.check < b.check;
  if (a.position !== b.position) return a.position < b.position;
  const [x, y] = new BigUint64Array(Float64Array.of(a.value, b.value).buffer);
  return x! < y!;
}

/** Turns statements into closures over numbered slots. */
class Evaluator {
  failure: CheckFailure | undefined;
  private readonly run: KernelRun;
  private readonly memory = new Map<KernelBuffer, TypedArray>();
  private readonly registers = new Map<Register, Float64Array>();
  private readonly slots = new Map<Value, number>();
  private readonly values: number[] = [];
  private readonly counters = new Map<Index, { now: number }>();
  /** The counter of the vector loop around the statement being compiled. */
  private lane: { now: number } | undefined;

  constructor(kernel: Kernel, run: KernelRun) {
    this.run = run;
    kernel.buffers.forEach((buffer, i) => {
      const array = run.buffers[i];
      if (array === undefined) throw new InternalError(`${kernel.name}: no memory for buffer ${buffer.name}`);
      this.memory.set(buffer, array);
    });
    kernel.parameters.forEach(({ index }, i) => {
      this.counters.set(index, { now: run.parameters?.[i] ?? 0 });
    });
  }

  block(statements: readonly Statement[]): Action {
    const actions = statements.map((statement) => this.statement(statement));
    return () => {
      for (const action of actions) action();
    };
  }

  private statement(statement: Statement): Action {
    switch (statement.kind) {
      case "define": {
        const compute = this.compute(statement.value);
        const slot = this.values.push(0) - 1;
        this.slots.set(statement.value, slot);
        return () => {
          this.values[slot] = compute();
        };
      }
      case "store":
        return this.store(statement);
      case "set":
        return this.set(statement.register, statement.subscript, statement.value);
      case "prefetch":
        return () => {};
      case "loop":
        return this.loop(statement);
    }
  }

  private loop({ mode, index, extent, step, body, remainder }: Loop): Action {
    const end = this.size(extent);
    const counter = { now: 0 };
    this.counters.set(index, counter);
    const outerLane = this.lane;
    if (mode === "vector") this.lane = counter;
    const main = this.block(body);
    const rest = this.block(remainder);
    this.lane = outerLane;
    return () => {
      let at = 0;
      for (; at + step <= end; at += step) {
        counter.now = at;
        main();
      }
      for (; at < end; at++) {
        counter.now = at;
        rest();
      }
    };
  }

  private store(statement: Extract<Statement, { kind: "store" }>): Action {
    const { buffer } = statement;
    const memory = this.memoryOf(buffer);
    const address = this.address(buffer, memory, statement.address, statement.dynamic);
    const read = this.use(statement.value);
    const flush = this.run.flush?.has(buffer) && statement.value.dtype === "f32";
    return () => {
      const value = read();
      memory[address()] = toStorage(buffer.dtype, flush ? flushSubnormal(value) : value);
    };
  }

  private set(register: Register, subscript: Affine, value: Value): Action {
    const cells = this.cellsOf(register);
    const read = this.use(value);
    const at = this.cell(register, subscript);
    const all = this.lane === undefined ? register.lanes : 1;
    return () => {
      const first = at();
      cells.fill(read(), first, first + all);
    };
  }

  // ---- values -------------------------------------------------------------------------------------------------

  private use(value: Value): Expression {
    const slot = this.slots.get(value);
    if (slot === undefined) throw new InternalError(`a ${value.kind} value is used before it is defined`);
    return () => this.values[slot]!;
  }

  private compute(value: Value): Expression {
    const { dtype } = value;
    const round = (x: number): number => roundTo(dtype, x);
    switch (value.kind) {
      case "constant": {
        const constant = round(value.value);
        return () => constant;
      }
      case "index":
        return this.affine(value.affine);
      case "load": {
        const memory = this.memoryOf(value.buffer);
        const address = this.address(value.buffer, memory, value.address, value.dynamic);
        return () => fromStorage(value.buffer.dtype, memory[address()]!);
      }
      case "unary": {
        const [meaning, x] = [unaryMeaning[value.operator], this.use(value.x)];
        return () => round(meaning(x(), dtype));
      }
      case "binary": {
        const [meaning, a, b] = [binaryMeaning[value.operator], this.use(value.a), this.use(value.b)];
        return () => round(meaning(a(), b(), dtype));
      }
      case "compare": {
        const [meaning, a, b] = [compareMeaning[value.operator], this.use(value.a), this.use(value.b)];
        return () => (meaning(a(), b()) ? 1 : 0);
      }
      case "mulAdd": {
        const [a, b, c] = [this.use(value.a), this.use(value.b), this.use(value.c)];
        if (this.run.fused && (dtype === "f32" || dtype === "f64"))
          return () => fusedMultiplyAdd(dtype, a(), b(), c());
        const { mul } = binaryMeaning;
        return () => round(round(mul(a(), b(), dtype)) + c());
      }
      case "dotAdd": {
        const [a, b, c] = [this.use(value.a), this.use(value.b), this.use(value.c)];
        return () => dotOfParts(value.parts, a(), b(), c());
      }
      case "bytePairs": {
        const x = this.use(value.x);
        return () => bytePairs(value.which, value.isSigned, x());
      }
      case "select": {
        const [condition, a, b] = [this.use(value.condition), this.use(value.a), this.use(value.b)];
        return () => (condition() ? a() : b());
      }
      case "convert": {
        const x = this.use(value.x);
        return () => convertMeaning(value.x.dtype, dtype, x());
      }
      case "bitcast": {
        const x = this.use(value.x);
        return () => bitcast(value.x.dtype, dtype, x());
      }
      case "checkIndex":
        return this.checkIndex(value);
      case "check": {
        const [holds, x, position] = [
          this.use(value.condition),
          this.use(value.x),
          this.affine(value.position),
        ];
        return () => {
          if (!holds()) this.report(value.check, position(), x());
          return x();
        };
      }
      case "register": {
        const cells = this.cellsOf(value.register);
        const at = this.cell(value.register, value.subscript);
        if (this.lane === undefined && value.register.lanes > 1)
          throw new InternalError(
            `register ${value.register.name}: its lanes are read outside a vector loop`,
          );
        return () => cells[at()]!;
      }
      case "combine":
        return this.combine(value.register, value.subscript, binaryMeaning[value.operator], round);
    }
  }

  private checkIndex(value: Extract<Value, { kind: "checkIndex" }>): Expression {
    const [x, size, position] = [this.use(value.x), this.size(value.size), this.affine(value.position)];
    return () => {
      const index = x();
      if (index >= 0 && index < size) return index;
      this.report(value.check, position(), index);
      return Math.max(0, Math.min(size - 1, index));
    };
  }

  private combine(
    register: Register,
    subscript: Affine,
    meaning: (a: number, b: number, dtype: ScalarDType) => number,
    round: (x: number) => number,
  ): Expression {
    const cells = this.cellsOf(register);
    const at = this.cell(register, subscript);
    return () => {
      const first = at();
      const lanes = cells.slice(first, first + register.lanes);
      for (let half = register.lanes / 2; half >= 1; half /= 2)
        for (let l = 0; l < half; l++) lanes[l] = round(meaning(lanes[l]!, lanes[l + half]!, register.dtype));
      return lanes[0]!;
    };
  }

  private report(check: number, position: number, value: number): void {
    const failure = { check, position, value };
    if (this.failure === undefined || comesFirst(failure, this.failure)) this.failure = failure;
  }

  // ---- places -------------------------------------------------------------------------------------------------

  private size(size: Size): number {
    return evaluateSize(size, this.run.dimensions ?? new Map());
  }

  private affine({ constant, terms }: Affine): Expression {
    const start = this.size(constant);
    const parts = terms.map(({ index, stride }) => {
      const counter = this.counters.get(index);
      if (counter === undefined) throw new InternalError(`index ${index.name} is used outside its loop`);
      return { counter, stride: this.size(stride) };
    });
    return () => {
      let sum = start;
      for (const { counter, stride } of parts) sum += counter.now * stride;
      return sum;
    };
  }

  private address(
    buffer: KernelBuffer,
    memory: TypedArray,
    affine: Affine,
    dynamic: readonly DynamicTerm[],
  ): Expression {
    const base = this.affine(affine);
    const parts = dynamic.map(({ index, stride }) => ({ index: this.use(index), stride: this.size(stride) }));
    return () => {
      let address = base();
      for (const { index, stride } of parts) address += index() * stride;
      if (address >= 0 && address < memory.length) return address;
      throw new InternalError(`element ${address} of ${buffer.name} is outside its ${memory.length}`);
    };
  }

  /** The first cell of an element of a register, or in a vector loop the cell of this lane. */
  private cell(register: Register, subscript: Affine): Expression {
    const { lane } = this;
    const element = this.affine(subscript);
    const { count, lanes, name } = register;
    return () => {
      const at = element();
      if (at < 0 || at >= count)
        throw new InternalError(`element ${at} of register ${name} is outside its ${count}`);
      return at * lanes + (lane ? lane.now % lanes : 0);
    };
  }

  private memoryOf(buffer: KernelBuffer): TypedArray {
    const memory = this.memory.get(buffer);
    if (memory === undefined) throw new InternalError(`buffer ${buffer.name} is not one of the kernel's`);
    return memory;
  }

  private cellsOf(register: Register): Float64Array {
    let cells = this.registers.get(register);
    if (cells === undefined)
      this.registers.set(register, (cells = new Float64Array(register.count * register.lanes)));
    return cells;
  }
}

const scratch = new DataView(new ArrayBuffer(8));

function bitcast(from: ScalarDType, to: ScalarDType, x: number): number {
  if (from === to) return x;
  if (from === "f32") scratch.setFloat32(0, x);
  else scratch.setInt32(0, x);
  return to === "f32" ? scratch.getFloat32(0) : to === "u32" ? scratch.getUint32(0) : scratch.getInt32(0);
}

const smallestNormal = 2 ** -126;
const flushSubnormal = (x: number): number => (Math.abs(x) < smallestNormal ? x * 0 : x);

function fromStorage(dtype: DType, stored: number): number {
  if (dtype === "f16") return f16ToNumber(stored);
  if (dtype === "bf16") return bf16ToNumber(stored);
  return dtype === "bool" ? roundTo("bool", stored) : stored;
}

/** Typed arrays wrap integers and round floats themselves. */
function toStorage(dtype: DType, value: number): number {
  if (dtype === "f16") return numberToF16(value);
  if (dtype === "bf16") return numberToBf16(value);
  return value;
}
