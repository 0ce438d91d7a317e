import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import { exportedModels } from "../../test/onnx-exports.ts";
import { parseOnnx, serializeOnnx } from "../formats/index.ts";
import { Dropout, Linear, Module, Sequential } from "../nn/index.ts";
import { ones, random, type Tensor, zeros } from "../tensor/index.ts";
import { loadOnnx, saveOnnx } from "./index.ts";

interface Fixture {
  readonly models: readonly {
    readonly name: string;
    /** Of the file that onnxruntime ran. */
    readonly sha256: string;
    readonly outputs: Readonly<Record<string, EncodedArray>>;
    /** The same of a batch of three times the examples. */
    readonly larger?: Readonly<Record<string, EncodedArray>>;
  }[];
}
/** Where files go for `test/fixtures/onnx_exports.py`, when the fixture is made again. */
const kept = process.env["NETWRIGHT_ONNX_EXPORTS"];
const root = kept ?? mkdtempSync(join(tmpdir(), "netwright-onnx-export-"));
mkdirSync(root, { recursive: true });
afterAll(() => kept === undefined && rmSync(root, { recursive: true, force: true }));

const recorded = kept === undefined ? readFixture<Fixture>("onnx-exports.json").models : [];

describe("what is exported gives in onnxruntime what it gives here", () => {
  test.each(exportedModels().map((each) => [each.name, each] as const))("%s", async (name, exported) => {
    const { model, inputs, forward } = exported;
    const path = join(root, `${name}.onnx`);
    const saved = await saveOnnx(path, model, inputs, forward && { forward });
    expect(saved.error).toBeLessThan(2e-6);
    expect(saved.fixedBatch).toBe(undefined);
    const bytes = readFileSync(path);
    if (kept !== undefined) return keep(name, inputs);
    const fixture = recorded.find((each) => each.name === name)!;
    // Another file than the one that was run: make the fixture again.
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(fixture.sha256);
    const given = Object.values(inputs);
    model.eval();
    const made = forward ? forward(...given) : model.forward(...(given as never[]));
    const outputs =
      "shape" in (made as object) ? { output: made as Tensor } : (made as Record<string, Tensor>);
    expect(Object.keys(outputs).sort()).toEqual(Object.keys(fixture.outputs).sort());
    for (const [key, output] of Object.entries(outputs)) await expectNear(output, fixture.outputs[key]!);
  });
});

async function expectNear(made: Tensor, expected: EncodedArray): Promise<void> {
  const { shape, data } = await made.toHost();
  expect(shape).toEqual(expected.shape);
  const theirs = decodeArray(expected);
  const worst = Math.max(
    ...Array.from(data, (value, i) => Math.abs(value - theirs[i]!) / (1 + Math.abs(theirs[i]!))),
  );
  expect(worst).toBeLessThan(1e-5);
}

async function keep(name: string, inputs: Readonly<Record<string, Tensor>>): Promise<void> {
  const encoded = await Promise.all(
    Object.entries(inputs).map(async ([key, tensor]) => {
      const { dtype, shape, data } = await tensor.toHost();
      return [key, { dtype, shape, data: [...data] }] as const;
    }),
  );
  writeFileSync(join(root, `${name}.json`), JSON.stringify(Object.fromEntries(encoded)));
}

test("a file that was read and written again is the same file; a saved model comes back and trains", async () => {
  const model = new Sequential(new Linear(3, 4), new Dropout(0.5), new Linear(4, 2));
  model.train();
  const path = join(root, "again.onnx");
  const saved = await saveOnnx(path, model, [ones([2, 3]) as Tensor]);
  expect(saved).toMatchObject({ fixedBatch: undefined });
  expect([...model.namedModules().values()].every((module) => module.training)).toBe(true);
  const bytes = readFileSync(path);
  expect(Buffer.compare(serializeOnnx(parseOnnx(bytes)), bytes)).toBe(0);
  const again = await loadOnnx(path);
  expect([...again.namedParameters().keys()].sort()).toEqual([...model.namedParameters().keys()].sort());
  expect((again.forward(ones([7, 3])) as Tensor).shape).toEqual([7, 2]);
});

class Fixed extends Module {
  forward(x: Tensor): Tensor {
    // A size that is taken apart as a number.
    return x.reshape([(x.shape as number[])[0]! / 2, 2, -1]) as Tensor;
  }
}

class Noisy extends Module {
  readonly inner = new Linear(2, 2);
  forward(x: Tensor): Tensor {
    return this.inner.forward(x).add(random.normal(7, [2, 2])) as Tensor;
  }
}

test("a batch that the model fixes stays fixed, and it is said; what cannot be exported is named", async () => {
  const path = join(root, "fixed.onnx");
  const saved = await saveOnnx(path, new Fixed(), [zeros([4, 3]) as Tensor]);
  expect(saved.fixedBatch).toMatch(/batch/);
  expect((await loadOnnx(path)).inputs[0]!.shape).toEqual([4, 3]);
  await expect(saveOnnx(path, new Noisy(), [zeros([2, 2]) as Tensor])).rejects.toThrow(
    /layer "Noisy" draws random numbers, which cannot be exported/,
  );
  await expect(saveOnnx(path, new Fixed(), [])).rejects.toThrow("needs an example of each input");
});
