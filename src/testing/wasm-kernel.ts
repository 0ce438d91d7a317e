/** Runs one kernel on WebAssembly, for tests that compare it with the loop IR's definition. */
import { bytesOf, type TypedArray } from "../base/dtype.ts";
import { type Dimension, maxOf } from "../base/size.ts";
import type { CheckFailure } from "../ir/evaluate.ts";
import type { Kernel, KernelBuffer } from "../ir/kernel.ts";
import type { Program, ProgramBuffer } from "../ir/program.ts";
import { type InstantiateOptions, instantiate } from "../runtime/wasm/executable.ts";
import { WasmMemory } from "../runtime/wasm/memory.ts";

export interface WasmKernelRun extends InstantiateOptions {
  readonly dimensions?: ReadonlyMap<Dimension, number>;
}

let memory: WasmMemory | undefined;

/** A program of one call, its buffers given as inputs. */
export function programOf(kernel: Kernel, dimensions: readonly Dimension[] = []): Program {
  const buffers = kernel.buffers.map((buffer, position) => programBuffer(buffer, position));
  return {
    name: kernel.name,
    dimensions,
    inputs: buffers,
    states: [],
    arrays: [],
    results: [],
    compute: [{ kind: "call", kernel, buffers }],
    commit: [],
    undo: [],
    checks: [],
    arenaBytes: 0,
    threads: 1,
  };
}

function programBuffer(buffer: KernelBuffer, position: number): ProgramBuffer {
  const elements = maxOf(buffer.elements);
  const { name, dtype, scope } = buffer;
  return {
    name,
    dtype,
    elements,
    bytes: elements * bytesOf(dtype),
    scope,
    placement: { kind: "input", position },
  };
}

/** Runs `kernel` on copies of `arrays` (in the order of its buffers) and writes what came out back into them. */
export function runWasmKernel(
  kernel: Kernel,
  arrays: readonly TypedArray[],
  { dimensions = new Map(), ...options }: WasmKernelRun = {},
): CheckFailure | undefined {
  memory ??= new WasmMemory();
  const used = memory;
  const executable = instantiate(programOf(kernel, [...dimensions.keys()]), used, options);
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
