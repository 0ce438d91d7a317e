/** The MLP's training step in jax-js, as a user writes it: value, gradient and Adam in one `jit`. */
import { jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { glorotLimit, hashedLabels, hashedUniform, oneHot } from "../../../build/bench/data.js";
import { adamStep, initialState } from "./adam.mjs";

const from = (values, shape) => np.array(values, { shape });

/**
 * `step` takes the next batch from memory and returns its loss, to be disposed by the caller.
 * @param {Extract<import("../../protocol.ts").Work, { kind: "mlp" }>} work
 */
export function buildStep({ sizes, batchSize, batches, learningRate }) {
  const [features, classes] = [sizes[0], sizes.at(-1)];
  const images = hashedUniform(10, batches * batchSize * features, 0.5).map((value) => value + 0.5);
  const labels = oneHot(hashedLabels(11, batches * batchSize, classes), classes);
  const zeros = () => sizes.slice(1).map((outputs, index) => [np.zeros([sizes[index], outputs]), np.zeros([outputs])]);
  let parameters = sizes.slice(1).map((outputs, index) => {
    const inputs = sizes[index];
    const weight = hashedUniform(index + 1, inputs * outputs, glorotLimit(inputs, outputs));
    return [from(weight, [inputs, outputs]), np.zeros([outputs])];
  });
  let state = initialState(zeros);

  const lossOf = (layers, x, y) => {
    const logits = layers.reduce((hidden, [weight, bias], index) => {
      const output = np.matmul(hidden, weight).add(bias);
      return index < layers.length - 1 ? nn.relu(output) : output;
    }, x);
    return nn.logSoftmax(logits).mul(y).sum().mul(-1 / batchSize);
  };
  const train = jit((layers, moments, x, y) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(layers), x, y);
    return [loss, ...adamStep(layers, gradients, moments, { learningRate, weightDecay: 0 })];
  });
  let position = 0;
  const step = () => {
    const at = position * batchSize;
    position = (position + 1) % batches;
    const x = from(images.subarray(at * features, (at + batchSize) * features), [batchSize, features]);
    const y = from(labels.subarray(at * classes, (at + batchSize) * classes), [batchSize, classes]);
    let loss;
    [loss, parameters, state] = train(parameters, state, x, y);
    return loss;
  };
  return { step, release: () => tree.dispose([parameters, state]) };
}
