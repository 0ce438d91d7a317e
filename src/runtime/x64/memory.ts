/**
 * The native device's memory: regions mapped as they are needed and never given back (a view may live on them). Large regions
 * ask for huge pages.
 */
import { arrayTypeOf, bytesOf, type DType, type TypedArray } from "../../base/dtype.ts";
import { InternalError, NetwrightError } from "../../base/errors.ts";
import { type Block, BlockPool } from "../block-pool.ts";
import { RunQueue } from "../run-queue.ts";
import type { NativeSystem } from "./system.ts";

const regionBytes = 32 * 1024 * 1024;
const hugePageBytes = 2 * 1024 * 1024;
/** Generated code may read (never use) some bytes past the end of a buffer. */
const slackBytes = 256;
const maxViewBytes = 2 ** 32;

/** One mapping, with the typed arrays' buffer over it. */
interface Region extends Block {
  readonly buffer: ArrayBuffer | undefined;
}

export class NativeMemory {
  private readonly system: NativeSystem;
  private readonly queue: RunQueue;
  private readonly blocks = new BlockPool((bytes) => this.grow(bytes));
  private readonly regions: Region[] = [];

  /** What is given back goes to others once the runs of `queue` that may use it have ended. */
  constructor(system: NativeSystem, queue: RunQueue = new RunQueue()) {
    this.system = system;
    this.queue = queue;
  }

  get arenaAddress(): number {
    return this.blocks.arenaAddress;
  }
  get usedBytes(): number {
    return this.blocks.usedBytes;
  }
  get peakBytes(): number {
    return this.blocks.peakBytes;
  }

  /** The address of at least `bytes` bytes, not cleared. */
  allocate(bytes: number): number {
    return this.blocks.allocate(bytes);
  }
  free(address: number): void {
    if (this.queue.isIdle) return this.blocks.free(address);
    this.queue.afterPending(() => this.blocks.free(address));
  }
  reserveArena(bytes: number): void {
    // What runs and waits was promised the arena that is there.
    if (bytes > this.blocks.arenaBytes) this.queue.drain();
    this.blocks.reserveArena(bytes);
  }

  /** `count` elements at `address`. */
  view(dtype: DType, address: number, count: number): TypedArray {
    const bytes = count * bytesOf(dtype);
    const region = this.regionOf(address);
    if (region === undefined || address + bytes > region.address + region.bytes)
      throw new InternalError(`${count} ${dtype} at ${address} lie outside the memory`);
    if (region.buffer !== undefined)
      return new (arrayTypeOf(dtype))(region.buffer, address - region.address, count);
    return new (arrayTypeOf(dtype))(this.system.host.view(address, bytes), 0, count);
  }

  private regionOf(address: number): Region | undefined {
    for (let i = this.regions.length - 1; i >= 0; i--) {
      const region = this.regions[i]!;
      if (address >= region.address && address < region.address + region.bytes) return region;
    }
    return undefined;
  }

  private grow(size: number): void {
    const wanted = Math.max(regionBytes, size + slackBytes);
    const bytes = Math.ceil(wanted / hugePageBytes) * hugePageBytes;
    const mapped = this.system.mapMemory(bytes + hugePageBytes);
    if (mapped === undefined) {
      const mebi = (n: number): string => `${Math.ceil(n / 2 ** 20)} MiB`;
      throw new NetwrightError(
        `out of memory: ${mebi(size)} asked, ${mebi(this.usedBytes)} in use; ` +
          "use smaller batches, or dispose of tensors that are no longer needed",
      );
    }
    const address = Math.ceil(mapped / hugePageBytes) * hugePageBytes;
    this.system.adviseHugePages(address, bytes);
    const buffer = bytes < maxViewBytes ? this.system.host.view(address, bytes) : undefined;
    this.regions.push({ address, bytes, buffer });
    // Regions never touch: each ends with slack.
    this.blocks.addFree({ address, bytes: bytes - slackBytes });
  }
}
