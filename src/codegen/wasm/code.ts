/** The instructions of one function, written as they are executed; `FunctionCode` adds its locals. */
import { InternalError } from "../../base/errors.ts";
import { Bytes } from "./bytes.ts";
import {
  type LaneOp,
  type MemoryLaneOp,
  type MemoryOp,
  opcodes,
  type PlainOp,
  type ValueType,
  valueTypes,
} from "./opcodes.ts";

export class Code {
  readonly bytes = new Bytes();

  private opcode(code: number): void {
    if (code <= 0xff) return this.bytes.byte(code);
    // The number after a prefix is LEB128; those above 0xff were written with three hex digits.
    const digits = code > 0xffff ? 12 : 8;
    this.bytes.byte(code >> digits);
    this.bytes.unsigned(code & ((1 << digits) - 1));
  }

  op(name: PlainOp): void {
    this.opcode(opcodes.plain[name]);
  }
  /** A load or store at the address on the stack + offset. Alignments are hints: only atomics must state theirs. */
  memory(name: MemoryOp, offset: number): void {
    this.opcode(opcodes.memory[name]);
    this.bytes.byte(name.includes("atomic") ? 2 : 0);
    this.bytes.unsigned(offset);
  }
  memoryLane(name: MemoryLaneOp, offset: number, lane: number): void {
    this.opcode(opcodes.memoryLane[name]);
    this.bytes.byte(0);
    this.bytes.unsigned(offset);
    this.bytes.byte(lane);
  }
  lane(name: LaneOp, lane: number): void {
    this.opcode(opcodes.lane[name]);
    this.bytes.byte(lane);
  }
  get(local: number): void {
    this.opcode(opcodes.index["local.get"]);
    this.bytes.unsigned(local);
  }
  set(local: number): void {
    this.opcode(opcodes.index["local.set"]);
    this.bytes.unsigned(local);
  }
  tee(local: number): void {
    this.opcode(opcodes.index["local.tee"]);
    this.bytes.unsigned(local);
  }
  call(functionIndex: number): void {
    this.opcode(opcodes.index.call);
    this.bytes.unsigned(functionIndex);
  }
  globalGet(index: number): void {
    this.opcode(opcodes.index["global.get"]);
    this.bytes.unsigned(index);
  }
  globalSet(index: number): void {
    this.opcode(opcodes.index["global.set"]);
    this.bytes.unsigned(index);
  }
  i32(value: number): void {
    this.opcode(opcodes.constant["i32.const"]);
    this.bytes.signed(value);
  }
  /** A number within 32 bits, or all 64. */
  i64(value: number | bigint): void {
    this.opcode(opcodes.constant["i64.const"]);
    if (typeof value === "number") this.bytes.signed(value);
    else this.bytes.signed64(value);
  }
  f32(value: number): void {
    this.opcode(opcodes.constant["f32.const"]);
    this.bytes.float32(value);
  }
  f64(value: number): void {
    this.opcode(opcodes.constant["f64.const"]);
    this.bytes.float64(value);
  }
  v128(bytes: Uint8Array): void {
    if (bytes.length !== 16) throw new InternalError(`a v128 constant of ${bytes.length} bytes`);
    this.opcode(opcodes.constant["v128.const"]);
    this.bytes.bytes(bytes);
  }
  /** Bytes of the two vectors on the stack: 0 … 15 of the first, 16 … 31 of the second. */
  shuffle(lanes: ArrayLike<number>): void {
    this.opcode(opcodes.constant["i8x16.shuffle"]);
    this.bytes.bytes(lanes);
  }

  // ---- structure ----------------------------------------------------------------------------------------------

  private structured(name: "block" | "loop" | "if", body: () => void): void {
    this.bytes.byte(opcodes.structure[name]);
    this.bytes.byte(noResult);
    body();
    this.bytes.byte(opcodes.structure.end);
  }
  block(body: () => void): void {
    this.structured("block", body);
  }
  loop(body: () => void): void {
    this.structured("loop", body);
  }
  /** Runs `then` if the i32 on the stack is not 0. */
  if(then: () => void, otherwise?: () => void): void {
    this.structured("if", () => {
      then();
      if (otherwise === undefined) return;
      this.bytes.byte(opcodes.structure.else);
      otherwise();
    });
  }
  /** The same, leaving a value of `type` on the stack. */
  ifElse(type: ValueType, then: () => void, otherwise: () => void): void {
    this.bytes.byte(opcodes.structure.if);
    this.bytes.byte(valueTypes[type]);
    then();
    this.bytes.byte(opcodes.structure.else);
    otherwise();
    this.bytes.byte(opcodes.structure.end);
  }
  branch(depth: number): void {
    this.opcode(opcodes.index.br);
    this.bytes.unsigned(depth);
  }
  branchIf(depth: number): void {
    this.opcode(opcodes.index.br_if);
    this.bytes.unsigned(depth);
  }
  append(other: Code): void {
    this.bytes.append(other.bytes);
  }
}

const noResult = 0x40;

/** Locals of one function; freed ones are handed out again. */
export class Locals {
  private readonly types: ValueType[] = [];
  private readonly free = new Map<ValueType, number[]>();
  private readonly parameterCount: number;

  constructor(parameterCount: number) {
    this.parameterCount = parameterCount;
  }
  take(type: ValueType): number {
    return this.free.get(type)?.pop() ?? this.fresh(type);
  }
  /** One that nothing has used: for what is computed earlier in the function than the code now being written. */
  fresh(type: ValueType): number {
    return this.parameterCount + this.types.push(type) - 1;
  }
  give(local: number): void {
    const type = this.types[local - this.parameterCount]!;
    const list = this.free.get(type);
    if (list) list.push(local);
    else this.free.set(type, [local]);
  }
  /** Runs of equal types, as a function's body begins. */
  encode(): Bytes {
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.types) {
      const last = runs[runs.length - 1];
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const bytes = new Bytes();
    bytes.unsigned(runs.length);
    for (const { type, count } of runs) {
      bytes.unsigned(count);
      bytes.byte(valueTypes[type]);
    }
    return bytes;
  }
}
