import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../../test/fixtures.ts";
import { readKeras } from "../../formats/index.ts";
import { type Tensor, tensor } from "../../tensor/index.ts";
import { loadKeras } from "./load.ts";

interface Fixture {
  readonly models: readonly {
    readonly name: string;
    readonly inputs: readonly EncodedArray[];
    readonly output: EncodedArray;
    readonly keras: string;
    readonly h5: string;
    readonly layersModel: { readonly model: string; readonly parts: readonly string[] };
  }[];
  readonly refused: Readonly<Record<string, string>>;
}
const { models, refused } = readFixture<Fixture>("keras-files.json");
const root = mkdtempSync(join(tmpdir(), "netwright-keras-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function file(name: string, packed: string): string {
  const path = join(root, name);
  writeFileSync(path, inflateRawSync(Buffer.from(packed, "base64")));
  return path;
}

function layersModel(name: string, { model, parts }: Fixture["models"][number]["layersModel"]): string {
  const folder = join(root, name);
  mkdirSync(folder);
  parts.forEach((part, i) => {
    writeFileSync(join(folder, `group1-shard${i + 1}of${parts.length}.bin`), Buffer.from(part, "base64"));
  });
  writeFileSync(join(folder, "model.json"), model);
  return join(folder, "model.json");
}

const tensorOf = (array: EncodedArray): Tensor =>
  tensor({
    dtype: array.dtype,
    shape: [...array.shape],
    data: decodeArray(array),
  } as never) as unknown as Tensor;

describe.each(models)("$name", (fixture) => {
  test.each([
    ["keras", () => file(`${fixture.name}.keras`, fixture.keras)],
    ["h5", () => file(`${fixture.name}.h5`, fixture.h5)],
    ["model.json", () => layersModel(fixture.name, fixture.layersModel)],
  ])("%s: outputs are Keras's", async (_, pathOf) => {
    const model = await loadKeras(pathOf());
    model.eval();
    const output = await model.forward(...fixture.inputs.map(tensorOf)).toHost();
    expect(output.shape).toEqual(fixture.output.shape);
    const expected = decodeArray(fixture.output);
    const worst = Math.max(
      ...Array.from(
        output.data as Float32Array,
        (y, i) => Math.abs(y - expected[i]!) / (1 + Math.abs(expected[i]!)),
      ),
    );
    expect(worst).toBeLessThan(2e-6);
  });
});

test("what was read: the configuration, and arrays in Keras's order", async () => {
  const { config, weights } = await readKeras(file("again.keras", models[0]!.keras));
  expect(config.class_name).toBe("Sequential");
  expect(weights.get("probabilities")!.map(({ shape }) => shape)).toEqual([[5, 3], [3]]);
});

test("between layers over images nothing is turned back and forth", async () => {
  const model = await loadKeras(file("tidy.keras", models[0]!.keras));
  const permutations = String(model).match(/Permute/g) ?? [];
  expect(permutations.length).toBeLessThan(12);
});

describe("refused, naming the layer", () => {
  test.each([
    ["LSTM", 'layer "lstm" is a LSTM, which is not supported'],
    ["average", 'layer "average_pooling2d" pads [[0,1],[0,1]], more at one end than at the other'],
  ])("%s", async (name, message) => {
    await expect(loadKeras(file(`${name}.keras`, refused[name]!))).rejects.toThrow(message);
  });

  test("files that are none, or damaged", async () => {
    const path = join(root, "none.keras");
    for (const [content, message] of [
      [Buffer.from("hello"), "neither a .keras archive nor an HDF5 file"],
      [inflateRawSync(Buffer.from(models[0]!.keras, "base64")).subarray(0, 3000), "is no ZIP archive"],
      [
        inflateRawSync(Buffer.from(models[0]!.h5, "base64")).subarray(0, 2000),
        "is no HDF5 file that can be read",
      ],
    ] as const) {
      writeFileSync(path, content);
      await expect(loadKeras(path)).rejects.toThrow(message);
    }
    const json = join(root, "model.json");
    for (const [content, message] of [
      ["{", "is not JSON"],
      ['{"format":"graph-model","modelTopology":{"node":[]}}', "is a graph model of TensorFlow.js"],
      [
        '{"modelTopology":{"class_name":"Sequential","config":[]},"weightsManifest":[{"paths":["../x"],"weights":[]}]}',
        "outside its folder",
      ],
      ['{"modelTopology":{"class_name":"Sequential","config":[]}}', "has no weightsManifest"],
      ['{"modelTopology":{}}', "its configuration names no model"],
    ] as const) {
      writeFileSync(json, content);
      await expect(loadKeras(json)).rejects.toThrow(message);
    }
  });
});
