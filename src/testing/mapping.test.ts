/** Every op over an added axis, values and gradients: `vectorize` stands on it. */
import { describe, test } from "vitest";
import { createWasmDevice } from "../runtime/wasm-device.ts";
import { checkMapping } from "./check-mapping.ts";
import { deviceTarget } from "./evaluation-target.ts";
import { nativeTargets } from "./native-targets.ts";
import { opCases } from "./op-cases/index.ts";

test.each(opCases)("$name", (row) => {
  checkMapping(row);
});

// What is mapped is made of the same ops, which every target passes: rows that map to other ops than their own.
const remade = opCases.filter(({ name }) => /gather|scatterAdd|dot|scan|repeatWhile|windows/.test(name));
describe.each([deviceTarget(createWasmDevice()), ...nativeTargets])("$name", (target) => {
  test.each(remade)("$name", (row) => {
    checkMapping(row, target);
  });
});
