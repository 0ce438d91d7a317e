/** Training steps of a transformer over tokens and of one over patches in jax-js: value, gradient and AdamW in one `jit`. */
import { jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { hashedLabels, hashedUniform, oneHot } from "../../../build/bench/data.js";
import { encoderWeights } from "../encoder-weights.mjs";
import { adamStep, initialState } from "./adam.mjs";

const from = (values, shape) => np.array(values, { shape });
const dense = (x, weight, bias) => np.matmul(x, np.transpose(weight)).add(bias);
const normed = (x, weight, bias) => nn.standardize(x, -1, { epsilon: 1e-5 }).mul(weight).add(bias);

/** Pre-norm blocks over rows of `batchSize` times `length` tokens; each parameter is used once, which gives it away. */
function encoded(rows, p, { layers, heads, width, batchSize }, length) {
  let x = rows;
  for (let i = 0; i < layers; i++) {
    const own = (name) => p[`encoder.layers.${i}.${name}`];
    const pair = (name) => [own(`${name}.weight`), own(`${name}.bias`)];
    const joined = dense(
      normed(x.ref, ...pair("norm1")),
      own("self_attn.in_proj_weight"),
      own("self_attn.in_proj_bias"),
    );
    const parts = np.transpose(joined.reshape([batchSize, length, 3, heads, width / heads]), [2, 0, 3, 1, 4]);
    const [q, k, v] = np.split(parts, 3, 0).map((part) => part.reshape([batchSize, heads, length, width / heads]));
    const scores = np.matmul(q, np.transpose(k, [0, 1, 3, 2])).mul((width / heads) ** -0.5);
    const seen = np.transpose(np.matmul(nn.softmax(scores, -1), v), [0, 2, 1, 3]).reshape([batchSize * length, width]);
    x = x.add(dense(seen, ...pair("self_attn.out_proj")));
    const hidden = nn.gelu(dense(normed(x.ref, ...pair("norm2")), ...pair("linear1")), { approximate: false });
    x = x.add(dense(hidden, ...pair("linear2")));
  }
  return normed(x, p["encoder.norm.weight"], p["encoder.norm.bias"]);
}

/** The rows of the table that one-hot rows choose: a gather without gradient would not do. */
const embedded = (choices, p) => np.matmul(choices, p["tokens.weight"]);

/** Patches as rows: a convolution whose windows lie side by side. */
function cut(images, p, { batchSize, channels, imageSize, patchSize, width }) {
  const count = imageSize / patchSize;
  const parts = images.reshape([batchSize, channels, count, patchSize, count, patchSize]);
  const rows = np.transpose(parts, [0, 2, 4, 1, 3, 5]).reshape([batchSize * count ** 2, channels * patchSize ** 2]);
  return dense(rows, p["patches.weight"].reshape([width, channels * patchSize ** 2]), p["patches.bias"]);
}

/**
 * `step` takes the next batch from memory and returns its loss, to be disposed by the caller.
 * @param {import("../encoder-weights.mjs").EncoderWork} work
 */
export function buildStep(work) {
  const { batchSize, batches, classes, width, learningRate, weightDecay } = work;
  const isImages = work.kind === "vit";
  const length = isImages ? (work.imageSize / work.patchSize) ** 2 : work.length;
  const weights = encoderWeights(work);
  let parameters = Object.fromEntries(weights.map(({ name, shape, values }) => [name, from(values, shape)]));
  let state = initialState(() => Object.fromEntries(weights.map(({ name, shape }) => [name, np.zeros(shape)])));
  const labels = oneHot(hashedLabels(102, batches * batchSize, classes), classes);
  const inputs = isImages
    ? hashedUniform(103, batches * batchSize * work.channels * work.imageSize ** 2, 1)
    : oneHot(hashedLabels(101, batches * batchSize * length, work.vocabulary), work.vocabulary);
  const size = inputs.length / batches;
  const shape = isImages
    ? [batchSize, work.channels, work.imageSize, work.imageSize]
    : [batchSize * length, work.vocabulary];

  const lossOf = (p, x, y) => {
    const rows = isImages ? cut(x, p, work) : embedded(x, p);
    const placed = rows.reshape([batchSize, length, width]).add(p["positions.weight"]);
    const last = encoded(placed.reshape([batchSize * length, width]), p, work, length);
    const means = np.mean(last.reshape([batchSize, length, width]), 1);
    return nn
      .logSoftmax(dense(means, p["head.weight"], p["head.bias"]))
      .mul(y)
      .sum()
      .mul(-1 / batchSize);
  };
  const train = jit((p, moments, x, y) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(p), x, y);
    return [loss, ...adamStep(p, gradients, moments, { learningRate, weightDecay })];
  });
  let position = 0;
  const step = () => {
    const at = position;
    position = (position + 1) % batches;
    const x = from(inputs.subarray(at * size, (at + 1) * size), shape);
    const y = from(labels.subarray(at * batchSize * classes, (at + 1) * batchSize * classes), [batchSize, classes]);
    let loss;
    [loss, parameters, state] = train(parameters, state, x, y);
    return loss;
  };
  return { step, release: () => tree.dispose([parameters, state]) };
}
