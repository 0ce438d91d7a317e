/** Training steps of a transformer over tokens and of one over patches in TensorFlow.js, as a user writes them. */
import * as tf from "@tensorflow/tfjs";
import { hashedLabels, hashedUniform } from "../../../build/bench/data.js";
import { encoderWeights } from "../encoder-weights.mjs";

const dense = (x, weight, bias) => tf.matMul(x, weight, false, true).add(bias);
const gelu = (x) => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1));
function normed(x, weight, bias) {
  const { mean, variance } = tf.moments(x, -1, true);
  return x.sub(mean).mul(variance.add(1e-5).rsqrt()).mul(weight).add(bias);
}

/** Pre-norm blocks over rows of `batchSize` times `length` tokens. */
function encoded(rows, p, { layers, heads, width, batchSize }, length) {
  let x = rows;
  const size = width / heads;
  for (let i = 0; i < layers; i++) {
    const own = (name) => p[`encoder.layers.${i}.${name}`];
    const pair = (name) => [own(`${name}.weight`), own(`${name}.bias`)];
    const joined = dense(normed(x, ...pair("norm1")), own("self_attn.in_proj_weight"), own("self_attn.in_proj_bias"));
    const [q, k, v] = tf
      .split(joined, 3, 1)
      .map((part) => part.reshape([batchSize, length, heads, size]).transpose([0, 2, 1, 3]));
    const scores = tf.matMul(q, k, false, true).mul(size ** -0.5);
    const seen = tf.matMul(tf.softmax(scores), v).transpose([0, 2, 1, 3]).reshape([batchSize * length, width]);
    x = x.add(dense(seen, ...pair("self_attn.out_proj")));
    x = x.add(dense(gelu(dense(normed(x, ...pair("norm2")), ...pair("linear1"))), ...pair("linear2")));
  }
  return normed(x, p["encoder.norm.weight"], p["encoder.norm.bias"]);
}

/** Patches as rows: its WebAssembly backend has no gradient of a convolution. */
function cut(images, p, { batchSize, channels, imageSize, patchSize, width }) {
  const count = imageSize / patchSize;
  const rows = images
    .reshape([batchSize, channels, count, patchSize, count * patchSize])
    .transpose([0, 2, 4, 1, 3]) // (B, rows, columns · patch, channels, patch)
    .reshape([batchSize * count * count, patchSize, channels * patchSize])
    .reshape([batchSize * count * count, patchSize, channels, patchSize])
    .transpose([0, 2, 3, 1])
    .reshape([batchSize * count * count, channels * patchSize * patchSize]);
  return dense(rows, p["patches.weight"].reshape([width, -1]), p["patches.bias"]);
}

/** A step that returns its loss, to be disposed by the caller. @param {import("../encoder-weights.mjs").EncoderWork} work */
export function buildEncoderStep(work) {
  const { batchSize, batches, classes, width, learningRate, weightDecay } = work;
  const isImages = work.kind === "vit";
  const length = isImages ? (work.imageSize / work.patchSize) ** 2 : work.length;
  const p = Object.fromEntries(
    encoderWeights(work).map(({ name, shape, values }) => [name, tf.tensor(values, shape).variable(true, name)]),
  );
  const labels = hashedLabels(102, batches * batchSize, classes);
  const inputs = isImages
    ? hashedUniform(103, batches * batchSize * work.channels * work.imageSize ** 2, 1)
    : hashedLabels(101, batches * batchSize * length, work.vocabulary);
  const size = inputs.length / batches;
  // The gradient of a gather is not among its kernels: rows are chosen by a product.
  const rowsOf = (x) =>
    isImages
      ? cut(tf.tensor(x, [batchSize, work.channels, work.imageSize, work.imageSize]), p, work)
      : tf.matMul(tf.oneHot(tf.tensor1d(x, "int32"), work.vocabulary).toFloat(), p["tokens.weight"]);
  const lossOf = (x, y) => {
    const placed = rowsOf(x).reshape([batchSize, length, width]).add(p["positions.weight"]);
    const last = encoded(placed.reshape([batchSize * length, width]), p, work, length);
    const means = last.reshape([batchSize, length, width]).mean(1);
    const logits = dense(means, p["head.weight"], p["head.bias"]);
    return tf.losses.softmaxCrossEntropy(tf.oneHot(tf.tensor1d(y, "int32"), classes).toFloat(), logits);
  };
  const optimizer = tf.train.adam(learningRate, 0.9, 0.999, 1e-8);
  let position = 0;
  return () =>
    tf.tidy(() => {
      const at = position;
      position = (position + 1) % batches;
      const x = inputs.subarray(at * size, (at + 1) * size);
      const y = labels.subarray(at * batchSize, (at + 1) * batchSize);
      const { value, grads } = tf.variableGrads(() => lossOf(x, y));
      // TensorFlow.js has no AdamW: the decay beside Adam.
      for (const parameter of Object.values(p)) parameter.assign(parameter.mul(1 - learningRate * weightDecay));
      optimizer.applyGradients(grads);
      return value;
    });
}
