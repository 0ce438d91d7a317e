/** Which device `cpu` is: chosen once in a process, at first use. */
import { createNativeDevice } from "#native";
import { availableParallelism, env, hasEnvironment, hasInterpreter } from "#platform";
import { ArgumentError, NetwrightError, nearestName, PlatformError } from "../base/errors.ts";
import type { Device } from "./device.ts";
import { InterpreterDevice } from "./interpreter-device.ts";
import { selfTest } from "./self-test.ts";
import { createWasmDevice } from "./wasm-device.ts";

/** Makers of the code generators that can be asked for by name. */
const makers = {
  x64: (threads: number): Device => createNativeDevice({ ...nativeSettings(), threads }),
  "x64-avx2": (threads: number): Device => createNativeDevice({ ...nativeSettings(), isa: "avx2", threads }),
  "x64-avx512": (threads: number): Device =>
    createNativeDevice({ ...nativeSettings(), isa: "avx512", threads }),
  wasm: (threads: number): Device => createWasmDevice({ threads }),
  interpreter: (): Device => {
    if (hasInterpreter) return new InterpreterDevice();
    throw new PlatformError('the interpreter is not part of web pages; use the target "wasm"');
  },
} satisfies Record<string, (threads: number) => Device>;

type GeneratorName = keyof typeof makers;

/**
 * What `NETWRIGHT_TARGET` and `setTarget` take: `cpu` is machine code (`x64`) where it may run and WebAssembly elsewhere; the
 * others are one code generator each, and an error where it cannot run.
 */
export type TargetName = "cpu" | GeneratorName;

const defaultTarget: TargetName = "cpu";

/** A device that has proven itself on this machine, and why it is not the one that `cpu` prefers. */
export interface ChosenDevice {
  readonly device: Device;
  readonly requested: TargetName;
  /** Why machine code does not run here; undefined when it does, or when another target was asked for. */
  readonly fallback: string | undefined;
}

let requested: TargetName | undefined;
let requestedThreads: number | undefined;
let chosen: ChosenDevice | undefined;

/**
 * Chooses the target of `cpu`, before anything has run; `NETWRIGHT_TARGET` does the same from outside and yields to this.
 *
 * - `cpu` (the default): machine code where it may run, WebAssembly elsewhere; `device().fallback` says why
 * - `x64`: machine code for the best instruction set of this processor; `x64-avx2`, `x64-avx512`: for that one
 * - `wasm`: WebAssembly with SIMD, and threads where memory can be shared
 * - `interpreter`: the definition of every op, thousands of times slower; not in web pages
 *
 * @throws ArgumentError for a name that is no target, or when another target has already run
 * @example
 * // not run: it chooses for the whole process
 * setTarget("interpreter");
 */
export function setTarget(name: TargetName): void {
  const target = targetNamed(name, "setTarget");
  if (chosen !== undefined && chosen.device.name !== target && chosen.requested !== target) {
    throw new ArgumentError(
      `setTarget: "${chosen.device.name}" is in use, and its memory with it; call setTarget("${target}") before the first ` +
        "value is computed",
    );
  }
  requested = target;
}

/**
 * Chooses how many threads `cpu` uses, before anything has run; `NETWRIGHT_THREADS` does the same from outside and yields
 * to this. The default is all processors that this process may use. The number never changes a result, only the time.
 *
 * @throws ArgumentError for what is no positive integer, or when another number is already in use
 * @example
 * // not run: it chooses for the whole process
 * setThreads(2);
 */
export function setThreads(count: number): void {
  const threads = threadCount(count, "setThreads");
  if (chosen !== undefined && chosen.device.threads !== threads) {
    throw new ArgumentError(
      `setThreads: ${chosen.device.threads} are in use; call setThreads(${threads}) before the first value is computed`,
    );
  }
  requestedThreads = threads;
}

/** The processor's device. It has proven itself on this machine: see `self-test.ts`. */
export const cpuDevice = (): Device => chosenDevice().device;

/** The same, with how it was chosen. */
export const chosenDevice = (): ChosenDevice => (chosen ??= choose());

function choose(): ChosenDevice {
  const [target, count] = hasEnvironment ? [targetFromEnvironment(), threadsFromEnvironment()] : [];
  const name = requested ?? target ?? defaultTarget;
  const threads = requestedThreads ?? count ?? availableParallelism();
  return chooseTarget(name, (target) => proven(makers[target](threads)));
}

/** Exported for tests: `make` gives a device that has proven itself, or throws why it cannot. */
export function chooseTarget(name: TargetName, make: (target: GeneratorName) => Device): ChosenDevice {
  if (name !== "cpu") return { device: make(name), requested: name, fallback: undefined };
  try {
    return { device: make("x64"), requested: name, fallback: undefined };
  } catch (error) {
    if (!(error instanceof NetwrightError)) throw error;
    return { device: makeFallback(make, error), requested: name, fallback: error.message };
  }
}

function makeFallback(make: (target: GeneratorName) => Device, reason: NetwrightError): Device {
  try {
    return make("wasm");
  } catch (cause) {
    if (!(cause instanceof PlatformError)) throw cause;
    throw new PlatformError(`${reason.message}; and ${cause.message}`, { cause });
  }
}

function proven(device: Device): Device {
  if (device.name !== "interpreter") selfTest(device);
  return device;
}

function threadsFromEnvironment(): number | undefined {
  const text = env("NETWRIGHT_THREADS");
  return text === undefined || text === "" ? undefined : threadCount(Number(text), "NETWRIGHT_THREADS");
}

const nativeSettings = () => ({
  backgroundMs: hasEnvironment ? backgroundMs() : undefined,
  usesSearchedTiles: true,
});

/** Programs that take longer leave the caller's thread; undefined: the device's default. */
function backgroundMs(): number | undefined {
  const text = env("NETWRIGHT_BACKGROUND_MS");
  if (text === undefined || text === "") return undefined;
  if (Number(text) >= 0) return Number(text);
  throw new ArgumentError(
    `NETWRIGHT_BACKGROUND_MS: "${text}" is no time; give milliseconds from 0 on, or Infinity`,
  );
}

function threadCount(count: number, what: string): number {
  if (Number.isInteger(count) && count > 0) return count;
  throw new ArgumentError(`${what}: ${count} is no number of threads; give a positive integer`);
}

function targetFromEnvironment(): TargetName | undefined {
  const name = env("NETWRIGHT_TARGET");
  return name === undefined || name === "" ? undefined : targetNamed(name, "NETWRIGHT_TARGET");
}

function targetNamed(name: string, what: string): TargetName {
  const names = ["cpu", ...Object.keys(makers)];
  if (names.includes(name)) return name as TargetName;
  const nearest = nearestName(name, names);
  const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
  throw new ArgumentError(`${what}: "${name}" is no target; targets are ${names.join(", ")}${hint}`);
}
