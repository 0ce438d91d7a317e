import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { runProgram } from "../../test/cli-program.ts";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import { loadModel, save } from "../checkpoint/index.ts";
import { readSafetensors } from "../formats/index.ts";
import { Linear, type Sequential } from "../nn/index.ts";
import { SGD } from "../optim/index.ts";
import { recordRun } from "../runs/index.ts";
import { type Tensor, tensor } from "../tensor/index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-cli-files-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
const shown = async (...args: string[]): Promise<string> =>
  (await runProgram(...args)).stdout.replaceAll(folder, "FOLDER");

test("inspect: weights, tables, runs", async () => {
  const model = new Linear(3, 2);
  await save(model, at("model.safetensors"), { metadata: { license: "MIT" } });
  expect(await shown("inspect", at("model.safetensors"))).toMatchInlineSnapshot(`
    "FOLDER/model.safetensors: weights, 2 tensors, 8 numbers, 32 bytes

    tensor  dtype  shape   numbers
    bias    f32    (2,)          2
    weight  f32    (2, 3)        6

    metadata
    license               MIT
    netwright.arithmetic  x64
    netwright.version     1
    "
  `);
  await save(model, at("state.safetensors"), {
    optimizer: new SGD(model.parameters(), { learningRate: 1 }),
    progress: { step: 1 },
  });
  const state = JSON.parse(await shown("inspect", at("state.safetensors"), "--json"));
  expect(state).toMatchObject({ kind: "a training state", metadata: { "netwright.progress": '{"step":1}' } });
  writeFileSync(
    at("rows.csv"),
    `name,age\n${Array.from({ length: 50 }, (_, i) => `n${i},${i}`).join("\n")}\n`,
  );
  const text = await shown("inspect", at("rows.csv"));
  expect(text).toContain("FOLDER/rows.csv: 2 columns");
  expect(text).toContain("n4");
  expect(text).not.toContain("n5");
  const run = recordRun({ folder, name: "run", options: { rate: 0.1 } });
  run.log({ loss: 0.25 }, 1);
  await run.close();
  expect(JSON.parse(await shown("inspect", at("run"), "--json"))).toMatchObject({
    status: "finished",
    best: { loss: 0.25 },
    options: { rate: 0.1 },
  });
});

test("inspect says what it cannot", async () => {
  expect((await runProgram("inspect", folder)).stderr).toContain(
    "is a folder that holds no run and no model; name a file in it",
  );
  expect((await runProgram("inspect", at("none.csv"))).stderr).toContain("there is no such file");
  writeFileSync(at("x.bin"), "");
  expect(await runProgram("inspect", at("x.bin"))).toMatchObject({ code: 2 });
  writeFileSync(at("bad.safetensors"), "not one");
  expect(await runProgram("inspect", at("bad.safetensors"))).toMatchObject({ code: 1 });
});

