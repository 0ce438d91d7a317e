/** Layers against PyTorch: values, gradients by input and parameters, state dicts both ways, statistics after the call. */
import { describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, hashedUniform, readFixture } from "../../test/fixtures.ts";
import { decode } from "../base/dtype.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import type { Module } from "./index.ts";
import * as nn from "./index.ts";

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
}

const { cases, weightsSeed } = readFixture<{ cases: readonly LayerRow[]; weightsSeed: number }>(
  "layers.json",
);

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

const titled = cases.map((row, i) => ({
  row,
  title: `${i} ${row.layer}(${row.arguments.map((x) => JSON.stringify(x)).join(", ")}), ${row.training ? "training" : "evaluation"}`,
}));

describe("PyTorch's layers", () => {
  test.each(titled)("$title", async ({ row }) => {
    const layer = new classes[row.layer]!(...row.arguments).train(row.training);
    layer.loadStateDict(new Map(Object.entries(row.state).map(([name, value]) => [name, hostOf(value)])));
    expect([...layer.stateDict().keys()]).toEqual(Object.keys(row.state));

    const wanted = row.inputGradients.map((gradient) => gradient !== null);
    const run = compile((...inputs: Tensor[]) => {
      const output = layer.forward(...inputs);
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
  });
});
