/**
 * Iterations of a parallel loop of the program write apart from each other: each kernel that is called inside is looked at
 * as if the loop stood around its body. Memory of an iteration's own counts as scratch does.
 */
import type { Size } from "../base/size.ts";
import type { Index, Kernel, KernelBuffer, Loop, Statement } from "./kernel.ts";
import { bodyExtent } from "./verify.ts";
import { type Access, overlapAcrossIterations } from "./verify-disjoint.ts";

/** A loop of the program, as the kernel's parameter counts it. */
export interface LoopAround {
  readonly index: Index;
  readonly extent: Size;
}

/**
 * Why two iterations of `parallel` may meet in memory that they share, or undefined when they cannot. `inner` are the loops
 * between it and the call; `isOwn` says which buffers each thread has for itself.
 */
export function overlapInParallelLoop(
  kernel: Kernel,
  parallel: LoopAround,
  inner: readonly LoopAround[],
  isOwn: (buffer: KernelBuffer) => boolean,
): string | undefined {
  const loopAround = ({ index, extent }: LoopAround, body: readonly Statement[]): Loop => ({
    ...({ kind: "loop", mode: "serial", index, extent } as const),
    ...{ step: 1, body, remainder: [], lockstep: false },
  });
  const body = [...inner].reverse().reduce<readonly Statement[]>((b, l) => [loopAround(l, b)], kernel.body);
  const loop: Loop = { ...loopAround(parallel, body), mode: "parallel" };
  const accesses = accessesIn([loop], new Map(kernel.parameters.map((p) => [p.index, p.extent])));
  const shared = accesses.filter(({ buffer }) => !isOwn(buffer));
  const minimums = new Map();
  return overlapAcrossIterations(
    loop,
    shared.map((access) => ({ ...access, inRemainder: false })),
    minimums,
  );
}

function accessesIn(statements: readonly Statement[], outer: ReadonlyMap<Index, Size>): Access[] {
  return statements.flatMap((s): Access[] => {
    if (s.kind === "loop") {
      const within = (list: readonly Statement[], extent: Size): Access[] =>
        accessesIn(list, new Map([...outer, [s.index, extent]]));
      return [...within(s.body, bodyExtent(s.extent, s.step)), ...within(s.remainder, s.extent)];
    }
    if (s.kind === "store") {
      const { buffer, address, dynamic } = s;
      return [{ buffer, address, dynamic, isStore: true, extents: outer }];
    }
    if (s.kind !== "define" || s.value.kind !== "load") return [];
    const { buffer, address, dynamic } = s.value;
    return [{ buffer, address, dynamic, isStore: false, extents: outer }];
  });
}
