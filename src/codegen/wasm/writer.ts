/** Functions written by hand: instructions as nested calls, locals by name. */
import { Code, Locals } from "./code.ts";
import type { MemoryLaneOp, MemoryOp, PlainOp, ValueType } from "./opcodes.ts";

/** Writes instructions. */
export type Emit = () => void;

/** Operands first, as they are evaluated. */
export class Writer {
  readonly code = new Code();
  readonly locals: Locals;
  readonly #indices: Map<string, number>;

  constructor(parameters: readonly string[]) {
    this.locals = new Locals(parameters.length);
    this.#indices = new Map(parameters.map((name, i) => [name, i]));
  }

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
    (value: number | bigint): Emit =>
    () =>
      this.code.i64(value);
  v128 =
    (bytes: ArrayLike<number>): Emit =>
    () =>
      this.code.v128(Uint8Array.from(bytes));
  op =
    (name: PlainOp, ...operands: readonly Emit[]): Emit =>
    () => {
      for (const operand of operands) operand();
      this.code.op(name);
    };
  /** Bytes of two vectors: 0 … 15 of the first, 16 … 31 of the second. */
  shuffle =
    (lanes: ArrayLike<number>, first: Emit, second: Emit): Emit =>
    () => {
      first();
      second();
      this.code.shuffle(lanes);
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
  storeLane(name: MemoryLaneOp, address: Emit, value: Emit, lane: number, offset = 0): void {
    address();
    value();
    this.code.memoryLane(name, offset, lane);
  }
  when(condition: Emit, then: Emit, otherwise?: Emit): void {
    condition();
    this.code.if(then, otherwise);
  }
  /** Runs the body at least once, and again while the condition holds. */
  repeat(body: Emit, condition: Emit): void {
    this.code.loop(() => {
      body();
      condition();
      this.code.branchIf(0);
    });
  }
  add = (a: Emit, b: Emit): Emit => this.op("i32.add", a, b);
  is = (a: Emit, value: Emit): Emit => this.op("i32.eq", a, value);
  /** Adds to a local. */
  advance(name: string, step: Emit): void {
    this.set(name, this.add(this.get(name), step));
  }
}
