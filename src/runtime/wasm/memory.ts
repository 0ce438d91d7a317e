/**
 * The one memory of the WebAssembly device: it grows, never shrinks, and is handed out in blocks of 64 bytes.
 *
 * A free block lies in one list, sorted by address, where neighbours join; an allocation takes the smallest block that
 * fits. Growth moves no bytes, but typed arrays over the old length must be made anew: `view` does so when it must.
 */
import { arrayTypeOf, bytesOf, type DType, type TypedArray } from "../../base/dtype.ts";
import { InternalError, NetwrightError } from "../../base/errors.ts";

const pageBytes = 65_536;
export const maxPages = 65_536;
const alignment = 64;
/** The first bytes belong to nobody, so that address 0 is never a value's. */
const firstAddress = 1024;
const growthBytes = 16 * 1024 * 1024;
/** Generated code may read (never use) some bytes past the end of a buffer. */
const slackBytes = 256;

interface Block {
  readonly address: number;
  readonly bytes: number;
}

export class WasmMemory {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  private readonly sizes = new Map<number, number>();
  private readonly freeBlocks: Block[] = [];
  private end = firstAddress;
  private cachedWords = new Int32Array(0);
  arenaAddress = firstAddress;
  private arenaBytes = 0;
  usedBytes = 0;
  peakBytes = 0;

  constructor({ shared = false }: { shared?: boolean } = {}) {
    this.shared = shared;
    this.memory = new WebAssembly.Memory({ initial: 64, maximum: maxPages, shared });
  }

  /** The address of at least `bytes` bytes, not cleared. */
  allocate(bytes: number): number {
    const size = Math.max(alignment, Math.ceil(bytes / alignment) * alignment);
    const address = this.takeFree(size) ?? this.takeEnd(size);
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

  /** `count` elements at `address`, good until memory grows: use it at once. */
  view(dtype: DType, address: number, count: number): TypedArray {
    if (address + count * bytesOf(dtype) > this.memory.buffer.byteLength) {
      throw new InternalError(`${count} ${dtype} at ${address} end beyond the memory`);
    }
    return new (arrayTypeOf(dtype))(this.memory.buffer, address, count);
  }

  /** All of the memory as i32; made anew only after it has grown. */
  words(): Int32Array {
    if (this.cachedWords.buffer !== this.memory.buffer) this.cachedWords = new Int32Array(this.memory.buffer);
    return this.cachedWords;
  }

  /** One block serves as the arena of every program: what they compute there does not outlive a run. */
  reserveArena(bytes: number): void {
    if (bytes <= this.arenaBytes) return;
    if (this.arenaBytes > 0) this.free(this.arenaAddress);
    this.arenaBytes = 0;
    this.arenaAddress = this.allocate(bytes);
    this.arenaBytes = bytes;
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

  private takeEnd(size: number): number {
    const address = this.end;
    const wanted = address + size;
    const missing = wanted + slackBytes - this.memory.buffer.byteLength;
    if (missing > 0) this.grow(missing, size);
    this.end = wanted;
    return address;
  }

  private grow(missing: number, asked: number): void {
    const { byteLength } = this.memory.buffer;
    const needed = Math.ceil(missing / pageBytes);
    const generous = Math.ceil(Math.max(missing, growthBytes) / pageBytes);
    const left = maxPages - byteLength / pageBytes;
    try {
      this.memory.grow(Math.max(needed, Math.min(generous, left)));
    } catch {
      const mebi = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
      throw new NetwrightError(
        `out of memory: ${mebi(asked)} asked, ${mebi(this.usedBytes)} in use, WebAssembly holds at most 4096 MiB; ` +
          "use smaller batches, or dispose of tensors that are no longer needed",
      );
    }
  }

  private insertFree(block: Block): void {
    let at = 0;
    while (at < this.freeBlocks.length && this.freeBlocks[at]!.address < block.address) at++;
    let { address, bytes } = block;
    const next = this.freeBlocks[at];
    if (next !== undefined && address + bytes === next.address) {
      bytes += next.bytes;
      this.freeBlocks.splice(at, 1);
    }
    const previous = this.freeBlocks[at - 1];
    if (previous !== undefined && previous.address + previous.bytes === address) {
      address = previous.address;
      bytes += previous.bytes;
      this.freeBlocks.splice(--at, 1);
    }
    if (address + bytes === this.end) this.end = address;
    else this.freeBlocks.splice(at, 0, { address, bytes });
  }
}
