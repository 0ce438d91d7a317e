/**
 * Kernels one after the other that threads share by the same groups, each group going on with what the same group wrote before (layers
 * of a network, cut by rows), become one parallel loop of the program: a thread takes a group through all of them. Nobody
 * waits between two kernels, and what a group has written lies in the cache of the thread that reads it.
 */
import { bytesOf } from "../../base/dtype.ts";
import type { Size } from "../../base/size.ts";
import type { Affine, Index, Kernel, KernelBuffer, Loop, Statement } from "../../ir/kernel.ts";
import { countersOf, type ProgramBuffer, type ProgramStep } from "../../ir/program.ts";

type Call = Extract<ProgramStep, { kind: "call" }>;

/** What a call touches of one buffer: the bytes of iteration 0, and how much further each iteration lies. */
interface Touch {
  readonly buffer: ProgramBuffer;
  readonly isWritten: boolean;
  readonly low: number;
  /** Before this byte. */
  readonly high: number;
  readonly stride: number;
}

/** A call that may be joined with others. */
interface Part {
  readonly call: Call;
  readonly loop: Loop;
  readonly touches: readonly Touch[];
}

/** Steps with parallel loops joined; `isShared`: the call's kernel is a parallel loop and no check. */
export function joinLoops(
  steps: readonly ProgramStep[],
  threads: number,
  isShared: (call: Call) => boolean,
): readonly ProgramStep[] {
  const kernels = new Map<Kernel, Kernel>();
  const joined: ProgramStep[] = [];
  let parts: Part[] = [];
  const close = (): void => {
    if (parts.length > 1) joined.push(loopOf(parts, kernels));
    else joined.push(...parts.map(({ call }) => call));
    parts = [];
  };
  for (const step of steps) {
    const part = step.kind === "call" && isShared(step) ? partOf(step) : undefined;
    if (part === undefined) {
      close();
      const isSerial = step.kind !== "call" && !(step.kind === "loop" && step.isParallel);
      joined.push(isSerial ? { ...step, body: joinLoops(step.body, threads, isShared) } : step);
      continue;
    }
    if (parts.length > 0 && !goesOn(parts, part, threads)) close();
    parts.push(part);
  }
  close();
  return joined;
}

/** Whether iterations of a further part touch nothing that other iterations of those before do, but to read. */
function goesOn(parts: readonly Part[], next: Part, threads: number): boolean {
  if (parts[0]!.loop.extent !== next.loop.extent) return false;
  return parts.every((part) =>
    part.touches.every((a) => next.touches.every((b) => isApart(a, b, next.loop.extent as number, threads))),
  );
}

function isApart(a: Touch, b: Touch, extent: number, threads: number): boolean {
  if ((!a.isWritten && !b.isWritten) || !mayMeet(a.buffer, b.buffer, threads)) return true;
  if (a.buffer.scope !== "program" || b.buffer.scope !== "program") return isSameScratch(a.buffer, b.buffer);
  const [x, y] = [a, b].map((touch) => rangeOf(touch, extent)) as [Range, Range];
  if (x.high <= y.low || y.high <= x.low) return true;
  return a.stride === b.stride && Math.max(a.high, b.high) - Math.min(a.low, b.low) <= Math.abs(a.stride);
}

type Range = Pick<Touch, "low" | "high">;

/** In all iterations. */
const rangeOf = ({ low, high, stride }: Touch, extent: number): Range => ({
  low: low + Math.min(0, stride * (extent - 1)),
  high: high + Math.max(0, stride * (extent - 1)),
});

/** Whether two buffers may be the same memory. */
function mayMeet(a: ProgramBuffer, b: ProgramBuffer, threads: number): boolean {
  if (a === b) return true;
  if (a.placement.kind !== "arena" || b.placement.kind !== "arena") return false;
  const end = ({ bytes, scope }: ProgramBuffer): number => bytes * (scope === "program" ? 1 : threads);
  const [x, y] = [a.placement.offset, b.placement.offset];
  return x < y + end(b) && y < x + end(a);
}

/** A thread's copy of one is its copy of the other: it uses them one after the other. */
const isSameScratch = (a: ProgramBuffer, b: ProgramBuffer): boolean =>
  a.scope === b.scope &&
  a.bytes === b.bytes &&
  a.placement.kind === "arena" &&
  b.placement.kind === "arena" &&
  a.placement.offset === b.placement.offset;

/** One loop of the program around the bodies of the kernels' loops. */
function loopOf(parts: readonly Part[], kernels: Map<Kernel, Kernel>): ProgramStep {
  const index: Index = { name: "group" };
  const [{ loop }] = parts as [Part, ...Part[]];
  const body = parts.map(({ call, loop: own }): Call => {
    let kernel = kernels.get(call.kernel);
    if (kernel === undefined) kernels.set(call.kernel, (kernel = bodyOf(call.kernel, own)));
    return { ...call, kernel, counters: [...countersOf(call), index] };
  });
  return { kind: "loop", index, extent: loop.extent, isParallel: true, body };
}

