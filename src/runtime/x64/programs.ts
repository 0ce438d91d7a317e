/** How a native device comes by a function's program: compiled, and kept on disk where that is wanted; or found there. */
import { env, processors } from "#platform";
import { generatorModule } from "../../codegen/x64/program.ts";
import { describeProgram } from "../../compiler/describe.ts";
import type { GraphFunction } from "../../graph/function.ts";
import type { Program } from "../../ir/program.ts";
import type { TargetDescription } from "../../ir/target.ts";
import type { MemoryDeviceParts } from "../memory-device.ts";
import {
  ProgramCache,
  type ProgramPlace,
  type ProgramPurpose,
  programCache,
} from "../program-cache/cache.ts";
import type { CompiledProgram } from "../program-cache/program-file.ts";
import { emitNative, NativeExecutable, type NativeOptions } from "./executable.ts";
import { lastCacheShare } from "./last-cache.ts";
import type { NativeMemory } from "./memory.ts";
import type { NativeSystem } from "./system.ts";

export interface NativePrograms {
  readonly target: TargetDescription;
  readonly isFused: boolean | undefined;
  readonly options: NativeOptions;
  readonly system: NativeSystem;
  readonly memory: NativeMemory;
}

export function nativePrograms(parts: NativePrograms): Pick<MemoryDeviceParts, "instantiate" | "remembered"> {
  const { system, memory, options } = parts;
  const executableOf = ({ program, code }: Pick<CompiledProgram, "program" | "code">): NativeExecutable =>
    new NativeExecutable({ program, code }, system, memory, options);
  const places = new WeakMap<GraphFunction, ProgramPlace>();
  return {
    remembered(fn) {
      const cache = parts.target.tiles?.stamp === "" ? undefined : usableCache();
      const place = cache?.placeOf(fn, purposeOf(parts), [generatorModule]);
      if (cache === undefined || place === undefined) return undefined;
      const found = cache.find(place, fn);
      const isForHere = found?.lastCacheBytes === undefined || found.lastCacheBytes === lastCacheBytes();
      if (found === undefined || !isForHere) {
        places.set(fn, place);
        return undefined;
      }
      return { program: found.program, executable: executableOf(found), cost: () => found.cost };
    },
    instantiate(program, fn) {
      const compiled = compiledFor(program, options);
      const place = places.get(fn);
      if (place !== undefined) usableCache()?.keep(place, compiled);
      return executableOf(compiled);
    },
  };
}

function compiledFor(program: Program, options: NativeOptions): CompiledProgram {
  let asked: number | undefined;
  const code = emitNative(program, { ...options, lastCacheBytes: () => (asked = lastCacheBytes()) });
  return { program, code, cost: describeProgram(program), lastCacheBytes: asked };
}

/** Whoever wants to see what the compiler does has it do it. */
function usableCache(): ProgramCache | undefined {
  const cache = programCache();
  return cache instanceof ProgramCache && !env("NETWRIGHT_DEBUG") ? cache : undefined;
}

/** All that code depends on beside the function. */
function purposeOf({ target, isFused, options: { isa, threads } }: NativePrograms): ProgramPurpose {
  const { caches, tiles, ...facts } = target;
  return {
    ...facts,
    l1: `${caches.l1.bytes}/${caches.l1.ways}`,
    l2: `${caches.l2.bytes}/${caches.l2.ways}`,
    tiles: tiles?.stamp,
    isFused,
    isa: isa.name,
    fetchesRows: isa.fetchesRows,
    isShared: threads !== undefined,
  };
}

let cacheBytes: number | undefined;
/** Where the platform does not tell, nothing goes past the caches. */
function lastCacheBytes(): number {
  cacheBytes ??= lastCacheShare(processors().caches) || Infinity;
  return cacheBytes;
}
