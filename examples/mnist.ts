/**
 * Handwritten digits: trains a small network on MNIST and shows what it learnt.
 *
 *     npm run mnist -- --epochs 10 --seed 0 --batch-size 32 --schedule constant --target cpu --threads 1 --data DIR
 *
 * Read it from top to bottom: data, model, training, results, saving. With --json it prints its figures as one line of JSON
 * instead. `mnist-loop.ts` is its twin with the training loop written out.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { device, seed as setSeed, setTarget, setThreads, type TargetName, tensor } from "netwright";
import { load, save, weightsSha256 } from "netwright/checkpoint";
import { mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy, classificationReport } from "netwright/metrics";
import { Linear, ReLU, Sequential } from "netwright/nn";
import { adam, linear } from "netwright/optim";
import { drawImages, sparkline, worstMistakes } from "netwright/report";
import { evaluate, fit, predict } from "netwright/train";

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

// 60,000 images to learn from and 10,000 to test with: 784 pixels from 0 to 1, and a label from 0 to 9.
const { train, test } = await mnist({ directory: flags.data });
say(`${train}\n${test}`);

// Two hidden layers of 64 neurons. The last layer gives logits, one a digit; the loss applies the softmax.
const makeModel = () =>
  new Sequential(new Linear(784, 64), new ReLU(), new Linear(64, 64), new ReLU(), new Linear(64, 10));
const model = makeModel();
say(`${model}\n`);
say(`computed by ${device().target} on ${device().threads} threads\n`);

// With `linear` the learning rate falls to zero over the whole run: it settles instead of wandering around.
const steps = epochs * Math.ceil(train.length / batchSize);
const learningRate = flags.schedule === "linear" ? linear({ from: 1e-3, to: 0, steps }) : 1e-3;

let firstStepMs = 0; // from the start of the process
const history = await fit(model, train, {
  ...{ validation: test, epochs, batchSize, seed, progress: flags.json ? "none" : "auto" },
  ...{ loss: crossEntropy, optimizer: adam({ learningRate }), metrics: [accuracy] },
  callbacks: [{ onStepEnd: () => void (firstStepMs ||= performance.now()) }],
});
say(`\nloss     ${sparkline(history.series("loss"))}`);
say(`accuracy ${sparkline(history.series("validationAccuracy"))}`);

// Which digit for which: precision, recall and F1 of each, and the table of confusions.
const logits = await predict(model, test);
const probabilities = await tensor(logits).softmax(-1).data();
const labels = test.column("labels").data;
const predicted = await tensor(logits).argmax(-1).data();
const report = classificationReport(predicted, labels, { numClasses: 10 });
say(`\ntest accuracy ${(100 * report.accuracy).toFixed(2)} %\n\n${report}\n\n${report.matrix.toText()}`);

// The mistakes that the model was surest of.
const mistakes = worstMistakes(probabilities, labels, { count: 4 }).map(
  ({ index, actual, predicted, confidence }) => ({
    pixels: test.sample(index).images,
    height: 28,
    width: 28,
    caption: `a ${actual}, taken for ${predicted} (${(100 * confidence).toFixed(0)} %)`,
  }),
);
say(
  `\nthe worst mistakes:\n\n${drawImages(mistakes, { columns: process.stdout.columns ?? 120, color: process.stdout.isTTY }).join("\n")}`,
);

// Saved, loaded into another model, it is the same to the last bit; and it can go on learning.
const file = join(tmpdir(), "mnist.safetensors");
await save(model, file);
const restored = makeModel();
await load(restored, file);
const options = { loss: crossEntropy, metrics: [accuracy] };
const [before, after] = [await evaluate(model, test, options), await evaluate(restored, test, options)];
const isSame = before.loss === after.loss && (await weightsSha256(model)) === (await weightsSha256(restored));
say(`\nsaved to ${file}, loaded again: ${isSame ? "the same bits" : "NOT the same"}`);
if (!isSame) process.exitCode = 1;

say("one epoch further:");
await fit(restored, train, {
  ...{ validation: test, batchSize, seed: seed + 1, progress: flags.json ? "none" : "auto" },
  ...{ loss: crossEntropy, optimizer: adam(), metrics: [accuracy] },
});

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const secondsPerEpoch = median(history.epochs.map(({ seconds }) => seconds));
const figures = {
  epochs,
  secondsPerEpoch,
  microsecondsPerStep: (1e6 * secondsPerEpoch) / Math.ceil(train.length / batchSize),
  firstStepMs,
  testAccuracy: report.accuracy,
  weightsSha256: await weightsSha256(model),
  peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  ...{ target: device().target, threads: device().threads, seed },
};
if (flags.json) console.log(JSON.stringify(figures));
else
  console.log(
    `\n${figures.microsecondsPerStep.toFixed(0)} µs a step, first step after ${firstStepMs.toFixed(0)} ms`,
  );