/** What a kernel does in one iteration of its parallel loop, whose counter becomes a parameter. */
const bodyOf = (kernel: Kernel, { index, extent, body }: Loop): Kernel => ({
  ...kernel,
  parameters: [...kernel.parameters, { index, extent }],
  body: kernel.body.flatMap((s) => (s.kind === "loop" ? body : [s])),
  cost: {
    flop: kernel.cost.flop / (extent as number),
    bytes: kernel.cost.bytes / (extent as number),
  },
});

// ---- what a call touches ----------------------------------------------------------------------------------------

/** undefined where its loop is not of that kind, or it is not known what an iteration touches. */
function partOf(call: Call): Part | undefined {
  const loop = call.kernel.body.find((s) => s.kind === "loop");
  if (loop === undefined || loop.step !== 1 || typeof loop.extent !== "number") return undefined;
  if (loop.body.some((s) => s.kind === "loop" && s.mode === "parallel")) return undefined;
  const touches = new Touches(call, loop.index);
  for (const { index, extent } of call.kernel.parameters) touches.count(index, 0, extent);
  touches.block(loop.body);
  return touches.areKnown ? { call, loop, touches: touches.found } : undefined;
}

class Touches {
  readonly found: Touch[] = [];
  areKnown = true;
  private readonly index: Index;
  private readonly buffers: ReadonlyMap<KernelBuffer, ProgramBuffer>;
  /** The least and the most that indices of loops around are. */
  private readonly counts = new Map<Index, readonly [number, number]>();

  constructor({ kernel, buffers }: Call, index: Index) {
    this.index = index;
    this.buffers = new Map(kernel.buffers.map((handle, i) => [handle, buffers[i]!]));
  }

  count(index: Index, first: number, extent: Size): void {
    if (typeof extent !== "number") this.areKnown = false;
    else this.counts.set(index, [first, Math.max(first, extent - 1)]);
  }

  block(statements: readonly Statement[]): void {
    for (const s of statements) {
      if (s.kind === "loop") this.loop(s);
      else if (s.kind === "store") this.touch(s, true);
      else if (s.kind === "define" && s.value.kind === "load") this.touch(s.value, false);
    }
  }

  private loop({ index, extent, step, body, remainder }: Loop): void {
    if (typeof extent !== "number") {
      this.areKnown = false;
      return;
    }
    const whole = extent - (extent % step);
    if (whole > 0) {
      this.count(index, 0, whole - step + 1);
      this.block(body);
    }
    if (whole === extent) return;
    this.count(index, whole, extent);
    this.block(remainder);
  }

  private touch(
    { buffer, address, dynamic }: { buffer: KernelBuffer; address: Affine; dynamic: readonly unknown[] },
    isWritten: boolean,
  ): void {
    const memory = this.buffers.get(buffer)!;
    const bytes = bytesOf(buffer.dtype);
    if (memory.scope !== "program")
      return this.add({ buffer: memory, isWritten, low: 0, high: memory.bytes, stride: 0 });
    // What else reads a state's memory is not known.
    if (isWritten && memory.placement.kind === "state") this.areKnown = false;
    const { constant, terms } = address;
    if (typeof constant !== "number" || dynamic.length > 0) return this.everything(memory, isWritten);
    let [low, high, stride] = [constant, constant, 0];
    for (const term of terms) {
      if (typeof term.stride !== "number") return this.everything(memory, isWritten);
      if (term.index === this.index) {
        stride = term.stride;
        continue;
      }
      const [first, last] = this.counts.get(term.index)!;
      low += Math.min(first * term.stride, last * term.stride);
      high += Math.max(first * term.stride, last * term.stride);
    }
    const place = placeOf(memory);
    const [from, to] = [place + low * bytes, place + (high + 1) * bytes];
    this.add({ buffer: memory, isWritten, low: from, high: to, stride: stride * bytes });
  }

  private everything(buffer: ProgramBuffer, isWritten: boolean): void {
    const place = placeOf(buffer);
    this.add({ buffer, isWritten, low: place, high: place + buffer.bytes, stride: 0 });
  }

  private add(touch: Touch): void {
    // Of a tile's many loads and stores one that reaches as far says it all.
    const known = this.found.findIndex(
      (t) => t.buffer === touch.buffer && t.isWritten === touch.isWritten && t.stride === touch.stride,
    );
    if (known < 0) {
      this.found.push(touch);
      return;
    }
    const { low, high } = this.found[known]!;
    this.found[known] = { ...touch, low: Math.min(low, touch.low), high: Math.max(high, touch.high) };
  }
}

const placeOf = ({ placement }: ProgramBuffer): number => (placement.kind === "arena" ? placement.offset : 0);
