/** Layers against PyTorch: values, gradients by input and parameters, state dicts both ways, statistics after the call. */
import { describe, expect, test } from "vitest";
import { decode } from "../src/base/dtype.ts";
import type { Module } from "../src/nn/index.ts";
import * as nn from "../src/nn/index.ts";
import { compile, concat, grad, type Tensor, tensor } from "../src/tensor/index.ts";
import { decodeArray, type EncodedArray, hashedUniform, readFixture } from "./fixtures.ts";

interface LayerRow {
  readonly layer: string;
  readonly arguments: readonly unknown[];
  readonly training: boolean;
  readonly state: Readonly<Record<string, EncodedArray>>;
  readonly inputs: readonly EncodedArray[];
  readonly output: EncodedArray;
  readonly inputGradients: readonly (EncodedArray | null)[];
  readonly parameterGradients: Readonly<Record<string, EncodedArray | null>>;
  readonly stateAfter: Readonly<Record<string, EncodedArray>>;
  /** Which function computes the weight, with its options. */
  readonly parametrize?: { readonly weightNorm?: object; readonly spectralNorm?: object };
}

type Layer = Module & { forward(...inputs: Tensor[]): Tensor };
const classes = nn as unknown as Record<string, new (...parameters: readonly unknown[]) => Layer>;

const hostOf = (encoded: EncodedArray) => ({
  dtype: encoded.dtype,
  shape: encoded.shape,
  data: decodeArray(encoded),
});

async function expectNear(what: string, got: Tensor, encoded: EncodedArray): Promise<void> {
  const host = await got.toHost();
  expect(host.shape, what).toEqual(encoded.shape);
  const [found, want] = [decode(host.dtype, host.data), decode(encoded.dtype, decodeArray(encoded))];
  const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
  want.forEach((x, i) => {
    const error = Math.abs(found[i]! - x) / largest;
    if (!(error <= 2e-5)) expect.fail(`${what}, element ${i}: ${found[i]}, not ${x}`);
  });
}

/** Recurrent layers give all they have as one vector; `lengths` among their options is for the call. */
function flat(inner: Layer, lengths: readonly number[] | undefined): (...inputs: Tensor[]) => Tensor {
  const counted = lengths && (tensor(lengths as number[], { dtype: "i32" }) as Tensor);
  return (x, ...states) => {
    const initial = states.length > 1 ? states : states[0];
    const result = inner.forward(x!, initial as Tensor, { lengths: counted } as never) as unknown;
    const parts = Object.values(result as Record<string, Tensor>).map((part) => part.reshape([-1]) as Tensor);
    return concat(parts, 0) as Tensor;
  };
}

interface Made {
  readonly layer: Layer;
  forward(...inputs: Tensor[]): Tensor;
}

/** Cells give a state, or two. */
function flatCell(cell: Layer): (...inputs: Tensor[]) => Tensor {
  return (x, ...states) => {
    const result = cell.forward(x!, (states.length > 1 ? states : states[0]) as Tensor) as Tensor | Tensor[];
    return concat(
      [result].flat().map((part) => part.reshape([-1]) as Tensor),
      0,
    ) as Tensor;
  };
}

/** Max pooling, squares, and the pooling undone by the same words. */
function unpooled(layer: Layer, name: string, words: readonly unknown[]): (x: Tensor) => Tensor {
  const pool = new classes[name.replace("Unpool", "Pool")]!(...words) as unknown as nn.MaxPool2d;
  return (x) => {
    const { output, indices } = pool.withIndices(x);
    return layer.forward(output.square() as Tensor, indices, x.shape.slice(2) as never);
  };
}

/** Integers are offsets, floats weights. */
const bag =
  (layer: Layer) =>
  (indices: Tensor, other?: Tensor): Tensor => {
    const name = other?.dtype === "i32" ? "offsets" : "weights";
    return layer.forward(indices, (other ? { [name]: other } : {}) as never);
  };

