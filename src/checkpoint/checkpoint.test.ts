import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { seed } from "../base/default-key.ts";
import { FileError, NetwrightError } from "../base/errors.ts";
import { hostArray } from "../base/host-array.ts";
import { arrayDataset, loader } from "../data/index.ts";
import { readSafetensors, writeSafetensors } from "../formats/index.ts";
import { crossEntropy } from "../losses/index.ts";
import { Dropout, Linear, Parameter, ReLU, Sequential } from "../nn/index.ts";
import { Adam, type Optimizer, SGD } from "../optim/index.ts";
import { compile, grad, ones, type Tensor, tensor } from "../tensor/index.ts";
import { load, save, serialize, stateDigests, weightsSha256 } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-checkpoint-"));
const file = join(folder, "model.safetensors");
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => seed(1));

const makeModel = (hidden = 4) => new Sequential(new Linear(2, hidden), new ReLU(), new Linear(hidden, 3));
type Model = ReturnType<typeof makeModel>;

const batch = {
  x: tensor([
    [1, 2],
    [-1, 0.5],
  ]),
  labels: tensor([0, 2], { dtype: "i32" }),
};

const stepOf = (model: Model, optimizer: Optimizer) =>
  compile((x: Tensor, labels: Tensor) => {
    const loss = crossEntropy(model.forward(x), labels);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  });

const failure = async (run: Promise<unknown>): Promise<NetwrightError> => {
  const error = await run.then(
    () => undefined,
    (cause: NetwrightError) => cause,
  );
  expect(error).toBeInstanceOf(NetwrightError);
  error!.message = error!.message.replaceAll(folder, "FOLDER");
  return error!;
};

test("the bytes of serialize are those of the file, and load takes them", async () => {
  const model = makeModel();
  await save(model, file, { metadata: { license: "MIT" } });
  const bytes = await serialize(model, { metadata: { license: "MIT" } });
  expect(Buffer.compare(bytes, readFileSync(file))).toBe(0);
  const other = makeModel();
  await load(other, bytes);
  expect(await weightsSha256(other)).toBe(await weightsSha256(model));
  expect((await failure(load(other, bytes.subarray(0, 100)))).message).toMatchInlineSnapshot(
    `""the given bytes" is not a valid safetensors file: its header claims 336 bytes, the file has 100; it is cut short or of another format: copy or download it again"`,
  );
  expect(
    (await failure(serialize(model, { metadata: { "netwright.x": "" } }))).message,
  ).toMatchInlineSnapshot(
    `"serialize: metadata "netwright.x" begins with "netwright.", which is reserved; choose another key"`,
  );
});

test("a model saved and loaded into another has the same bits", async () => {
  const model = makeModel();
  await save(model, file, { metadata: { license: "MIT" } });
  const other = makeModel();
  expect(await weightsSha256(other)).not.toBe(await weightsSha256(model));
  const loaded = await load(other, file);
  expect(await weightsSha256(other)).toBe(await weightsSha256(model));
  expect([...loaded.metadata]).toEqual([["license", "MIT"]]);
  expect(loaded).toMatchObject({ loader: undefined, progress: undefined, isSameArithmetic: true });
  const { tensors } = await readSafetensors(file);
  expect([...tensors.keys()].sort()).toEqual([...model.stateDict().keys()].sort());
});

