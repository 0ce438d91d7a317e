/**
 * Memory that is asked for before it is needed. Rows that are read in several passes (softmax, layer norm): the first pass brings a
 * row from memory, the ones after it find it in the cache, and while they compute, memory has nothing to do. So the second pass over a
 * row asks for the next one, line by line. What is read in one pass is asked for some lines ahead: where much is computed for
 * each line, the processor's own guesses come late.
 */
import { bytesOf } from "../../base/dtype.ts";
import type { Size } from "../../base/size.ts";
import { strideOf } from "../../ir/affine.ts";
import type { Kernel, KernelBuffer, Loop, Statement, Value } from "../../ir/kernel.ts";

type Load = Extract<Value, { kind: "load" }>;

/** Longer rows would push each other out of the first cache, and the processor fetches ahead in them by itself. */
const mostRowBytes = 16 * 1024;

/** How far ahead a single pass asks, and the least that it must read at a stretch. */
const passBytes = { ahead: 4096, least: 2048 };

/** Loads from `far` buffers that ask for something further on, with the bytes from there to it. */
export function rowsAhead(kernel: Kernel, far: ReadonlySet<KernelBuffer>): ReadonlyMap<Value, number> {
  const found = new Map<Load, number>();
  if (far.size === 0) return found;
  const loops = loopsOf(kernel.body);
  for (const loop of loops) findInRows(loop, far, found);
  findSinglePasses(loops, far, found);
  return found;
}

function findSinglePasses(
  loops: readonly Loop[],
  far: ReadonlySet<KernelBuffer>,
  found: Map<Load, number>,
): void {
  const passes = new Map<KernelBuffer, { readonly extent: Size; readonly loads: Load[] }[]>();
  for (const loop of loops.flatMap((each) => [...vectorLoops(each)])) {
    const loads = [...vectorLoads(loop)];
    for (const buffer of new Set(loads.map((load) => load.buffer))) {
      const pass = { extent: loop.extent, loads: loads.filter((load) => load.buffer === buffer) };
      passes.set(buffer, [...(passes.get(buffer) ?? []), pass]);
    }
  }
  for (const [buffer, [pass, ...others]] of passes) {
    const { extent, loads } = pass!;
    const isLong = typeof extent === "number" && extent * bytesOf(buffer.dtype) >= passBytes.least;
    if (!far.has(buffer) || !isLong || others.length > 0) continue;
    for (const load of loads) found.set(load, passBytes.ahead);
  }
}

function findInRows(loop: Loop, far: ReadonlySet<KernelBuffer>, found: Map<Load, number>): void {
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

function* vectorLoops(loop: Loop): Generator<Loop> {
  if (loop.mode === "vector") yield loop;
  else for (const inner of loopsOf(loop.body)) yield* vectorLoops(inner);
}

/** Loads whose lanes lie side by side, in the vector loops of a loop. */
function* vectorLoads(loop: Loop): Generator<Load> {
  for (const statement of loop.body) {
    if (statement.kind === "loop") yield* vectorLoads(statement);
    if (loop.mode !== "vector" || statement.kind !== "define" || statement.value.kind !== "load") continue;
    const { address, dynamic } = statement.value;
    if (dynamic.length === 0 && strideOf(address, loop.index) === 1) yield statement.value;
  }
}
