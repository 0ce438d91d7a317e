/** Anomalies: an autoencoder that knows one digit only says the others again badly, and so finds them. */
import { tensor } from "netwright";
import { type Dataset, mnist } from "netwright/data";
import { binaryCrossEntropy } from "netwright/losses";
import { averagePrecision, rocAuc } from "netwright/metrics";
import { Autoencoder } from "netwright/models";
import { adam } from "netwright/optim";
import { histogramChart } from "netwright/report";
import { fit, predict } from "netwright/train";
import { example, type Run } from "./support/example.ts";

export default example({
  task: "find what does not belong, without having seen any of it",
  data: "MNIST: 2,000 images of one digit train; it and all others test",
  metric: "ROC AUC, mean of the digits",
  chance: 0.75,
  reference: {
    "ROC AUC, mean of the digits": { value: 0.9102, from: "scikit-learn, PCA with as many components" },
  },
  run,
});

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder });
  const known = training(digits.train.take(quick ? 4000 : 20_000));
  const test = quick ? digits.test.take(400) : digits.test.take(4000);
  const images = test.column("images").data;
  const labels = test.column("labels").data;

  const scores: Record<string, number> = {};
  let pictures: ReturnType<typeof histogramChart>[] = [];
  for (const normal of quick ? [0] : [0, 3, 8]) {
    const model = new Autoencoder({ inputSize: 784, latentSize: 16, hiddenSizes: [128] });
    const isNormal = known.column("labels").data;
    const rows = Array.from(isNormal.keys()).filter((i) => isNormal[i] === normal);
    // An image is its own label.
    const train: Dataset = known.subset(rows).map(({ images }) => ({ images, labels: images }));
    await fit(model, train, {
      ...{ loss: binaryCrossEntropy, optimizer: adam({ learningRate: 2e-3 }), epochs: quick ? 20 : 30 },
      ...{ batchSize: 32, seed, progress: "none", checks: false },
    });

    // How badly an image is said again: the mean squared error of its pixels.
    const again = await tensor(await predict(model, test, { inputs: ["images"] }))
      .sigmoid()
      .data();
    const errors = Array.from({ length: test.length }, (_, i) => {
      let sum = 0;
      for (let p = 784 * i; p < 784 * (i + 1); p++) sum += (again[p]! - images[p]!) ** 2;
      return sum / 784;
    });
    const isOther = Array.from(labels, (label) => Number(label !== normal));
    scores[`ROC AUC, ${normal} is normal`] = rocAuc(errors, isOther);
    // A tenth of what comes is normal here: the other way round precision says more.
    scores[`average precision of the normal, ${normal}`] = averagePrecision(
      errors.map((error) => -error),
      isOther.map((other) => 1 - other),
    );
    say(`${normal} is normal: ROC AUC ${scores[`ROC AUC, ${normal} is normal`]!.toFixed(4)}`);
    pictures = [0, 1].map((other) =>
      histogramChart({
        title: other === 0 ? `Error of images of ${normal}` : "Error of all others",
        x: `mean squared error, ${other === 0 ? `images of ${normal}` : "all others"}`,
        ...{ y: "images", low: 0, high: 0.1 },
        counts: countsOf(errors.filter((_, i) => isOther[i] === other)),
      }),
    );
  }
  const areas = Object.entries(scores).filter(([name]) => name.startsWith("ROC"));
  const mean = areas.reduce((sum, [, area]) => sum + area, 0) / areas.length;
  return {
    scores: { "ROC AUC, mean of the digits": mean, ...scores },
    splits: { train: known, test },
    pictures,
  };
}

function countsOf(errors: readonly number[]): number[] {
  const counts = new Array<number>(25).fill(0);
  for (const error of errors) counts[Math.min(24, Math.floor(error / 0.004))]!++;
  return counts;
}
