import { beforeEach, describe, expect, test } from "vitest";
import { blobs } from "../../test/blobs.ts";
import { seed } from "../base/default-key.ts";
import { ShapeError, StepError } from "../base/errors.ts";
import { weightsSha256 } from "../checkpoint/index.ts";
import { arrayDataset, lazyDataset, loader } from "../data/index.ts";
import { crossEntropy, mse } from "../losses/index.ts";
import { accuracy, streaming, streamingRanking } from "../metrics/index.ts";
import { Linear, Module, Parameter, ReLU, Sequential } from "../nn/index.ts";
import { Adam, adam, clipByGlobalNorm, sgd } from "../optim/index.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import { earlyStopping, evaluate, type FitOptions, fit, on, predict, type StepRecord } from "./index.ts";

const makeModel = () => new Sequential(new Linear(2, 16), new ReLU(), new Linear(16, 3));
const scored = { loss: crossEntropy, metrics: [accuracy] } as const;
const options = {
  loss: crossEntropy,
  metrics: [accuracy],
  progress: "none",
} as const satisfies Partial<FitOptions>;

beforeEach(() => seed(1));

test("learns, and records what it went through", async () => {
  const model = makeModel();
  const validation = blobs(60, 2);
  const history = await fit(model, blobs(300), {
    ...options,
    optimizer: adam({ learningRate: 0.01 }),
    epochs: 5,
    validation,
  });
  const losses = history.series("loss");
  expect(losses).toHaveLength(5);
  expect(losses[4]).toBeLessThan(losses[0]! / 2);
  expect(history.series("validationAccuracy")[4]).toBeGreaterThan(0.95);
  expect(history.epochs[0]).toMatchObject({ epoch: 1, steps: 10, samples: 300 });
  expect(history.stopReason).toBeUndefined();
  expect(await evaluate(model, validation, scored)).toEqual({
    loss: history.series("validationLoss")[4],
    accuracy: history.series("validationAccuracy")[4],
  });
});

test("makes the same steps as a loop written out, bit for bit", async () => {
  const data = blobs(100);
  const fitted = makeModel();
  await fit(fitted, data, { ...options, optimizer: adam(), epochs: 2, seed: 7 });

  seed(1);
  const model = makeModel();
  const optimizer = new Adam(model.parameters());
  const step = compile((points: Tensor, labels: Tensor) => {
    const loss = crossEntropy(model.forward(points), labels);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  });
  const batches = loader(data, { batchSize: 32, shuffle: { seed: 7 } });
  for (let epoch = 0; epoch < 2; epoch++) for (const { points, labels } of batches) step(points, labels);
  expect(await weightsSha256(model)).toBe(await weightsSha256(fitted));
});

test("the same seed gives the same weights, another seed others", async () => {
  const run = async (seedOfRun: number): Promise<string> => {
    seed(1);
    const model = makeModel();
    await fit(model, blobs(100), { ...options, optimizer: adam(), seed: seedOfRun });
    return weightsSha256(model);
  };
  const digest = await run(3);
  expect(await run(3)).toBe(digest);
  expect(await run(4)).not.toBe(digest);
});

test("a small last batch weighs as much as its samples", async () => {
  const model = makeModel();
  const data = blobs(70);
  const history = await fit(model, data, { ...options, optimizer: sgd({ learningRate: 0 }) });
  const scores = await evaluate(model, data, { ...scored, batchSize: 70 });
  expect(history.epochs[0]!.steps).toBe(3);
  expect(history.series("loss")[0]).toBeCloseTo(scores.loss!, 6);
  expect(history.series("accuracy")[0]).toBeCloseTo(scores.accuracy!, 6);
});

test("modes come back as they were, and validation changes nothing", async () => {
  const model = makeModel();
  model.eval();
  const digest = await weightsSha256(model);
  await fit(model, blobs(40), { ...options, optimizer: sgd({ learningRate: 0 }), validation: blobs(10) });
  expect(model.training).toBe(false);
  expect(await weightsSha256(model)).toBe(digest);
});

