/** Runs one kernel as machine code, for tests that compare it with the loop IR's definition. */
import type { TypedArray } from "../base/dtype.ts";
import type { Dimension } from "../base/size.ts";
import type { CheckFailure } from "../ir/evaluate.ts";
import type { Kernel } from "../ir/kernel.ts";
import { emitNative, NativeExecutable, type NativeOptions } from "../runtime/x64/executable.ts";
import { NativeMemory } from "../runtime/x64/memory.ts";
import { requireNativeSystem } from "../runtime/x64/system.ts";
import { NativeThreads } from "../runtime/x64/threads.ts";
import { programOf } from "./wasm-kernel.ts";

export interface NativeKernelRun extends Omit<NativeOptions, "threads"> {
  /** More than one: parallel loops are shared, however small. */
  readonly threads?: number;
  readonly dimensions?: ReadonlyMap<Dimension, number> | undefined;
}

let memory: NativeMemory | undefined;
const pools = new Map<number, NativeThreads>();

/** Runs `kernel` on copies of `arrays` (in the order of its buffers) and writes what came out back into them. */
export function runNativeKernel(
  kernel: Kernel,
  arrays: readonly TypedArray[],
  { dimensions = new Map(), threads: count = 1, ...options }: NativeKernelRun,
): CheckFailure | undefined {
  const system = requireNativeSystem();
  memory ??= new NativeMemory(system);
  const used = memory;
  const threads = count === 1 ? undefined : (pools.get(count) ?? new NativeThreads(system, used, count));
  if (threads !== undefined) pools.set(count, threads);
  const program = { ...programOf(kernel, [...dimensions.keys()]), threads: count };
  const native = { parallelMicroseconds: 0, ...options, threads };
  const code = emitNative(program, native);
  const executable = new NativeExecutable({ program, code }, system, used, native);
  const inputs = arrays.map((array) => used.allocate(array.byteLength));
  const viewOf = (i: number): TypedArray =>
    used.view(kernel.buffers[i]!.dtype, inputs[i]!, arrays[i]!.length);
  arrays.forEach((array, i) => void viewOf(i).set(array));
  const failure = executable.run({
    inputs,
    states: [],
    results: [],
    arrays: [],
    dimensions: [...dimensions.values()],
  });
  arrays.forEach((array, i) => void array.set(viewOf(i)));
  for (const address of inputs) used.free(address);
  executable.dispose();
  return failure;
}
