/** The few calls of the C library that the native target needs. */
import { nativeHost } from "#platform";
import { PlatformError } from "../../base/errors.ts";
import type { NativeHost } from "../../platform/platform.ts";

export const protection = { none: 0, read: 1, write: 2, execute: 4 } as const;
const mapShared = 1;
const mapPrivate = 2;
const mapAnonymous = 0x20;
const mapNoReserve = 0x4000;
const adviseHugePage = 14;
const closeOnExec = 1;

export class NativeSystem {
  readonly host: NativeHost;
  private readonly mmap: (...values: readonly (number | string)[]) => number;
  private readonly munmap: (...values: readonly (number | string)[]) => number;
  private readonly mprotect: (...values: readonly (number | string)[]) => number;
  private readonly madvise: (...values: readonly (number | string)[]) => number;
  private readonly memfd: (...values: readonly (number | string)[]) => number;
  private readonly truncate: (...values: readonly (number | string)[]) => number;
  private readonly createThread: (...values: readonly (number | string)[]) => number;
  private readonly sigaction: (...values: readonly (number | string)[]) => number;
  private readonly close: (...values: readonly (number | string)[]) => number;

  constructor(host: NativeHost) {
    this.host = host;
    const define = (definition: string) => host.libraryFunction(definition);
    this.mmap = define(
      "intptr_t mmap(uintptr_t address, size_t bytes, int access, int flags, int file, int64_t offset)",
    );
    this.munmap = define("int munmap(uintptr_t address, size_t bytes)");
    this.mprotect = define("int mprotect(uintptr_t address, size_t bytes, int access)");
    this.madvise = define("int madvise(uintptr_t address, size_t bytes, int advice)");
    this.memfd = define("int memfd_create(const char *name, unsigned int flags)");
    this.truncate = define("int ftruncate(int file, int64_t bytes)");
    this.createThread = define(
      "int pthread_create(uintptr_t handle, uintptr_t attributes, uintptr_t main, uintptr_t argument)",
    );
    this.sigaction = define("int sigaction(int signal, uintptr_t action, uintptr_t previous)");
    this.close = define("int close(int file)");
  }

  /** Fresh zeroed memory, or undefined where the system has none. */
  mapMemory(bytes: number, options: { reserveOnly?: boolean } = {}): number | undefined {
    const flags = mapPrivate | mapAnonymous | (options.reserveOnly ? mapNoReserve : 0);
    return this.checked(this.mmap(0, bytes, protection.read | protection.write, flags, -1, 0));
  }
  unmap(address: number, bytes: number): void {
    this.munmap(address, bytes);
  }
  protect(address: number, bytes: number, access: number): boolean {
    return this.mprotect(address, bytes, access) === 0;
  }
  adviseHugePages(address: number, bytes: number): void {
    this.madvise(address, bytes, adviseHugePage);
  }

  /** A file in memory alone; undefined where the system refuses. */
  openMemoryFile(name: string, bytes: number): number | undefined {
    const file = this.memfd(name, closeOnExec);
    if (file < 0) return undefined;
    if (this.truncate(file, bytes) === 0) return file;
    this.close(file);
    return undefined;
  }
  mapFile(file: number, bytes: number, access: number): number | undefined {
    return this.checked(this.mmap(0, bytes, access, mapShared, file, 0));
  }
  closeFile(file: number): void {
    this.close(file);
  }
  /** Starts a thread at generated code; its handle is written to `handle`. Gives the error's number, or 0. */
  startThread(handle: number, main: number, argument: number): number {
    return this.createThread(handle, 0, main, argument);
  }
  /** Sets what a signal does (address of a `struct sigaction`, 0: leave it) and stores what it did. Gives 0, or -1. */
  signalAction(signal: number, action: number, previous: number): number {
    return this.sigaction(signal, action, previous);
  }
  errorNumber(): number {
    return this.host.errorNumber();
  }
  bytesAt(address: number, bytes: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.host.view(address, bytes));
  }

  private checked(address: number): number | undefined {
    return address === -1 || address === 0 ? undefined : address;
  }
}

let system: NativeSystem | undefined;

/** The calls, or why there are none. */
export function nativeSystem(): NativeSystem | { readonly reason: string } {
  if (system !== undefined) return system;
  const host = nativeHost();
  if ("reason" in host) return host;
  try {
    return (system = new NativeSystem(host));
  } catch (error) {
    return { reason: `the C library lacks a function that is needed: ${(error as Error).message}` };
  }
}

export function requireNativeSystem(): NativeSystem {
  const found = nativeSystem();
  if (found instanceof NativeSystem) return found;
  throw new PlatformError(`machine code cannot run here: ${found.reason}`);
}
