import { afterEach, expect, test } from "vitest";
import { nextKey, seed } from "./default-key.ts";

afterEach(() => seed(42));

test("the stream begins at seed 42 and repeats after an equal seed", async () => {
  // The module as a process loads it first.
  const path = "./default-key.ts?first";
  const { nextKey: nextOfFirst } = (await import(path)) as { nextKey: typeof nextKey };
  const first = [nextOfFirst(), nextOfFirst()];
  seed(42);
  expect([nextKey(), nextKey()]).toEqual(first);
  expect(first[0]).not.toEqual(first[1]);
  seed(43);
  expect(nextKey()).not.toEqual(first[0]);
});

test("a seed that is none leaves the stream as it was", () => {
  seed(1);
  const first = nextKey();
  seed(1);
  expect(() => seed(-1)).toThrow("integer from 0 to 2^53 - 1, got -1");
  expect(nextKey()).toEqual(first);
});
