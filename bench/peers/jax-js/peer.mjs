/** jax-js on WebAssembly as a contender. More than one thread needs `workers.mjs`. */
import { readFileSync } from "node:fs";
import { threads } from "./workers.mjs";
import { hashedUniform, sample } from "../../../build/bench/data.js";
import { serve } from "../../../build/bench/serve.js";

const { blockUntilReady, init, jit, nn, numpy: np, tree } = await import("@jax-js/jax");
const { adamStep, initialState } = await import("./adam.mjs");
const { buildStep: buildImageStep } = await import("./cnn.mjs");
const { buildForward: buildLstmForward, buildStep: buildLstmStep } = await import("./lstm.mjs");
const { buildStep } = await import("./mlp.mjs");
const { buildStep: buildEncoderStep } = await import("./transformer.mjs");

/** @typedef {import("../../serve.ts").Job} Job */

const uniform = (seed, shape, limit = 1) => {
  const elements = shape.reduce((a, b) => a * b, 1);
  return np.array(hashedUniform(seed, elements, limit)).reshape(shape);
};

/**
 * Reads a loss, which makes the step run: jax-js's arrays are lazy, and its bookkeeping grows faster than the number of
 * steps that wait, so every step is read. The synchronous way is the faster one, and refused where workers run.
 */
const read = async (loss) => (threads > 1 ? await loss.data() : loss.dataSync())[0];

/**
 * Work without state: `forward` owns its arguments, so each call gets references.
 * @returns {Promise<Job>}
 */
async function once(inputs, forward) {
  const compiled = jit(forward);
  const call = async () => {
    const result = compiled(...inputs.map((input) => input.ref));
    await result.blockUntilReady();
    return result;
  };
  return {
    check: sample(await (await call()).data()),
    async run(iterations) {
      for (let i = 0; i < iterations; i++) (await call()).dispose();
    },
    release: () => tree.dispose(inputs),
  };
}

const mlp = (work) => training(buildStep(work));
const cnn = (work) => training(buildImageStep(work));
/** Three steps with images of 64×64, 8 a batch, were not done after 600 seconds of a busy machine. */
const resnet = () => "a step takes minutes";
const encoder = (work) => training(buildEncoderStep(work));

/** The gradient through 64 steps was not compiled after 400 seconds. */
const mostSteps = 16;
const lstm = (work) =>
  work.length > mostSteps ? `it has no loop: the gradient of ${work.length} steps written out takes minutes to compile` : training(buildLstmStep(work));
function lstmForward(work) {
  const { inputs, forward } = buildLstmForward(work);
  return once(inputs, forward);
}

/** @returns {Promise<Job>} */
async function training({ step, release }) {
  const check = [];
  for (let i = 0; i < 3; i++) check.push(await read(step()));
  return {
    check,
    async run(iterations) {
      for (let i = 0; i < iterations; i++) await read(step());
    },
    release,
  };
}

function matmul({ products, batch, rows, inner, columns, transposeA, transposeB }) {
  if (products > 1) return "not measured with chains";
  const matrices = batch > 1 ? [batch] : [];
  const a = uniform(1, [...matrices, ...(transposeA ? [inner, rows] : [rows, inner])]);
  const b = uniform(2, [...matrices, ...(transposeB ? [columns, inner] : [inner, columns])]);
  const last = batch > 1 ? [0, 2, 1] : [1, 0];
  const turned = (x, isTurned) => (isTurned ? np.transpose(x, last) : x);
  return once([a, b], (x, y) => np.matmul(turned(x, transposeA), turned(y, transposeB)));
}

const softmax = ({ rows, columns }) => once([uniform(1, [rows, columns], 4)], (x) => nn.softmax(x, -1));

function layernorm({ rows, columns, epsilon }) {
  const inputs = [uniform(1, [rows, columns], 4), uniform(2, [columns]), uniform(3, [columns])];
  return once(inputs, (x, weight, bias) => nn.standardize(x, -1, { epsilon }).mul(weight).add(bias));
}

const gelu = ({ elements }) => once([uniform(1, [elements], 4)], (x) => nn.gelu(x, { approximate: false }));

/** softmax(q·kᵀ/√size + mask)·v; its own function of this name needs a newer Node. */
function attention({ batch, heads, length, size, causal }) {
  const inputs = [1, 2, 3].map((seed) => uniform(seed, [batch, heads, length, size]));
  const mask = Float32Array.from({ length: length ** 2 }, (_, at) =>
    causal && at % length > Math.floor(at / length) ? -1e9 : 0,
  );
  return once([...inputs, np.array(mask).reshape([length, length])], (q, k, v, m) => {
    const scores = np.matmul(q, np.transpose(k, [0, 1, 3, 2])).mul(size ** -0.5).add(m);
    return np.matmul(nn.softmax(scores, -1), v);
  });
}

/** @returns {Promise<Job>} */
async function adamw({ elements, ...rates }) {
  const gradient = uniform(2, [elements]);
  let parameter = uniform(1, [elements]);
  let state = initialState(() => np.zeros([elements]));
  const compiled = jit((p, g, moments) => adamStep(p, g, moments, rates));
  const step = async () => {
    [parameter, state] = compiled(parameter, gradient.ref, state);
    await blockUntilReady([parameter, state]);
  };
  await step();
  return {
    check: sample(await parameter.ref.data()),
    async run(iterations) {
      for (let i = 0; i < iterations; i++) await step();
    },
    release: () => tree.dispose([parameter, gradient, state]),
  };
}

const jobs = {
  ...{ mlp, cnn, matmul, softmax, layernorm, gelu, adamw, attention },
  ...{ resnet, lstm, "lstm-forward": lstmForward, transformer: encoder, vit: encoder },
};
const { version } = JSON.parse(readFileSync(new URL("../node_modules/@jax-js/jax/package.json", import.meta.url), "utf8"));

await init("wasm");
await serve({ framework: "jax-js wasm", version, threads }, (work) => jobs[work.kind]?.(work) ?? "jax-js has no such work");
