/** Class and sample weights, accumulated gradients and several heads against Keras and PyTorch. */
import { expect, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import { arrayDataset } from "../data/index.ts";
import { crossEntropy, smoothL1 } from "../losses/index.ts";
import { accuracy } from "../metrics/index.ts";
import { Linear, Module } from "../nn/index.ts";
import { sgd } from "../optim/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { evaluate, type FitOptions, fit, predict } from "./index.ts";

interface Outcome {
  readonly losses?: readonly number[];
  readonly after: readonly EncodedArray[];
}

const fixture = readFixture<
  Record<"x" | "labels" | "targets" | "weightsOfSamples", EncodedArray> &
    Record<
      "classWeights" | "sampleWeights" | "both" | "torchClassWeights" | "accumulated" | "heads",
      Outcome
    > & {
      readonly start: readonly EncodedArray[];
      readonly weightsOfClasses: readonly number[];
    }
>("training.json");

const host = (array: EncodedArray) =>
  ({ dtype: array.dtype, shape: array.shape, data: decodeArray(array) }) as never;
const rows = (array: EncodedArray): number[][] => {
  const [values, width] = [decodeArray(array), array.shape[1]!];
  return Array.from({ length: array.shape[0]! }, (_, i) =>
    Array.from(values.subarray(i * width, (i + 1) * width)),
  );
};
const labels = decodeArray(fixture.labels) as Int32Array;
const columns = {
  x: rows(fixture.x),
  class: labels,
  box: rows(fixture.targets),
  w: decodeArray(fixture.weightsOfSamples),
};

class TwoHeads extends Module {
  readonly first = new Linear(2, 3);
  readonly second = new Linear(2, 2);
  constructor() {
    super();
    [this.first, this.second].forEach((layer, i) => {
      const weight = decodeArray(fixture.start[2 * i]!);
      const [rows, outputs] = fixture.start[2 * i]!.shape as [number, number];
      // PyTorch's layout of weights: (outputs, inputs).
      const turned = Float32Array.from(
        { length: rows * outputs },
        (_, at) => weight[(at % rows) * outputs + Math.floor(at / rows)]!,
      );
      layer.weight.assign({ dtype: "f32", shape: [outputs, rows], data: turned });
      layer.bias!.assign(host(fixture.start[2 * i + 1]!));
    });
  }
  forward(x: Tensor): Record<string, Tensor> | Tensor {
    return { class: this.first.forward(x as never), box: this.second.forward(x as never) };
  }
}

class OneHead extends TwoHeads {
  constructor() {
    super();
    this.second.freeze();
  }
  override forward(x: Tensor): Tensor {
    return this.first.forward(x as never);
  }
}

const common = {
  ...{ optimizer: sgd({ learningRate: 0.5 }), batchSize: 4, epochs: 2, shuffle: false, progress: "none" },
  ...{ inputs: "x", labels: "class" },
} as const satisfies Partial<FitOptions>;
const dataset = arrayDataset(columns);

/** Weights as (inputs, outputs) and biases, as the fixture has them. */
async function stateOf(layer: Linear): Promise<number[][]> {
  return [await layer.weight.transpose().data(), await layer.bias!.data()].map((values) =>
    Array.from(values as Float32Array),
  );
}

async function expectAs(
  outcome: Outcome,
  model: TwoHeads,
  layers: readonly Linear[] = [model.first],
): Promise<void> {
  const found = (await Promise.all(layers.map(stateOf))).flat();
  outcome.after.forEach((array, i) => {
    const want = decodeArray(array);
    found[i]!.forEach((value, at) => void expect(value).toBeCloseTo(want[at]!, 5));
  });
}

test.each(["classWeights", "sampleWeights", "both"] as const)("%s are Keras's", async (what) => {
  const model = new OneHead();
  const history = await fit(model, dataset, {
    ...{ ...common, loss: crossEntropy },
    ...(what !== "sampleWeights" && { classWeights: fixture.weightsOfClasses }),
    ...(what !== "classWeights" && { sampleWeights: "w" }),
  });
  await expectAs(fixture[what], model);
  fixture[what].losses!.forEach((loss, i) => void expect(history.series("loss")[i]).toBeCloseTo(loss, 5));
});

test("crossEntropy's own class weights are PyTorch's", async () => {
  const model = new OneHead();
  const loss = (logits: Tensor, y: Tensor): Tensor =>
    crossEntropy(logits, y, { classWeights: [...fixture.weightsOfClasses] });
  await fit(model, dataset, { ...common, loss });
  await expectAs(fixture.torchClassWeights, model);
});

test("batches put together are one large batch, an uneven last step included", async () => {
  const model = new OneHead();
  const steps: number[][] = [];
  const history = await fit(model, dataset, {
    ...{ ...common, loss: crossEntropy, gradientAccumulationSteps: 2, metrics: [accuracy] },
    callbacks: [
      {
        onStepEnd: ({ stepOfEpoch, samples, samplesOfEpoch }) =>
          void steps.push([stepOfEpoch, samples, samplesOfEpoch]),
      },
    ],
  });
  await expectAs(fixture.accumulated, model);
  expect(steps).toEqual([
    [1, 8, 8],
    [2, 2, 10],
    [1, 8, 8],
    [2, 2, 10],
  ]);
  expect(history.epochs[0]).toMatchObject({ steps: 2, samples: 10 });
});

test("where labels are ignored, batches are put together by what counts", async () => {
  const some = Int32Array.from(labels, (label, i) => (i % 4 < i / 4 ? -1 : label));
  const data = arrayDataset({ ...columns, class: some });
  const loss = (logits: Tensor, y: Tensor, given = {}): Tensor =>
    crossEntropy(logits, y, { ...given, ignoreIndex: -1 });
  const lossCount = (y: Tensor): Tensor => y.notEqual(-1).sum() as Tensor;
  const run = async (changed: Partial<FitOptions>) => {
    const model = new OneHead();
    const history = await fit(model, data, { ...common, loss, lossCount, ...changed });
    return [...(await stateOf(model.first)).flat(), ...history.series("loss")];
  };
  const [small, large] = [await run({ gradientAccumulationSteps: 2 }), await run({ batchSize: 8 })];
  small.forEach((value, i) => void expect(value).toBeCloseTo(large[i]!, 5));
  const weighted = [{ gradientAccumulationSteps: 2 }, { batchSize: 8 }].map((own) =>
    run({ ...own, sampleWeights: "w" }),
  );
  const [a, b] = await Promise.all(weighted);
  a!.forEach((value, i) => void expect(value).toBeCloseTo(b![i]!, 5));
});

test("several heads: each loss with the output and the label of its name", async () => {
  const model = new TwoHeads();
  const { labels: _labels, ...rest } = common;
  const losses = { loss: { class: crossEntropy, box: smoothL1 }, lossWeights: { box: 0.5 } } as const;
  const metrics = { class: [accuracy] };
  const history = await fit(model, dataset, { ...rest, ...losses, metrics, validation: dataset });
  await expectAs(fixture.heads, model, [model.first, model.second]);
  const { scores } = history.epochs[1]!;
  expect(Object.keys(scores)).toEqual([
    ...["loss", "classLoss", "boxLoss", "classAccuracy"],
    ...["validationLoss", "validationClassLoss", "validationBoxLoss", "validationClassAccuracy"],
  ]);
  expect(scores["loss"]).toBeCloseTo(scores["classLoss"]! + 0.5 * scores["boxLoss"]!, 6);
  const evaluated = await evaluate(model, dataset, { inputs: "x", ...losses, metrics });
  expect(evaluated["boxLoss"]).toBe(scores["validationBoxLoss"]);

  const boxes = await predict(model, dataset, { inputs: "x", output: "box" });
  expect(boxes.shape).toEqual([10, 2]);
  await expect(predict(model, dataset, { inputs: "x" })).rejects.toThrow(
    "the model gives class, box; choose one",
  );

  const other = new TwoHeads();
  const loss = (outputs: any, batch: any): Record<string, Tensor> => ({
    class: crossEntropy(outputs.class, batch.kind),
    box: smoothL1(outputs.box, batch.box),
  });
  await fit(other, dataset, {
    ...rest,
    loss,
    lossWeights: { box: 0.5 },
    labels: { kind: "class", box: "box" },
  });
  await expectAs(fixture.heads, other, [other.first, other.second]);
});

test("weights by class need not name every class; one-hot labels have classes too", async () => {
  const oneHot = Array.from(labels, (label) => [0, 1, 2].map((c) => Number(c === label)));
  const scores = async (changed: object, data = dataset) =>
    evaluate(new OneHead(), data as never, { inputs: "x", labels: "class", loss: crossEntropy, ...changed });
  const byClass = await scores({ classWeights: [1, 2, 1] });
  expect(await scores({ classWeights: { 1: 2 } })).toEqual(byClass);
  const soft = arrayDataset({ ...columns, class: oneHot });
  expect((await scores({ classWeights: { 1: 2 } }, soft as never)).loss).toBeCloseTo(byClass.loss!, 6);
});

test("what means nothing is an error", async () => {
  const message = (changed: object): Promise<string> =>
    fit(new TwoHeads(), dataset, { ...common, loss: crossEntropy, ...changed } as never).then(
      () => "",
      (error: Error) => error.message.replace(/ \(fit was called.*/, ""),
    );
  expect(await message({ loss: { clas: crossEntropy } })).toMatchInlineSnapshot(
    `"loss "clas" has no output of its name: there are class, box; with several losses, forward gives a record of outputs and labels name a column for each"`,
  );
  expect(await message({ loss: { class: crossEntropy }, lossWeights: { clas: 1 } })).toMatchInlineSnapshot(
    `"fit: lossWeights: there is no loss "clas"; they are class. Did you mean "class"?"`,
  );
  expect(await message({ sampleWeights: "x" })).toMatchInlineSnapshot(
    `"fit: sampleWeights needs a column of one number a sample, "x" has samples of shape (2)"`,
  );
  expect(
    await message({ sampleWeights: "w", loss: { class: (p: Tensor, y: Tensor) => crossEntropy(p, y) } }),
  ).toMatchInlineSnapshot(
    `"the loss "class" gave one number where sampleWeights or classWeights need one a sample: pass its third argument on, (predictions, labels, options) => crossEntropy(predictions, labels, { ...options, … }), or reduce nothing when it says { reduction: "none" }"`,
  );
  expect(await message({ loss: { class: crossEntropy }, classWeights: [1, -1] })).toMatchInlineSnapshot(
    `"classWeights: weights are 0 or more, for classes 0, 1 …; got -1 for class 1"`,
  );
  expect(
    await message({ loss: { class: crossEntropy }, metrics: { box: [accuracy] } }),
  ).toMatchInlineSnapshot(`"metrics: there is no output "box"; losses name class"`);
  expect(await message({ gradientAccumulationSteps: 0 })).toMatchInlineSnapshot(
    `"fit: gradientAccumulationSteps must be an integer of 1 or more, got 0"`,
  );
  expect(await message({ loss: (outputs: any) => outputs.class })).toMatchInlineSnapshot(
    `"the loss must be one number, a mean over the batch, got (4, 3); reduce it with .mean()"`,
  );
  expect(await message({ loss: undefined })).toMatchInlineSnapshot(
    `"fit: loss must be a function, or a record of them, got undefined"`,
  );
});
