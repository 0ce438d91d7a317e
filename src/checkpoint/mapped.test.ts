/** Weights that stay in their file. On a platform that maps no files they are read, and everything else is the same. */
import { mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { mapFile } from "#platform";
import { seed } from "../base/default-key.ts";
import { FormatError } from "../base/errors.ts";
import { MappedArray } from "../base/mapped-array.ts";
import { openSafetensors, readSafetensors, writeSafetensors } from "../formats/index.ts";
import { Linear, Parameter, ReLU, Sequential } from "../nn/index.ts";
import { Adam } from "../optim/index.ts";
import { cpuDevice } from "../runtime/devices.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import { load, save } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-mapped-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => seed(1));
const fixture = join(import.meta.dirname, "../../test/fixtures/every-dtype.safetensors");
const isMapped = "address" in mapFile(fixture) && cpuDevice().readsMappedFiles;

const makeModel = () => new Sequential(new Linear(5, 40), new ReLU(), new Linear(40, 3));
const x = tensor([[1, 2, -3, 0.5, 4]]);

test("a model loaded from a mapped file computes the same, learns, and leaves the file alone", async () => {
  const path = join(folder, "model.safetensors");
  const model = makeModel();
  await save(model, path);
  const bytes = readFileSync(path);
  const want = await model.forward(x).data();
  const other = makeModel();
  const forward = compile((input: Tensor) => other.forward(input));
  expect(await forward(x).data()).not.toEqual(want);
  const loaded = await load(other, path, { mmap: true });
  expect(loaded.notMapped === undefined).toBe(isMapped);
  // Compiled before the weights moved, and after.
  expect(await forward(x).data()).toEqual(want);
  expect(await other.forward(x).data()).toEqual(want);

  const train = (net: typeof model) => {
    const optimizer = new Adam(net.parameters());
    return compile((input: Tensor) => {
      const loss = net.forward(input).square().sum();
      optimizer.step(grad(loss, optimizer.parameters));
      return loss;
    });
  };
  const [step, otherStep] = [train(model), train(other)];
  for (let i = 0; i < 3; i++) expect(await otherStep(x).item()).toBe(await step(x).item());
  expect(await forward(x).data()).toEqual(await model.forward(x).data());
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

test("the file may be saved anew while it is in use", async () => {
  const path = join(folder, "again.safetensors");
  const model = makeModel();
  await save(model, path);
  await load(model, path, { mmap: true });
  const want = await model.forward(x).data();
  await save(model, path);
  await save(makeModel(), path);
  expect(await model.forward(x).data()).toEqual(want);
  await load(model, path, { mmap: true });
  expect(await model.forward(x).data()).not.toEqual(want);
});

test("a frozen parameter and a read-out are values of the file; what does not fit is refused", async () => {
  const path = join(folder, "values.safetensors");
  const data = Float32Array.of(1, 2, 3, 4, 5, 6);
  await writeSafetensors(path, new Map([["w", { dtype: "f32", shape: [2, 3], data }]]));
  const file = await openSafetensors(path, { mmap: true });
  const array = await file.map("w");
  await file.close();
  expect(array instanceof MappedArray).toBe("address" in mapFile(path));
  const parameter = new Parameter(array, { trainable: false });
  const before = parameter.mul(10);
  expect(await parameter.sum().item()).toBe(21);
  parameter.assign(parameter.add(1));
  expect([...(await parameter.data())]).toEqual([2, 3, 4, 5, 6, 7]);
  expect([...(await before.data())]).toEqual([10, 20, 30, 40, 50, 60]);
  expect([
    ...(await tensor(array, { shape: [3, 2] })
      .transpose()
      .data()),
  ]).toEqual([1, 3, 5, 2, 4, 6]);
  const inTrace = compile((y: Tensor) => y.add(tensor(array)));
  expect(await inTrace(tensor(1)).sum().item()).toBe(27);
  const assigning = compile(() => parameter.assign(tensor(array)));
  assigning();
  expect(await parameter.sum().item()).toBe(21);
  if (!(array instanceof MappedArray)) return;
  const inCompiled = compile(() => parameter.assign(array));
  inCompiled();
  expect([...(await parameter.data())]).toEqual([...data]);
  expect(() => new Parameter([1]).assign(array)).toThrow("is f32 (1,), the array of");
  expect(() => tensor(array, { shape: [7] })).toThrow("6 elements do not fill");
  expect(() => tensor(array, { dtype: "f16" })).toThrow("cast the tensor");
});

test("every dtype is the same, mapped and read", async () => {
  const { tensors } = await readSafetensors(fixture);
  const file = await openSafetensors(fixture, { mmap: true });
  expect([...file.tensors.keys()]).toEqual([...tensors.keys()]);
  for (const [name, want] of tensors) {
    const array = await file.map(name);
    // Bytes of 64-bit integers and of booleans are not elements before they were checked.
    expect(array instanceof MappedArray, name).toBe(file.notMapped === undefined && !/i64|bool/i.test(name));
    expect(array instanceof MappedArray ? array.read() : array, name).toEqual(want);
    expect(await tensor(array).toHost(), name).toEqual(want);
  }
  await expect(file.map("nothing")).rejects.toThrow("has no tensor");
});

test("a damaged file is refused before anything is mapped to a tensor", async () => {
  const path = join(folder, "damaged.safetensors");
  const bytes = readFileSync(fixture);
  for (const length of [0, 4, 20, bytes.length - 1]) {
    writeFileSync(path, bytes.subarray(0, length));
    await expect(openSafetensors(path, { mmap: true }), `${length} bytes`).rejects.toThrow(FormatError);
  }
  await expect(load(makeModel(), path, { mmap: true })).rejects.toThrow(FormatError);
});

test.skipIf(!isMapped)(
  "5 GiB of weights are there in a moment, the page that is used alone in memory",
  async () => {
    const path = join(folder, "large.safetensors");
    const [rows, columns] = [1_310_720, 1024];
    const sizes = { dtype: "F32", shape: [rows, columns], data_offsets: [0, 4 * rows * columns] };
    const json = Buffer.from(JSON.stringify({ "embedding.weight": sizes }));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(path, Buffer.concat([length, json]));
    truncateSync(path, 8 + json.length + 4 * rows * columns);
    const row = 1_300_000;
    const content = Buffer.from(Float32Array.from({ length: columns }, (_, i) => i).buffer);
    writeSync(openSync(path, "r+"), content, 0, content.length, 8 + json.length + 4 * row * columns);
    const lookUp = compile((weight: Tensor, id: Tensor) => weight.gather(id, 0).sum());
    const peakBefore = cpuDevice().memory().peakBytes;
    const [id, started] = [tensor(row, { dtype: "i32" }), performance.now()];
    const file = await openSafetensors(path, { mmap: true });
    const weight = tensor(await file.map("embedding.weight"));
    expect(performance.now() - started).toBeLessThan(100);
    expect(await lookUp(weight, id).item()).toBe((columns * (columns - 1)) / 2);
    // Other tests of this process had memory before.
    expect(cpuDevice().memory().peakBytes - peakBefore).toBeLessThan(64 * 2 ** 20);
  },
);
