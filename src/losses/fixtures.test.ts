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
import { byTier } from "../../test/tier.ts";
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
  if (op === "ctc") {
    const [logits, labels, lengths, counts] = inputs;
    return loss(logits!.logSoftmax(), labels!, { inputs: lengths, targets: counts }, options);
  }
  if (options.distance === "manhattan")
    return loss(...inputs, { ...options, distance: (a: Tensor, b: Tensor) => a.sub(b).abs().sum(-1) });
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

/**
 * The loss, and the gradients of Σ weights · loss that the row has. (PyTorch's gradient by targets is NaN where a target of 0 takes
 * part in y·log y: not compared.)
 */
function run(
  { op, attributes, inputs, gradients: wanted }: OpCase,
  weightsSeed: number,
  target: EvaluationTarget,
) {
  const values = inputs.map(dense);
  const fn = withTrace(new Trace("compiled"), () => {
    const parameters = values.map((value, i) => parameter(value, `x${i}`));
    const loss = nodeOf(lossOf(op, parameters.map(fromNode), attributes));
    const shape = loss.shape as readonly number[];
    const count = shape.reduce((n, size) => n * size, 1);
    const weights = array({ dtype: "f32", shape, data: hashedUniform(weightsSeed, count, 1) });
    const by = parameters.filter((_, i) => wanted[i]);
    const found = gradients(sum(mul(loss, weights)), by);
    return { name: op, parameters, results: [loss, ...found], assignments: [] };
  });
  return target.evaluate(fn, values);
}

/** Relative to the element, or to the largest of the array. */
function expectNear(actual: DenseArray, encoded: EncodedArray): void {
  const expected = dense(encoded);
  expect(actual.shape).toEqual(expected.shape);
  const largest = Math.max(...expected.data.filter(Number.isFinite).map(Math.abs), 0);
  expected.data.forEach((value, i) => {
    if (!Number.isFinite(value)) expect(actual.data[i]).toBe(value);
    else expect(Math.abs(actual.data[i]! - value)).toBeLessThanOrEqual(1e-5 * Math.max(largest, 1e-30));
  });
}

const devices = [deviceTarget(createWasmDevice()), ...nativeTargets];
/** Each row on the definition and on one device, in turn; the full tier runs all on all. */
const targetsOf = (row: number): readonly EvaluationTarget[] => [
  interpreterTarget,
  ...byTier([devices[row % devices.length]!], devices),
];

describe.each(["ops-losses.json", "losses.json", "ops-extremes.json"])("%s", (name) => {
  const { cases, weightsSeed } = readFixture<OpFixture>(name);
  const own = cases.filter(({ op }) => (names[op] ?? op) in all);
  const runs = own.flatMap((row, i) =>
    targetsOf(i).map((target) => ({
      title: `${i} ${row.op} ${JSON.stringify(row.attributes)} ${row.note ?? ""}, ${target.name}`,
      ...{ row, target },
    })),
  );
  test.each(runs)("$title", ({ row, target }) => {
    if (row.error) {
      expect(() => run(row, weightsSeed, target)).toThrow(row.op);
      return;
    }
    const [loss, ...found] = run(row, weightsSeed, target);
    expectNear(loss!, row.output!);
    const expected = row.gradients.filter((gradient) => gradient !== null);
    expected.forEach((gradient, i) => {
      if (i === 0 || !dense(gradient).data.some(Number.isNaN)) expectNear(found[i]!, gradient);
    });
  });
});
