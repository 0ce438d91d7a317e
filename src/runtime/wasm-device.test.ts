import { expect, it } from "vitest";
import { selfTest } from "./self-test.ts";
import { createWasmDevice } from "./wasm-device.ts";

it("computes what the interpreter computes", () => {
  const device = createWasmDevice();
  selfTest(device);
  selfTest(device);
  expect(device.memory().usedBytes).toBeLessThan(10_000);
});
