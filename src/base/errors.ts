/**
 * Errors that a user meets. Every message says what came, which rule broke and what to do.
 *
 * Rooms throw these classes, never bare `Error`, so that a caller can tell a wrong shape from a broken file.
 */

/**
 * The base of everything Netwright throws on purpose.
 *
 * @example
 * let caught: unknown;
 * try {
 *   tensor([1, 2, 3]).reshape([2, 2] as never);
 * } catch (error) {
 *   caught = error;
 * }
 * console.log(caught instanceof NetwrightError); // → true
 */
export class NetwrightError extends Error {
  override name = "NetwrightError";
}

/**
 * Sizes, ranks or axes that do not fit.
 *
 * @example
 * let caught: unknown;
 * try {
 *   tensor([1, 2, 3]).add([1, 2] as never);
 * } catch (error) {
 *   caught = error;
 * }
 * console.log(caught instanceof ShapeError); // → true
 */
export class ShapeError extends NetwrightError {
  override name = "ShapeError";
}

/**
 * An element type an operation does not take.
 *
 * @example
 * let caught: unknown;
 * try {
 *   tensor([1], { dtype: "f128" as never });
 * } catch (error) {
 *   caught = error;
 * }
 * console.log(caught instanceof DTypeError); // → true
 */
export class DTypeError extends NetwrightError {
  override name = "DTypeError";
}

/**
 * An argument, option or name that means nothing here.
 *
 * @example
 * let caught: unknown;
 * try {
 *   tensor([1, 2]).quantile(2, 0);
 * } catch (error) {
 *   caught = error;
 * }
 * console.log(caught instanceof ArgumentError); // → true
 */
export class ArgumentError extends NetwrightError {
  override name = "ArgumentError";
}

/**
 * Bytes from outside that are not what they claim to be.
 *
 * @example
 * let caught: unknown;
 * try {
 *   parseSafetensors(Uint8Array.of(1, 2, 3));
 * } catch (error) {
 *   caught = error;
 * }
 * console.log(caught instanceof FormatError); // → true
 */
export class FormatError extends NetwrightError {
  override name = "FormatError";
}

/**
 * A file that could not be found, read or written. What was there before is unchanged.
 *
 * @example
 * let caught: unknown;
 * try {
 *   await readIdx("no-such-file");
 * } catch (error) {
 *   caught = error;
 * }
 * console.log(caught instanceof FileError); // → true
 */
export class FileError extends NetwrightError {
  override name = "FileError";
}

/**
 * Something this platform cannot do: files in a browser page, shared memory without cross-origin isolation.
 *
 * @example new PlatformError("no threads here") instanceof NetwrightError; // true
 */
export class PlatformError extends NetwrightError {
  override name = "PlatformError";
}

/**
 * A check inside a running program failed: an index out of range, a loss that is not finite. Nothing was committed.
 *
 * @example
 * let caught: unknown;
 * try {
 *   await tensor([1, 2]).gather([7]).data();
 * } catch (error) {
 *   caught = error;
 * }
 * console.log(caught instanceof StepError); // → true
 */
export class StepError extends NetwrightError {
  override name = "StepError";
}

/**
 * A sample of a dataset cannot be delivered: its file is damaged, or a function that makes it threw (`cause`).
 *
 * @example
 * let caught: unknown;
 * try {
 *   const texts = arrayDataset({ x: [1, 2, 3] }).map(({ x }) => ({ x: x < 3 ? x : Number(JSON.parse("{")) }));
 *   for (const _ of loader(texts)) break;
 * } catch (error) {
 *   caught = error;
 * }
 * console.log(caught instanceof SampleError && caught.index); // → 2
 */
export class SampleError extends NetwrightError {
  override name = "SampleError";
  /** Its position in the dataset that reads it. */
  readonly index: number;

  constructor(message: string, index: number, options?: ErrorOptions) {
    super(message, options);
    this.index = index;
  }
}

/**
 * A broken invariant of the compiler: never the user's fault.
 *
 * @example new InternalError("a broken invariant") instanceof NetwrightError; // true
 */
export class InternalError extends NetwrightError {
  override name = "InternalError";
}

/** The candidate closest to `name` by edit distance, or undefined when none is near: for "did you mean". */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitute, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
