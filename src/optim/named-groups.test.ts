import { beforeEach, expect, test } from "vitest";
import { seed } from "../base/default-key.ts";
import { Linear, ReLU, Sequential } from "../nn/index.ts";
import { AdamW, linear, parameterGroups, SGD } from "./index.ts";

const makeModel = () => new Sequential(new Linear(2, 4), new ReLU(), new Linear(4, 4), new Linear(4, 3));
beforeEach(() => seed(1));

const rates = (optimizer: SGD | AdamW): Promise<number[]> =>
  Promise.all(
    Array.from({ length: optimizer.groupCount }, async (_, i) =>
      Number(await optimizer.learningRate(i).item()),
    ),
  );

test("the first group that matches takes a parameter, the rest is a group of its own", async () => {
  const model = makeModel();
  const groups = parameterGroups(model, [
    { match: "0", frozen: true },
    { match: ["2.bias", /^3\..*ias$/], learningRateScale: 0.5, weightDecay: 0 },
  ]);
  expect(groups.map(({ parameters }) => [...parameters].map(({ name }) => name))).toEqual([
    ["2.bias", "3.bias"],
    ["2.weight", "3.weight"],
  ]);
  expect(model.parameters({ trainable: true })).toHaveLength(4);
  expect(await rates(new AdamW(groups, { learningRate: 0.25 }))).toEqual([0.125, 0.25]);
  const learningRate = linear({ from: 1, to: 0, steps: 4 });
  const optimizer = new SGD(
    groups.map(({ parameters, ...rest }) => ({ parameters, ...rest, weightDecay: 0 })),
    { learningRate },
  );
  expect(await rates(optimizer)).toEqual([0.5, 1]);
  optimizer.stepCount.assign(2);
  expect(await rates(optimizer)).toEqual([0.25, 0.5]);
});

test("without decay, groups keep their scale", async () => {
  const groups = parameterGroups(makeModel(), [{ match: "3", learningRateScale: 0.5 }]);
  const optimizer = new AdamW(groups, { learningRate: 1, noDecay: "norms and biases" });
  expect(await rates(optimizer)).toEqual([0.5, 0.5, 1, 1]);
});

test("what matches nothing is an error with the nearest name", () => {
  const groups =
    (...match: (string | RegExp)[]) =>
    () =>
      parameterGroups(
        makeModel(),
        match.map((one) => ({ match: one })),
      );
  expect(groups("3.wieght")).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: parameterGroups: "3.wieght" matches no parameter; they are 0.weight, 0.bias, 2.weight, 2.bias, 3.weight, 3.bias. Did you mean "3.weight"?]`,
  );
  expect(groups(/head/)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: parameterGroups: /head/ matches no parameter; they are 0.weight, 0.bias, 2.weight, 2.bias, 3.weight, 3.bias]`,
  );
  expect(groups("3", /^3\.bias/)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: parameterGroups: /^3\\.bias/ matches only what groups before it have taken]`,
  );
  expect(() => new SGD(parameterGroups(makeModel(), [{ match: "3", learningRateScale: -1 }]))).toThrow(
    "learningRateScale must be 0 or more",
  );
});
