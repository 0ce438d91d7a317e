import { expect, it } from "vitest";
import { selfTest } from "./self-test.ts";
import { doctor } from "./x64/doctor.ts";
import { createNativeDevice } from "./x64-device.ts";

const { isa: best, reasons } = doctor();

it.for(["avx2", "avx512"] as const)("computes what the interpreter computes with %s", (isa, context) => {
  const canRun = best === "avx512" || best === isa;
  context.skip(!canRun, `machine code cannot run here: ${reasons.join("; ")}`);
  const device = createNativeDevice({ isa });
  selfTest(device);
  selfTest(device);
  expect(device.name).toBe(`x64-${isa}`);
  expect(device.arithmetic).toBe("x64");
  expect(device.memory().usedBytes).toBeLessThan(100_000);
});