test("convert: tables to and fro, weights to half precision", async () => {
  writeFileSync(at("a.csv"), "name,age\nTom,3\nAnn,\n");
  for (const [from, to] of [
    ["a.csv", "a.parquet"],
    ["a.parquet", "a.jsonl"],
    ["a.jsonl", "b.tsv"],
  ] as const)
    expect(await runProgram("convert", at(from), at(to))).toMatchObject({ code: 0 });
  expect(JSON.parse(await shown("inspect", at("b.tsv"), "--json")).columns).toEqual([
    { name: "name", kind: "string" },
    { name: "age", kind: "number" },
  ]);
  await save(new Linear(3, 2), at("full.safetensors"));
  await runProgram("convert", at("full.safetensors"), at("half.safetensors"), "--dtype", "f16");
  const { tensors } = await readSafetensors(at("half.safetensors"));
  expect([...tensors.values()].map(({ dtype }) => dtype)).toEqual(["f16", "f16"]);
  expect((await runProgram("convert", at("a.csv"), at("a.parqet"))).stderr).toContain(
    'did you mean ".parquet"?',
  );
  expect(
    (await runProgram("convert", at("full.safetensors"), at("x.safetensors"), "--dtype", "i8")).stderr,
  ).toContain("--dtype must be f32");
});

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../test/fixtures/${name}`, import.meta.url));

test("models: what is in an ONNX and a GGUF file, and the same in other formats", async () => {
  const onnx = await shown("inspect", fixture("model.onnx"));
  expect(onnx).toContain("ONNX, operators of ai.onnx 18");
  expect(onnx).toMatch(/x +float +\(batch, 3\)/);
  expect(onnx).toMatch(/MatMul +1/);
  await runProgram("convert", fixture("model.onnx"), at("onnx.safetensors"));
  expect([...(await readSafetensors(at("onnx.safetensors"))).tensors.keys()].sort()).toEqual([
    "bias",
    "weight",
  ]);
  const gguf = await shown("inspect", fixture("llama.gguf"));
  expect(gguf).toContain("GGUF 3, 21 tensors");
  expect(gguf).toMatch(/general.architecture +llama/);
  expect(await runProgram("convert", fixture("llama.gguf"), at("llama"))).toMatchObject({ code: 0 });
  const back = await shown("convert", at("llama"), at("again.gguf"), "--dtype", "F32");
  expect(back).toBe("FOLDER/again.gguf: read back, its logits differ by 0 of the largest\n");
  const refused = await runProgram("convert", at("llama"), at("again.gguf"), "--dtype", "Q9");
  expect(refused.stderr).toContain("type must be one of");
});

test("models of PyTorch and Keras: what is in them, and the same in our formats", async () => {
  interface Packed {
    readonly files: readonly { name: string; file: string; tensors: Record<string, unknown> }[];
    readonly models: readonly { name: string; keras: string; inputs: EncodedArray[]; output: EncodedArray }[];
  }
  const [plain] = readFixture<Packed>("torch-files.json").files;
  writeFileSync(at("weights.pt"), Buffer.from(plain!.file, "base64"));
  const names = Object.keys(plain!.tensors);
  const text = await shown("inspect", at("weights.pt"));
  for (const name of names) expect(text).toContain(name);
  const facts = JSON.parse(await shown("inspect", at("weights.pt"), "--json"));
  expect(facts.tensors.map(({ name }: { name: string }) => name)).toEqual(names);
  await shown("convert", at("weights.pt"), at("weights.safetensors"));
  expect([...(await readSafetensors(at("weights.safetensors"))).tensors.keys()].sort()).toEqual(
    [...names].sort(),
  );
  expect((await runProgram("convert", at("weights.pt"), at("weights.csv"))).stderr).toContain(
    "weights go from .safetensors, .onnx, .pt or .pth to .safetensors",
  );

  const kinds: string[] = [];
  for (const { name, keras, inputs, output } of readFixture<Packed>("keras-files.json").models) {
    writeFileSync(at(`${name}.keras`), inflateRawSync(Buffer.from(keras, "base64")));
    expect(await shown("inspect", at(`${name}.keras`))).toMatch(/^FOLDER.* of Keras, \d+ layers/);
    const { code, stderr } = await runProgram("convert", at(`${name}.keras`), at(name));
    kinds.push(code === 0 ? "folder" : "refused");
    if (code !== 0) {
      expect(stderr).toContain("read it with loadKeras");
      continue;
    }
    const loaded = await loadModel(at(name));
    loaded.model.eval();
    const input = tensor({ ...inputs[0]!, data: decodeArray(inputs[0]!) } as never) as unknown as Tensor;
    const found = await (loaded.model as Sequential).forward(input).toHost();
    const expected = decodeArray(output);
    expect(found.shape).toEqual(output.shape);
    const distances = Array.from(found.data as Float32Array, (y, i) => Math.abs(y - expected[i]!));
    expect(Math.max(...distances)).toBeLessThan(1e-5);
    expect(await shown("inspect", at(name))).toMatch(/format +netwright model/);
  }
  expect(new Set(kinds)).toEqual(new Set(["folder", "refused"]));
});

test("completion: scripts that their shells take", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const script = await shown("completion", shell);
    expect(script).toContain("replay");
    const program = ["/bin", "/usr/bin"].map((place) => join(place, shell)).find((path) => existsSync(path));
    // -n: read, not run.
    if (program !== undefined) execFileSync(program, ["-n"], { input: script });
  }
  expect(await runProgram("completion", "csh")).toMatchObject({ code: 2 });
});

test.skipIf(!existsSync("/bin/bash"))("completion in bash gives commands, flags and files", async () => {
  const complete = async (...words: string[]): Promise<string[]> => {
    const script = `${await shown("completion", "bash")}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _netwright; echo "\${COMPREPLY[@]}"`;
    return execFileSync("/bin/bash", [], { input: script, cwd: folder, encoding: "utf8" }).trim().split(" ");
  };
  expect(await complete("netwright", "re")).toEqual(["replay", "report"]);
  expect(await complete("netwright", "replay", "--st")).toEqual(["--step"]);
  writeFileSync(at("zebra.csv"), "");
  expect(await complete("netwright", "inspect", "ze")).toEqual(["zebra.csv"]);
});
