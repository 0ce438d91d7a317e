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

interface TensorLike {
  readonly shape: readonly number[];
  toHost(): Promise<{ readonly shape: readonly number[]; readonly data: ArrayLike<number> }>;
  toArray(): Promise<unknown>;
}

const isTensor = (value: unknown): value is TensorLike =>
  typeof value === "object" && value !== null && "toHost" in value && "toArray" in value;

/** Compares a value, awaited, with a literal, or a tensor with a shape (in parentheses). */
export async function checkValue(value: unknown, place: string, claim: string): Promise<void> {
  const found = await value;
  if (claim.startsWith("(")) {
    if (!isTensor(found)) return;
    const { shape } = found;
    const text = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
    if (text !== claim) throw mismatch(place, text, claim);
    return;
  }
  const expected = evaluate(claim);
  const actual = isTensor(found) ? await found.toArray() : await plain(found);
  if (same(actual, expected)) return;
  // A list without inner brackets gives the elements in row-major order.
  if (isTensor(found) && Array.isArray(actual) && same(actual.flat(Infinity), expected)) return;
  throw mismatch(place, format("%o", actual), claim);
}

/** Equal, numbers as f32 too: nobody writes 0.10000000149. */
function same(actual: unknown, expected: unknown): boolean {
  if (typeof actual === "number" && typeof expected === "number") {
    return Object.is(actual, expected) || Object.is(actual, Math.fround(expected));
  }
  if (Array.isArray(actual) && Array.isArray(expected)) {
    return actual.length === expected.length && actual.every((value, i) => same(value, expected[i]));
  }
  return isDeepStrictEqual(actual, expected);
}

const evaluate = (literal: string): unknown => new Function(`return (${literal});`)();

const mismatch = (place: string, actual: string, expected: string): Error =>
  new Error(`${place}: the comment says\n${expected}\nbut it is\n${actual}`);

/** Typed arrays as arrays, instances as plain objects. */
async function plain(value: unknown): Promise<unknown> {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>);
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  if (typeof value !== "object" || value === null) return value;
  if (isTensor(value)) return value.toArray();
  if (value instanceof Map || value instanceof Set) return plain([...value]);
  const entries = await Promise.all(Object.entries(value).map(async ([name, v]) => [name, await plain(v)]));
  return Object.fromEntries(entries);
}
