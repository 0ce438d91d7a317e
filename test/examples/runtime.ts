/** What an example's module calls while it runs: `console.log` that remembers, and comparisons with what comments claim. */
import { format, isDeepStrictEqual } from "node:util";

let printed: string[] = [];

/** Stands for `console` inside examples. */
export const output = {
  log(...values: readonly unknown[]): void {
    printed.push(format(...values));
  },
  /** Forgets what was printed: between examples. */
  clear(): void {
    printed = [];
  },
  /** Compares what was printed since the last check. */
  check(place: string, expected: string): void {
    const lines = printed.join("\n").split("\n");
    printed = [];
    const actual = lines.map((line) => line.trimEnd()).join("\n");
    if (actual !== expected && !matchesLiteral(actual, expected)) throw mismatch(place, actual, expected);
  },
};

/** `console.log(0.5); // 0.5: half` claims a literal, with room for an explanation cut off before. */
const matchesLiteral = (actual: string, expected: string): boolean => {
  try {
    return isDeepStrictEqual(evaluate(actual), evaluate(expected));
  } catch {
    return false;
  }
};

/** Compares a value, awaited, with a literal. */
export async function checkValue(value: unknown, place: string, literal: string): Promise<void> {
  const actual = await plain(await value);
  const expected = evaluate(literal);
  if (!isDeepStrictEqual(actual, expected)) throw mismatch(place, format("%o", actual), literal);
}

const evaluate = (literal: string): unknown => new Function(`return (${literal});`)();

const mismatch = (place: string, actual: string, expected: string): Error =>
  new Error(`${place}: the comment says\n${expected}\nbut it is\n${actual}`);

/** Typed arrays as arrays, tensors as nested arrays, instances as plain objects. */
async function plain(value: unknown): Promise<unknown> {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>);
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  if (typeof value !== "object" || value === null) return value;
  if ("toArray" in value && typeof value.toArray === "function") return plain(await value.toArray());
  if (value instanceof Map || value instanceof Set) return plain([...value]);
  const entries = await Promise.all(Object.entries(value).map(async ([name, v]) => [name, await plain(v)]));
  return Object.fromEntries(entries);
}