/** Options of the call that are masks, as tensors. */
const masksOf = (call: Readonly<Record<string, boolean[][] | number[][]>>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(call).map(([name, mask]) => [name, tensor(mask as number[][]) as Tensor]),
  );

/** `lengths` and `call` among a row's options are for the call. */
function layerOf({ layer: name, arguments: given, training, parametrize }: LayerRow): Made {
  const last = given.at(-1);
  const hasOptions = typeof last === "object" && !Array.isArray(last);
  const { lengths, call, ...options } = (hasOptions ? last : {}) as {
    lengths?: readonly number[];
    call?: Readonly<Record<string, number[][]>>;
  };
  const layer = new classes[name]!(...(hasOptions ? [...given.slice(0, -1), options] : given));
  if (parametrize?.weightNorm) nn.weightNorm(layer, parametrize.weightNorm);
  if (parametrize?.spectralNorm) nn.spectralNorm(layer, parametrize.spectralNorm);
  layer.train(training);
  if (name.endsWith("Cell")) return { layer, forward: flatCell(layer) };
  if (name.startsWith("MaxUnpool")) return { layer, forward: unpooled(layer, name, given) };
  if (name === "EmbeddingBag") return { layer, forward: bag(layer) };
  if (["RNN", "GRU", "LSTM"].includes(name)) return { layer, forward: flat(layer, lengths) };
  if (name === "MultiheadAttention")
    return {
      layer,
      forward: (q, k = q, v = k) => {
        const result = layer.forward(q!, k!, v!, masksOf(call ?? {}) as never) as unknown;
        return (result as nn.MultiheadResult).output;
      },
    };
  return {
    layer,
    forward: (...inputs) => layer.forward(...inputs, ...(call ? [masksOf(call) as never] : [])),
  };
}

const readRows = (file: string) =>
  readFixture<{ readonly cases: readonly LayerRow[]; readonly weightsSeed: number }>(file);

/** The classes that a file has rows of. */
export const layersIn = (file: string): readonly string[] => readRows(file).cases.map(({ layer }) => layer);

/** Rows of a file as tests. */
export function testLayers(file: string): void {
  const { cases, weightsSeed } = readRows(file);
  const titled = cases.map((row, i) => ({
    row,
    title: `${i} ${row.layer}(${row.arguments.map((x) => JSON.stringify(x)).join(", ")}), ${row.training ? "training" : "evaluation"}`,
  }));
  describe(`PyTorch's layers, ${file}`, () => {
    test.each(titled)("$title", ({ row }) => runRow(row, weightsSeed));
  });
}

async function runRow(row: LayerRow, weightsSeed: number): Promise<void> {
  const { layer, forward } = layerOf(row);
  layer.loadStateDict(new Map(Object.entries(row.state).map(([name, value]) => [name, hostOf(value)])));
  expect([...layer.stateDict().keys()].sort()).toEqual(Object.keys(row.state).sort());

  const wanted = row.inputGradients.map((gradient) => gradient !== null);
  const run = compile((...inputs: Tensor[]) => {
    const output = forward(...inputs);
    const count = (output.shape as readonly number[]).reduce((n, size) => n * size, 1);
    const cotangent = tensor(hashedUniform(weightsSeed, count, 1), { shape: output.shape as number[] });
    const targets = [...inputs.filter((_, i) => wanted[i]), ...layer.parameters()];
    const loss = output.mul(cotangent).sum() as Tensor;
    return [output, ...(targets.length > 0 ? grad(loss, targets) : [])] as Tensor[];
  });
  const [output, ...gradients] = run(...(row.inputs.map(hostOf) as never[]));
  await expectNear("output", output!, row.output);
  for (const [i, gradient] of row.inputGradients.entries())
    if (gradient !== null) await expectNear(`gradient of input ${i}`, gradients.shift()!, gradient);
  for (const name of layer.namedParameters().keys())
    await expectNear(`gradient of ${name}`, gradients.shift()!, row.parameterGradients[name]!);
  for (const [name, state] of layer.stateDict())
    await expectNear(`${name} after`, state as Tensor, row.stateAfter[name]!);
}
