/** Overfitting: 500 digits are too few for a wide network. What each remedy is worth, and what more data would be. */
import { tensor } from "netwright";
import { type Dataset, mnist } from "netwright/data";
import { crossEntropy, l1Penalty, l2Penalty } from "netwright/losses";
import { Dropout, Flatten, Linear, type Module, ReLU, Sequential } from "netwright/nn";
import { adam } from "netwright/optim";
import { barChart, lineChart } from "netwright/report";
import { earlyStopping, type FitOptions, fit, predict } from "netwright/train";
import { augment, randomAffine, toFloat } from "netwright/vision";
import { example, type Run } from "./support/example.ts";

const all = "dropout and augmentation";

export default example({
  task: "compare remedies against overfitting",
  data: "MNIST: 500 images to train, 500 to validate, the 10,000 to test",
  metric: `accuracy, ${all}`,
  chance: 0.5,
  reference: {
    [`accuracy, ${all}`]: { value: 0.8569, from: "scikit-learn, MLPClassifier of the same size, no remedy" },
  },
  run,
});

interface Remedy extends Partial<FitOptions> {
  readonly dropout?: number;
  readonly images?: number;
  readonly isAugmented?: boolean;
}

/** One change each; the last takes two. */
const remedies: Readonly<Record<string, Remedy>> = {
  nothing: {},
  "early stopping": { callbacks: [earlyStopping({ patience: 5 })] },
  "L1 penalty": { penalty: (model: Module) => l1Penalty(model.parameters(), 3e-5) },
  "L2 penalty": { penalty: (model: Module) => l2Penalty(model.parameters(), 3e-4) },
  dropout: { dropout: 0.5 },
  augmentation: { isAugmented: true },
  [all]: { dropout: 0.5, isAugmented: true },
  "four times the data": { images: 2000 },
};

async function run({ quick, seed, folder, training, say }: Run) {
  // The same digits twice: as numbers, and as bytes, which is what images are changed as.
  const [numbers, bytes] = [
    await mnist({ directory: folder }),
    await mnist({ directory: folder, raw: true }),
  ];
  const pool = 2500;
  const start = (seed * pool) % (numbers.train.length - pool + 1);
  const plain = training(numbers.train.slice(start, start + pool));
  const raw = training(bytes.train.slice(start, start + pool));
  const validation = plain.take(500);
  const test = quick ? numbers.test.take(500) : numbers.test;
  // Each epoch sees each digit a little turned, moved and scaled.
  const change = augment(randomAffine({ rotate: 12, translate: [0.08, 0.08], scale: [0.9, 1.1] }), toFloat());

  const scores: Record<string, number> = {};
  const curves = new Map<string, readonly number[]>();
  const chosen = quick ? ["nothing", all] : Object.keys(remedies);
  for (const name of chosen) {
    const { dropout = 0, images = 500, isAugmented = false, ...options } = remedies[name]!;
    const model = new Sequential(
      ...[new Flatten(), new Linear(784, 256), new ReLU(), new Dropout(dropout)],
      ...[new Linear(256, 256), new ReLU(), new Dropout(dropout), new Linear(256, 10)],
    );
    const train: Dataset = isAugmented
      ? raw.slice(500, 500 + images).map(change)
      : plain.slice(500, 500 + images);
    const history = await fit(model, train, {
      ...{ loss: crossEntropy, optimizer: adam(), epochs: quick ? 12 : 60, batchSize: 32, seed },
      ...{ validation, progress: "none", checks: false, ...options },
    });
    scores[`accuracy, ${name}`] = await accuracyOf(model, test);
    curves.set(name, history.series("validationLoss"));
    say(`${name}: ${scores[`accuracy, ${name}`]!.toFixed(4)} after ${history.epochs.length} epochs`);
  }

  const series = [...curves].map(([name, y]) => ({ name, x: y.map((_, epoch) => epoch + 1), y }));
  return {
    scores,
    splits: { train: plain.slice(500), validation, test },
    pictures: [
      barChart({
        ...{ title: "Accuracy in the test", x: "accuracy", y: "" },
        bars: Object.entries(scores).map(([name, value]) => ({
          name: name.replace("accuracy, ", ""),
          value,
        })),
      }),
      lineChart({
        ...{ title: "Loss on validation", x: "epoch", y: "cross-entropy", logY: true },
        series: series.filter(({ name }) => ["nothing", "L2 penalty", "augmentation", all].includes(name)),
      }),
    ],
  };
}

async function accuracyOf(model: Module, test: Dataset): Promise<number> {
  const predicted = await tensor(await predict(model, test))
    .argmax(-1)
    .data();
  const labels = test.column("labels").data as Int32Array;
  return labels.filter((label, i) => label === predicted[i]).length / labels.length;
}
