/** How the kernel's parts write instructions, and where things lie in its memory. */
import { Code, Locals } from "../../codegen/wasm/code.ts";
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

/** The kernel's parameters, in their order: `ReadRows`. */
export const parameters = [
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

/** Writes instructions. */
export type Emit = () => void;

/** Instructions as nested calls: operands first, as they are evaluated. */
export class Writer {
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

export const [lineFeed, carriageReturn, quote, minus] = [10, 13, 34, 45];

/** The byte where a local points. */
export const byteAt = (w: Writer, name: string, offset = 0): Emit =>
  w.load("i32.load8_u", w.get(name), offset);

/** Moves `p` on and reads the byte there. */
export function next(w: Writer): void {
  w.set("p", w.add(w.get("p"), w.i32(1)));
  w.set("byte", byteAt(w, "p"));
}

/** Whether the byte ends a field. */
export const isEnd = (w: Writer): Emit =>
  w.op(
    "i32.or",
    w.op("i32.or", w.is(w.get("byte"), w.get("delimiter")), w.is(w.get("byte"), w.i32(lineFeed))),
    w.is(w.get("byte"), w.i32(carriageReturn)),
  );
