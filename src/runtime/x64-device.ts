/** The native device: a compiled function is x86-64 machine code, run in this process. */
import { processors } from "#platform";
import { ArgumentError, PlatformError } from "../base/errors.ts";
import { avx2, avx512, avx512Vnni, type Isa } from "../codegen/x64/isa.ts";
import { type CacheShape, type TargetDescription, type TileChoices, x64Target } from "../ir/target.ts";
import type { Device } from "./device.ts";
import { MemoryDevice } from "./memory-device.ts";
import { RunQueue } from "./run-queue.ts";
import { searchedTiles } from "./searched-tiles.ts";
import { BackgroundThread } from "./x64/background.ts";
import { doctor } from "./x64/doctor.ts";
import { NativeMemory } from "./x64/memory.ts";
import { nativePrograms } from "./x64/programs.ts";
import { requireNativeSystem } from "./x64/system.ts";
import { NativeThreads } from "./x64/threads.ts";

export interface NativeDeviceOptions {
  /** The instruction set; default: the best that may run here. */
  readonly isa?: "avx2" | "avx512";
  readonly threads?: number;
  /** false: instructions for products of bytes (VNNI) are not used, for tests. */
  readonly byteProducts?: boolean;
  /** Programs expected to take longer run on another thread than the caller's; 1 when left out. */
  readonly backgroundMs?: number | undefined;
  /** Tiles for products that were searched for. */
  readonly tiles?: TileChoices | undefined;
  /** Those that this machine's file holds. */
  readonly usesSearchedTiles?: boolean;
  /** false: every op is a kernel of its own, for tests. */
  readonly isFused?: boolean;
  /** Subnormals stay as they are, as in JavaScript; else they are zero inside programs. With some, many times slower. */
  readonly keepsSubnormals?: boolean;
}

/**
 * The device that runs machine code.
 *
 * @throws PlatformError where machine code, or the instruction set asked for, cannot run: `doctor()` says why
 */
export function createNativeDevice(options: NativeDeviceOptions = {}): Device {
  const { isFused, keepsSubnormals } = options;
  const isa = chooseIsa(options.isa, options.byteProducts);
  const system = requireNativeSystem();
  const queue = new RunQueue();
  const memory = new NativeMemory(system, queue);
  const background = new BackgroundThread(system, memory);
  const count = options.threads ?? 1;
  // They start when the first program is worth more than one thread.
  const threads = count > 1 ? new NativeThreads(system, memory, count) : undefined;
  const tiles = options.tiles ?? (options.usesSearchedTiles ? searchedTiles(isa.name) : undefined);
  const target = {
    ...describeTarget(isa),
    threads: count,
    name: options.isa === undefined ? "x64" : `x64-${isa.name}`,
    ...(tiles !== undefined && { tiles }),
  };
  return new MemoryDevice({
    target,
    memory,
    queue,
    readsMappedFiles: true,
    backgroundMs: options.backgroundMs ?? 1,
    isFused,
    ...nativePrograms({
      target,
      isFused,
      system,
      memory,
      options: { isa, threads, background, keepsSubnormals },
    }),
  });
}

/** The instruction set that runs here: the best, or the one asked for. */
export function chooseIsa(wanted: "avx2" | "avx512" | undefined, byteProducts = true): Isa {
  const { isa, reasons, features } = doctor();
  if (isa === undefined) throw new PlatformError(`machine code cannot run here: ${reasons.join("; ")}`);
  if (wanted === "avx512" && isa !== "avx512")
    throw new ArgumentError(`the instruction set avx512 was asked for, but ${reasons.join("; ")}`);
  const best = features?.avx512Vnni && byteProducts ? avx512Vnni : avx512;
  // AMD's Zen 4 lost a third of its speed to such requests.
  const fetchesRows = features?.vendor === "GenuineIntel";
  return { ...((wanted ?? isa) === "avx2" ? avx2 : best), fetchesRows };
}

/** The caches that a thread has for itself, where the system tells: tiles are chosen by them, and no bit of a result depends on tiles. */
function cachesHere({ l1, l2 }: TargetDescription["caches"]): TargetDescription["caches"] {
  const found = processors().caches;
  const shapeOf = (level: number, otherwise: CacheShape): CacheShape => {
    const cache = found.find((each) => each.level === level);
    return cache?.ways === undefined ? otherwise : { bytes: cache.bytes, ways: cache.ways };
  };
  return { l1: shapeOf(1, l1), l2: shapeOf(2, l2) };
}

export const describeTarget = ({
  vector,
  vectorRegisters,
  hasScale,
  hasByteProducts,
}: Isa): TargetDescription => ({
  ...x64Target,
  caches: cachesHere(x64Target.caches),
  hasByteProducts,
  lanes: vector.lanes,
  vectorRegisters,
  hasScale,
});
