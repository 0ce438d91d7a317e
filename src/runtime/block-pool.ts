/**
 * Blocks of a memory, handed out in multiples of 64 bytes.
 *
 * A free block lies in one list, sorted by address, where neighbours join; an allocation takes the smallest block that
 * fits, or asks the memory for more.
 */
import { InternalError } from "../base/errors.ts";

const alignment = 64;

export interface Block {
  readonly address: number;
  readonly bytes: number;
}

/** The bytes that a block for so many has. */
export const blockBytes = (bytes: number): number =>
  Math.max(alignment, Math.ceil(bytes / alignment) * alignment);

export class BlockPool {
  private readonly grow: (bytes: number) => void;
  private readonly sizes = new Map<number, number>();
  private readonly freeBlocks: Block[] = [];
  arenaAddress = 0;
  arenaBytes = 0;
  usedBytes = 0;
  peakBytes = 0;

  /** @param grow gives `addFree` memory in which a block of so many bytes is free, or throws */
  constructor(grow: (bytes: number) => void) {
    this.grow = grow;
  }

  /** The address of at least `bytes` bytes, not cleared. */
  allocate(bytes: number): number {
    const size = blockBytes(bytes);
    let address = this.takeFree(size);
    if (address === undefined) {
      this.grow(size);
      address = this.takeFree(size);
    }
    if (address === undefined) throw new InternalError(`memory grew, but not by ${size} bytes`);
    this.sizes.set(address, size);
    this.usedBytes += size;
    this.peakBytes = Math.max(this.peakBytes, this.usedBytes);
    return address;
  }

  /** Bytes of a block that was handed out. */
  sizeOf(address: number): number {
    const bytes = this.sizes.get(address);
    if (bytes === undefined) throw new InternalError(`address ${address} was not allocated, or freed before`);
    return bytes;
  }
  free(address: number): void {
    const bytes = this.sizeOf(address);
    this.sizes.delete(address);
    this.usedBytes -= bytes;
    this.addFree({ address, bytes });
  }

  /** One block serves as the arena of every program: what they compute there does not outlive a run. */
  reserveArena(bytes: number): void {
    if (bytes <= this.arenaBytes) return;
    if (this.arenaBytes > 0) this.free(this.arenaAddress);
    this.arenaBytes = 0;
    this.arenaAddress = this.allocate(bytes);
    this.arenaBytes = bytes;
  }

  addFree(block: Block): void {
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

  /** The free bytes that end at an address: what growing there need not add. */
  freeBefore(end: number): number {
    const last = this.freeBlocks.at(-1);
    return last !== undefined && last.address + last.bytes === end ? last.bytes : 0;
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
}
