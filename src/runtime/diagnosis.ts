/** What computes here, and why: the facts behind every choice, for `netwright doctor` and for reports of problems. */
import { nativeReport } from "#native";
import { env, machine, memory, packageVersion, processors } from "#platform";
import { NetwrightError } from "../base/errors.ts";
import { flags } from "../base/flags.ts";
import type { MachineFacts, ProcessorFacts } from "../platform/platform.ts";
import { chosenDevice } from "./devices.ts";
import { ProgramCache, programCache } from "./program-cache/cache.ts";
import { type TileFacts, tileFacts } from "./searched-tiles.ts";

/** Variables of the environment that change what runs. */
const settings = (): string[] => Object.keys(flags).filter((name) => name !== "NETWRIGHT_TEST_TIER");

export interface Diagnosis {
  readonly versions: { readonly netwright: string | undefined; readonly koffi: string | undefined };
  readonly machine: MachineFacts;
  /** Undefined when no target runs: `problem` says why. */
  readonly target:
    | { readonly name: string; readonly arithmetic: string; readonly threads: number }
    | undefined;
  /** Why `cpu` is not machine code, or why no target runs. */
  readonly problem: string | undefined;
  /** Machine code, whether or not it was chosen. */
  readonly native: {
    readonly instructionSet: string | undefined;
    /** Names of what the processor and the system offer. */
    readonly features: readonly string[];
    /** Why not, or why not a better instruction set. */
    readonly reasons: readonly string[];
  };
  readonly processors: ProcessorFacts;
  /** Where programs are kept for later processes, or why they are not; undefined when nobody asked. */
  readonly programCache:
    | { readonly folder: string; readonly files: number; readonly bytes: number }
    | { readonly reason: string }
    | undefined;
  /** Tiles that were searched for and are used by `cpu`, or why they are not; undefined: nobody searched. */
  readonly tiles: TileFacts | { readonly reason: string } | undefined;
  readonly memoryLimitBytes: number | undefined;
  /** Those that are set. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Chooses the device, as the first value would: it has passed its self-test when the diagnosis names it. */
export function diagnose(): Diagnosis {
  const { isa, features, reasons } = nativeReport();
  const set = settings().flatMap((name) => {
    const value = env(name);
    return value === undefined || value === "" ? [] : [[name, value] as const];
  });
  return {
    versions: { netwright: packageVersion("netwright"), koffi: packageVersion("koffi") },
    machine: machine(),
    ...chosen(),
    native: {
      instructionSet: isa,
      features: Object.entries(features ?? {}).flatMap(([name, value]) => (value === true ? [name] : [])),
      reasons,
    },
    processors: processors(),
    programCache: cacheFacts(),
    tiles: isa === undefined ? undefined : tileFacts(instructionSetOf(isa)),
    memoryLimitBytes: memory().limitBytes,
    settings: Object.fromEntries(set),
  };
}

/** Of the device that was chosen, where it was asked for by name. */
const instructionSetOf = (best: string): string => (env("NETWRIGHT_TARGET") === "x64-avx2" ? "avx2" : best);

function cacheFacts(): Diagnosis["programCache"] {
  const cache = programCache();
  if (!(cache instanceof ProgramCache)) return cache;
  return { folder: cache.folder.path, ...cache.folder.usage() };
}

function chosen(): Pick<Diagnosis, "target" | "problem"> {
  try {
    const { device, fallback } = chosenDevice();
    const { name, arithmetic, threads } = device;
    return { target: { name, arithmetic, threads }, problem: fallback };
  } catch (error) {
    if (!(error instanceof NetwrightError)) throw error;
    return { target: undefined, problem: error.message };
  }
}
