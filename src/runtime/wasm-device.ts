/** The WebAssembly device: one growing memory; a compiled function is one module. */
import { canShareMemory } from "#platform";
import { PlatformError } from "../base/errors.ts";
import { wasmTarget } from "../ir/target.ts";
import type { Device } from "./device.ts";
import { MemoryDevice } from "./memory-device.ts";
import { instantiate } from "./wasm/executable.ts";
import { WasmMemory } from "./wasm/memory.ts";
import { WasmThreads } from "./wasm/threads.ts";

export interface WasmDeviceOptions {
  /** At most; one where memory cannot be shared (a browser page without cross-origin isolation). */
  readonly threads?: number;
  /** false: every op is a kernel of its own, for tests. */
  readonly isFused?: boolean;
}

/** @throws PlatformError where the process has no WebAssembly (`node --jitless`) */
export function createWasmDevice({ threads = 1, isFused }: WasmDeviceOptions = {}): Device {
  if (typeof WebAssembly === "undefined")
    throw new PlatformError(
      "this process has no WebAssembly (node --jitless?); set NETWRIGHT_TARGET=interpreter to go on slowly",
    );
  const shared = threads > 1 && canShareMemory();
  const memory = new WasmMemory({ shared });
  // They start when the first program is worth more than one thread.
  const workers = shared ? new WasmThreads(memory, threads) : undefined;
  return new MemoryDevice({
    target: { ...wasmTarget, threads: workers?.count ?? 1 },
    memory,
    isFused,
    instantiate: (program) => instantiate(program, memory, { threads: workers }),
  });
}
