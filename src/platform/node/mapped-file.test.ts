import { mkdtempSync, readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, expect, test } from "vitest";
import { FileError } from "../../base/errors.ts";
import { MappedArray, type MappedFile } from "../../base/mapped-array.ts";
import { mapFile } from "../node.ts";
import { nativeHost } from "./native.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-mapped-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const host = nativeHost();
const skipped = "reason" in host;
const why = skipped ? ` (${host.reason})` : "";

const content = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 7919) >>> 3);
const fileOf = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};
const mapped = (path: string): MappedFile => {
  const file = mapFile(path);
  if ("reason" in file) throw new Error(file.reason);
  return file;
};
/** The lines of this process's map that name a file. */
const mappingsOf = (path: string): string[] =>
  readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line.includes(path));

test.skipIf(skipped)(`a file's bytes are where its address says, read-only, and copies of them${why}`, () => {
  const path = fileOf("content.bin", content);
  const file = mapped(path);
  expect(file.sizeBytes).toBe(content.length);
  const into = new Uint8Array(3000);
  file.copyTo(into, 6789);
  expect(into).toEqual(content.slice(6789, 9789));
  if ("reason" in host) return;
  expect(new Uint8Array(host.view(file.address, 10_000).slice(0))).toEqual(content);
  // What programs may read past the end is there, also behind the last page.
  expect(new Uint8Array(host.view(file.address + 10_000, 256).slice(0))).toEqual(new Uint8Array(256));
  const lines = mappingsOf(path);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/ r--p /);
});

test.skipIf(skipped)("a file that fills its pages, and an empty one, have zeros behind them too", () => {
  for (const length of [8192, 0]) {
    const file = mapped(fileOf(`pages-${length}.bin`, content.subarray(0, length)));
    if ("reason" in host) return;
    expect(new Uint8Array(host.view(file.address + length, 256).slice(0))).toEqual(new Uint8Array(256));
  }
});

test.skipIf(skipped)("what is outside the file is refused", () => {
  const file = mapped(fileOf("small.bin", content.subarray(0, 100)));
  expect(() => file.copyTo(new Uint8Array(2), 99)).toThrow(FileError);
  expect(() => file.copyTo(new Uint8Array(2), -1)).toThrow(FileError);
  const f32 = (position: number, ...shape: number[]) =>
    new MappedArray(file, position, { dtype: "f32", shape });
  expect(f32(0, 5, 5).read().data).toHaveLength(25);
  expect(f32(100, 0).read().data).toHaveLength(0);
  for (const [position, count] of [
    [1, 25],
    [-4, 1],
    [0.5, 1],
    [0, 2 ** 52],
    [Number.NaN, 1],
  ] as const)
    expect(() => f32(position, count), `${position}, ${count}`).toThrow("lie outside");
});

test.skipIf(skipped)("an array at an odd position is read", () => {
  const file = mapped(fileOf("odd.bin", Uint8Array.of(9, 0, 0, 128, 63, 0, 0, 0, 192)));
  expect(new MappedArray(file, 1, { dtype: "f32", shape: [2] }).read()).toEqual({
    dtype: "f32",
    shape: [2],
    data: Float32Array.of(1, -2),
  });
});

test("errors name the path", () => {
  if (skipped) return expect(mapFile("nothing.bin")).toEqual(host);
  for (const path of [join(folder, "nothing.bin"), folder, "/dev/null"])
    expect(() => mapFile(path), path).toThrow(FileError);
});

test.skipIf(skipped)(
  "it stays while it is held, also without its name, and goes with its last holder",
  async () => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    const path = fileOf("held.bin", content);
    let array: MappedArray | undefined = new MappedArray(mapped(path), 5000, { dtype: "u8", shape: [5000] });
    unlinkSync(path);
    for (let i = 0; i < 3; i++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(array.read().data).toEqual(content.slice(5000));
    expect(mappingsOf(path)).toHaveLength(1);
    array = undefined;
    for (let i = 0; i < 100 && mappingsOf(path).length > 0; i++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(mappingsOf(path)).toEqual([]);
  },
);

test.skipIf(skipped)("a file larger than memory is mapped in a moment", () => {
  const path = join(folder, "large.bin");
  writeFileSync(path, content);
  truncateSync(path, 2 ** 40);
  const start = performance.now();
  const file = mapped(path);
  expect(performance.now() - start).toBeLessThan(50);
  const end = new MappedArray(file, 2 ** 40 - 8, { dtype: "f64", shape: [1] });
  expect(end.read().data).toEqual(Float64Array.of(0));
});
