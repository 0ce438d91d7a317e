/** An LSTM over a batch of sequences: the training step, and the outputs alone. */
import { compile, grad, type Tensor } from "netwright";
import { mse } from "netwright/losses";
import { LSTM } from "netwright/nn";
import { SGD } from "netwright/optim";
import { hashedUniform } from "../data.ts";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

type Sizes = Pick<WorkOf<"lstm">, "inputSize" | "hiddenSize" | "length" | "batchSize">;

const weightLimit = 0.1;

/** Weights by a formula, without biases: frameworks differ in how many there are. */
function layerOf({ inputSize, hiddenSize }: Sizes): LSTM {
  const layer = new LSTM(inputSize, hiddenSize, { bias: false });
  const rows = 4 * hiddenSize;
  const weight = (seed: number, columns: number) => ({
    dtype: "f32" as const,
    shape: [rows, columns],
    data: hashedUniform(seed, rows * columns, weightLimit),
  });
  layer.loadStateDict({ weight_ih_l0: weight(1, inputSize), weight_hh_l0: weight(2, hiddenSize) });
  return layer;
}

const sequences = ({ length, batchSize }: Sizes, seed: number, features: number): Tensor =>
  uniform(seed, [length, batchSize, features]);

/** The outputs for a batch. */
export function lstmForward(work: WorkOf<"lstm-forward">): Promise<Job> {
  const layer = layerOf(work);
  const x = sequences(work, 10, work.inputSize);
  const forward = compile((inputs: Tensor) => layer.forward(inputs).output);
  return repeated([x], () => forward(x));
}

/** A model's training step, still to be compiled. */
export function trainingStep(work: WorkOf<"lstm">): (inputs: Tensor, targets: Tensor) => Tensor {
  const layer = layerOf(work);
  const optimizer = new SGD(layer.parameters(), { learningRate: work.learningRate });
  return (inputs, targets) => {
    const loss = mse(layer.forward(inputs).output, targets);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  };
}

/** Sequences, and what is to come out. */
export const batchOf = (work: WorkOf<"lstm">): [Tensor, Tensor] => [
  sequences(work, 10, work.inputSize),
  sequences(work, 11, work.hiddenSize),
];

/** Reads the last loss of a sample. */
export async function lstm(work: WorkOf<"lstm">): Promise<Job> {
  const step = compile(trainingStep(work));
  const [x, y] = batchOf(work);
  const lossOfStep = async (): Promise<number> => {
    using loss = step(x, y);
    return Number(await loss.item());
  };
  const check: number[] = [];
  for (let i = 0; i < 3; i++) check.push(await lossOfStep());
  return {
    check,
    async run(iterations) {
      for (let i = 1; i < iterations; i++) step(x, y).dispose();
      await lossOfStep();
    },
    release() {
      for (const input of [x, y]) input.dispose();
    },
  };
}
