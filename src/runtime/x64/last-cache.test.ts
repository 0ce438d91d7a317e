import { expect, test } from "vitest";
import type { CacheFacts } from "../../platform/platform.ts";
import { lastCacheShare } from "./last-cache.ts";

const MiB = 2 ** 20;
const last = (bytes: number, sharedBy: number): CacheFacts[] => [
  { level: 2, bytes: 2 * MiB, ways: 16, sharedBy: 1 },
  { level: 3, bytes, ways: 16, sharedBy },
];

test("a last cache counts whole where its processors are ours, and by their number where they are few", () => {
  expect(lastCacheShare(last(32 * MiB, 16))).toBe(32 * MiB);
  expect(lastCacheShare(last(480 * MiB, 2))).toBe(32 * MiB);
  expect(lastCacheShare([])).toBe(0);
});
