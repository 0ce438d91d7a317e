/**
 * Handwritten digits with the training loop written out: the twin of `mnist.ts`.
 *
 *     node build/examples/mnist-loop.js --epochs 10 --seed 0 --batch-size 32 --schedule constant --target cpu --threads 1 --data DIR
 *
 * With the same flags it makes the same steps, so both end with the same weights, bit for bit. With --json it prints its
 * figures as one line of JSON.
 */
import { parseArgs } from "node:util";
import {
  compile,
  device,
  grad,
  seed as setSeed,
  setTarget,
  setThreads,
  type TargetName,
  type Tensor,
} from "netwright";
import { weightsSha256 } from "netwright/checkpoint";
import { loader, mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy, RunningMean } from "netwright/metrics";
import { Linear, Module } from "netwright/nn";
import { Adam, linear } from "netwright/optim";

const { values: flags } = parseArgs({
  options: {
    epochs: { type: "string", default: "10" },
    seed: { type: "string", default: "0" },
    "batch-size": { type: "string", default: "32" },
    schedule: { type: "string", default: "constant" },
    target: { type: "string" },
    threads: { type: "string" },
    data: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const epochs = Number(flags.epochs);
const seed = Number(flags.seed);
const batchSize = Number(flags["batch-size"]);
const say = flags.json ? () => {} : console.log;

// Before the first value is computed: what computes it. And the seed of the first weights.
if (flags.target) setTarget(flags.target as TargetName);
if (flags.threads) setThreads(Number(flags.threads));
setSeed(seed);

// A model is a class: layers are fields, `forward` says how they are joined. B is the size of the batch.
class Classifier extends Module {
  readonly hidden1 = new Linear(784, 64);
  readonly hidden2 = new Linear(64, 64);
  readonly output = new Linear(64, 10);

  forward(images: Tensor<[number, 784]>): Tensor<[number, 10]> {
    const first = this.hidden1.forward(images).relu(); // (B, 784) → (B, 64)
    const second = this.hidden2.forward(first).relu(); // (B, 64)
    return this.output.forward(second); // (B, 10): logits, one a digit
  }
}

const { train, test } = await mnist({ directory: flags.data });
const model = new Classifier();
const batches = loader(train, { batchSize, shuffle: { seed } });

const steps = epochs * batches.length;
const learningRate = flags.schedule === "linear" ? linear({ from: 1e-3, to: 0, steps }) : 1e-3;
const optimizer = new Adam(model.parameters(), { learningRate });

// One step as one program: it is traced at the first call, and runs as generated code from then on. The update of the
// parameters is part of it.
const trainStep = compile((images: Tensor<[number, 784]>, labels: Tensor<[number], "i32">) => {
  const loss = crossEntropy(model.forward(images), labels);
  optimizer.step(grad(loss, optimizer.parameters));
  return loss;
});

const testStep = compile((images: Tensor<[number, 784]>, labels: Tensor<[number], "i32">) => {
  const logits = model.forward(images);
  return { loss: crossEntropy(logits, labels), accuracy: accuracy(logits, labels) };
});

async function evaluate() {
  const means = { loss: new RunningMean(), accuracy: new RunningMean() };
  for (const { images, labels } of loader(test, { batchSize: 256 })) {
    const scores = testStep(images, labels);
    const count = labels.shape[0];
    means.loss.update(await scores.loss.item(), count);
    means.accuracy.update(await scores.accuracy.item(), count);
  }
  return { loss: means.loss.result(), accuracy: means.accuracy.result() };
}

let firstStepMs = 0; // from the start of the process
let scores = { loss: Number.NaN, accuracy: Number.NaN };
const seconds: number[] = [];
for (let epoch = 1; epoch <= epochs; epoch++) {
  const started = performance.now();
  const mean = new RunningMean();
  for (const { images, labels } of batches) {
    mean.update(await trainStep(images, labels).item(), labels.shape[0]);
    firstStepMs ||= performance.now();
  }
  seconds.push((performance.now() - started) / 1000);
  scores = await evaluate();
  const validation = `validation loss ${scores.loss.toFixed(4)}  validation accuracy ${scores.accuracy.toFixed(4)}`;
  say(
    `epoch ${epoch}/${epochs}  ${seconds.at(-1)!.toFixed(1)} s  loss ${mean.result().toFixed(4)}  ${validation}`,
  );
}

const secondsPerEpoch = [...seconds].sort((a, b) => a - b)[Math.floor(seconds.length / 2)] ?? 0;
const figures = {
  epochs,
  secondsPerEpoch,
  microsecondsPerStep: (1e6 * secondsPerEpoch) / batches.length,
  firstStepMs,
  testAccuracy: scores.accuracy,
  weightsSha256: await weightsSha256(model),
  peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  ...{ target: device().target, threads: device().threads, seed },
};
if (flags.json) console.log(JSON.stringify(figures));
else
  console.log(
    `${figures.microsecondsPerStep.toFixed(0)} µs a step, first step after ${firstStepMs.toFixed(0)} ms`,
  );
