/** Machine code through the optional package `koffi`: the only place that names it. */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { NativeHost } from "../platform.ts";

type Koffi = typeof import("koffi");

const backgroundStackBytes = 2 ** 20;

let answer: NativeHost | { readonly reason: string } | undefined;

export const nativeHost = (): NativeHost | { readonly reason: string } => (answer ??= openHost());

function openHost(): NativeHost | { readonly reason: string } {
  if (process.platform !== "linux" || process.arch !== "x64")
    return {
      reason: `machine code is made for Linux on x64, this is ${process.platform} on ${process.arch}`,
    };
  const koffi = koffiPackage();
  if ("reason" in koffi) return koffi;
  try {
    return hostOf(koffi);
  } catch (error) {
    return { reason: `the C library cannot be opened: ${(error as Error).message}` };
  }
}

/** The package, set up, or why it is not there. */
export function koffiPackage(): Koffi | { readonly reason: string } {
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    giveStack(koffi);
    return koffi;
  } catch (error) {
    const isMissing = (error as { code?: string }).code === "MODULE_NOT_FOUND";
    return {
      reason: isMissing
        ? 'the optional package "koffi" is not installed: npm install koffi'
        : `the package "koffi" does not load here: ${(error as Error).message}`,
    };
  }
}

function hostOf(koffi: Koffi): NativeHost {
  // Also the first thing to do in every worker thread: a call before it is a fault.
  const library = koffi.load(null);
  // koffi keeps every prototype for ever.
  const prototypes: ReturnType<Koffi["proto"]>[] = [];
  const functionAt = (address: number, argumentCount: number): ((...values: readonly number[]) => number) => {
    const prototype = (prototypes[argumentCount] ??= koffi.proto(
      "int64_t",
      Array<string>(argumentCount).fill("uintptr_t"),
    ));
    return koffi.decode(address, prototype);
  };
  return {
    libraryFunction(definition) {
      const call = library.func(definition);
      return (...values) => Number(call(...values));
    },
    functionAt,
    backgroundFunctionAt(address) {
      const call = functionAt(address, 1) as unknown as ReturnType<ReturnType<Koffi["load"]>["func"]>;
      return (argument, onEnd) => call.async(argument, onEnd);
    },
    view: (address, bytes) => koffi.view(address, bytes),
    errorNumber: () => koffi.errno(),
  };
}

/** Programs on another thread have the stack that koffi gives them: as much as they have on this one. */
function giveStack(koffi: Koffi): void {
  try {
    koffi.config({ async_stack_size: backgroundStackBytes });
  } catch {
    // Somebody else uses koffi already, with the stack that they chose; ours would be roomier, theirs is enough.
  }
}

export function writeObjectFile(folder: string, name: string, bytes: Uint8Array): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), bytes);
}
export const appendProfilerMap = (text: string): void => appendFileSync(`/tmp/perf-${process.pid}.map`, text);