test("with optimizer and loader it is a whole training state, and still a model's file", async () => {
  const data = arrayDataset({
    x: [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    labels: Int32Array.of(0, 1, 2),
  });
  const batches = loader(data, { batchSize: 1, shuffle: true });
  const [model, other] = [makeModel(), makeModel()];
  const [optimizer, otherOptimizer] = [new Adam(model.parameters()), new Adam(other.parameters())];
  const [step, otherStep] = [stepOf(model, optimizer), stepOf(other, otherOptimizer)];
  for (const { x, labels } of batches) {
    step(x, labels);
    if (batches.position.step === 2) break;
  }
  await save(model, file, { optimizer, loader: batches, progress: { best: 0.5 } });

  const otherBatches = loader(data, { batchSize: 1, shuffle: true });
  const { progress } = await load(other, file, { optimizer: otherOptimizer, loader: otherBatches });
  expect(progress).toEqual({ best: 0.5 });
  expect(otherBatches.position).toEqual({ epoch: 0, step: 2 });
  step(batch.x, batch.labels);
  otherStep(batch.x, batch.labels);
  expect(await weightsSha256(other)).toBe(await weightsSha256(model));

  const plain = makeModel();
  expect((await load(plain, file)).unexpected).toEqual([]);
});

test("the masks of a resumed run are those of one that never stopped", async () => {
  const make = () => new Sequential(new Dropout(0.5));
  const x: Tensor = ones([64]);
  const weight = new Parameter([1]);
  const [model, other] = [make(), make()];
  await model.forward(x).data();
  await save(model, file, { optimizer: new SGD([weight]) });
  await load(other, file, { optimizer: new SGD([weight]) });
  expect(await other.forward(x).toArray()).toEqual(await model.forward(x).toArray());

  expect((await load(make(), file)).unexpected).toEqual([]);
  const deeper = new Sequential(new Dropout(), new Dropout());
  expect(await failure(load(deeper, file, { optimizer: new SGD([weight]) }))).toMatchObject({
    message: 'load: the model draws from a random stream "1.random", which the file does not hold',
  });
  expect(await failure(load(new Sequential(), file, { optimizer: new SGD([weight]) }))).toMatchObject({
    message: 'load: the file holds a random stream "0.random", the model has none of that name',
  });
});

test("what does not fit is refused whole: model, optimizer and loader stay as they are", async () => {
  await save(makeModel(5), file);
  const model = makeModel();
  const optimizer = new Adam(model.parameters());
  stepOf(model, optimizer)(batch.x, batch.labels);
  const moments = async (): Promise<unknown> =>
    Promise.all([...optimizer.stateDict().values()].map((state) => state.toArray()));
  const before = [await weightsSha256(model), await moments()];
  const refused = async (options = {}): Promise<string> => {
    const { name, message } = await failure(load(model, file, options));
    expect([await weightsSha256(model), await moments()]).toEqual(before);
    return `${name}: ${message}`;
  };
  expect(await refused()).toMatchInlineSnapshot(
    `"ShapeError: Sequential: "0.bias" has shape (4,), its value (5,): the model was built with other sizes"`,
  );
  expect(await refused({ optimizer })).toMatchInlineSnapshot(
    `"ArgumentError: load: the file holds no optimizer; it was saved without { optimizer }. Load the model alone to start its moments anew"`,
  );

  await save(new Sequential(new Linear(2, 4)), file);
  expect(await refused()).toMatchInlineSnapshot(`
    "ArgumentError: Sequential: the names do not match; rename them, or pass { strict: false } to leave these out:
      no value for "2.weight"
      no value for "2.bias""
  `);

  const wider = makeModel(5);
  await save(wider, file, { optimizer: new Adam(wider.parameters()) });
  expect(await refused({ optimizer })).toMatchInlineSnapshot(
    `"ShapeError: load: optimizer state "firstMoment.0.weight" has shape (4, 2), in the file (5, 2): it was saved for another model"`,
  );

  const same = makeModel();
  await save(same, file, { optimizer: new SGD(same.parameters(), { momentum: 0.9 }) });
  expect(await refused({ optimizer })).toMatchInlineSnapshot(
    `"ArgumentError: load: the file holds optimizer state "momentum.0.bias", which this optimizer does not keep (it keeps "firstMoment.0.bias"): it was saved with another optimizer, or for another model"`,
  );
  const data = arrayDataset({ x: [[1, 2]], labels: Int32Array.of(0) });
  expect(await refused({ loader: loader(data) })).toMatchInlineSnapshot(
    `"ArgumentError: load: "FOLDER/model.safetensors" holds no loader's position; it was saved without { loader }. Load it without to start at the beginning"`,
  );
});

test("a file cut short anywhere, or with a byte changed in its header, never changes the model", async () => {
  const model = makeModel();
  const optimizer = new Adam(model.parameters());
  await save(model, file, { optimizer });
  const bytes = readFileSync(file);
  const headerBytes = 8 + bytes.readUInt32LE(0);
  for (let length = 0; length < bytes.length; length += 13) {
    writeFileSync(file, bytes.subarray(0, length));
    expect(await outcomeOfLoading()).toBe("FormatError");
  }
  for (let at = 0; at < headerBytes; at += 7) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 0x11;
    writeFileSync(file, damaged);
    // Some changes, in the metadata say, leave a file that is as good as any.
    expect(["loaded", "FormatError", "ArgumentError", "ShapeError", "DTypeError"]).toContain(
      await outcomeOfLoading(),
    );
  }
});

