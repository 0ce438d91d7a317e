/** The device that computes, as users ask for it. */
import { cpuDevice } from "../runtime/devices.ts";

export interface DeviceFacts {
  /** The code generator: `wasm` or `interpreter`. */
  readonly target: string;
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
  const cpu = cpuDevice();
  return { target: cpu.name, arithmetic: cpu.arithmetic, threads: cpu.threads, ...cpu.memory() };
}
