/** The convolutional network's training step in jax-js, as a user writes it: value, gradient and Adam in one `jit`. */
import { jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { glorotLimit, hashedLabels, hashedUniform, oneHot } from "../../../build/bench/data.js";
import { adamStep, initialState } from "./adam.mjs";

const from = (values, shape) => np.array(values, { shape });

/** PyTorch's first weight of this shape, (outputs, inputs, …kernel). */
function filled(seed, shape) {
  const taps = shape.slice(2).reduce((a, b) => a * b, 1);
  const count = shape.reduce((a, b) => a * b, 1);
  return from(hashedUniform(seed, count, glorotLimit(taps * shape[1], taps * shape[0])), shape);
}

/**
 * `step` takes the next batch from memory and returns its loss, to be disposed by the caller.
 * @param {Extract<import("../../protocol.ts").Work, { kind: "cnn" }>} work
 */
export function buildStep({ channels: [first, second], hidden, classes, batchSize, batches, learningRate }) {
  const size = batchSize * 28 * 28;
  const images = hashedUniform(10, batches * size, 0.5).map((value) => value + 0.5);
  const labels = oneHot(hashedLabels(11, batches * batchSize, classes), classes);
  const shapes = [
    [first, 1, 3, 3],
    [second, first, 3, 3],
    [hidden, second * 144],
    [classes, hidden],
  ];
  const zeros = () => shapes.map((shape) => [np.zeros(shape), np.zeros([shape[0]])]);
  let parameters = shapes.map((shape, index) => [filled(index + 1, shape), np.zeros([shape[0]])]);
  let state = initialState(zeros);

  const convolved = (x, [weight, bias]) =>
    nn.relu(lax.conv(x, weight, [1, 1], "VALID").add(bias.reshape([-1, 1, 1])));
  const dense = (x, [weight, bias]) => np.matmul(x, np.transpose(weight)).add(bias);
  const lossOf = ([layer1, layer2, layer3, layer4], x, y) => {
    const seen = convolved(convolved(x, layer1), layer2); // (N, second, 24, 24)
    const pooled = np.max(seen.reshape([batchSize, second, 12, 2, 12, 2]), [3, 5]);
    const logits = dense(nn.relu(dense(pooled.reshape([batchSize, second * 144]), layer3)), layer4);
    return nn
      .logSoftmax(logits)
      .mul(y)
      .sum()
      .mul(-1 / batchSize);
  };
  const train = jit((layers, moments, x, y) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(layers), x, y);
    return [loss, ...adamStep(layers, gradients, moments, { learningRate, weightDecay: 0 })];
  });
  let position = 0;
  const step = () => {
    const at = position;
    position = (position + 1) % batches;
    const x = from(images.subarray(at * size, (at + 1) * size), [batchSize, 1, 28, 28]);
    const y = from(labels.subarray(at * batchSize * classes, (at + 1) * batchSize * classes), [batchSize, classes]);
    let loss;
    [loss, parameters, state] = train(parameters, state, x, y);
    return loss;
  };
  return { step, release: () => tree.dispose([parameters, state]) };
}
