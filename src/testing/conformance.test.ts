/** Every op, on every target: a new target is one more line below. */
import { describe, expect, test } from "vitest";
import { isFullTier } from "../../test/tier.ts";
import { topologicalOrder } from "../graph/node.ts";
import type { Op } from "../graph/op.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import * as ops from "../ops/index.ts";
import { createWasmDevice } from "../runtime/wasm-device.ts";
import { type Case, checkDefinition, checkDerivatives, checkOnTarget } from "./cases.ts";
import { deviceTarget, type EvaluationTarget } from "./evaluation-target.ts";
import { nativeTargets } from "./native-targets.ts";
import { opCases } from "./op-cases/index.ts";

const targets: readonly EvaluationTarget[] = [deviceTarget(createWasmDevice()), ...nativeTargets];
/** Every row on WebAssembly and on one instruction set, in turn; the full tier runs all on all. */
const rowsOf = (target: EvaluationTarget): readonly Case[] => {
  const set = nativeTargets.indexOf(target);
  return isFullTier || set < 0 ? opCases : opCases.filter((_, i) => i % nativeTargets.length === set);
};

describe("the definition", () => {
  test.each(opCases)("$name", (row) => {
    checkDefinition(row);
    checkDerivatives(row);
  });

  test("every op has a row", () => {
    const named = Object.entries(ops).flatMap(([name, value]) =>
      name.endsWith("Op") ? [(value as Op).name] : [],
    );
    const used = withTrace(new Trace("compiled"), () =>
      opCases.flatMap((row) => {
        const inputs = row.arguments.map(({ shape, dtype }) =>
          ops.parameter({ shape: shape ?? [2, 3], dtype: dtype ?? row.dtypes?.[0] ?? "f32" }),
        );
        return topologicalOrder([row.build(inputs)]).map(({ op }) => op.name);
      }),
    );
    // States and stored values are tested where they live: with traces and devices.
    expect(named.filter((name) => !used.includes(name))).toEqual(["buffer", "state"]);
  });
});

describe.each(targets)("$name", (target) => {
  test.each(rowsOf(target))("$name", (row) => {
    checkOnTarget(row, target, { isBrief: !isFullTier });
  });
});