test("gradients are clipped together", async () => {
  const data = blobs(32);
  const model = makeModel();
  await fit(model, data, { ...options, optimizer: sgd({ learningRate: 1 }), clipNorm: 0.1, shuffle: false });

  seed(1);
  const expected = makeModel();
  const optimizer = sgd({ learningRate: 1 })(expected.parameters());
  const { points, labels } = data.batch();
  compile((x: Tensor, y: Tensor) => {
    const loss = crossEntropy(expected.forward(x), y);
    optimizer.step(clipByGlobalNorm(grad(loss, optimizer.parameters), 0.1));
    return loss;
  })(points!, labels!);
  expect(await weightsSha256(model)).toBe(await weightsSha256(expected));
});

test("callbacks see every step and can end training after one", async () => {
  const seen: StepRecord[] = [];
  const history = await fit(makeModel(), blobs(96), {
    ...options,
    optimizer: adam(),
    epochs: 3,
    callbacks: [
      {
        onStepEnd: (step, run) => {
          seen.push(step);
          if (run.step === 5) run.stop("enough");
        },
      },
    ],
  });
  expect(seen.map(({ stepOfEpoch, samplesOfEpoch }) => [stepOfEpoch, samplesOfEpoch])).toEqual([
    [1, 32],
    [2, 64],
    [3, 96],
    [1, 32],
    [2, 64],
  ]);
  expect(history.stopReason).toBe("enough");
  expect(history.epochs).toHaveLength(1);
  expect(history.epochs[0]!.scores["loss"]).toBe(seen[2]!.runningScores()["loss"]);
});

test("early stopping brings back the best weights", async () => {
  const model = makeModel();
  const validation = blobs(30, 5);
  const history = await fit(model, blobs(60), {
    ...options,
    optimizer: sgd({ learningRate: 50 }),
    epochs: 30,
    validation,
    callbacks: [earlyStopping({ patience: 2 })],
  });
  expect(history.stopReason).toMatch(/^validationLoss did not improve for 2 epochs/);
  const scores = await evaluate(model, validation, scored);
  expect(scores.loss).toBe(Math.min(...history.series("validationLoss")));
});

test("a metric counted over the whole pass", async () => {
  const recall = streaming("macroRecall", (matrix) => matrix.recall({ average: "macro" }));
  const model = makeModel();
  const data = blobs(90);
  const history = await fit(model, data, {
    ...options,
    metrics: [accuracy, recall],
    optimizer: sgd({ learningRate: 0 }),
  });
  const [record] = history.epochs;
  // Classes of equal size: the mean recall is the accuracy.
  expect(record!.scores["macroRecall"]).toBeCloseTo(record!.scores["accuracy"]!, 6);
});

test("a metric over the whole pass counts training and validation apart", async () => {
  const history = await fit(makeModel(), blobs(90), {
    ...options,
    metrics: [accuracy, streaming("counted", (matrix) => matrix.accuracy())],
    optimizer: sgd({ learningRate: 0 }),
    validation: blobs(30, 7),
    epochs: 2,
  });
  for (const { scores } of history.epochs) {
    expect(scores["accuracy"]).not.toBeCloseTo(scores["validationAccuracy"]!, 3);
    expect(scores["counted"]).toBeCloseTo(scores["accuracy"]!, 6);
    expect(scores["validationCounted"]).toBeCloseTo(scores["validationAccuracy"]!, 6);
  }
});

test("a score that the first batches cannot have is left out until there is one", async () => {
  const seen: (number | undefined)[] = [];
  const labels = [0, 0, 0, 0, 1, 1];
  const data = arrayDataset({
    x: labels.map((label, i) => [label + i / 10]),
    labels: labels.map((y) => [y]),
  });
  const history = await fit(new Sequential(new Linear(1, 1)), data, {
    ...{ loss: mse, metrics: [streamingRanking("auc", (ranking) => ranking.rocAuc())], progress: "none" },
    ...{ optimizer: sgd({ learningRate: 0 }), batchSize: 2, shuffle: false },
    callbacks: [on("stepEnd", ({ runningScores }) => void seen.push(runningScores()["auc"]))],
  });
  expect(seen.map((score) => score === undefined)).toEqual([true, true, false]);
  expect(seen[2]).toBe(history.epochs[0]!.scores["auc"]);
});

test("predictions of all samples in order, labels left out", async () => {
  const model = makeModel();
  const data = blobs(50);
  const { shape, dtype, data: values } = await predict(model, data, { batchSize: 16 });
  expect([dtype, shape]).toEqual(["f32", [50, 3]]);
  const whole = await model.forward(tensor(data.batch().points!)).data();
  expect(Array.from(values)).toEqual(Array.from(whole));
});

