/** A file of lines that grows while a run goes on: buffered, so that a line costs a microsecond and not a write. */
import { monotonicMs, readFile } from "#platform";
import { GrowingFile } from "./growing-file.ts";
import { jsonOrUndefined, toJson } from "./json.ts";

/** A process that is killed loses at most this much time of lines. */
const flushEveryMs = 1000;
const flushAtLines = 2000;

export class LineLog extends GrowingFile {
  readonly #encoder = new TextEncoder();
  #lines = 0;
  #flushed = monotonicMs();

  addLine(line: object): void {
    this.add(this.#encoder.encode(`${toJson(line)}\n`));
    this.#lines++;
    if (monotonicMs() - this.#flushed > flushEveryMs || this.#lines >= flushAtLines) void this.flush();
  }

  override flush(): Promise<void> {
    this.#flushed = monotonicMs();
    this.#lines = 0;
    return super.flush();
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
