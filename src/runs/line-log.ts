/** A file of lines that grows while a run goes on: buffered, so that a line costs a microsecond and not a write. */
import { appendFile, monotonicMs, readFile } from "#platform";
import { jsonOrUndefined, toJson } from "./json.ts";

/** A process that is killed loses at most this much time of lines. */
const flushEveryMs = 1000;
const flushAtLines = 2000;

export class LineLog {
  readonly #path: Promise<string>;
  #lines: string[] = [];
  #flushed = monotonicMs();
  #writing: Promise<void> = Promise.resolve();
  #error: unknown;

  /** @param path may still have to be found: lines wait for it */
  constructor(path: Promise<string>) {
    this.#path = path;
  }

  /** @throws FileError when an earlier line could not be written */
  add(line: object): void {
    if (this.#error !== undefined) throw this.#error;
    this.#lines.push(toJson(line));
    const isDue = monotonicMs() - this.#flushed > flushEveryMs || this.#lines.length >= flushAtLines;
    if (isDue) this.#write();
  }

  /** Everything added is in the file. @throws FileError when it cannot be written */
  async flush(): Promise<void> {
    this.#write();
    await this.#writing;
    if (this.#error !== undefined) throw this.#error;
  }

  #write(): void {
    this.#flushed = monotonicMs();
    if (this.#lines.length === 0) return;
    const text = `${this.#lines.join("\n")}\n`;
    this.#lines = [];
    // One write after another: lines keep their order.
    this.#writing = this.#writing
      .then(async () => appendFile(await this.#path, new TextEncoder().encode(text)))
      .catch((error: unknown) => {
        this.#error ??= error;
      });
  }
}

/** Larger logs are cut: nothing a person reads has so many lines. */
const largestLogBytes = 2 ** 30;

/**
 * The lines of a log, as objects. A last line that a killed process left torn is left out, and so is anything else that is not
 * an object in JSON.
 */
export async function readLines(path: string): Promise<Record<string, unknown>[]> {
  const bytes = await readFile(path);
  const text = new TextDecoder().decode(bytes.subarray(0, largestLogBytes));
  const lines = text.split("\n").map(jsonOrUndefined);
  return lines.filter((line) => typeof line === "object" && line !== null) as Record<string, unknown>[];
}
