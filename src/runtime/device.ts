/**
 * What the tensor room sees of a device: memory that holds values, and compiled functions that run.
 *
 * A run commits or does nothing: when a check fails, no state changes, and every result of the run carries the error.
 */
import type { HostArray } from "../base/host-array.ts";
import type { MappedArray } from "../base/mapped-array.ts";
import type { Dimension } from "../base/size.ts";
import type { GraphFunction } from "../graph/function.ts";
import type { State } from "../graph/state.ts";

/** A value in device memory. */
export interface Storage extends Pick<HostArray, "dtype" | "shape"> {
  /** The error of the run that should have made this value: reading throws it. */
  readonly error: Error | undefined;
  /** The run that makes this value has not ended. */
  readonly isPending: boolean;
  /** A copy of the elements' storage bits, once the run that makes it is done. */
  read(): Promise<HostArray["data"]>;
  /** The same in the call: sleeps until that run has ended. */
  readSync(): HostArray["data"];
  /** Gives the memory back early; the collector is the net. Reading afterwards throws. */
  release(): void;
}

export interface ProgramDescription {
  readonly target: string;
  readonly threads: number;
  readonly kernels: readonly { readonly name: string; readonly flop: number; readonly bytes: number }[];
  readonly flop: number;
  readonly bytes: number;
  /** Planned arena + inputs + results + the states it touches: exact before anything runs. */
  readonly peakMemoryBytes: number;
  readonly arenaBytes: number;
  readonly estimatedMilliseconds: number;
}

export interface Executable {
  /** Arguments in the order of `fn.parameters`; host arrays are copied during the call. Returns at once with the results. */
  run(
    inputs: readonly (HostArray | Storage)[],
    dimensions?: ReadonlyMap<Dimension, number>,
  ): readonly Storage[];
  describe(): ProgramDescription;
  /** Frees code and arena. */
  dispose(): void;
}

export interface Device {
  /** `wasm`, `interpreter` … */
  readonly name: string;
  /** Equal arithmetic, equal bits. */
  readonly arithmetic: string;
  readonly threads: number;
  compile(fn: GraphFunction): Executable;
  /** Puts a host array into device memory. */
  upload(array: HostArray): Storage;
  /** Programs can read files that are mapped into the process. */
  readonly readsMappedFiles: boolean;
  /** A value in a mapped file: where it lies, if programs can read it there; else a copy. */
  map(array: MappedArray): Storage;
  /** Makes a state hold an array of a mapped file, in place where `map` does: the first run that assigns it copies it. */
  mapState(state: State, array: MappedArray): void;
  /** The committed value of a state, storage bits, a copy. */
  readState(state: State): HostArray["data"];
  writeState(state: State, data: HostArray["data"]): void;
  /** Bytes of device memory in use now, and the most so far. */
  memory(): { readonly usedBytes: number; readonly peakBytes: number };
}