test("a regression, with columns named by hand", async () => {
  const data = arrayDataset({ x: [[1], [2], [3], [4]], z: [[2], [4], [6], [8]] });
  const model = new Sequential(new Linear(1, 1));
  const train = { loss: mse, optimizer: sgd({ learningRate: 0.02 }), inputs: "x", labels: "z" };
  await fit(model, data, { ...train, epochs: 400, batchSize: 4, progress: "none" });
  expect((await predict(model, data, { inputs: "x" })).data[3]).toBeCloseTo(8, 1);
});

describe("errors", () => {
  const message = async (run: Promise<unknown>): Promise<string> => {
    const error = await run.then(
      () => undefined,
      (cause: Error) => cause,
    );
    // Where the test stands is not part of the message.
    return `${error?.name}: ${error?.message.replace(/at [^ ,)]*fit\.test\.ts:\d+:\d+/g, "at HERE")}`;
  };

  test("a loss that is not finite ends training; the step that failed has changed nothing", async () => {
    const model = makeModel();
    const digests: string[] = [];
    const training = fit(model, blobs(300), {
      ...options,
      optimizer: sgd({ learningRate: 1e30 }),
      callbacks: [{ onStepEnd: async () => void digests.push(await weightsSha256(model)) }],
    });
    await expect(training).rejects.toThrow(StepError);
    expect(digests.length).toBeGreaterThan(0);
    expect(await weightsSha256(model)).toBe(digests[digests.length - 1]);
    expect(await message(training)).toMatch(
      /^StepError: fit: the loss of epoch 1, step \d+ is not finite: the first NaN came out of \w+.*; the first -?Infinity came out of dot \(in layer "\d"\).*The step changed nothing/,
    );
  });

  test("a NaN is traced to the operation and the layer it came out of", async () => {
    class Logarithm extends Module {
      forward(x: Tensor): Tensor {
        return x.log();
      }
    }
    const model = new Sequential(new Logarithm(), new Linear(2, 3));
    const data = arrayDataset({ points: [[1, -2]], labels: Int32Array.of(0) });
    expect(await message(fit(model, data, { ...options, optimizer: adam() }))).toMatchInlineSnapshot(
      `"StepError: fit: the loss of epoch 1, step 1 is not finite: the first NaN came out of log (in layer "0", at HERE): from argument 0 (1, 2) -2.000 … 1.000. The step changed nothing: the model is as it was before. Look at the data of this batch, lower the learning rate, or limit gradients with clipNorm"`,
    );
  });

  test.each([1, 2])("gradients that are not finite end it as well, of %i batches", async (batches) => {
    class Root extends Module {
      readonly weight = new Parameter([1, 1]);
      forward(x: Tensor): Tensor {
        return x.mul(this.weight).sqrt();
      }
    }
    const model = new Root();
    const data = arrayDataset({
      points: [
        [4, 9],
        [1, 0],
        [1, 1],
        [1, 1],
      ],
      labels: [
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
      ],
    });
    const training = fit(model, data, {
      ...{
        loss: mse,
        optimizer: sgd({ learningRate: 0.1 }),
        batchSize: 2 / batches,
        gradientAccumulationSteps: batches,
      },
      ...{ shuffle: false, progress: "none" as const },
    });
    expect(await message(training)).toMatch(
      /^StepError: fit: the gradients of epoch 1, step 1 are not finite: the first NaN came out of div \(in layer "Root"/,
    );
    expect(await model.weight.toArray()).toEqual([1, 1]);
  });

  test("a label out of range names it; nothing has changed", async () => {
    const model = makeModel();
    const before = await weightsSha256(model);
    const data = arrayDataset({
      points: [
        [0, 1],
        [1, 0],
      ],
      labels: Int32Array.of(0, 3),
    });
    const training = fit(model, data, { ...options, optimizer: adam(), shuffle: false });
    expect(await message(training)).toMatchInlineSnapshot(
      `"StepError: crossEntropy: labels must be classes 0 … 2, but element [1] is 3. The step changed nothing: states hold what it began with (fit was called at HERE)"`,
    );
    expect(await weightsSha256(model)).toBe(before);
  });

  test("data that does not fit the model names the layer", async () => {
    const data = arrayDataset({ points: [[0, 1, 2]], labels: Int32Array.of(0) });
    const training = fit(makeModel(), data, { ...options, optimizer: adam() });
    await expect(training).rejects.toThrow(ShapeError);
    expect(await message(training)).toMatchInlineSnapshot(
      `"ShapeError: Linear(2 → 16) expects 2 features, the last axis of (1, 3) has 3 (in layer "0") (fit was called at HERE)"`,
    );
  });

  test("columns, emptiness and options", async () => {
    const model = makeModel();
    const fitWith = (changed: object, data = blobs(3)): Promise<string> =>
      message(fit(model, data, { ...options, optimizer: adam(), ...changed }));
    expect(await fitWith({ labels: "lables" })).toMatchInlineSnapshot(
      `"ArgumentError: fit: there is no column "lables"; the columns are points, labels. Did you mean "labels"? (fit was called at HERE)"`,
    );
    expect(await fitWith({ inputs: ["point"] })).toMatchInlineSnapshot(
      `"ArgumentError: fit: there is no column "point"; the columns are points, labels. Did you mean "points"? (fit was called at HERE)"`,
    );
    expect(await fitWith({}, arrayDataset({ a: [1], b: [2] }))).toMatchInlineSnapshot(
      `"ArgumentError: fit: none of the columns a, b is called labels, label, targets, target, y; name the one to learn with { labels: … } (fit was called at HERE)"`,
    );
    expect(await fitWith({}, arrayDataset({ labels: [1] }))).toMatchInlineSnapshot(
      `"ArgumentError: fit: beside "labels" there is no column to give to the model (fit was called at HERE)"`,
    );
    expect(await fitWith({}, blobs(3).take(0))).toMatchInlineSnapshot(
      `"ArgumentError: fit: the dataset is empty (Dataset of 0 samples: points f32 (2,), labels i32 ()); give at least one sample (fit was called at HERE)"`,
    );
    expect(await fitWith({ epoch: 3 })).toMatchInlineSnapshot(
      `"ArgumentError: fit: there is no option "epoch"; did you mean "epochs"? (fit was called at HERE)"`,
    );
    expect(await fitWith({ epochs: 1.5 })).toMatchInlineSnapshot(
      `"ArgumentError: fit: epochs must be an integer of 0 or more, got 1.5 (fit was called at HERE)"`,
    );
    expect(await fitWith({ resume: true })).toMatchInlineSnapshot(
      `"ArgumentError: fit: resume needs the file to go on from: { checkpoint: path } (fit was called at HERE)"`,
    );
    expect(await fitWith({ metrics: [accuracy, accuracy] })).toMatchInlineSnapshot(
      `"ArgumentError: two metrics are called "accuracy": wrap one in a function with another name (fit was called at HERE)"`,
    );
    expect(await message(evaluate(model, blobs(3).take(0), scored))).toMatchInlineSnapshot(
      `"ArgumentError: evaluate: the dataset is empty (Dataset of 0 samples: points f32 (2,), labels i32 ()); give at least one sample (evaluate was called at HERE)"`,
    );
    expect(await message(predict(model, blobs(3), { inputs: "pints" }))).toMatchInlineSnapshot(
      `"ArgumentError: predict: there is no column "pints"; the columns are points, labels. Did you mean "points"? (predict was called at HERE)"`,
    );
  });
});

test("damaged samples are left out where that is asked for, and told", async () => {
  const read = (index: number) => {
    if (index % 10 === 3) throw new Error(`file ${index} is torn`);
    return {
      points: { dtype: "f32" as const, shape: [2], data: Float32Array.of(index % 3, 1) },
      labels: index % 3,
    };
  };
  const columns = { points: { dtype: "f32", shape: [2] }, labels: { dtype: "i32", shape: [] } } as const;
  const data = lazyDataset({ length: 40, columns, read } as never);
  const asked = { ...options, optimizer: adam(), batchSize: 8, seed: 2 };
  await expect(fit(makeModel(), data, asked)).rejects.toThrow(/file \d+ is torn/);
  const warnings: string[] = [];
  const history = await fit(makeModel(), data, {
    ...{ ...asked, corrupt: "skip", prefetch: 3, validation: data },
    callbacks: [on("warning", (text) => void warnings.push(text))],
  });
  expect(history.epochs[0]).toMatchObject({ samples: 36, skipped: 4 });
  expect(warnings).toEqual([
    expect.stringMatching(/^4 samples were left out in epoch 1: .*file \d+ is torn/),
  ]);
});
