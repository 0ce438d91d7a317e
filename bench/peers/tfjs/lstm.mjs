/** A layer of LSTM in TensorFlow.js, as a user writes it: its own layer, whose gates have the order of PyTorch's. */
import * as tf from "@tensorflow/tfjs";
import { hashedUniform } from "../../../build/bench/data.js";

const transposed = (seed, rows, columns) =>
  tf.tidy(() => tf.tensor2d(hashedUniform(seed, rows * columns, 0.1), [rows, columns]).transpose());

/** (length, batch, features) by the formula, as the layer takes it: batches first. */
const sequences = (seed, { length, batchSize }, features) =>
  tf.tidy(() =>
    tf
      .tensor3d(hashedUniform(seed, length * batchSize * features, 1), [length, batchSize, features])
      .transpose([1, 0, 2]),
  );

/** @returns the layer and its input */
function build(work) {
  const { inputSize, hiddenSize } = work;
  // Its weights are set below: orthogonal ones would take minutes to make.
  const options = { units: hiddenSize, returnSequences: true, useBias: false, recurrentInitializer: "zeros" };
  const layer = tf.layers.lstm({ ...options, recurrentActivation: "sigmoid" });
  const x = sequences(10, work, inputSize);
  // Its weights are made by the first call.
  tf.dispose(layer.apply(x));
  layer.setWeights([transposed(1, 4 * hiddenSize, inputSize), transposed(2, 4 * hiddenSize, hiddenSize)]);
  return { layer, x };
}

/** The outputs, with batches first as the layer gives them. */
export function buildForward(work) {
  const { layer, x } = build(work);
  return { inputs: [x], forward: () => tf.tidy(() => layer.apply(x).transpose([1, 0, 2])) };
}

/** A step that returns its loss, to be disposed by the caller. */
export function buildLstmStep(work) {
  const { layer, x } = build(work);
  const y = sequences(11, work, work.hiddenSize);
  const optimizer = tf.train.sgd(work.learningRate);
  return () => tf.tidy(() => optimizer.minimize(() => tf.losses.meanSquaredError(y, layer.apply(x)), true));
}
