/** The training step of ResNet-18 in jax-js: value, gradient and Adam in one `jit`. Running statistics, which no step reads, are left out. */
import { jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { hashedLabels, hashedUniform, oneHot } from "../../../build/bench/data.js";
import { adamStep, initialState } from "./adam.mjs";

const from = (values, shape) => np.array(values, { shape });
const widths = [64, 128, 256, 512];

/** torchvision's names and shapes. */
function shapesOf(classes) {
  const shapes = new Map([["conv1.weight", [64, 3, 7, 7]]]);
  const norm = (name, channels) => {
    shapes.set(`${name}.weight`, [channels]);
    shapes.set(`${name}.bias`, [channels]);
  };
  norm("bn1", 64);
  let before = 64;
  widths.forEach((width, i) => {
    for (const block of [0, 1]) {
      const name = `layer${i + 1}.${block}`;
      shapes.set(`${name}.conv1.weight`, [width, before, 3, 3]);
      norm(`${name}.bn1`, width);
      shapes.set(`${name}.conv2.weight`, [width, width, 3, 3]);
      norm(`${name}.bn2`, width);
      if (before !== width) {
        shapes.set(`${name}.downsample.0.weight`, [width, before, 1, 1]);
        norm(`${name}.downsample.1`, width);
      }
      before = width;
    }
  });
  shapes.set("fc.weight", [classes, 512]);
  shapes.set("fc.bias", [classes]);
  return shapes;
}

/** Each weight's seed is the place of its name among all; norms begin as ones and zeros. */
function firstValues(shapes) {
  const weights = [...shapes].filter(([, shape]) => shape.length > 1).map(([name]) => name);
  weights.sort();
  const valuesOf = (name, shape) => {
    const count = shape.reduce((a, b) => a * b, 1);
    if (shape.length === 1) return new Float32Array(count).fill(name.endsWith("weight") ? 1 : 0);
    return hashedUniform(weights.indexOf(name) + 1, count, Math.sqrt((6 * shape[0]) / count));
  };
  return Object.fromEntries([...shapes].map(([name, shape]) => [name, from(valuesOf(name, shape), shape)]));
}

const convolved = (x, weight, stride, padding) =>
  lax.convGeneralDilated(x, weight, [stride, stride], [
    [padding, padding],
    [padding, padding],
  ]);
const normed = (x, weight, bias) =>
  nn
    .standardize(x, [0, 2, 3], { epsilon: 1e-5 })
    .mul(weight.reshape([-1, 1, 1]))
    .add(bias.reshape([-1, 1, 1]));

/** Windows of 3 at stride 2 with padding 1 of what is not negative: the larger of each pair and what follows it, by rows, then columns. */
function pooled(x) {
  const [batch, channels, size] = x.shape;
  const half = size / 2;
  const padded = np.pad(x, [
    [0, 0],
    [0, 0],
    [1, 1],
    [1, 1],
  ]);
  const wide = size + 2;
  const rows = padded.reshape([batch, channels, half + 1, 2, wide]);
  const next = rows.ref.slice([], [], [1, half + 1], 0, []);
  const byRows = np.maximum(np.max(rows.slice([], [], [0, half]), 3), next); // (B, C, half, wide)
  const columns = byRows.reshape([batch, channels, half, half + 1, 2]);
  const following = columns.ref.slice([], [], [], [1, half + 1], 0);
  return np.maximum(np.max(columns.slice([], [], [], [0, half]), 4), following);
}

function logitsOf(p, images) {
  const pair = (name) => [p[`${name}.weight`], p[`${name}.bias`]];
  let x = pooled(nn.relu(normed(convolved(images, p["conv1.weight"], 2, 3), ...pair("bn1"))));
  widths.forEach((_, i) => {
    for (const block of [0, 1]) {
      const name = `layer${i + 1}.${block}`;
      const stride = i > 0 && block === 0 ? 2 : 1;
      const first = nn.relu(normed(convolved(x.ref, p[`${name}.conv1.weight`], stride, 1), ...pair(`${name}.bn1`)));
      const branch = normed(convolved(first, p[`${name}.conv2.weight`], 1, 1), ...pair(`${name}.bn2`));
      const side = stride === 1 ? x : normed(convolved(x, p[`${name}.downsample.0.weight`], 2, 0), ...pair(`${name}.downsample.1`));
      x = nn.relu(branch.add(side));
    }
  });
  return np.matmul(np.mean(x, [2, 3]), np.transpose(p["fc.weight"])).add(p["fc.bias"]);
}

/**
 * `step` takes the next batch from memory and returns its loss, to be disposed by the caller.
 * @param {Extract<import("../../protocol.ts").Work, { kind: "resnet" }>} work
 */
export function buildStep({ imageSize, classes, batchSize, batches, learningRate }) {
  const size = batchSize * 3 * imageSize ** 2;
  const images = hashedUniform(10, batches * size, 1);
  const labels = oneHot(hashedLabels(11, batches * batchSize, classes), classes);
  const shapes = shapesOf(classes);
  let parameters = firstValues(shapes);
  let state = initialState(() => Object.fromEntries([...shapes].map(([name, shape]) => [name, np.zeros(shape)])));
  const lossOf = (p, x, y) =>
    nn
      .logSoftmax(logitsOf(p, x))
      .mul(y)
      .sum()
      .mul(-1 / batchSize);
  const train = jit((p, moments, x, y) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(p), x, y);
    return [loss, ...adamStep(p, gradients, moments, { learningRate, weightDecay: 0 })];
  });
  let position = 0;
  const step = () => {
    const at = position;
    position = (position + 1) % batches;
    const x = from(images.subarray(at * size, (at + 1) * size), [batchSize, 3, imageSize, imageSize]);
    const y = from(labels.subarray(at * batchSize * classes, (at + 1) * batchSize * classes), [batchSize, classes]);
    let loss;
    [loss, parameters, state] = train(parameters, state, x, y);
    return loss;
  };
  return { step, release: () => tree.dispose([parameters, state]) };
}
