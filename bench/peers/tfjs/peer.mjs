/** TensorFlow.js on WebAssembly as a contender. In Node its threaded build is switched off (tfjs#3830): one thread. */
import * as tf from "@tensorflow/tfjs";
import { getThreadsCount, setThreadsCount, version_wasm } from "@tensorflow/tfjs-backend-wasm";
import { hashedUniform, sample } from "../../../build/bench/data.js";
import { numberArgument, serve } from "../../../build/bench/serve.js";
import { buildForward, buildLstmStep } from "./lstm.mjs";
import { buildStep } from "./mlp.mjs";
import { buildEncoderStep } from "./transformer.mjs";

/** @typedef {import("../../protocol.ts").Work} Work */
/** @typedef {import("../../serve.ts").Job} Job */

const uniform = (seed, shape, limit = 1) => {
  const elements = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(hashedUniform(seed, elements, limit), shape);
};

/**
 * Work without state.
 * @returns {Job}
 */
function once(inputs, forward) {
  const first = forward();
  const check = sample(first.dataSync());
  first.dispose();
  return {
    check,
    run(iterations) {
      for (let i = 0; i < iterations; i++) forward().dispose();
    },
    release: () => tf.dispose(inputs),
  };
}

/** @returns {Job} */
const mlp = (work) => training(buildStep(work));

/** @returns {Job} */
const lstm = (work) => training(buildLstmStep(work));

/** @returns {Job} */
const encoder = (work) => training(buildEncoderStep(work));

/** @returns {Job} */
function lstmForward(work) {
  const { inputs, forward } = buildForward(work);
  return once(inputs, forward);
}

/**
 * Reads the last loss of a sample.
 * @returns {Job}
 */
function training(step) {
  const losses = [step(), step(), step()];
  return {
    check: losses.map((loss) => loss.dataSync()[0]),
    run(iterations) {
      let loss;
      for (let i = 0; i < iterations; i++) {
        loss?.dispose();
        loss = step();
      }
      loss?.dataSync();
      loss?.dispose();
    },
    release: () => {
      tf.dispose(losses);
      tf.disposeVariables();
    },
  };
}

function matmul({ products, batch, rows, inner, columns, transposeA, transposeB }) {
  const matrices = batch > 1 ? [batch] : [];
  const a = uniform(1, [...matrices, ...(transposeA ? [inner, rows] : [rows, inner])]);
  if (products > 1) {
    const factors = tf.unstack(uniform(2, [products, inner, columns], Math.sqrt(3 / inner)));
    const chain = () => factors.reduce((x, y) => tf.matMul(x, y, transposeA, transposeB), a);
    return once([a, ...factors], () => tf.tidy(chain));
  }
  const b = uniform(2, [...matrices, ...(transposeB ? [columns, inner] : [inner, columns])]);
  return once([a, b], () => tf.matMul(a, b, transposeA, transposeB));
}

function softmax({ rows, columns }) {
  const x = uniform(1, [rows, columns], 4);
  return once([x], () => tf.softmax(x));
}

function layernorm({ rows, columns, epsilon }) {
  const x = uniform(1, [rows, columns], 4);
  const weight = uniform(2, [columns]);
  const bias = uniform(3, [columns]);
  const forward = () =>
    tf.tidy(() => {
      const { mean, variance } = tf.moments(x, -1, true);
      return x.sub(mean).mul(variance.add(epsilon).rsqrt()).mul(weight).add(bias);
    });
  return once([x, weight, bias], forward);
}

function gelu({ elements }) {
  const x = uniform(1, [elements], 4);
  return once([x], () => tf.tidy(() => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1))));
}

/** softmax(q·kᵀ/√size)·v: what may not be looked at has a large negative number added. */
function attention({ batch, heads, length, size, causal }) {
  const [q, k, v] = [1, 2, 3].map((seed) => uniform(seed, [batch, heads, length, size]));
  const past = tf.linalg.bandPart(tf.ones([length, length]), -1, causal ? 0 : -1);
  const forward = () =>
    tf.tidy(() => {
      const scores = tf.matMul(q, k, false, true).mul(size ** -0.5);
      return tf.matMul(tf.softmax(causal ? scores.add(past.sub(1).mul(1e9)) : scores), v);
    });
  return once([q, k, v, past], forward);
}

/** Adam with the decay beside it: TensorFlow.js has no AdamW. @returns {Job} */
function adamw({ elements, learningRate, weightDecay }) {
  const parameter = uniform(1, [elements]).variable(true, "parameter");
  const gradient = uniform(2, [elements]);
  const optimizer = tf.train.adam(learningRate, 0.9, 0.999, 1e-8);
  const step = () =>
    tf.tidy(() => {
      parameter.assign(parameter.mul(1 - learningRate * weightDecay));
      optimizer.applyGradients({ parameter: gradient });
    });
  step();
  return {
    check: sample(parameter.dataSync()),
    run(iterations) {
      for (let i = 0; i < iterations; i++) step();
    },
    release() {
      optimizer.dispose();
      tf.dispose([parameter, gradient]);
    },
  };
}

const cnn = () => "its WebAssembly backend has no gradient of a convolution";

const jobs = {
  ...{ mlp, cnn, matmul, softmax, layernorm, gelu, adamw, attention, lstm, "lstm-forward": lstmForward },
  ...{ resnet: cnn, transformer: encoder, vit: encoder },
};

setThreadsCount(numberArgument("threads", 1));
await tf.setBackend("wasm");
await tf.ready();
await serve(
  { framework: "TensorFlow.js wasm", version: version_wasm, threads: getThreadsCount() },
  (work) => jobs[work.kind]?.(work) ?? "TensorFlow.js has no such work",
);
