/**
 * Programs on disk, so that the next process that compiles the same function for the same target need not: off unless asked
 * for by `setProgramCache` or `NETWRIGHT_CACHE`.
 *
 * What is read is run. So a file counts only if nobody but this user can have written it and its folder, and if it says to
 * be what is asked for, whole; anything else is as if it were not there, and is written anew.
 */
import { env, moduleStamp, packageVersion, privateFolder, userCacheFolder } from "#platform";
import { ArgumentError } from "../../base/errors.ts";
import { compilerModule } from "../../compiler/compile.ts";
import type { GraphFunction } from "../../graph/function.ts";
import { type FunctionStructure, structureOf } from "../../graph/structure.ts";
import type { PrivateFolder } from "../../platform/platform.ts";
import { checksumText } from "./checksum.ts";
import { type CompiledProgram, decodeProgram, encodeProgram } from "./program-file.ts";

const defaultMaxBytes = 256 * 2 ** 20;
/** No program comes near. */
const mostFileBytes = 64 * 2 ** 20;

export interface ProgramCacheOptions {
  /** What all files together may take; those that were not used for longest go first. Default 256 MiB. */
  readonly maxBytes?: number;
}

interface Setting {
  readonly folder: string | undefined;
  readonly maxBytes: number;
}

let setting: Setting | undefined;
let opened:
  | { readonly setting: Setting; readonly cache: ProgramCache | { readonly reason: string } }
  | undefined;

/**
 * Keeps compiled programs in a folder, from where later processes take them instead of compiling: a model's first step comes
 * sooner. Off by default; `NETWRIGHT_CACHE` (a folder, or `1` for the user's cache folder) does the same from outside and
 * yields to this. Only machine code is kept. A folder that others may write to is not used: `netwright doctor` says so.
 *
 * @param folder true: `netwright` in the user's cache folder; false: keep nothing
 * @throws ArgumentError for a size that is none
 * @example
 * // not run: it writes to the user's cache folder
 * setProgramCache(true);
 */
export function setProgramCache(
  folder: string | boolean,
  { maxBytes = defaultMaxBytes }: ProgramCacheOptions = {},
): void {
  if (!(maxBytes >= 0))
    throw new ArgumentError(`setProgramCache: maxBytes must be 0 or more, got ${maxBytes}`);
  setting = settingOf(folder, maxBytes);
}

const settingOf = (folder: string | boolean, maxBytes: number): Setting => ({
  folder: typeof folder === "string" ? folder : folder ? userCacheFolder() : undefined,
  maxBytes,
});

function currentSetting(): Setting {
  if (setting !== undefined) return setting;
  const text = env("NETWRIGHT_CACHE") ?? "";
  return (setting = settingOf(text === "" || text === "0" ? false : text === "1" || text, defaultMaxBytes));
}

/** The cache that is on, why one that was asked for cannot be used, or undefined: nobody asked. */
export function programCache(): ProgramCache | { readonly reason: string } | undefined {
  const wanted = currentSetting();
  if (wanted.folder === undefined) return undefined;
  if (opened?.setting !== wanted) {
    const folder = privateFolder(wanted.folder);
    const cache = "reason" in folder ? folder : new ProgramCache(folder, wanted.maxBytes);
    opened = { setting: wanted, cache };
  }
  return opened.cache;
}

/** What a program was compiled for, beside the function. */
export type ProgramPurpose = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where a function's program is, or may be put. */
export interface ProgramPlace {
  readonly name: string;
  readonly key: Uint8Array;
  readonly structure: FunctionStructure;
}

export class ProgramCache {
  readonly folder: PrivateFolder;
  private readonly maxBytes: number;
  private isTrimmed = false;

  constructor(folder: PrivateFolder, maxBytes: number) {
    this.folder = folder;
    this.maxBytes = maxBytes;
  }

  /** undefined for a function that text cannot tell from others. `modules` hold the code that compiles. */
  placeOf(fn: GraphFunction, purpose: ProgramPurpose, modules: readonly string[]): ProgramPlace | undefined {
    const structure = structureOf(fn);
    if (structure === undefined) return undefined;
    const key = new TextEncoder().encode(
      `${buildStamp(modules)}\n${JSON.stringify(purpose)}\n${structure.text}`,
    );
    return { name: `${checksumText(key)}.program`, key, structure };
  }

  find({ name, key, structure }: ProgramPlace, fn: GraphFunction): CompiledProgram | undefined {
    const file = this.folder.read(name, mostFileBytes);
    return file && decodeProgram(file, key, fn, structure);
  }

  keep({ name, key, structure }: ProgramPlace, compiled: CompiledProgram): void {
    const file = encodeProgram(key, compiled, structure);
    if (file === undefined || file.length > Math.min(this.maxBytes, mostFileBytes)) return;
    this.folder.write(name, file);
    // Once is enough: a process adds little to what was there.
    if (!this.isTrimmed) this.folder.trim(this.maxBytes);
    this.isTrimmed = true;
  }
}

let stamp: string | undefined;

/** Code of another build is other code, also when its version is the same. */
const buildStamp = (modules: readonly string[]): string =>
  (stamp ??= [packageVersion("netwright"), ...[compilerModule, ...modules].map(moduleStamp)].join(" "));
