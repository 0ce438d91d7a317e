/**
 * Files of models that are damaged or lie, opened as a user would: whatever is in them, a model comes out or one of Netwright's errors, soon, and
 * without much memory. Bytes are changed and cut off; in JSON, values are replaced by others that nobody expects.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { InternalError, NetwrightError } from "../src/base/errors.ts";
import { applyAdapters, loraAdapters, saveAdapters } from "../src/finetune/index.ts";
import { parseOnnx } from "../src/formats/index.ts";
import { OnnxModel } from "../src/onnx/index.ts";
import { loadPretrained, savePretrained } from "../src/pretrained/index.ts";
import { type Tensor, tensor, zeros } from "../src/tensor/index.ts";
import { loadTokenizer, trainBpe } from "../src/text/index.ts";
import { readFixture } from "./fixtures.ts";
import { byTier } from "./tier.ts";

const gguf = join(import.meta.dirname, "fixtures/llama.gguf");
const root = mkdtempSync(join(tmpdir(), "netwright-hostile-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Attempts of a kind of file. */
const attempts = byTier(25, 1000);
const [mostMs, mostBytes] = [20_000, 2 ** 30];

let state = 1;
const random = (below: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const oneOf = <T>(list: readonly T[]): T => list[random(list.length)]!;

function changedBytes(bytes: Uint8Array): Uint8Array {
  if (random(4) === 0) return bytes.slice(0, random(bytes.length));
  const changed = bytes.slice();
  // Headers are where bytes decide.
  const reach = random(2) === 0 ? Math.min(400, bytes.length) : bytes.length;
  for (let i = 1 + random(4); i > 0; i--) changed[random(reach)] = oneOf([0, 1, 127, 128, 255, random(256)]);
  return changed;
}

const strange = (): unknown =>
  oneOf([
    ...[
      null,
      true,
      false,
      -1,
      0,
      1,
      3,
      1.5,
      -0.5,
      1e9,
      2 ** 31,
      2 ** 53,
      1e300,
      "",
      "x",
      "\u0000",
      "../../x",
    ],
    ...["[".repeat(1000), "(a*)*$", "llama", "gpt2", [], {}, [[]], [null], [1e9, 1e9], ["a", "a"]],
    ...[{ type: "x" }, { type: null }, { type: "Sequence" }, { 0: "a" }, "{% for x in y %}{{ x }}"],
  ]);

/** A copy in which some value is another, missing, or there twice. */
function changedJson(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return strange();
  const keys = Object.keys(value);
  if (keys.length === 0 || random(12) === 0) return strange();
  const key = oneOf(keys);
  if (Array.isArray(value)) {
    const copy = [...value];
    const at = Number(key);
    const how = random(5);
    if (how === 0) copy.splice(at, 1);
    else if (how === 1) copy.push(copy[at]);
    else copy[at] = changedJson(copy[at]);
    return copy;
  }
  const copy: Record<string, unknown> = { ...value };
  if (random(4) === 0) delete copy[key];
  else copy[key] = changedJson(copy[key]);
  return copy;
}

/** Runs attempts; what is no error of Netwright's, or takes too long, fails with what was tried. */
async function expectOrderly(what: string, attempt: (round: number) => Promise<string>): Promise<void> {
  const failures: string[] = [];
  let opened = 0;
  const before = process.memoryUsage().rss;
  for (let round = 0; round < attempts; round++) {
    const started = performance.now();
    let tried = "";
    try {
      tried = await attempt(round);
      opened++;
    } catch (error) {
      if (!(error instanceof NetwrightError) || error instanceof InternalError)
        failures.push(`${what} ${round}: ${(error as Error).stack?.slice(0, 600)}`);
      else if (error.message.length > 20_000)
        failures.push(`${what} ${round}: a message of ${error.message.length} letters`);
    }
    const took = performance.now() - started;
    if (took > mostMs) failures.push(`${what} ${round}: took ${Math.round(took)} ms ${tried}`);
  }
  expect(failures.slice(0, 5)).toEqual([]);
  expect(process.memoryUsage().rss - before).toBeLessThan(mostBytes);
  // Neither all of it opens, nor nothing.
  expect(opened).toBeLessThan(attempts);
}

const ids = (): Tensor => tensor([[1, 2, 3]], { dtype: "i32" }) as Tensor;

let folder = "";
const files = new Map<string, Uint8Array>();
beforeAll(async () => {
  const pretrained = await loadPretrained(gguf);
  folder = join(root, "model");
  await savePretrained(pretrained, folder);
  const tokenizer = await trainBpe(["the dog and the cat"], { vocabularySize: 270 });
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  const { model } = await loadPretrained(gguf);
  await saveAdapters(loraAdapters(model, { rank: 2, targetModules: ["q_proj"] }), join(root, "adapter"));
  for (const name of ["config.json", "model.safetensors", "tokenizer.json"])
    files.set(name, new Uint8Array(readFileSync(join(folder, name))));
  for (const name of ["adapter_config.json", "adapter_model.safetensors"])
    files.set(name, new Uint8Array(readFileSync(join(root, "adapter", name))));
});

/** A folder with a file that is another. */
function folderWith(names: readonly string[], name: string, content: Uint8Array | string): string {
  const at = join(root, "changed");
  rmSync(at, { recursive: true, force: true });
  mkdirSync(at);
  for (const own of names) writeFileSync(join(at, own), own === name ? content : files.get(own)!);
  return at;
}

const textOf = (name: string): string => new TextDecoder().decode(files.get(name)!);
/** Bytes in one case of three, values in the others. */
function changedText(name: string): Uint8Array | string {
  if (random(3) === 0) return changedBytes(files.get(name)!);
  let value: unknown = JSON.parse(textOf(name));
  for (let i = 1 + random(2); i > 0; i--) value = changedJson(value);
  return JSON.stringify(value);
}

const model = ["config.json", "model.safetensors", "tokenizer.json"];

test.each(model)(
  "a model's %s",
  async (name) => {
    await expectOrderly(name, async () => {
      const content = name.endsWith(".json") ? changedText(name) : changedBytes(files.get(name)!);
      const opened = await loadPretrained(folderWith(model, name, content));
      opened.tokenizer?.decode(opened.tokenizer.encode("the dog").ids);
      await opened.model.forward(ids()).data();
      return typeof content === "string" ? content.slice(0, 200) : "";
    });
  },
  900_000,
);

test("a GGUF file", async () => {
  const bytes = new Uint8Array(readFileSync(gguf));
  await expectOrderly("gguf", async (round) => {
    const path = join(root, "changed.gguf");
    writeFileSync(path, changedBytes(bytes));
    const opened = await loadPretrained(path, { quantized: round % 2 === 0, mmap: round % 3 === 0 });
    opened.tokenizer?.encode("the dog");
    await opened.model.forward(ids()).data();
    return "";
  });
}, 900_000);

test.each(["adapter_config.json", "adapter_model.safetensors"])(
  "%s",
  async (name) => {
    const base = await loadPretrained(gguf);
    const adapter = ["adapter_config.json", "adapter_model.safetensors"];
    await expectOrderly(name, async () => {
      const content = name.endsWith(".json") ? changedText(name) : changedBytes(files.get(name)!);
      await applyAdapters(base.model, folderWith(adapter, name, content));
      return "";
    });
  },
  900_000,
);

test("an ONNX node whose attributes are fewer than its axes is named", () => {
  const { networks } = readFixture<{ networks: readonly { name: string; model: string }[] }>("onnx.json");
  const content = parseOnnx(Buffer.from(networks.find(({ name }) => name === "small CNN")!.model, "base64"));
  const nodes = content.graph.nodes.map((node) =>
    node.op === "MaxPool"
      ? { ...node, attributes: new Map([...node.attributes, ["strides", { kind: "integers", value: [] }]]) }
      : node,
  ) as typeof content.graph.nodes;
  const made = new OnnxModel({ ...content, graph: { ...content.graph, nodes } });
  expect(() => made.forward(zeros([1, 1, 10, 10]))).toThrow(/^onnx: MaxPool node ".*": /);
});

test("an ONNX file", async () => {
  const { networks } = readFixture<{ networks: readonly { name: string; model: string }[] }>("onnx.json");
  const small = networks.filter(({ name }) => /perceptron|small CNN|script|recurrent/.test(name));
  await expectOrderly("onnx", async () => {
    const bytes = new Uint8Array(Buffer.from(oneOf(small).model, "base64"));
    const made = new OnnxModel(parseOnnx(changedBytes(bytes)));
    const inputs = made.inputs.map(({ shape, elementType }) =>
      zeros((shape ?? []).map((size) => (typeof size === "number" ? size : 2)) as number[], {
        dtype: elementType === 7 ? "i32" : "f32",
      }),
    );
    const found = made.forward(...(inputs as Tensor[])) as Tensor | Record<string, Tensor>;
    const [first] = "data" in found ? [found as Tensor] : Object.values(found);
    await first!.data();
    return "";
  });
}, 900_000);

test("a tokenizer that fails when it is used is named", async () => {
  const model = { type: "WordLevel", unk_token: "a", vocab: { a: null } };
  const tokenizer = await loadTokenizer({
    version: "1.0",
    normalizer: null,
    post_processor: null,
    added_tokens: [],
    model,
    pre_tokenizer: null,
    decoder: null,
  });
  expect(() => tokenizer.encode("a")).toThrow(
    'the given tokenizer is no tokenizer that can be used: its token "a" has no number',
  );
});

test("a tokenizer of pieces", async () => {
  const pieces = {
    ...{
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: [{ id: 0, content: "<s>", special: true }],
    },
    ...{
      normalizer: {
        type: "Sequence",
        normalizers: [{ type: "NFKC" }, { type: "Replace", pattern: { Regex: " {2,}" }, content: " " }],
      },
    },
    pre_tokenizer: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always" },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] } },
    },
    decoder: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always" },
    model: {
      type: "Unigram",
      unk_id: 1,
      vocab: [
        ["<s>", 0],
        ["<unk>", 0],
        ["\u2581a", -1],
        ["b", -2],
        ["ab", -1.5],
      ],
    },
  };
  await expectOrderly("tokenizer", async () => {
    let changed: unknown = pieces;
    for (let i = 1 + random(2); i > 0; i--) changed = changedJson(changed);
    const path = join(root, "tokenizer.json");
    writeFileSync(path, JSON.stringify(changed));
    const tokenizer = await loadTokenizer(path);
    tokenizer.decode(tokenizer.encode("a ab b").ids);
    return JSON.stringify(changed).slice(0, 200);
  });
});
