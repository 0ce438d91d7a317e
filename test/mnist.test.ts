/** Training on the real MNIST: the first losses are PyTorch's, and runs repeat bit for bit. */
import { beforeAll, describe, expect, test } from "vitest";
import { weightsSha256 } from "../src/checkpoint/index.ts";
import { loader, type Mnist, mnist } from "../src/data/index.ts";
import { crossEntropy } from "../src/losses/index.ts";
import { accuracy } from "../src/metrics/index.ts";
import { Linear, Module } from "../src/nn/index.ts";
import { Adam, adam } from "../src/optim/index.ts";
import { compile, grad, seed, type Tensor } from "../src/tensor/index.ts";
import { evaluate, fit } from "../src/train/index.ts";
import { hashedUniform, readFixture } from "./fixtures.ts";
import { byTier } from "./tier.ts";

/** The model of `examples/mnist-loop.ts`. */
class Classifier extends Module {
  readonly hidden1 = new Linear(784, 64);
  readonly hidden2 = new Linear(64, 64);
  readonly output = new Linear(64, 10);

  forward(images: Tensor<[number, 784]>): Tensor<[number, 10]> {
    const first = this.hidden1.forward(images).relu(); // (B, 784) → (B, 64)
    const second = this.hidden2.forward(first).relu(); // (B, 64)
    return this.output.forward(second); // (B, 10)
  }
}

let data: Mnist<any>;
beforeAll(async () => {
  data = await mnist();
});

interface Fixture {
  readonly batchSize: number;
  readonly learningRate: number;
  readonly epsilon: number;
  readonly f32: readonly number[];
  readonly f64: readonly number[];
}

describe("the first 20 losses", () => {
  const { batchSize, learningRate, epsilon, f32, f64 } = readFixture<Fixture>("mnist-losses.json");

  /** Weights of the fixture: layer i from 1, shape (out, in), `hashedUniform(i)`; zero biases. */
  function fixtureModel(): Classifier {
    const model = new Classifier();
    [model.hidden1, model.hidden2, model.output].forEach((layer, i) => {
      const [out, into] = layer.weight.shape;
      const values = hashedUniform(i + 1, out * into, Math.sqrt(6 / (into + out)));
      layer.weight.assign({ dtype: "f32", shape: [out, into], data: values });
    });
    return model;
  }

  const relativeError = (losses: readonly number[], expected: readonly number[]): number =>
    Math.max(...losses.map((loss, i) => Math.abs(loss - expected[i]!) / expected[i]!));

  async function loopLosses(): Promise<number[]> {
    const model = fixtureModel();
    const optimizer = new Adam(model.parameters(), { learningRate, epsilon });
    const step = compile((images: Tensor<[number, 784]>, labels: Tensor<[number], "i32">) => {
      const loss = crossEntropy(model.forward(images), labels);
      optimizer.step(grad(loss, optimizer.parameters));
      return loss;
    });
    const losses: number[] = [];
    for (const { images, labels } of loader(data.train.take(f32.length * batchSize), { batchSize })) {
      losses.push(await step(images as never, labels as never).item());
    }
    return losses;
  }

  test("of the written-out loop are PyTorch's to 1e-5", async () => {
    const losses = await loopLosses();
    expect(losses).toHaveLength(20);
    expect(relativeError(losses, f32)).toBeLessThan(1e-5);
    expect(relativeError(losses, f64)).toBeLessThan(1e-5);
  });

  test("of fit are those of the loop, bit for bit", async () => {
    const losses: number[] = [];
    await fit(fixtureModel(), data.train.take(f32.length * batchSize), {
      ...{ loss: crossEntropy, optimizer: adam({ learningRate, epsilon }), batchSize, shuffle: false },
      ...{ progress: "none", callbacks: [{ onStepEnd: ({ loss }) => void losses.push(loss) }] },
    });
    expect(losses).toEqual(await loopLosses());
  });
});

test("one epoch learns; the same seed gives the same weights twice", async () => {
  const train = byTier(data.train.take(16_000), data.train);
  const run = async () => {
    seed(0);
    const model = new Classifier();
    await fit(model, train, { loss: crossEntropy, optimizer: adam(), progress: "none" });
    return { model, digest: await weightsSha256(model) };
  };
  const [first, second] = [await run(), await run()];
  expect(second.digest).toBe(first.digest);
  const scores = await evaluate(first.model, data.test, { loss: crossEntropy, metrics: [accuracy] });
  expect(scores["accuracy"]).toBeGreaterThan(byTier(0.88, 0.94));
});
