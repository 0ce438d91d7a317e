/** Which device `cpu` is: chosen once in a process, at first use. */
import { createNativeDevice } from "#native";
import { availableParallelism, env } from "#platform";
import { ArgumentError, nearestName } from "../base/errors.ts";
import type { Device } from "./device.ts";
import { InterpreterDevice } from "./interpreter-device.ts";
import { selfTest } from "./self-test.ts";
import { createWasmDevice } from "./wasm-device.ts";

/** Makers of the targets `cpu` can be, by the names that `NETWRIGHT_TARGET` and `setTarget` take. */
const makers = {
  wasm: (threads: number): Device => createWasmDevice({ threads }),
  interpreter: (): Device => new InterpreterDevice(),
  x64: (threads: number): Device => createNativeDevice({ threads }),
  "x64-avx2": (threads: number): Device => createNativeDevice({ isa: "avx2", threads }),
  "x64-avx512": (threads: number): Device => createNativeDevice({ isa: "avx512", threads }),
} satisfies Record<string, (threads: number) => Device>;

export type TargetName = keyof typeof makers;

const defaultTarget: TargetName = "wasm";

let requested: TargetName | undefined;
let requestedThreads: number | undefined;
let chosen: Device | undefined;

/**
 * Chooses the target of `cpu`, before anything has run; `NETWRIGHT_TARGET` does the same from outside and yields to this.
 *
 * @throws ArgumentError for a name that is no target, or when another target has already run
 * @example
 * // not run: it chooses for the whole process
 * setTarget("interpreter");
 */
export function setTarget(name: TargetName): void {
  const target = targetNamed(name, "setTarget");
  if (chosen !== undefined && chosen.name !== target) {
    throw new ArgumentError(
      `setTarget: "${chosen.name}" is in use, and its memory with it; call setTarget("${target}") before the first value is computed`,
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
  if (chosen !== undefined && chosen.threads !== threads) {
    throw new ArgumentError(
      `setThreads: ${chosen.threads} are in use; call setThreads(${threads}) before the first value is computed`,
    );
  }
  requestedThreads = threads;
}

/** The processor's device. It has proven itself on this machine: see `self-test.ts`. */
export function cpuDevice(): Device {
  return (chosen ??= choose());
}

function choose(): Device {
  const name = requested ?? targetFromEnvironment() ?? defaultTarget;
  const device = makers[name](requestedThreads ?? threadsFromEnvironment() ?? availableParallelism());
  if (name !== "interpreter") selfTest(device);
  return device;
}

function threadsFromEnvironment(): number | undefined {
  const text = env("NETWRIGHT_THREADS");
  return text === undefined || text === "" ? undefined : threadCount(Number(text), "NETWRIGHT_THREADS");
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
  if (Object.hasOwn(makers, name)) return name as TargetName;
  const names = Object.keys(makers);
  const nearest = nearestName(name, names);
  const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
  throw new ArgumentError(`${what}: "${name}" is no target; targets are ${names.join(", ")}${hint}`);
}
