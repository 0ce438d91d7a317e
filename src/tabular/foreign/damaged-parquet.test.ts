/** Parquet files that are cut short or changed: an error that says so, soon. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { FormatError } from "../../base/errors.ts";
import { table } from "../table.ts";
import { readParquet, writeParquet } from "./parquet.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-parquet-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = join(folder, "sound.parquet");
await writeParquet(
  table({
    a: Int32Array.from({ length: 200 }, (_, i) => i % 7),
    b: Array.from({ length: 200 }, (_, i) => (i % 5 ? i / 3 : null)),
    s: Array.from({ length: 200 }, (_, i) => `x${i % 4}`),
  }),
  path,
);
const sound = new Uint8Array(readFileSync(path));

const outcome = (bytes: Uint8Array): Promise<unknown> =>
  readParquet(bytes).then(
    () => "read",
    (error) => error,
  );

test("cut at any byte", async () => {
  for (let end = 0; end < sound.length; end += 3)
    expect(await outcome(sound.subarray(0, end))).toBeInstanceOf(FormatError);
});

test("a byte changed: read, or refused", async () => {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  let refused = 0;
  for (let round = 0; round < 300; round++) {
    const changed = sound.slice();
    changed[Math.floor(random() * sound.length)] = Math.floor(random() * 256);
    const found = await outcome(changed);
    if (found === "read") continue;
    expect(found).toBeInstanceOf(FormatError);
    refused++;
  }
  expect(refused).toBeGreaterThan(50);
});

test("a page header without what it must say sends nobody round in circles", async () => {
  const changed = sound.slice();
  // In the header of the last column's data page: a field becomes another, so that one is missing.
  expect(changed[878]).toBe(21);
  changed[878] = 84;
  expect(String(await outcome(changed))).toContain('column "s" has a page at byte 863 without a header');
});
