/**
 * The native device's memory: regions mapped as they are needed and never given back (a view may live on them), handed out
 * in blocks of 64 bytes. Large regions ask for huge pages.
 *
 * A free block lies in one list, sorted by address, where neighbours of one region join; an allocation takes the smallest
 * block that fits.
 */
import { arrayTypeOf, bytesOf, type DType, type TypedArray } from "../../base/dtype.ts";
import { InternalError, NetwrightError } from "../../base/errors.ts";
import type { NativeSystem } from "./system.ts";

const alignment = 64;
const regionBytes = 32 * 1024 * 1024;
const hugePageBytes = 2 * 1024 * 1024;
/** Generated code may read (never use) some bytes past the end of a buffer. */
const slackBytes = 256;
const maxViewBytes = 2 ** 32;

interface Block {
  readonly address: number;
  readonly bytes: number;
}

/** One mapping, with the typed arrays' buffer over it. */
interface Region extends Block {
  readonly buffer: ArrayBuffer | undefined;
}

export class NativeMemory {
  private readonly system: NativeSystem;
  private readonly sizes = new Map<number, number>();
  private readonly freeBlocks: Block[] = [];
  private readonly regions: Region[] = [];
  arenaAddress = 0;
  private arenaBytes = 0;
  usedBytes = 0;
  peakBytes = 0;

  constructor(system: NativeSystem) {
    this.system = system;
  }

  /** The address of at least `bytes` bytes, not cleared. */
  allocate(bytes: number): number {
    const size = Math.max(alignment, Math.ceil(bytes / alignment) * alignment);
    let address = this.takeFree(size);
    if (address === undefined) {
      this.mapRegion(size);
      address = this.takeFree(size)!;
    }
    this.sizes.set(address, size);
    this.usedBytes += size;
    this.peakBytes = Math.max(this.peakBytes, this.usedBytes);
    return address;
  }

  free(address: number): void {
    const bytes = this.sizes.get(address);
    if (bytes === undefined) throw new InternalError(`address ${address} was not allocated, or freed before`);
    this.sizes.delete(address);
    this.usedBytes -= bytes;
    this.insertFree({ address, bytes });
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

  /** One block serves as the arena of every program: what they compute there does not outlive a run. */
  reserveArena(bytes: number): void {
    if (bytes <= this.arenaBytes) return;
    if (this.arenaBytes > 0) this.free(this.arenaAddress);
    this.arenaBytes = 0;
    this.arenaAddress = this.allocate(bytes);
    this.arenaBytes = bytes;
  }

  private regionOf(address: number): Region | undefined {
    for (let i = this.regions.length - 1; i >= 0; i--) {
      const region = this.regions[i]!;
      if (address >= region.address && address < region.address + region.bytes) return region;
    }
    return undefined;
  }

  private mapRegion(size: number): void {
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
    this.insertFree({ address, bytes: bytes - slackBytes });
  }

  private takeFree(size: number): number | undefined {
    let best = -1;
    for (let i = 0; i < this.freeBlocks.length; i++) {
      const { bytes } = this.freeBlocks[i]!;
      if (bytes >= size && (best < 0 || bytes < this.freeBlocks[best]!.bytes)) best = i;
    }
    if (best < 0) return undefined;
    const { address, bytes } = this.freeBlocks[best]!;
    if (bytes === size) this.freeBlocks.splice(best, 1);
    else this.freeBlocks[best] = { address: address + size, bytes: bytes - size };
    return address;
  }

  /** Regions never touch: each ends with slack. */
  private insertFree(block: Block): void {
    const list = this.freeBlocks;
    let at = 0;
    while (at < list.length && list[at]!.address < block.address) at++;
    let { address, bytes } = block;
    const next = list[at];
    if (next !== undefined && address + bytes === next.address) {
      bytes += next.bytes;
      list.splice(at, 1);
    }
    const previous = list[at - 1];
    if (previous !== undefined && previous.address + previous.bytes === address) {
      address = previous.address;
      bytes += previous.bytes;
      list.splice(--at, 1);
    }
    list.splice(at, 0, { address, bytes });
  }
}
