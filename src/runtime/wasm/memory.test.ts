import { expect, it } from "vitest";
import { WasmMemory } from "./memory.ts";

it("gives aligned blocks that do not overlap, and takes them back", () => {
  const memory = new WasmMemory();
  const blocks = new Map<number, number>();
  let seed = 1;
  const random = (n: number): number => (seed = (seed * 48271) % 2147483647) % n;
  for (let i = 0; i < 5000; i++) {
    if (blocks.size > 50 || (blocks.size > 0 && random(2) === 0)) {
      const address = [...blocks.keys()][random(blocks.size)]!;
      memory.free(address);
      blocks.delete(address);
      continue;
    }
    const bytes = random(100_000);
    const address = memory.allocate(bytes);
    expect(address % 64).toBe(0);
    for (const [other, size] of blocks)
      expect(address + bytes <= other || other + size <= address).toBe(true);
    blocks.set(address, bytes);
  }
  for (const address of blocks.keys()) memory.free(address);
  expect(memory.usedBytes).toBe(0);
  const first = memory.allocate(1);
  expect(first).toBe(1024);
});

it("grows, and says what was asked when it cannot", () => {
  const memory = new WasmMemory();
  const address = memory.allocate(100 * 2 ** 20);
  memory.view("f32", address, 1000).fill(3);
  memory.allocate(300 * 2 ** 20);
  expect(memory.view("f32", address, 1000)[999]).toBe(3);
  expect(() => memory.allocate(4096 * 2 ** 20)).toThrowErrorMatchingInlineSnapshot(
    `[NetwrightError: out of memory: 4096 MiB asked, 400 MiB in use, WebAssembly holds at most 4096 MiB; use smaller batches, or dispose of tensors that are no longer needed]`,
  );
});

it("knows what it gave", () => {
  const memory = new WasmMemory();
  const address = memory.allocate(10);
  memory.free(address);
  expect(() => memory.free(address)).toThrow("was not allocated, or freed before");
});
