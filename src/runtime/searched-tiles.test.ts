import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TileChoice } from "../ir/target.ts";
import { keepTiles, searchedTiles, tileFacts, tilesIn } from "./searched-tiles.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tiles-"));
  vi.stubEnv("NETWRIGHT_TILES", join(folder, "tiles"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const choice: TileChoice = { isExchanged: false, packsLeft: true, packsRight: true, height: 14, groups: 2 };

test("nothing is there, and nothing is made by looking", () => {
  expect(searchedTiles("avx2")).toBeUndefined();
  expect(tileFacts("avx2")).toBeUndefined();
  expect(readdirSync(folder)).toEqual([]);
});

test("what was kept is found, added to, and taken out again", () => {
  const kept = keepTiles("avx2", new Map([["one", choice]]));
  expect(kept).toEqual({ file: expect.stringContaining(join(folder, "tiles")) });
  const first = searchedTiles("avx2")!;
  expect(first.of("one")).toEqual(choice);
  expect(first.of("two")).toBeUndefined();
  expect(searchedTiles("avx512")).toBeUndefined();
  keepTiles("avx2", new Map([["two", { ...choice, height: 7 }]]));
  const second = searchedTiles("avx2")!;
  expect([second.of("one"), second.of("two")?.height]).toEqual([choice, 7]);
  expect(second.stamp).not.toBe(first.stamp);
  expect(tileFacts("avx2")).toEqual({ ...kept, products: 2 });
  keepTiles("avx2", new Map([["one", undefined]]));
  expect(searchedTiles("avx2")!.of("one")).toBeUndefined();
  expect(readdirSync(join(folder, "tiles"))).toHaveLength(1);
});

test("what does not read as it should counts for nothing", () => {
  keepTiles("avx2", new Map([["one", choice]]));
  const file = join(folder, "tiles", readdirSync(join(folder, "tiles"))[0]!);
  const text = readFileSync(file, "utf8");
  expect(tilesIn(text, "avx2")?.get("one")).toEqual(choice);
  expect(tilesIn(text, "avx512")).toBeUndefined();
  const changed = (change: (content: { [key: string]: unknown; tiles: Record<string, unknown> }) => void) => {
    const content = JSON.parse(text) as { tiles: Record<string, unknown> };
    change(content);
    return tilesIn(JSON.stringify(content), "avx2");
  };
  expect(changed(() => {})).toBeDefined();
  expect(changed((content) => (content["generator"] = "another"))).toBeUndefined();
  expect(changed((content) => (content["processor"] = "another"))).toBeUndefined();
  for (const bad of [
    null,
    3,
    {},
    { ...choice, height: 1e9 },
    { ...choice, groups: 1.5 },
    { ...choice, packsLeft: 1 },
  ])
    expect(changed((content) => (content.tiles["two"] = bad))).toBeUndefined();
  for (const bad of ["", "null", "[]", text.slice(0, -9)]) expect(tilesIn(bad, "avx2")).toBeUndefined();
  writeFileSync(file, text.slice(0, 40));
  expect(searchedTiles("avx2")).toBeUndefined();
  expect(tileFacts("avx2")).toBeUndefined();
});

test("NETWRIGHT_TILES=0 uses and keeps none", () => {
  vi.stubEnv("NETWRIGHT_TILES", "0");
  expect(keepTiles("avx2", new Map([["one", choice]]))).toEqual({
    reason: "NETWRIGHT_TILES=0 says that none are used",
  });
  expect(searchedTiles("avx2")).toBeUndefined();
  expect(tileFacts("avx2")).toEqual({ reason: "NETWRIGHT_TILES=0" });
});
