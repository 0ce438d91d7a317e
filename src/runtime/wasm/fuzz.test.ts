import { describe, expect, it } from "vitest";
import { byTier } from "../../../test/tier.ts";
import { evaluateKernel } from "../../ir/evaluate.ts";
import { exact, exact16 } from "../../testing/kernels.ts";
import { randomKernel } from "../../testing/random-kernel.ts";
import { runWasmKernel } from "../../testing/wasm-kernel.ts";

const kernels = Number(process.env["NETWRIGHT_FUZZ"] ?? byTier(200, 2000));

describe("random kernels mean what the definition says", () => {
  const perTest = 100;
  for (let first = 1; first <= kernels; first += perTest)
    it(`seeds ${first} … ${first + perTest - 1}`, () => {
      for (let seed = first; seed < first + perTest; seed++) checkSeed(seed);
    });
});

function checkSeed(seed: number): void {
  const { kernel, arrays, dimensions } = randomKernel(seed);
  const expected = arrays.map((array) => array.slice());
  const failure = evaluateKernel(kernel, { buffers: expected, dimensions });
  const found = runWasmKernel(kernel, arrays, { dimensions });
  kernel.buffers.forEach(({ dtype, name }, i) => {
    const bits = (array: ArrayLike<number>): Float64Array | Int32Array =>
      dtype === "f16" || dtype === "bf16" ? exact16(dtype, array) : exact(array);
    expect(bits(arrays[i]!), `seed ${seed}: ${name} ${dtype}`).toEqual(bits(expected[i]!));
  });
  expect(found === undefined, `seed ${seed}`).toBe(failure === undefined);
  if (found && failure)
    expect([found.check, found.position, String(found.value)], `seed ${seed}`).toEqual([
      failure.check,
      failure.position,
      String(failure.value),
    ]);
}
