/** The device that computes, as users ask for it. */
import { chosenDevice } from "../runtime/devices.ts";

export interface DeviceFacts {
  /** The code generator: `x64`, `wasm` or `interpreter`. */
  readonly target: string;
  /** Why `cpu` is WebAssembly here and not machine code; undefined when it is, or when another target was asked for. */
  readonly fallback: string | undefined;
  /** Equal arithmetics give equal bits. */
  readonly arithmetic: string;
  readonly threads: number;
  readonly usedBytes: number;
  /** The most memory that was in use so far. */
  readonly peakBytes: number;
}

/**
 * What computes in this process, and the memory it holds. Asking starts it: `setTarget` comes before.
 *
 * @example
 * const { target, threads } = device();
 */
export function device(): DeviceFacts {
  const { device: cpu, fallback } = chosenDevice();
  return { target: cpu.name, fallback, arithmetic: cpu.arithmetic, threads: cpu.threads, ...cpu.memory() };
}
