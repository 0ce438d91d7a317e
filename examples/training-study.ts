/** What learning rate, batch size and optimizer do: the same network on the same digits, for the same number of samples. */
import { type Dataset, mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy } from "netwright/metrics";
import { Linear, ReLU, Sequential } from "netwright/nn";
import { adam, lion, type OptimizerFactory, rmsprop, sgd } from "netwright/optim";
import { heatmapChart, lineChart } from "netwright/report";
import { evaluate, fit } from "netwright/train";
import { example, type Run } from "./support/example.ts";

const best = "accuracy in the test, the best of validation";

export default example({
  task: "choose optimizer, learning rate and batch size",
  data: "MNIST: 6,000 images to train, 2,000 to choose by, the 10,000 to test",
  metric: best,
  chance: 0.5,
  reference: {
    [best]: { value: 0.921, from: "scikit-learn, MLPClassifier of the same size, Adam with its defaults" },
  },
  run,
});

const optimizers: Readonly<Record<string, (learningRate: number) => OptimizerFactory>> = {
  SGD: (learningRate) => sgd({ learningRate }),
  momentum: (learningRate) => sgd({ learningRate, momentum: 0.9 }),
  RMSprop: (learningRate) => rmsprop({ learningRate }),
  Adam: (learningRate) => adam({ learningRate }),
  Lion: (learningRate) => lion({ learningRate }),
};
const rates = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1];
const batchSizes = [8, 32, 128, 512];

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder });
  const known = training(digits.train.take(quick ? 2000 : 8000));
  const [train, validation] = known.split(0.75, { seed });
  const epochs = quick ? 3 : 4;

  /** The score on validation; a training whose numbers overflow is worth nothing. */
  const tried = async (optimizer: OptimizerFactory, batchSize: number) => {
    const model = makeModel();
    try {
      await fit(model, train, {
        ...{ loss: crossEntropy, optimizer, epochs, batchSize, seed, progress: "none", checks: false },
      });
    } catch {
      return { model, score: 0.1 };
    }
    return { model, score: await accuracyOf(model, validation) };
  };

  let winner = { model: makeModel(), score: 0, name: "" };
  const byRate: Record<string, number[]> = {};
  for (const [name, make] of Object.entries(optimizers)) {
    if (quick && !["SGD", "Adam"].includes(name)) continue;
    byRate[name] = [];
    for (const rate of quick ? [1e-3, 1e-1] : rates) {
      const { model, score } = await tried(make(rate), 32);
      byRate[name].push(score);
      if (score > winner.score) winner = { model, score, name: `${name}, ${rate}` };
    }
    say(`${name}: ${byRate[name].map((score) => score.toFixed(3)).join(" ")}`);
  }

  const few = quick ? [32] : rates.filter((_, i) => i % 2 === 0);
  const byBatch: number[][] = [];
  for (const batchSize of quick ? [] : batchSizes) {
    const row: number[] = [];
    for (const rate of few) row.push((await tried(optimizers.momentum!(rate), batchSize)).score);
    byBatch.push(row);
    say(`batches of ${batchSize}: ${row.map((score) => score.toFixed(3)).join(" ")}`);
  }

  say(`the best of validation is ${winner.name}`);
  const bests = Object.entries(byRate).map(([name, row]) => [
    ...[`best accuracy of validation, ${name}`, Math.max(...row)],
  ]);
  return {
    scores: {
      [best]: await accuracyOf(winner.model, digits.test),
      ...Object.fromEntries(bests),
      ...Object.fromEntries(
        byBatch.map((row, i) => [
          `best accuracy of validation, batches of ${batchSizes[i]}`,
          Math.max(...row),
        ]),
      ),
    },
    splits: { train, validation, test: digits.test },
    pictures: [
      lineChart({
        ...{
          title: "Accuracy on validation by learning rate",
          x: "log₁₀ of the learning rate",
          y: "accuracy",
        },
        ...{ points: true, yLimits: [0, 1] as const },
        series: Object.entries(byRate).map(([name, y]) => ({
          ...{ name, y, x: (quick ? [1e-3, 1e-1] : rates).map(Math.log10) },
        })),
      }),
      heatmapChart({
        ...{ title: "Momentum: right of 100 by batch size and rate", x: "learning rate", y: "batch" },
        ...{ rows: (quick ? [] : batchSizes).map(String), columns: few.map(String) },
        values: byBatch.map((row) => row.map((score) => Math.round(1000 * score) / 10)),
      }),
    ].slice(0, quick ? 1 : 2),
  };
}

const makeModel = () =>
  new Sequential(new Linear(784, 64), new ReLU(), new Linear(64, 64), new ReLU(), new Linear(64, 10));

async function accuracyOf(model: Sequential, dataset: Dataset): Promise<number> {
  return (await evaluate(model, dataset, { loss: crossEntropy, metrics: [accuracy] })).accuracy!;
}
