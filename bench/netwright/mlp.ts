/** The training step of a small classifier, as a user writes it. */
import { compile, grad, type Tensor } from "netwright";
import { crossEntropy } from "netwright/losses";
import { type Initializer, Linear, Module } from "netwright/nn";
import { Adam } from "netwright/optim";
import { glorotLimit, hashedLabels, hashedUniform } from "../data.ts";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, trained, uniform } from "./repeated.ts";

/** The peers' first weights: their formula fills (inputs, outputs), a `Linear` has (outputs, inputs). */
const formula =
  (seed: number): Initializer =>
  ({ fanIn, fanOut }) => {
    const values = hashedUniform(seed, fanIn * fanOut, glorotLimit(fanIn, fanOut));
    return values.map((_, index) => values[(index % fanIn) * fanOut + Math.floor(index / fanIn)]);
  };

class Classifier extends Module {
  readonly layers: readonly Linear[];

  constructor(sizes: readonly number[]) {
    super();
    this.layers = sizes
      .slice(1)
      .map((outputs, index) => new Linear(sizes[index], outputs, { weightInit: formula(index + 1) }));
  }

  forward(images: Tensor): Tensor {
    return this.layers.reduce<Tensor>(
      (hidden, layer, index) => (index === 0 ? layer.forward(hidden) : layer.forward(hidden.relu())),
      images,
    );
  }
}

/** A step that takes the next batch from memory and returns its loss. */
export function buildStep({ sizes, batchSize, batches, learningRate }: WorkOf<"mlp">): () => Tensor {
  const [features, classes] = [sizes[0], sizes[sizes.length - 1]];
  const images = hashedUniform(10, batches * batchSize * features, 0.5).map((value) => value + 0.5);
  const labels = hashedLabels(11, batches * batchSize, classes);
  const model = new Classifier(sizes);
  const optimizer = new Adam(model.parameters(), { learningRate });
  const train = compile((x: Tensor, y: Tensor) => {
    const loss = crossEntropy(model.forward(x), y);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  });
  let position = 0;
  return () => {
    const at = position * batchSize;
    position = (position + 1) % batches;
    const x = images.subarray(at * features, (at + batchSize) * features);
    const y = labels.subarray(at, at + batchSize);
    return train(
      { dtype: "f32", shape: [batchSize, features], data: x },
      { dtype: "i32", shape: [batchSize], data: y },
    );
  };
}

/** The outputs for a batch that is there as a tensor. */
export function mlpForward({ sizes, batchSize }: WorkOf<"mlp-forward">): Promise<Job> {
  const model = new Classifier(sizes);
  const images = uniform(10, [batchSize, sizes[0]], 0.5);
  const forward = compile((x: Tensor) => model.forward(x));
  return repeated([images], () => forward(images));
}

/** Reads the loss of every step. */
export const mlp = (work: WorkOf<"mlp">): Promise<Job> => trained(buildStep(work), 3);
