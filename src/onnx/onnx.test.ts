import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import {
  type OnnxModel as OnnxContent,
  type OnnxFunction,
  type OnnxValue,
  parseOnnx,
  serializeOnnx,
} from "../formats/index.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import { loadOnnx, OnnxModel } from "./index.ts";

interface Row {
  readonly name: string;
  readonly model: string;
  readonly inputs: Readonly<Record<string, EncodedArray>>;
  readonly outputs: readonly EncodedArray[];
  readonly gradients?: Readonly<Record<string, EncodedArray>>;
}
interface Fixture {
  readonly rows: readonly Row[];
  readonly networks: readonly Row[];
  readonly external: { model: string; weights: string; input: EncodedArray; output: EncodedArray };
}
const { rows, networks, external } = readFixture<Fixture>("onnx.json");
const root = mkdtempSync(join(tmpdir(), "netwright-onnx-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
const modelOf = ({ model, name }: Row): OnnxModel => new OnnxModel(parseOnnx(bytesOf(model), name));
const tensorOf = (array: EncodedArray): Tensor =>
  tensor({
    dtype: array.dtype,
    shape: [...array.shape],
    data: decodeArray(array),
  } as never) as unknown as Tensor;
const inputsOf = ({ inputs }: Row): Tensor[] => Object.values(inputs).map(tensorOf);

async function expectEqual(made: Tensor, expected: EncodedArray, tolerance = 1e-5): Promise<void> {
  const host = await made.toHost();
  expect(host.shape).toEqual(expected.shape);
  const [own, theirs] = [Array.from(host.data), Array.from(decodeArray(expected))];
  const differs = own.findIndex((value, i) => {
    const other = theirs[i]!;
    return !(Object.is(value, other) || Math.abs(value - other) <= tolerance * (1 + Math.abs(other)));
  });
  expect(differs < 0 ? "equal" : `${own[differs]} at ${differs}, onnxruntime has ${theirs[differs]}`).toBe(
    "equal",
  );
}

async function expectOutputs(row: Row, tolerance?: number): Promise<void> {
  const model = modelOf(row);
  const made = model.forward(...inputsOf(row)) as Tensor | Record<string, Tensor>;
  const outputs =
    model.outputs.length === 1 ? [made as Tensor] : Object.values(made as Record<string, Tensor>);
  expect(outputs.length).toBe(row.outputs.length);
  for (const [i, output] of outputs.entries()) await expectEqual(output, row.outputs[i]!, tolerance);
}

describe("operators give what onnxruntime gives", () => {
  test.each(rows.map((row) => [row.name, row] as const))("%s", async (_, row) => {
    await expectOutputs(row);
  });
});

describe("networks that PyTorch exports", () => {
  test.each(networks.map((row) => [row.name, row] as const))("%s", async (_, row) => {
    await expectOutputs(row, 2e-5);
  });
});

const network = (name: string): Row => networks.find((row) => row.name === name)!;

test("weights are parameters: gradients are PyTorch's, and a compiled step trains", async () => {
  const row = network("perceptron");
  const model = modelOf(row);
  const [x] = inputsOf(row);
  const loss = (): Tensor => model.forward(x!).square().mean();
  const parameters = model.parameters();
  const found = grad(loss(), parameters);
  const names = [...model.namedParameters().keys()];
  expect(names.sort()).toEqual(Object.keys(row.gradients!).sort());
  for (const [i, name] of [...model.namedParameters().keys()].entries())
    await expectEqual(found[i]!, row.gradients![name]!);
  const step = compile(() => {
    const value = loss();
    const gradients = grad(value, parameters);
    parameters.forEach((parameter, i) => {
      parameter.assign(parameter.sub(gradients[i]!.mul(0.1)));
    });
    return value;
  });
  const first = await step().item();
  expect(await step().item()).toBeLessThan(Number(first));
});

test("gradients go through a loop of a fixed length, to a weight that is read behind it, too", async () => {
  const row = rows.find(({ name }) => name === "Loop of a fixed length")!;
  const model = modelOf(row);
  const [weight] = model.parameters();
  const [x] = inputsOf(row);
  const loss = (): Tensor => (model.forward(x!) as Record<string, Tensor>).y!.square().mean();
  const [gradient] = grad(loss(), [weight!]);
  const before = (await weight!.toHost()).data.slice() as Float32Array;
  const along = before.map((_, i) => Math.sin(i + 1));
  const at = async (step: number): Promise<number> => {
    weight!.assign(
      tensor(
        before.map((value, i) => value + step * along[i]!),
        { shape: [3, 3] },
      ),
    );
    return Number(await loss().item());
  };
  const slope = (await gradient!
    .mul(tensor(along, { shape: [3, 3] }))
    .sum()
    .item()) as number;
  expect(slope).toBeCloseTo(((await at(1e-2)) - (await at(-1e-2))) / 2e-2, 2);
  expect(Math.abs(slope)).toBeGreaterThan(0.1);
});

const contentOf = (name: string): OnnxContent =>
  parseOnnx(bytesOf(rows.find((row) => row.name === name)!.model));

test("loops and sequences that are not supported are named", () => {
  const stacked = contentOf("Loop of a fixed length");
  const [loop, ...rest] = stacked.graph.nodes;
  const count: OnnxValue = { name: "n", elementType: 7, shape: [] };
  const inputs = [...stacked.graph.inputs, count];
  const graph = { ...stacked.graph, inputs, nodes: [{ ...loop!, inputs: ["n", "", "x"] }, ...rest] };
  const given = {
    x: tensor(new Float32Array(6), { shape: [2, 3] }),
    n: tensor([3], { dtype: "i32", shape: [] }),
  };
  expect(() => new OnnxModel({ ...stacked, graph }).forward(given)).toThrow(
    'onnx: Loop node "fixed": it gives a value of each iteration, and how many there are is known only when the program runs',
  );
  const listed = contentOf("sequences");
  const list = { ...listed.graph, outputs: [{ name: "c", elementType: 0, shape: undefined }] };
  expect(() =>
    new OnnxModel({ ...listed, graph: list }).forward(tensor(new Float32Array(12), { shape: [3, 4] })),
  ).toThrow('the output "c" is a sequence of arrays');
});

test("functions: what was read is written, and those that cannot be called are refused", () => {
  const content = contentOf("functions");
  expect(parseOnnx(serializeOnnx(content))).toEqual(content);
  const [activation, layer] = content.functions!;
  const withFunctions = (...functions: OnnxFunction[]): OnnxModel => new OnnxModel({ ...content, functions });
  expect(() => withFunctions(activation!)).toThrow('the operator own.Layer of node "first" is not supported');
  const twisted = { ...activation!, nodes: layer!.nodes };
  expect(() => withFunctions(twisted, layer!)).toThrow("the function own.Activation calls itself");
  expect(() => withFunctions({ ...activation!, opsets: new Map([["", 9]]) }, layer!)).toThrow(
    "the function own.Activation uses version 9 of ONNX's operators, the model 18",
  );
  expect(() => withFunctions({ ...activation!, inputs: [] }, layer!)).toThrow(
    "has 1 inputs and 2 outputs; the function own.Activation has 0 and 2",
  );
  // Each calls the one below it ten times.
  const tower = Array.from({ length: 6 }, (_, level): OnnxFunction => {
    const call = { ...layer!.nodes[0]!, domain: "own", op: `f${level + 1}`, inputs: ["x"] };
    const nodes = Array.from({ length: 10 }, (_, i) => ({ ...call, outputs: [i === 0 ? "y" : `y${i}`] }));
    return { ...activation!, name: `f${level}`, inputs: ["x"], outputs: ["y"], nodes };
  });
  const first = { ...content.graph.nodes[0]!, op: "f0", inputs: ["x"] };
  const graph = { ...content.graph, nodes: [first] };
  expect(() => new OnnxModel({ ...content, graph, functions: tower })).toThrow("more than 200000 nodes");
});

test("running statistics are buffers, whatever the batch", async () => {
  const row = network("small CNN");
  // The exporter folds norms into convolutions where it can; a row of its own keeps them.
  const norm = modelOf(rows.find(({ name }) => name === "BatchNormalization")!);
  expect([...norm.namedBuffers().keys()]).toEqual(["x3", "x4"]);
  expect([...norm.namedParameters().keys()]).toEqual(["x1", "x2"]);
  const [image] = inputsOf(row);
  const model = modelOf(row);
  const run = compile((x: Tensor) => model.forward(x) as Tensor);
  await expectEqual(run(image!), row.outputs[0]!, 2e-5);
  expect((model.forward(image!.slice(0, 0, 1)) as Tensor).shape).toEqual([1, 3]);
});

test("inputs by name; what does not fit is said", () => {
  const model = modelOf(network("BERT"));
  const [ids, mask] = inputsOf(network("BERT")) as [Tensor, Tensor];
  expect((model.forward({ input_ids: ids, attention_mask: mask }) as Tensor).shape).toEqual([2, 6, 8]);
  expect(() => model.forward(ids)).toThrow("the model takes 2 inputs (input_ids, attention_mask), got 1");
  expect(() => model.forward({ input_id: ids } as never)).toThrow('did you mean "input_ids"?');
  expect(() => model.forward(ids.cast("f32"), mask)).toThrow('input "input_ids" is i32, got f32');
  const cnn = modelOf(network("small CNN"));
  expect(() => cnn.forward(tensor(new Float32Array(27), { shape: [1, 3, 3, 3] }))).toThrow(
    'input "image" has shape (batch, 1, 10, 10), got (1, 3, 3, 3)',
  );
});

test("arrays in files beside the model, and nowhere else", async () => {
  const path = join(root, "external.onnx");
  const bytes = bytesOf(external.model);
  writeFileSync(path, bytes);
  await expect(loadOnnx(path)).rejects.toThrow("weights.bin");
  writeFileSync(join(root, "weights.bin"), bytesOf(external.weights));
  const model = await loadOnnx(path);
  await expectEqual(model.forward(tensorOf(external.input)) as Tensor, external.output);
  writeFileSync(join(root, "weights.bin"), bytesOf(external.weights).subarray(0, 20));
  await expect(loadOnnx(path)).rejects.toThrow(/bytes 4 … 28 of "weights.bin" are outside its 20/);
  const elsewhere = Buffer.from(bytes);
  elsewhere.write("../ghts.bin", elsewhere.indexOf("weights.bin"));
  writeFileSync(path, elsewhere);
  await expect(loadOnnx(path)).rejects.toThrow("only files in the model's own folder are read");
});

test("an operator that is not supported: an error with operator, node and what is supported", () => {
  const content = parseOnnx(bytesOf(network("perceptron").model));
  const [first, ...rest] = content.graph.nodes;
  const nodes = [{ ...first!, op: "SoftmaxCrossEntropyLoss" }, ...rest];
  expect(() => new OnnxModel({ ...content, graph: { ...content.graph, nodes } })).toThrow(
    /operator SoftmaxCrossEntropyLoss of node "\/0\/Gemm" is not supported; supported are Abs, .*Conv.*Xor/,
  );
  expect(() => new OnnxModel({ ...content, opsets: new Map([["", 3]]) })).toThrow(
    "version 3 of ONNX's operators",
  );
  const twisted = { ...content.graph, nodes: [...content.graph.nodes].reverse() };
  expect(() => new OnnxModel({ ...content, graph: twisted })).toThrow(/which nothing gives before it/);
});

test("damaged files are refused with a message, whatever is wrong with them", () => {
  const bytes = bytesOf(network("small CNN").model);
  const attempt = (damaged: Uint8Array): string => {
    try {
      new OnnxModel(parseOnnx(damaged));
      return "read";
    } catch (error) {
      return (error as Error).constructor.name;
    }
  };
  for (let length = 0; length < bytes.length; length += 37)
    expect(["FormatError", "read"]).toContain(attempt(bytes.slice(0, length)));
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
  for (let i = 0; i < 400; i++) {
    const damaged = bytes.slice();
    for (let j = 0; j < 3; j++) damaged[random(damaged.length)] = random(256);
    expect(["FormatError", "read"]).toContain(attempt(damaged));
  }
  expect(() => parseOnnx(new Uint8Array(0))).toThrow("it holds no graph");
  expect(() => parseOnnx(new TextEncoder().encode("GGUF and more text"))).toThrow("is not a valid ONNX file");
});
