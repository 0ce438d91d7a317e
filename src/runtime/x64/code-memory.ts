/**
 * Memory that runs: never writable and executable at the same address. A file in memory is mapped twice, written through
 * one mapping and run through the other; where that is refused, pages are written first and made executable then.
 */
import { env } from "#platform";
import { PlatformError } from "../../base/errors.ts";
import type { MachineBytes } from "../../codegen/x64/assembler/assembler.ts";
import { appendPerfMap } from "./debug-files.ts";
import { type NativeSystem, protection } from "./system.ts";

const pageBytes = 4096;

export interface LoadedCode {
  readonly address: number;
  readonly bytes: number;
  readonly method: "two mappings" | "made executable";
}

/** Copies code to where it can run. It stays until `unloadCode`. */
export function loadCode(system: NativeSystem, code: Pick<MachineBytes, "bytes" | "symbols">): LoadedCode {
  const bytes = Math.max(pageBytes, Math.ceil(code.bytes.length / pageBytes) * pageBytes);
  const reasons: string[] = [];
  // perf looks up names only for memory that no file is behind.
  const isProfiled = env("NETWRIGHT_PERF_MAP") === "1";
  const loaded =
    (isProfiled ? undefined : loadTwice(system, code.bytes, bytes, reasons)) ??
    loadOnce(system, code.bytes, bytes, reasons);
  if (loaded === undefined)
    throw new PlatformError(`the system gives no memory that may run code: ${reasons.join("; ")}`);
  if (isProfiled) appendPerfMap(code.symbols, loaded.address);
  return loaded;
}

export function unloadCode(system: NativeSystem, { address, bytes }: LoadedCode): void {
  system.unmap(address, bytes);
}

function loadTwice(
  system: NativeSystem,
  code: Uint8Array,
  bytes: number,
  reasons: string[],
): LoadedCode | undefined {
  const file = system.openMemoryFile("netwright-code", bytes);
  if (file === undefined) {
    reasons.push(`memfd_create failed (error ${system.errorNumber()})`);
    return undefined;
  }
  try {
    const writable = system.mapFile(file, bytes, protection.read | protection.write);
    const runnable = writable && system.mapFile(file, bytes, protection.read | protection.execute);
    if (!writable || !runnable) reasons.push(`an executable mapping failed (error ${system.errorNumber()})`);
    if (writable) {
      if (runnable) system.bytesAt(writable, code.length).set(code);
      // The view above is never read again, so its pages may go.
      system.unmap(writable, bytes);
    }
    return runnable ? { address: runnable, bytes, method: "two mappings" } : undefined;
  } finally {
    system.closeFile(file);
  }
}

function loadOnce(
  system: NativeSystem,
  code: Uint8Array,
  bytes: number,
  reasons: string[],
): LoadedCode | undefined {
  const address = system.mapMemory(bytes);
  if (address === undefined) return undefined;
  system.bytesAt(address, code.length).set(code);
  if (system.protect(address, bytes, protection.read | protection.execute))
    return { address, bytes, method: "made executable" };
  reasons.push(`mprotect failed (error ${system.errorNumber()})`);
  system.unmap(address, bytes);
  return undefined;
}
