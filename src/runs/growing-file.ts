/** A file that grows while a run goes on: what is added waits in memory; what cannot be written is kept, and tried again. */
import { appendFile } from "#platform";
import type { FileError } from "../base/errors.ts";
import { joinBytes } from "../base/join-bytes.ts";

/** A disk that stays full costs no more memory than this: the oldest parts are given up. */
const keptBytes = 2 ** 26;

export class GrowingFile {
  readonly #path: string;
  #parts: Uint8Array[] = [];
  #writing: Promise<void> = Promise.resolve();
  #failure: FileError | undefined;
  #isTold = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Why the last write failed; undefined where it did not. */
  get failure(): FileError | undefined {
    return this.#failure;
  }

  /** The same, once until a write succeeds again. */
  newFailure(): FileError | undefined {
    if (this.#isTold) return undefined;
    this.#isTold = this.#failure !== undefined;
    return this.#failure;
  }

  add(part: Uint8Array): void {
    this.#parts.push(part);
  }

  /** Everything added is in the file, or `failure` says why not. */
  flush(): Promise<void> {
    // One write after another: parts keep their order.
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const parts = this.#parts;
    if (parts.length === 0) return;
    this.#parts = [];
    try {
      await appendFile(this.#path, joinBytes(parts));
      this.#failure = undefined;
      this.#isTold = false;
    } catch (error) {
      this.#failure = error as FileError;
      this.#parts = newest([...parts, ...this.#parts]);
    }
  }
}

function newest(parts: readonly Uint8Array[]): Uint8Array[] {
  let bytes = 0;
  const tooMany = parts.findLastIndex(({ length }) => (bytes += length) > keptBytes);
  return parts.slice(tooMany + 1);
}
