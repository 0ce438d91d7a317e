/**
 * Handwritten digits by a convolutional network: 99.3 % of the test images, where `mnist.ts` reaches 97.5.
 *
 *     npm run mnist-cnn -- --epochs 8 --seed 1 --target cpu --threads 4 --data DIR
 *
 * With --json it prints its figures as one line of JSON instead.
 */
import { parseArgs } from "node:util";
import { device, seed as setSeed, setTarget, setThreads, type TargetName } from "netwright";
import { mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy } from "netwright/metrics";
import { Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential, Unflatten } from "netwright/nn";
import { adam, cosine } from "netwright/optim";
import { evaluate, fit } from "netwright/train";

const { values: flags } = parseArgs({
  options: {
    epochs: { type: "string", default: "8" },
    seed: { type: "string", default: "1" },
    target: { type: "string" },
    threads: { type: "string" },
    data: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const epochs = Number(flags.epochs);
const batchSize = 64;
if (flags.target) setTarget(flags.target as TargetName);
if (flags.threads) setThreads(Number(flags.threads));
setSeed(Number(flags.seed));

const { train, test } = await mnist({ directory: flags.data });

// A row of 784 pixels becomes an image of one channel. Two convolutions find parts of digits, each pooling halves the image:
// 28 × 28, 14 × 14, 7 × 7.
const model = new Sequential(
  new Unflatten(1, [1, 28, 28]),
  new Conv2d(1, 16, 3, { padding: "same" }),
  new ReLU(),
  new MaxPool2d(2),
  new Conv2d(16, 32, 3, { padding: "same" }),
  new ReLU(),
  new MaxPool2d(2),
  new Flatten(),
  new Linear(32 * 7 * 7, 128),
  new ReLU(),
  new Dropout(0.4),
  new Linear(128, 10),
);
if (!flags.json) console.log(`${model.summary([batchSize, 784])}\n`);

const steps = epochs * Math.ceil(train.length / batchSize);
const started = performance.now();
await fit(model, train, {
  loss: crossEntropy,
  optimizer: adam({ learningRate: cosine({ from: 2e-3, to: 1e-5, steps }) }),
  metrics: [accuracy],
  validation: test,
  epochs,
  batchSize,
  progress: flags.json ? "none" : "auto",
});
const seconds = (performance.now() - started) / 1000;

const scores = await evaluate(model, test, { loss: crossEntropy, metrics: [accuracy] });
const { target, threads } = device();
if (flags.json) console.log(JSON.stringify({ epochs, target, threads, seconds, ...scores }));
else
  console.log(
    `\n${(100 * scores.accuracy).toFixed(2)} % of the test images in ${seconds.toFixed(0)} s (${target}, ${threads} threads)`,
  );
