/** Runs before the tests of each file. */
import { expect } from "vitest";
import { seed } from "../src/base/default-key.ts";

// Files share a process: each begins with the stream of a new one.
seed(42);

const isArray = (value: unknown): value is Uint8Array =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

/** Arrays of numbers with the same bytes are equal; asked element by element, `toEqual` takes a second for a million. */
function haveSameBytes(a: unknown, b: unknown): true | undefined {
  if (!isArray(a) || !isArray(b) || a.constructor !== b.constructor) return undefined;
  const bytes = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
    Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
  // Where the bytes differ the elements may still be equal (−0 and 0 are not, two kinds of NaN are): the slow way decides.
  return bytes(a).equals(bytes(b)) || undefined;
}

const installed = Symbol.for("netwright.test.setup");
const scope = globalThis as { [installed]?: true };
if (!scope[installed]) {
  scope[installed] = true;
  expect.addEqualityTesters([haveSameBytes]);
}
