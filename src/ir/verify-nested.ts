/**
 * A parallel loop in a parallel loop: any thread may run any iteration of the inner one, and each thread prepares what it needs
 * for an iteration of the outer one by itself, as often as it likes. Part of the kernel verifier.
 */
import type { KernelBuffer, Loop, Register, Statement } from "./kernel.ts";

/** Why threads could tell who ran what, or undefined; for loops without a parallel loop inside there is nothing to say. */
export function nestedParallelFault({ body, step }: Loop): string | undefined {
  const inner = body.filter((s): s is Loop => s.kind === "loop" && s.mode === "parallel");
  if (inner.length === 0) return undefined;
  const [last] = inner as [Loop];
  if (inner.length > 1 || body.at(-1) !== last)
    return "one parallel loop stands in another, as its last statement";
  if (step !== 1 || last.step !== 1) return "parallel loops one in the other have step 1";
  const preparation = body.slice(0, -1);
  if (preparation.some((s) => s.kind !== "loop"))
    return "before a parallel loop in a parallel loop stand only loops";
  const [before, after] = [touched(preparation), touched(last.body)];
  for (const buffer of before.stored) {
    if (buffer.scope !== "thread") return `preparing writes ${buffer.name}, which threads share`;
    if (after.stored.has(buffer)) return `${buffer.name} is prepared and then written`;
  }
  for (const buffer of before.loaded)
    if (after.stored.has(buffer)) return `preparing reads ${buffer.name}, which threads write`;
  for (const register of before.registers)
    if (after.registers.has(register))
      return `register ${register.name} is set in preparation and used after`;
  return undefined;
}

interface Touched {
  readonly stored: Set<KernelBuffer>;
  readonly loaded: Set<KernelBuffer>;
  readonly registers: Set<Register>;
}

function touched(
  statements: readonly Statement[],
  found: Touched = { stored: new Set(), loaded: new Set(), registers: new Set() },
): Touched {
  for (const s of statements) {
    if (s.kind === "loop") {
      touched(s.body, found);
      touched(s.remainder, found);
    } else if (s.kind === "store") found.stored.add(s.buffer);
    else if (s.kind === "set") found.registers.add(s.register);
    else if (s.kind === "prefetch") continue;
    else if (s.value.kind === "load") found.loaded.add(s.value.buffer);
    else if (s.value.kind === "register" || s.value.kind === "combine") found.registers.add(s.value.register);
  }
  return found;
}
