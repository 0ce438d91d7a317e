/** Adapters against PEFT's: files, outputs, gradients, ten steps; what merging keeps; a quantized base. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AdaptedLlama, type AdaptedRow } from "../../test/adapted-llama.ts";
import { decodeArray, readFixture } from "../../test/fixtures.ts";
import { expectNear, type Seeds } from "../../test/model-states.ts";
import { readSafetensors } from "../formats/index.ts";
import type { Llama } from "../models/index.ts";
import { Linear, quantizeModel, Sequential } from "../nn/index.ts";
import { adamw } from "../optim/index.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import { type LoraOptions, loadAdapters, loraAdapters, saveAdapters } from "./index.ts";

interface Row extends AdaptedRow {
  readonly kind: string;
}
const { cases, learningRate, ...seeds } = readFixture<
  Seeds & { cases: readonly Row[]; learningRate: number }
>("peft-adapters.json");
const folderOf = (kind: string): string => join(import.meta.dirname, "../../test/fixtures/peft", kind);

const llama = new AdaptedLlama(seeds);
const { ids } = llama;
const made = (): Llama => llama.made();

let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "netwright-"))));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(cases)("$kind, as PEFT saved it", (row) => {
  const { kind, logits } = row;
  const published = (name: string): string => name.replace(".lora.", ".").replace(/vector$/, "vector.weight");

  test("logits and gradients", async () => {
    const model = made();
    const adapters = await loadAdapters(model, folderOf(kind));
    const names = await llama.expectForward(model, row, published);
    expect(adapters.parameters().length).toBe(names.length);
  });

  test("ten steps of AdamW", async () => {
    const model = made();
    await loadAdapters(model, folderOf(kind));
    const parameters = model.parameters({ trainable: true });
    await llama.expectSteps(model, row, { parameters, learningRate });
  });

  test("merged and unmerged it computes the same", async () => {
    const model = made();
    const adapters = await loadAdapters(model, folderOf(kind));
    adapters.merge();
    expect([...model.namedParameters().keys()].some((name) => name.includes("lora"))).toBe(false);
    expectNear("merged", await model.forward(ids).data(), decodeArray(logits), 1e-4);
    adapters.unmerge();
    expectNear("unmerged", await model.forward(ids).data(), decodeArray(logits), 1e-4);
    adapters.remove();
    expectNear("removed", await model.forward(ids).data(), await made().forward(ids).data(), 1e-4);
  });

  test("saved again: the same file", async () => {
    const [there, here] = [folderOf(kind), join(folder, kind)];
    await saveAdapters(await loadAdapters(made(), there), here);
    const read = (path: string) => readSafetensors(join(path, "adapter_model.safetensors"));
    expect((await read(here)).tensors).toEqual((await read(there)).tensors);
    const config = (path: string): Record<string, unknown> =>
      JSON.parse(readFileSync(join(path, "adapter_config.json"), "utf8"));
    const [ours, theirs] = [config(here), config(there)];
    for (const [name, value] of Object.entries(ours)) {
      if (name === "target_modules") expect(new Set(value as [])).toEqual(new Set(theirs[name] as []));
      else expect([name, value]).toEqual([name, theirs[name]]);
    }
  });
});

test("nothing changes at first; dropout falls in training alone", async () => {
  for (const options of [{ dropout: 0.5 }, { useDora: true, dropout: 0.5 }] as const) {
    const model = made();
    const before = await model.forward(ids).data();
    const adapters = loraAdapters(model, { rank: 2, ...options, key: 3 });
    expectNear("at first", await model.forward(ids).data(), before, 1e-5);
    for (const adapter of adapters.layers.values()) adapter.b.assign(adapter.b.add(0.3));
    const calm = await model.forward(ids).data();
    model.train();
    expect(await model.forward(ids).data()).not.toEqual(await model.forward(ids).data());
    expect(await model.eval().forward(ids).data()).toEqual(calm);
  }
});

test("on a base of few bits: the steps of the same base in f32, bit for bit", async () => {
  const network = (): Sequential =>
    new Sequential(new Linear(64, 32, { key: 1 }), new Linear(32, 8, { key: 2 }));
  const [kept, whole] = [network(), network()];
  await quantizeModel(kept, { type: "Q4_0" });
  for (const path of ["0", "1"] as const) {
    const [from, to] = [kept, whole].map((model) => model.namedModules().get(path) as Linear);
    to!.weight.assign((await (from!.weight as Tensor).toHost()) as never);
  }
  const x = tensor(
    Float32Array.from({ length: 640 }, (_, i) => Math.sin(i)),
    { shape: [10, 64] },
  ) as Tensor;
  const losses = async (model: Sequential): Promise<number[]> => {
    loraAdapters(model, { rank: 4, key: 5 });
    const parameters = model.parameters({ trainable: true });
    const optimizer = adamw({ learningRate: 0.01 })(parameters);
    const step = compile((input: Tensor) => {
      const loss = (model.forward(input as never) as Tensor).sub(1).square().mean() as Tensor;
      optimizer.step(grad(loss, parameters) as Tensor[]);
      return loss;
    });
    const all: number[] = [];
    for (let i = 0; i < 5; i++) all.push((await step(x).item()) as number);
    return all;
  };
  const found = await losses(kept);
  expect(found).toEqual(await losses(whole));
  expect(found.at(-1)!).toBeLessThan(found[0]!);
});

test("what does not fit", async () => {
  const error = (options: LoraOptions, model = made()): string => {
    try {
      loraAdapters(model, options);
    } catch (caught) {
      return (caught as Error).message;
    }
    return expect.unreachable();
  };
  const twice = made();
  const adapters = loraAdapters(twice);
  expect([
    error({ targetModules: ["q_proj", "v_prj"] }),
    error({ rank: 0 }),
    error({ alpha: -1 }),
    error({ dropout: 1 }),
    error({ targetModule: ["q_proj"] } as never),
    error({}, twice),
  ]).toMatchInlineSnapshot(`
    [
      "loraAdapters: no linear layer of Llama is called "v_prj"; did you mean "v_proj"? There are: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head",
      "loraAdapters: rank must be a positive integer, got 0",
      "loraAdapters: alpha must be above 0, got -1",
      "loraAdapters: dropout must be in [0, 1), got 1",
      "loraAdapters: there is no option "targetModule"; did you mean "targetModules"?",
      "loraAdapters: "model.layers.0.self_attn.q_proj" has an adapter already; merge or remove that first",
    ]
  `);
  adapters.merge();
  expect(() => adapters.merge()).toThrow(/merged already/);
  await expect(saveAdapters(adapters, join(folder, "merged"))).rejects.toThrow(/are merged/);
  adapters.unmerge();
  expect(() => adapters.unmerge()).toThrow(/not merged/);
});

test("files that say what is not known here, or hold other layers", async () => {
  const message = async (change: object, model = made()): Promise<string> => {
    const config = JSON.parse(readFileSync(join(folderOf("lora"), "adapter_config.json"), "utf8"));
    await saveAdapters(await loadAdapters(made(), folderOf("lora")), join(folder, "bad"));
    writeFileSync(join(folder, "bad", "adapter_config.json"), JSON.stringify({ ...config, ...change }));
    return loadAdapters(model, join(folder, "bad")).then(
      () => expect.unreachable(),
      (caught: Error) => caught.message.replaceAll(folder, "FOLDER"),
    );
  };
  expect([
    await message({ peft_type: "IA3" }),
    await message({ bias: "all" }),
    await message({ rank_pattern: { q_proj: 8 } }),
    await message({ r: "4" }),
    await message({ r: 8 }),
    await message({ target_modules: ["q_proj"] }),
    await message({ target_modules: ["q_proj", "v_proj", "o_proj"] }),
  ]).toMatchInlineSnapshot(`
    [
      ""FOLDER/bad/adapter_config.json": peft_type "IA3" is not known here",
      ""FOLDER/bad/adapter_config.json": bias "all" is not known here",
      ""FOLDER/bad/adapter_config.json": rank_pattern {"q_proj":8} is not known here",
      ""FOLDER/bad/adapter_config.json": r "4" is not known here",
      ""FOLDER/bad/adapter_model.safetensors": "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" is f32 (4, 16), the layer's is f32 (8, 16)",
      ""FOLDER/bad/adapter_model.safetensors" holds "base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight", which is of no adapted layer; the nearest is "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"",
      ""FOLDER/bad/adapter_model.safetensors" has no "base_model.model.model.layers.0.self_attn.o_proj.lora_A.weight"",
    ]
  `);
});
