/** A layer of LSTM in jax-js, as a user writes it: it has no loop that is compiled, so the steps are written out. */
import { jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { hashedUniform } from "../../../build/bench/data.js";

const uniform = (seed, shape, limit) => {
  const count = shape.reduce((a, b) => a * b, 1);
  return np.array(hashedUniform(seed, count, limit), { shape });
};

/** PyTorch's layout, (4 · hidden, inputs), the gates i, f, g, o. */
const weightsOf = ({ inputSize, hiddenSize }) => [
  uniform(1, [4 * hiddenSize, inputSize], 0.1),
  uniform(2, [4 * hiddenSize, hiddenSize], 0.1),
];

/** (length, batch, inputs) → (length, batch, hidden). */
function outputs([inputWeight, hiddenWeight], x, { length, batchSize, inputSize, hiddenSize }) {
  const fromInputs = np.matmul(x.reshape([length * batchSize, inputSize]), np.transpose(inputWeight));
  const steps = np.split(fromInputs.reshape([length, batchSize, 4 * hiddenSize]), length, 0);
  const turned = np.transpose(hiddenWeight);
  let [h, c] = [np.zeros([batchSize, hiddenSize]), np.zeros([batchSize, hiddenSize])];
  const all = steps.map((own) => {
    const gates = own.reshape([batchSize, 4 * hiddenSize]).add(np.matmul(h, turned.ref));
    const [i, f, g, o] = np.split(gates, 4, 1);
    c = nn.sigmoid(f).mul(c).add(nn.sigmoid(i).mul(np.tanh(g)));
    h = nn.sigmoid(o).mul(np.tanh(c.ref));
    return h.ref;
  });
  tree.dispose([h, c, turned]);
  return np.stack(all);
}

/** Inputs and a function of them, which owns its arguments. */
export function buildForward(work) {
  const x = uniform(10, [work.length, work.batchSize, work.inputSize], 1);
  return { inputs: [...weightsOf(work), x], forward: (a, b, inputs) => outputs([a, b], inputs, work) };
}

/** `step` returns its loss, to be disposed by the caller. */
export function buildStep(work) {
  const { length, batchSize, inputSize, hiddenSize, learningRate } = work;
  let weights = weightsOf(work);
  const x = uniform(10, [length, batchSize, inputSize], 1);
  const y = uniform(11, [length, batchSize, hiddenSize], 1);
  const lossOf = (w, inputs, targets) => np.mean(np.square(outputs(w, inputs, work).sub(targets)));
  const train = jit((w, inputs, targets) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(w), inputs, targets);
    return [loss, tree.map((p, g) => p.sub(g.mul(learningRate)), w, gradients)];
  });
  const step = () => {
    let loss;
    [loss, weights] = train(weights, x.ref, y.ref);
    return loss;
  };
  return { step, release: () => tree.dispose([weights, x, y]) };
}
