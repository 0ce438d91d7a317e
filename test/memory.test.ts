/** Memory of values comes back: with dispose, at the end of a `using` block, and by the collector. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { cpuDevice } from "../src/runtime/devices.ts";
import { compile, type Tensor, tensor } from "../src/tensor/index.ts";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;
const used = (): number => cpuDevice().memory().usedBytes;
const bytes = 2 ** 20;
/** Read-outs of other sizes may bring programs of their own. */
const small = 2 ** 14;
const grown = compile((x: Tensor) => x.add(1));
const x = tensor(new Float32Array(bytes / 4));

/** Once what the first runs need for good is there: programs, their places, the argument that is used again. */
async function baseline(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    const result = grown(x);
    await result.sum().item();
    result.dispose();
  }
  return used();
}

test("of a tensor that is disposed of, and of one that a using block ends with", async () => {
  const before = await baseline();
  const result = grown(x);
  await result.sum().item();
  expect(used()).toBeGreaterThanOrEqual(before + bytes);
  result.dispose();
  result.dispose();
  expect(used()).toBeLessThanOrEqual(before + small);
  await expect(result.data()).rejects.toThrow("disposed");
  {
    using other = grown(x);
    await other.sum().item();
    expect(used()).toBeGreaterThanOrEqual(before + bytes);
  }
  expect(used()).toBeLessThanOrEqual(before + small);
});

test("of tensors that nobody holds", async () => {
  const before = await baseline();
  for (let i = 0; i < 20; i++) await grown(x).sum().item();
  for (let i = 0; i < 50 && used() > before + small; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(used()).toBeLessThanOrEqual(before + small);
});
