/** Losses against PyTorch's values and gradients, on every target. */
import { describe, expect, test } from "vitest";
import {
  decodeArray,
  type EncodedArray,
  hashedUniform,
  type OpCase,
  type OpFixture,
  readFixture,
} from "../../test/fixtures.ts";
import { gradients } from "../autodiff/index.ts";
import { decode } from "../base/dtype.ts";
import type { DenseArray } from "../graph/op.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { array, mul, parameter, sum } from "../ops/index.ts";
import { createWasmDevice } from "../runtime/wasm-device.ts";
import type { Tensor } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { deviceTarget, type EvaluationTarget, interpreterTarget } from "../testing/index.ts";
import { nativeTargets } from "../testing/native-targets.ts";
import * as all from "./index.ts";

type Loss = (...args: readonly (Tensor | object)[]) => Tensor;
type Attributes = OpCase["attributes"] & { readonly ofLogits?: boolean; readonly logTarget?: boolean };

/** The loss that a row names, of its inputs. */
function lossOf(op: string, inputs: readonly Tensor[], { ofLogits, ...options }: Attributes): Tensor {
  const loss = (all as unknown as Record<string, Loss>)[names[op] ?? op]!;
  if (!ofLogits) return loss(...inputs, options);
  const [logits, targets, ...rest] = inputs;
  return loss(logits!.logSoftmax(), options.logTarget ? targets!.logSoftmax() : targets!, ...rest, options);
}

const names: Readonly<Record<string, string>> = {
  l1: "mae",
  binaryCrossEntropyWithLogits: "binaryCrossEntropy",
};

const dense = (encoded: EncodedArray): DenseArray => ({
  shape: encoded.shape,
  dtype: encoded.dtype,
  data: decode(encoded.dtype, decodeArray(encoded)),
});

/** The loss and the gradient of Σ weights · loss, with respect to the predictions. */
function run({ op, attributes, inputs }: OpCase, weightsSeed: number, target: EvaluationTarget) {
  const values = inputs.map(dense);
  const fn = withTrace(new Trace("compiled"), () => {
    const parameters = values.map((value, i) => parameter(value, `x${i}`));
    const loss = nodeOf(lossOf(op, parameters.map(fromNode), attributes));
    const shape = loss.shape as readonly number[];
    const count = shape.reduce((n, size) => n * size, 1);
    const weights = array({ dtype: "f32", shape, data: hashedUniform(weightsSeed, count, 1) });
    const [gradient] = gradients(sum(mul(loss, weights)), [parameters[0]!]);
    return { name: op, parameters, results: [loss, gradient!], assignments: [] };
  });
  return target.evaluate(fn, values);
}

/** Relative to the element, or to the largest of the array. */
function expectNear(actual: DenseArray, encoded: EncodedArray): void {
  const expected = dense(encoded);
  expect(actual.shape).toEqual(expected.shape);
  const largest = Math.max(...expected.data.map(Math.abs), 0);
  expected.data.forEach((value, i) => {
    expect(Math.abs(actual.data[i]! - value)).toBeLessThanOrEqual(1e-5 * Math.max(largest, 1e-30));
  });
}

const targets = [interpreterTarget, deviceTarget(createWasmDevice()), ...nativeTargets];

describe.each(["ops-losses.json", "ops-extremes.json"])("%s", (name) => {
  const { cases, weightsSeed } = readFixture<OpFixture>(name);
  const own = cases
    .filter(({ op }) => (names[op] ?? op) in all)
    .map((row, i) => [`${i} ${row.op} ${JSON.stringify(row.attributes)} ${row.note ?? ""}`, row] as const);

  describe.each(targets)("$name", (target) => {
    test.each(own)("%s", (_, row) => {
      if (row.error) {
        expect(() => run(row, weightsSeed, target)).toThrow(row.op);
        return;
      }
      const [loss, gradient] = run(row, weightsSeed, target);
      expectNear(loss!, row.output!);
      if (row.gradients[0]) expectNear(gradient!, row.gradients[0]);
    });
  });
});
