/** The training step of a small convolutional network, as a user writes it. */
import { compile, grad, type Tensor } from "netwright";
import { crossEntropy } from "netwright/losses";
import { Conv2d, Flatten, type Initializer, Linear, MaxPool2d, ReLU, Sequential } from "netwright/nn";
import { Adam } from "netwright/optim";
import { glorotLimit, hashedLabels, hashedUniform } from "../data.ts";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { trained } from "./repeated.ts";

/** The peers' first weights, in PyTorch's layout. */
const formula =
  (seed: number): Initializer =>
  ({ shape, fanIn, fanOut }) =>
    hashedUniform(
      seed,
      shape.reduce((n, size) => n * size, 1),
      glorotLimit(fanIn, fanOut),
    );

/** 28×28 images: two convolutions of 3×3, the larger of each 2×2, two dense layers. */
const classifier = ([first, second]: readonly number[], hidden: number, classes: number): Sequential =>
  new Sequential(
    new Conv2d(1, first, 3, { weightInit: formula(1) }),
    new ReLU(),
    new Conv2d(first, second, 3, { weightInit: formula(2) }),
    new ReLU(),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(second * 12 * 12, hidden, { weightInit: formula(3) }),
    new ReLU(),
    new Linear(hidden, classes, { weightInit: formula(4) }),
  );

/** Reads the loss of every step. */
export async function cnn(work: WorkOf<"cnn">): Promise<Job> {
  const { channels, hidden, classes, batchSize, batches, learningRate } = work;
  const size = batchSize * 28 * 28;
  const images = hashedUniform(10, batches * size, 0.5).map((value) => value + 0.5);
  const labels = hashedLabels(11, batches * batchSize, classes);
  const model = classifier(channels, hidden, classes);
  const optimizer = new Adam(model.parameters(), { learningRate });
  const train = compile((x: Tensor, y: Tensor) => {
    const loss = crossEntropy(model.forward(x) as Tensor, y);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  });
  let position = 0;
  return trained(() => {
    const at = position;
    position = (position + 1) % batches;
    return train(
      { dtype: "f32", shape: [batchSize, 1, 28, 28], data: images.subarray(at * size, (at + 1) * size) },
      { dtype: "i32", shape: [batchSize], data: labels.subarray(at * batchSize, (at + 1) * batchSize) },
    );
  }, 3);
}
