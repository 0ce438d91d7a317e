/** The MLP's training step in TensorFlow.js, as a user writes it. */
import * as tf from "@tensorflow/tfjs";
import { glorotLimit, hashedLabels, hashedUniform, oneHot } from "../../../build/bench/data.js";

/**
 * A step that takes the next batch from memory and returns its loss, to be disposed by the caller.
 * @param {Extract<import("../../protocol.ts").Work, { kind: "mlp" }>} work
 * @returns {() => tf.Scalar}
 */
export function buildStep({ sizes, batchSize, batches, learningRate }) {
  const [features, classes] = [sizes[0], sizes.at(-1)];
  const images = hashedUniform(10, batches * batchSize * features, 0.5).map((value) => value + 0.5);
  const labels = oneHot(hashedLabels(11, batches * batchSize, classes), classes);
  const layers = sizes.slice(1).map((outputs, index) => {
    const inputs = sizes[index];
    const weight = hashedUniform(index + 1, inputs * outputs, glorotLimit(inputs, outputs));
    return { weight: tf.tensor2d(weight, [inputs, outputs]).variable(), bias: tf.zeros([outputs]).variable() };
  });
  const optimizer = tf.train.adam(learningRate, 0.9, 0.999, 1e-8);
  const logits = (x) =>
    layers.reduce((hidden, { weight, bias }, index) => {
      const output = tf.add(tf.matMul(hidden, weight), bias);
      return index < layers.length - 1 ? tf.relu(output) : output;
    }, x);
  let position = 0;
  return () =>
    tf.tidy(() => {
      const at = position * batchSize;
      position = (position + 1) % batches;
      const x = tf.tensor2d(images.subarray(at * features, (at + batchSize) * features), [batchSize, features]);
      const y = tf.tensor2d(labels.subarray(at * classes, (at + batchSize) * classes), [batchSize, classes]);
      return optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, logits(x)), true);
    });
}
