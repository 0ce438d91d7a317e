/**
 * The native device's memory: regions mapped as they are needed and never given back (a view may live on them). Large regions
 * ask for huge pages.
 */
import { arrayTypeOf, bytesOf, type DType, type TypedArray } from "../../base/dtype.ts";
import { InternalError, NetwrightError } from "../../base/errors.ts";
import { slackBytes } from "../../base/mapped-array.ts";
import { type Block, BlockPool, blockBytes } from "../block-pool.ts";
import { RunQueue } from "../run-queue.ts";
import type { NativeSystem } from "./system.ts";

const regionBytes = 32 * 1024 * 1024;
const hugePageBytes = 2 * 1024 * 1024;
const maxViewBytes = 2 ** 32;
const pieceBytes = 2 ** 30;

/** One mapping, with the typed arrays' buffer over it. */
interface Region extends Block {
  readonly buffer: ArrayBuffer | undefined;
}

export class NativeMemory {
  private readonly system: NativeSystem;
  private readonly queue: RunQueue;
  private readonly blocks = new BlockPool((bytes) => this.grow(bytes));
  private readonly regions: Region[] = [];
  /** Given back while runs that may use it had not ended. */
  private readonly leaving = new Map<number, { readonly size: number }>();

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
  /**
   * The same for what only a run writes that takes its turn now. It may have what was given back while runs that use it still
   * wait: they come before. So a program that is called again and again, its results let go, works in the same memory all the
   * time, and not in as much as there are calls under way.
   */
  allocateInTurn(bytes: number): number {
    const wanted = blockBytes(bytes);
    for (const [address, { size }] of this.leaving) {
      if (size !== wanted) continue;
      this.leaving.delete(address);
      return address;
    }
    return this.allocate(bytes);
  }
  free(address: number): void {
    if (this.queue.isIdle) return this.blocks.free(address);
    const entry = { size: this.blocks.sizeOf(address) };
    this.leaving.set(address, entry);
    this.queue.afterPending(() => {
      // Taken in the meantime, it is somebody else's, even where that one gave it back again.
      if (this.leaving.get(address) !== entry) return;
      this.leaving.delete(address);
      this.blocks.free(address);
    });
  }
  reserveArena(bytes: number): void {
    // What runs and waits was promised the arena that is there.
    if (bytes > this.blocks.arenaBytes) this.queue.drain();
    this.blocks.reserveArena(bytes);
  }

  /** `count` elements at `address`: in place, or a copy where they are more than one view can show. */
  view(dtype: DType, address: number, count: number): TypedArray {
    const bytes = count * bytesOf(dtype);
    const region = this.checkedRegion(dtype, address, count);
    const array = arrayTypeOf(dtype);
    if (region.buffer !== undefined) return new array(region.buffer, address - region.address, count);
    if (bytes < maxViewBytes) return new array(this.system.host.view(address, bytes), 0, count);
    const copy = new array(count);
    this.inPieces(dtype, address, count, (piece, start) => {
      copy.set(piece as never, start);
    });
    return copy;
  }
  write(dtype: DType, address: number, data: TypedArray): void {
    const region = this.checkedRegion(dtype, address, data.length);
    if (region.buffer !== undefined || data.byteLength < maxViewBytes)
      return this.view(dtype, address, data.length).set(data as never);
    this.inPieces(dtype, address, data.length, (piece, start) => {
      piece.set(data.subarray(start, start + piece.length) as never);
    });
  }

  /** Views of a long range, one after the other, and at which element each starts. */
  private inPieces(
    dtype: DType,
    address: number,
    count: number,
    body: (piece: TypedArray, start: number) => void,
  ): void {
    const most = pieceBytes / bytesOf(dtype);
    for (let start = 0; start < count; start += most) {
      const length = Math.min(most, count - start);
      const bytes = length * bytesOf(dtype);
      const piece = this.system.host.view(address + start * bytesOf(dtype), bytes);
      body(new (arrayTypeOf(dtype))(piece, 0, length), start);
    }
  }

  private checkedRegion(dtype: DType, address: number, count: number): Region {
    const region = this.regionOf(address);
    if (region === undefined || address + count * bytesOf(dtype) > region.address + region.bytes)
      throw new InternalError(`${count} ${dtype} at ${address} lie outside the memory`);
    return region;
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
