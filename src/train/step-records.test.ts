/** What callbacks are told of steps: learning rates, gradient norms, events one by one. */
import { beforeEach, expect, test } from "vitest";
import { blobs } from "../../test/blobs.ts";
import { seed } from "../base/default-key.ts";
import { weightsSha256 } from "../checkpoint/index.ts";
import { crossEntropy } from "../losses/index.ts";
import { Linear, ReLU, Sequential } from "../nn/index.ts";
import { adam, linear, sgd } from "../optim/index.ts";
import { grad, tensor } from "../tensor/index.ts";
import { type CallbackEvent, type FitOptions, fit, on, type StepRecord } from "./index.ts";

const makeModel = () => new Sequential(new Linear(2, 8), new ReLU(), new Linear(8, 3));
const options = {
  loss: crossEntropy,
  progress: "none",
  shuffle: false,
} as const satisfies Partial<FitOptions>;
beforeEach(() => seed(1));

async function stepsOf(
  model: ReturnType<typeof makeModel>,
  changed: Partial<FitOptions>,
): Promise<StepRecord[]> {
  const steps: StepRecord[] = [];
  const collect = on("stepEnd", (step) => void steps.push(step));
  const learningRate = linear({ from: 1, to: 0, steps: 4 });
  await fit(model, blobs(40), {
    ...{ ...options, batchSize: 16, optimizer: sgd({ learningRate }) },
    ...{ ...changed, callbacks: [collect, ...(changed.callbacks ?? [])] },
  });
  return steps;
}

/** ‖gradient‖ of the first batch over some parameters, on a model of the same first weights. */
async function normOf(isTrained: (name: string) => boolean): Promise<number> {
  seed(1);
  const model = makeModel();
  const { points, labels } = blobs(40).take(16).batch();
  const parameters = [...model.namedParameters()].flatMap(([name, p]) => (isTrained(name) ? [p] : []));
  const gradients = grad(crossEntropy(model.forward(tensor(points!)), labels!), parameters);
  const squares = await Promise.all(gradients.map(async (g) => Number(await g.square().sum().item())));
  return Math.sqrt(squares.reduce((a, b) => a + b));
}

test("a step tells its samples, learning rate and gradient norm, before the gradients are limited", async () => {
  const steps = await stepsOf(makeModel(), { clipNorm: 1e-3 });
  expect(steps.map(({ samples }) => samples)).toEqual([16, 16, 8]);
  expect(steps.map(({ learningRate }) => learningRate)).toEqual([1, 0.75, 0.5]);
  expect(steps[0]!.gradientNorm).toBeCloseTo(await normOf(() => true), 5);
});

test("frozen parameters stay, and have no part in the norm", async () => {
  const model = makeModel();
  model.layers[0].freeze();
  const before = await weightsSha256(model.layers[0]);
  const steps = await stepsOf(model, {});
  expect(await weightsSha256(model.layers[0])).toBe(before);
  expect(steps[0]!.gradientNorm).toBeCloseTo(await normOf((name) => name.startsWith("2.")), 5);
  await expect(stepsOf(makeModel().freeze(), {})).rejects.toThrow("every parameter is frozen");
});

test("every event comes in its order", async () => {
  const seen: string[] = [];
  const names = [
    "trainBegin",
    "epochBegin",
    "stepEnd",
    "validationBegin",
    "validationEnd",
    "epochEnd",
    "trainEnd",
  ];
  const callbacks = names.map((name) => on(name as CallbackEvent, (() => void seen.push(name)) as never));
  await stepsOf(makeModel(), { callbacks, validation: blobs(8), batchSize: 20 });
  expect(seen).toEqual(names.flatMap((name) => (name === "stepEnd" ? [name, name] : [name])));
});

test("fit takes the groups: frozen layers stay, a rate of nothing changes nothing", async () => {
  const model = makeModel();
  const before = await Promise.all(model.parameters().map((p) => p.toArray()));
  const common = { loss: crossEntropy, optimizer: adam({ learningRate: 0.1 }), progress: "none" } as const;
  const groups = [
    { match: "0", frozen: true },
    { match: "2.bias", learningRateScale: 0 },
  ];
  await fit(model, blobs(32), { ...common, parameterGroups: groups });
  const after = await Promise.all(model.parameters().map((p) => p.toArray()));
  expect(after.map((values, i) => JSON.stringify(values) === JSON.stringify(before[i]))).toEqual([
    true,
    true,
    false,
    true,
  ]);
  const made = sgd()(makeModel().parameters());
  await expect(
    fit(makeModel(), blobs(8), { ...common, optimizer: made, parameterGroups: groups }),
  ).rejects.toThrow("goes with a factory");
});
