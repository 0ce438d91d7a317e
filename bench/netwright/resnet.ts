/** The training step of ResNet-18, as a user writes it. */
import { compile, grad, type HostArray, type Tensor } from "netwright";
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
type Step = (images: Tensor, labels: Tensor) => Tensor;

/** A model's training step, still to be compiled. */
export function trainingStep({ layers, classes, learningRate }: ResNetWork): Step {
  const model = (layers === 50 ? resnet50 : resnet18)({ numClasses: classes });
  fillWeights(model);
  const optimizer = new Adam(model.parameters(), { learningRate });
  return (x, y) => {
    const loss = crossEntropy(model.forward(x), y);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  };
}

/** Images and labels, by number. */
export function batchesOf(work: ResNetWork): (index: number) => [HostArray, HostArray] {
  const { imageSize, classes, batchSize, batches } = work;
  const size = batchSize * 3 * imageSize * imageSize;
  const images = hashedUniform(10, batches * size);
  const labels = hashedLabels(11, batches * batchSize, classes);
  return (index) => [
    {
      dtype: "f32",
      shape: [batchSize, 3, imageSize, imageSize],
      data: images.subarray(index * size, (index + 1) * size),
    },
    { dtype: "i32", shape: [batchSize], data: labels.subarray(index * batchSize, (index + 1) * batchSize) },
  ];
}

/** A step that takes the next batch from memory and returns its loss. */
export function buildStep(work: ResNetWork): () => Tensor {
  const train = compile(trainingStep(work));
  const batch = batchesOf(work);
  let position = 0;
  return () => {
    const at = position;
    position = (position + 1) % work.batches;
    return train(...batch(at));
  };
}

/** Reads the loss of every step. */
export const resnet = (work: ResNetWork): Promise<Job> => trained(buildStep(work), 2);
