/**
 * Arrays that lie in a file which is mapped into memory: read-only, not copied, their pages come in when they are touched.
 *
 * Machine code reads them where they lie, at any alignment; JavaScript gets copies, since a write to such memory would end
 * the process. The file stays mapped as long as anything holds the array or its `file`.
 */
import { arrayTypeOf, bytesOf, type DType } from "./dtype.ts";
import { InternalError } from "./errors.ts";
import { type ArrayOf, countElements, type HostArray } from "./host-array.ts";

/**
 * A file in the process's memory. A file that another process cuts short while it is mapped ends this process at the next
 * read of what is gone (SIGBUS): replace such files by renaming, as `writeSafetensors` does, and never truncate them.
 */
export interface MappedFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Of its first byte. Bytes up to `slackBytes` after its end may be read too; they mean nothing. */
  readonly address: number;
  /** Fills `into` with a copy of the bytes at `position`, which must be there. */
  copyTo(into: Uint8Array, position: number): void;
}

/** Programs may read (never use) some bytes past the end of an array. */
export const slackBytes = 256;

/** Elements of one dtype in a mapped file, in row-major order. */
export class MappedArray<S extends readonly number[] = readonly number[], D extends DType = DType> {
  readonly dtype: D;
  readonly shape: S;
  readonly file: MappedFile;
  /** Of the first element, from the beginning of the file. */
  readonly position: number;

  /** @throws InternalError when it is not inside the file: whoever reads a file's header checks that first */
  constructor(file: MappedFile, position: number, { dtype, shape }: { dtype: D; shape: S }) {
    const bytes = countElements(shape) * bytesOf(dtype);
    if (!Number.isSafeInteger(position) || position < 0 || position + bytes > file.sizeBytes) {
      throw new InternalError(
        `${bytes} bytes at ${position} lie outside "${file.path}", which has ${file.sizeBytes}`,
      );
    }
    this.file = file;
    this.position = position;
    this.dtype = dtype;
    this.shape = shape;
  }

  get elementCount(): number {
    return countElements(this.shape);
  }
  get sizeBytes(): number {
    return this.elementCount * bytesOf(this.dtype);
  }
  /** For programs; good as long as somebody holds this array. */
  get address(): number {
    return this.file.address + this.position;
  }

  /** A copy in the host's memory. */
  read(): HostArray<S, D> {
    const { dtype, shape } = this;
    const bytes = new Uint8Array(this.sizeBytes);
    this.file.copyTo(bytes, this.position);
    return { dtype, shape, data: new (arrayTypeOf(dtype))(bytes.buffer) as ArrayOf<D> };
  }

  /** Whether both are the same bytes of the same mapping. */
  isSame(other: MappedArray): boolean {
    return this.file === other.file && this.position === other.position && this.dtype === other.dtype;
  }
}
