/**
 * The one memory of the WebAssembly device: it grows and never shrinks. Growth moves no bytes, but typed arrays over the old
 * length must be made anew: `view` does so when it must.
 */
import { arrayTypeOf, bytesOf, type DType, type TypedArray } from "../../base/dtype.ts";
import { InternalError, NetwrightError } from "../../base/errors.ts";
import { BlockPool } from "../block-pool.ts";

const pageBytes = 65_536;
export const maxPages = 65_536;
const initialPages = 64;
/** The first bytes belong to nobody, so that address 0 is never a value's. */
const firstAddress = 1024;
const growthBytes = 16 * 1024 * 1024;
/** Generated code may read (never use) some bytes past the end of a buffer. */
const slackBytes = 256;

export class WasmMemory {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  private readonly blocks = new BlockPool((bytes) => this.grow(bytes));
  private cachedWords = new Int32Array(0);

  constructor({ shared = false }: { shared?: boolean } = {}) {
    this.shared = shared;
    this.memory = new WebAssembly.Memory({ initial: initialPages, maximum: maxPages, shared });
    this.blocks.addFree({ address: firstAddress, bytes: this.end - firstAddress });
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
  /** Runs happen in the call here: nothing waits. */
  allocateInTurn(bytes: number): number {
    return this.allocate(bytes);
  }
  free(address: number): void {
    this.blocks.free(address);
  }
  reserveArena(bytes: number): void {
    this.blocks.reserveArena(bytes);
  }

  /** `count` elements at `address`, good until memory grows: use it at once. */
  view(dtype: DType, address: number, count: number): TypedArray {
    if (address + count * bytesOf(dtype) > this.memory.buffer.byteLength) {
      throw new InternalError(`${count} ${dtype} at ${address} end beyond the memory`);
    }
    return new (arrayTypeOf(dtype))(this.memory.buffer, address, count);
  }

  write(dtype: DType, address: number, data: TypedArray): void {
    this.view(dtype, address, data.length).set(data);
  }

  /** All of the memory as i32; made anew only after it has grown. */
  words(): Int32Array {
    if (this.cachedWords.buffer !== this.memory.buffer) this.cachedWords = new Int32Array(this.memory.buffer);
    return this.cachedWords;
  }

  private get end(): number {
    return this.memory.buffer.byteLength - slackBytes;
  }

  private grow(asked: number): void {
    const { end } = this;
    const missing = asked - this.blocks.freeBefore(end);
    const needed = Math.ceil(missing / pageBytes);
    const generous = Math.ceil(Math.max(missing, growthBytes) / pageBytes);
    const left = maxPages - this.memory.buffer.byteLength / pageBytes;
    try {
      this.memory.grow(Math.max(needed, Math.min(generous, left)));
    } catch {
      const mebi = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
      throw new NetwrightError(
        `out of memory: ${mebi(asked)} asked, ${mebi(this.usedBytes)} in use, WebAssembly holds at most 4096 MiB; ` +
          "use smaller batches, or dispose of tensors that are no longer needed",
      );
    }
    this.blocks.addFree({ address: end, bytes: this.end - end });
  }
}
