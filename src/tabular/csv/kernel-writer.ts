/** What the kernel's parts share: where things lie in its memory, and reading the next byte. */
import type { Emit, Writer } from "../../codegen/wasm/writer.ts";

/** Where things lie in the memory. */
export const layout = {
  /** Rows read by the last call. */
  rows: 0,
  /** Fields left over by the last call, 16 bytes each from `odd` on: row, column, start, end. */
  oddCount: 4,
  /** f64: 10^0 … 10^22. */
  powersOfTen: 64,
  /** u64: 10^0 … 10^7. */
  wholePowersOfTen: 256,
  /** u64: 5^−64 … 5^64, each without its leading zeros, cut to 128 bits: the upper 64, then the lower. */
  powersOfFive: 320,
  odd: 4096,
  /** Eight bytes each: kind, and where its values go. */
  columns: 4096 + 16 * 1024,
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
