/** Runs a compiled Program on the loop IR's definition (`ir/evaluate.ts`): tests the compiler without a code generator. */
import { arrayTypeOf, type DType, type TypedArray } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { type Dimension, evaluateSize } from "../base/size.ts";
import type { State } from "../graph/state.ts";
import { type CheckFailure, evaluateKernel } from "../ir/evaluate.ts";
import type { Index } from "../ir/kernel.ts";
import type { Program, ProgramBuffer, ProgramStep } from "../ir/program.ts";

export interface ProgramRun {
  readonly inputs: readonly TypedArray[];
  /** Values of the states; the commit writes them. */
  readonly states?: ReadonlyMap<State, TypedArray>;
  readonly dimensions?: ReadonlyMap<Dimension, number>;
}

/** Results in order, or the first failed check; then no state has changed. */
export function evaluateProgram(
  program: Program,
  run: ProgramRun,
): { results: TypedArray[]; failure?: CheckFailure } {
  const arena = new ArrayBuffer(program.arenaBytes + 64);
  const others = new Map<ProgramBuffer, TypedArray>();
  const memoryOf = (buffer: ProgramBuffer): TypedArray => {
    const { placement } = buffer;
    const type = arrayTypeOf(buffer.dtype);
    if (placement.kind === "arena") return new type(arena, placement.offset, buffer.elements);
    let array = others.get(buffer);
    if (array === undefined) others.set(buffer, (array = outside(buffer, run)));
    return array;
  };
  const counters = new Map<Index, number>();
  const execute = (steps: readonly ProgramStep[]): CheckFailure | undefined => {
    for (const step of steps) {
      const failure = executeStep(step);
      if (failure !== undefined) return failure;
    }
    return undefined;
  };
  const executeStep = (step: ProgramStep): CheckFailure | undefined => {
    if (step.kind === "call") {
      const buffers = step.buffers.map((buffer, i) =>
        readAs(memoryOf(buffer), step.kernel.buffers[i]!.dtype),
      );
      const parameters = step.kernel.parameters.map(({ index }) => counters.get(index)!);
      return evaluateKernel(step.kernel, { buffers, parameters, dimensions: run.dimensions });
    }
    const times = step.kind === "loop" ? evaluateSize(step.extent, run.dimensions ?? new Map()) : step.max;
    for (let i = 0; i < times; i++) {
      if (step.kind === "while" && !memoryOf(step.condition)[0]) break;
      counters.set(step.index, i);
      const failure = execute(step.body);
      if (failure !== undefined) return failure;
    }
    return undefined;
  };
  const failure = execute(program.compute);
  if (failure !== undefined) {
    execute(program.undo);
    return { results: [], failure };
  }
  execute(program.commit);
  return { results: program.results.map(({ buffer }) => memoryOf(buffer)) };
}

/** Bytes and f64 as words, where a kernel reads them so. */
function readAs(memory: TypedArray, dtype: DType): TypedArray {
  const areWords = dtype === "i32" && (memory.BYTES_PER_ELEMENT === 1 || memory instanceof Float64Array);
  return areWords ? new Int32Array(memory.slice().buffer, 0, Math.floor(memory.byteLength / 4)) : memory;
}

function outside({ placement, dtype, elements, name }: ProgramBuffer, run: ProgramRun): TypedArray {
  switch (placement.kind) {
    case "input":
      return run.inputs[placement.position]!;
    case "array":
      return (placement.array as { data: TypedArray }).data;
    case "state": {
      const value = run.states?.get(placement.state);
      if (value === undefined) throw new InternalError(`no value given for state ${name}`);
      return value;
    }
    default:
      return new (arrayTypeOf(dtype))(elements);
  }
}
