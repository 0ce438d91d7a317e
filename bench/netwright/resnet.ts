/** The training step of ResNet-18, as a user writes it. */
import { compile, grad, type Tensor } from "netwright";
import { crossEntropy } from "netwright/losses";
import { type ResNet, resnet18, resnet50 } from "netwright/models";
import { Adam } from "netwright/optim";
import { hashedLabels, hashedUniform } from "../data.ts";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { trained } from "./repeated.ts";

/** The peers' first weights: of each weight in the order of their names, in PyTorch's layout. */
function fillWeights(model: ResNet): void {
  const weights = [...model.namedParameters()].filter(([, { shape }]) => shape.length > 1);
  weights.sort(([a], [b]) => (a < b ? -1 : 1));
  weights.forEach(([, weight], index) => {
    const shape = weight.shape as readonly number[];
    const count = shape.reduce((n, size) => n * size, 1);
    weight.assign({
      dtype: "f32",
      shape,
      data: hashedUniform(index + 1, count, Math.sqrt((6 * shape[0]) / count)),
    });
  });
}

type ResNetWork = WorkOf<"resnet">;

/** A step that takes the next batch from memory and returns its loss. */
export function buildStep({
  layers,
  imageSize,
  classes,
  batchSize,
  batches,
  learningRate,
}: ResNetWork): () => Tensor {
  const size = batchSize * 3 * imageSize * imageSize;
  const images = hashedUniform(10, batches * size);
  const labels = hashedLabels(11, batches * batchSize, classes);
  const model = (layers === 50 ? resnet50 : resnet18)({ numClasses: classes });
  fillWeights(model);
  const optimizer = new Adam(model.parameters(), { learningRate });
  const train = compile((x: Tensor, y: Tensor) => {
    const loss = crossEntropy(model.forward(x), y);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  });
  let position = 0;
  return () => {
    const at = position;
    position = (position + 1) % batches;
    return train(
      {
        dtype: "f32",
        shape: [batchSize, 3, imageSize, imageSize],
        data: images.subarray(at * size, (at + 1) * size),
      },
      { dtype: "i32", shape: [batchSize], data: labels.subarray(at * batchSize, (at + 1) * batchSize) },
    );
  };
}

/** Reads the loss of every step. */
export const resnet = (work: ResNetWork): Promise<Job> => trained(buildStep(work), 2);
