/** What a Program will cost, said before it runs. */
import { bytesOf } from "../base/dtype.ts";
import { maxOf } from "../base/size.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { Program, ProgramStep } from "../ir/program.ts";

export interface ProgramCost {
  /** In order of execution; a kernel in a loop counts with all its iterations. */
  readonly kernels: readonly { readonly name: string; readonly flop: number; readonly bytes: number }[];
  readonly flop: number;
  readonly bytes: number;
  /** Arena, inputs, results, constants and states together: what a run needs at most. */
  readonly peakMemoryBytes: number;
  readonly arenaBytes: number;
}

export function describeProgram(program: Program): ProgramCost {
  const kernels: { name: string; flop: number; bytes: number }[] = [];
  const visit = (steps: readonly ProgramStep[], times: number): void => {
    for (const step of steps) {
      if (step.kind === "call") kernels.push(costOf(step.kernel, times));
      else visit(step.body, times * (step.kind === "loop" ? maxOf(step.extent) : step.max));
    }
  };
  visit(program.compute, 1);
  visit(program.commit, 1);
  const total = (read: (kernel: (typeof kernels)[number]) => number): number =>
    kernels.reduce((sum, k) => sum + read(k), 0);
  return {
    kernels,
    flop: total((kernel) => kernel.flop),
    bytes: total((kernel) => kernel.bytes),
    peakMemoryBytes: program.arenaBytes + outsideBytes(program),
    arenaBytes: program.arenaBytes,
  };
}

const costOf = ({ name, cost }: Kernel, times: number) => ({
  name,
  flop: cost.flop * times,
  bytes: cost.bytes * times,
});

/** Bytes of what a run reads and writes beside its arena. */
function outsideBytes(program: Program): number {
  const states = new Set(program.states);
  const ofStates = [...states].reduce(
    (sum, state) => sum + state.shape.reduce((n, size) => n * size, bytesOf(state.dtype)),
    0,
  );
  const lists = [
    program.inputs,
    program.results.map(({ buffer }) => buffer),
    program.arrays.map(({ buffer }) => buffer),
  ];
  return ofStates + lists.flat().reduce((sum, { bytes }) => sum + bytes, 0);
}
