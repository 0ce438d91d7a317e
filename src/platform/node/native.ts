/** Machine code through the optional package `koffi`: the only place that names it. */
import { appendFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { NativeHost } from "../platform.ts";

type Koffi = typeof import("koffi");

let answer: NativeHost | { readonly reason: string } | undefined;

export const nativeHost = (): NativeHost | { readonly reason: string } => (answer ??= openHost());

function openHost(): NativeHost | { readonly reason: string } {
  if (process.platform !== "linux" || process.arch !== "x64")
    return {
      reason: `machine code is made for Linux on x64, this is ${process.platform} on ${process.arch}`,
    };
  let koffi: Koffi;
  try {
    koffi = createRequire(import.meta.url)("koffi") as Koffi;
  } catch (error) {
    const isMissing = (error as { code?: string }).code === "MODULE_NOT_FOUND";
    return {
      reason: isMissing
        ? 'the optional package "koffi" is not installed: npm install koffi'
        : `the package "koffi" does not load here: ${(error as Error).message}`,
    };
  }
  try {
    return hostOf(koffi);
  } catch (error) {
    return { reason: `the C library cannot be opened: ${(error as Error).message}` };
  }
}

function hostOf(koffi: Koffi): NativeHost {
  // Also the first thing to do in every worker thread: a call before it is a fault.
  const library = koffi.load(null);
  // koffi keeps every prototype for ever.
  const prototypes: ReturnType<Koffi["proto"]>[] = [];
  return {
    libraryFunction(definition) {
      const call = library.func(definition);
      return (...values) => Number(call(...values));
    },
    functionAt(address, argumentCount) {
      const prototype = (prototypes[argumentCount] ??= koffi.proto(
        "int64_t",
        Array<string>(argumentCount).fill("uintptr_t"),
      ));
      const call = koffi.decode(address, prototype) as (...values: readonly number[]) => number;
      return call;
    },
    view: (address, bytes) => koffi.view(address, bytes),
    errorNumber: () => koffi.errno(),
  };
}

export const appendProfilerMap = (text: string): void => appendFileSync(`/tmp/perf-${process.pid}.map`, text);
