import { describe, expect, test } from "vitest";
import { byTier } from "../../test/tier.ts";
import { createWasmDevice } from "../runtime/wasm-device.ts";
import { deviceTarget, type EvaluationTarget, interpreterTarget } from "./evaluation-target.ts";
import { fuzz, randomProgram, seedsOfOldWays } from "./fuzz.ts";
import { nativeTargets, unfusedNativeDevices } from "./native-targets.ts";

const targets: readonly EvaluationTarget[] = [deviceTarget(createWasmDevice()), ...nativeTargets];
/** Every op a kernel of its own: what differs from the fused program would be fusion's fault. */
const unfused = [createWasmDevice({ isFused: false }), ...unfusedNativeDevices()].map((device) => ({
  ...deviceTarget(device),
  name: `${device.name}, unfused`,
}));
const seedsPerTest = 25;
const groupsFrom = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, group) => first + group * seedsPerTest);
/** In the full tier 10,000 graphs of the old ways, each on one of the targets in turn. */
const inTurn = (list: readonly EvaluationTarget[], target: EvaluationTarget): number[] =>
  groupsFrom(0, 400).filter((_, group) => group % list.length === list.indexOf(target));

describe.each(targets)("random graphs on $name", (target) => {
  const groups = [
    ...byTier(groupsFrom(0, 3), inTurn(targets, target)),
    ...groupsFrom(seedsOfOldWays, byTier(3, 200)),
  ];
  test("seeds that once failed", () => {
    for (const seed of [4, 388, 2909, 4231, 6725, 6744, 8450, 8470, 9925, 9940]) fuzz(seed, target);
  });
  test.each(groups)("seeds from %i", (start) => {
    for (let seed = start; seed < start + seedsPerTest; seed++) fuzz(seed, target);
  });
});

describe.each(unfused)("random graphs on $name", (target) => {
  test.each(byTier(groupsFrom(0, 1), inTurn(unfused, target)))("seeds from %i", (start) => {
    for (let seed = start; seed < start + seedsPerTest; seed++) fuzz(seed, target);
  });
});

test("without fusion every op is a kernel of its own", () => {
  const { fn } = randomProgram(1);
  const kernels = (isFused: boolean): number =>
    createWasmDevice({ isFused }).compile(fn).describe().kernels.length;
  expect(kernels(false)).toBeGreaterThan(kernels(true));
});

test("a seed fixes a graph", () => {
  const texts = [1, 1, 2].map((seed) =>
    randomProgram(seed)
      .fn.results.map(({ op, shape }) => `${op.name} ${shape}`)
      .join(),
  );
  expect(texts[0]).toBe(texts[1]);
  expect(texts[0]).not.toBe(texts[2]);
});

test("a wrong target is found, with its seed and its node", () => {
  const wrong: EvaluationTarget = {
    name: "wrong",
    evaluate: (fn, inputs) =>
      interpreterTarget
        .evaluate(fn, inputs)
        .map((value) => ({ ...value, data: value.data.map((x) => x * 1.01 + 0.01) })),
  };
  expect(() => fuzz(3, wrong)).toThrow(/^wrong, seed 3: result 0 element \d+ of .*; first \w+ #\d+: element/);
});
