/**
 * Rows that are read in several passes (softmax, layer norm). The first pass brings a row from memory, the ones after it find it in the
 * cache, and while they compute, memory has nothing to do. So the second pass over a row asks for the next one, line by line.
 */
import { bytesOf } from "../../base/dtype.ts";
import { strideOf } from "../../ir/affine.ts";
import type { Kernel, KernelBuffer, Loop, Statement, Value } from "../../ir/kernel.ts";

type Load = Extract<Value, { kind: "load" }>;

/** Longer rows would push each other out of the first cache, and the processor fetches ahead in them by itself. */
const mostRowBytes = 16 * 1024;

/** Loads of a second pass over rows of `far` buffers, with the bytes from there to the same place in the next row. */
export function rowsAhead(kernel: Kernel, far: ReadonlySet<KernelBuffer>): ReadonlyMap<Value, number> {
  const found = new Map<Value, number>();
  if (far.size > 0) for (const loop of loopsOf(kernel.body)) findInRows(loop, far, found);
  return found;
}

function findInRows(loop: Loop, far: ReadonlySet<KernelBuffer>, found: Map<Value, number>): void {
  for (const inner of loopsOf(loop.body)) findInRows(inner, far, found);
  if (loop.mode === "vector" || loop.mode === "unrolled" || loop.step !== 1) return;
  /** How many passes have read rows of a buffer, so far apart. */
  const passes = new Map<string, number>();
  for (const pass of loopsOf(loop.body)) {
    const read = new Set<string>();
    for (const load of vectorLoads(pass)) {
      const stride = strideOf(load.address, loop.index);
      if (!far.has(load.buffer) || typeof stride !== "number" || stride <= 0) continue;
      const rowBytes = stride * bytesOf(load.buffer.dtype);
      if (rowBytes > mostRowBytes) continue;
      const row = `${load.buffer.name}:${stride}`;
      read.add(row);
      // A load that a loop further in has marked stays as it is.
      if (passes.get(row) === 1 && !found.has(load)) found.set(load, rowBytes);
    }
    for (const row of read) passes.set(row, (passes.get(row) ?? 0) + 1);
  }
}

const loopsOf = (statements: readonly Statement[]): readonly Loop[] =>
  statements.filter((statement) => statement.kind === "loop");

/** Loads whose lanes lie side by side, in the vector loops of a loop. */
function* vectorLoads(loop: Loop): Generator<Load> {
  for (const statement of loop.body) {
    if (statement.kind === "loop") yield* vectorLoads(statement);
    if (loop.mode !== "vector" || statement.kind !== "define" || statement.value.kind !== "load") continue;
    const { address, dynamic } = statement.value;
    if (dynamic.length === 0 && strideOf(address, loop.index) === 1) yield statement.value;
  }
}
