import { expect, test } from "vitest";
import { hostArray } from "../base/host-array.ts";
import type { Snapshot, TrainingRun } from "./callback.ts";
import { type EarlyStoppingOptions, earlyStopping } from "./early-stopping.ts";
import { History, validationName } from "./history.ts";

/** Feeds a callback one value an epoch until it stops; snapshots are named by their epoch. */
async function train(values: readonly number[], options: EarlyStoppingOptions, name = "validationLoss") {
  const callback = earlyStopping(options);
  const history = new History();
  let epoch = 0;
  let restored: unknown;
  const run: TrainingRun = {
    epochs: values.length,
    stepsPerEpoch: 1,
    samplesPerEpoch: 1,
    history,
    get epoch() {
      return epoch;
    },
    step: 0,
    model: undefined as never,
    optimizer: undefined as never,
    stop: (reason) => {
      history.stopReason = reason;
    },
    ...{ options: undefined as never, dataset: undefined as never, validation: undefined },
    ...{ columns: { inputs: [], labels: "labels" }, saveCheckpoint: async () => {}, warn: async () => {} },
    resumedFrom: undefined,
    snapshot: async (): Promise<Snapshot> => new Map([["epoch", hostArray("i32", [], Int32Array.of(epoch))]]),
    restore: (snapshot) => {
      restored = snapshot.get("epoch")!.data[0];
    },
  };
  await callback.onTrainBegin?.(run);
  for (const value of values) {
    epoch++;
    const record = {
      epoch,
      scores: { [name]: value },
      steps: 1,
      samples: 1,
      seconds: 1,
      validationSeconds: 0,
    };
    await callback.onEpochEnd?.(record, run);
    if (history.stopReason !== undefined) break;
  }
  await callback.onTrainEnd?.(run);
  return { epochs: epoch, restored, reason: history.stopReason };
}

test("stops after `patience` epochs without improvement, says why, and restores the best", async () => {
  expect(await train([3, 2, 2.5, 2.1, 2.2, 1], { patience: 3 })).toEqual({
    epochs: 5,
    restored: 2,
    reason: "validationLoss did not improve for 3 epochs (best 2.000 at epoch 2, restored)",
  });
});

test("an improvement in between starts the count anew", async () => {
  const { epochs, reason } = await train([3, 2.9, 3, 2.8, 3, 2.7], { patience: 2 });
  expect([epochs, reason]).toEqual([6, undefined]);
});

test("what is no loss should rise; small changes do not count", async () => {
  const options = { monitor: "validationAccuracy", patience: 1, minDelta: 0.01, restoreBest: false };
  expect(await train([0.5, 0.6, 0.605, 0.9], options, "validationAccuracy")).toEqual({
    epochs: 3,
    restored: undefined,
    reason: "validationAccuracy did not improve for 1 epoch (best 0.6000 at epoch 2)",
  });
});

test("a score that is not recorded is an error with the nearest name", async () => {
  await expect(train([1], { monitor: "validationloss" })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: no score "validationloss" is recorded; there are validationLoss. Did you mean "validationLoss"?]`,
  );
  expect(() => earlyStopping({ patience: 0 })).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: earlyStopping: patience must be an integer of at least 1, got 0]`,
  );
});

test("a history gives series and the best epoch of either direction", () => {
  const history = new History();
  [
    [3, 0.1],
    [1, 0.3],
    [2, 0.3],
  ].forEach(([loss, accuracy], i) => {
    const scores = { loss: loss!, accuracy: accuracy! };
    history.epochs.push({ epoch: i + 1, scores, steps: 1, samples: 1, seconds: 1, validationSeconds: 0 });
  });
  expect(history.series("loss")).toEqual([3, 1, 2]);
  expect(history.best("loss")?.epoch).toBe(2);
  expect(history.best("accuracy")?.epoch).toBe(2);
  expect(new History().best("loss")).toBeUndefined();
  expect(() => history.series("acuracy")).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: no score "acuracy" is recorded; there are loss, accuracy. Did you mean "accuracy"?]`,
  );
  expect(validationName("loss")).toBe("validationLoss");
});