/** What happens to a new model; one that refuses the file must be as it was. */
async function outcomeOfLoading(): Promise<string> {
  const model = makeModel();
  const before = await weightsSha256(model);
  const error = await load(model, file).then(
    () => undefined,
    (cause: Error) => cause,
  );
  if (error !== undefined) expect(await weightsSha256(model)).toBe(before);
  return error?.name ?? "loaded";
}

test("a file of a later version, and one that is not JSON where it should be", async () => {
  const model = makeModel();
  await save(model, file);
  const { tensors } = await readSafetensors(file);
  await writeSafetensors(file, tensors, { metadata: { "netwright.version": "2" } });
  expect((await failure(load(model, file))).message).toMatchInlineSnapshot(
    `""FOLDER/model.safetensors" has layout version 2, this release reads version 1; read it with the release that wrote it, or a later one"`,
  );
  await writeSafetensors(file, tensors, { metadata: { "netwright.loader": "{" } });
  expect((await failure(load(model, file))).message).toMatchInlineSnapshot(
    `""FOLDER/model.safetensors": its metadata "netwright.loader" is not valid JSON; the file was not written by save()"`,
  );
});

test("a file saved under another arithmetic says so", async () => {
  const model = makeModel();
  await save(model, file);
  const { tensors } = await readSafetensors(file);
  await writeSafetensors(file, tensors, { metadata: { "netwright.arithmetic": "abacus" } });
  expect(await load(model, file)).toMatchObject({ arithmetic: "abacus", isSameArithmetic: false });
});

test("what cannot be written leaves the old file, and nothing else, behind", async () => {
  const model = makeModel();
  const place = mkdtempSync(join(folder, "place-"));
  await expect(save(model, join(place, "missing", "model.safetensors"))).rejects.toThrow(FileError);
  const path = join(place, "model.safetensors");
  await save(model, path);
  const before = readFileSync(path);
  expect(
    (await failure(save(model, path, { metadata: { "netwright.x": "1" } }))).message,
  ).toMatchInlineSnapshot(
    `"save: metadata "netwright.x" begins with "netwright.", which is reserved; choose another key"`,
  );
  expect(readFileSync(path)).toEqual(before);
  expect(readdirSync(place)).toEqual(["model.safetensors"]);
});

test("the digest is of the bytes of all states in order", async () => {
  const model = new Sequential(new Linear(1, 1));
  model.loadStateDict({
    "0.weight": hostArray("f32", [1, 1], Float32Array.of(1)),
    "0.bias": hostArray("f32", [1], Float32Array.of(-2)),
  });
  // sha256 of 00 00 80 3f 00 00 00 c0
  expect(await weightsSha256(model)).toBe("ee4ac73c2bd27756ab82780f27c73a7bc4d3f0bb6acb37e008bc27eccd7e588b");
});

test("what another file has is left out; a model with other values there is refused, and stays as it was", async () => {
  const model = makeModel();
  const base = new Map([...model.stateDict()].filter(([name]) => name.startsWith("0.")));
  await save(model, file, { leftOut: await stateDigests(base) });
  expect([...(await readSafetensors(file)).tensors.keys()].sort()).toEqual(["2.bias", "2.weight"]);

  const same = makeModel();
  for (const [name, state] of base)
    same
      .stateDict()
      .get(name)!
      .assign(await state.toHost());
  const loaded = await load(same, file);
  expect([loaded.missing, loaded.unexpected, [...loaded.metadata]]).toEqual([[], [], []]);
  expect(await weightsSha256(same)).toBe(await weightsSha256(model));

  const other = makeModel();
  const before = await weightsSha256(other);
  expect((await failure(load(other, file))).message).toMatchInlineSnapshot(
    `"load: "FOLDER/model.safetensors" holds what was trained beside frozen weights, and this model has others (1 of 2 differ, "0.weight" is the first): load the model that training began with"`,
  );
  expect((await failure(load(new Sequential(new Linear(2, 4)), file))).message).toMatchInlineSnapshot(
    `"load: "FOLDER/model.safetensors" holds what was trained beside frozen weights, and this model has others (1 of 2 differ, "0.weight" is the first): load the model that training began with"`,
  );
  expect((await failure(load(new Sequential(), file, { strict: false }))).message).toMatchInlineSnapshot(
    `"load: "FOLDER/model.safetensors" holds what was trained beside frozen weights, and this model has others (it has no "0.weight"): load the model that training began with"`,
  );
  expect(await weightsSha256(other)).toBe(before);
});
