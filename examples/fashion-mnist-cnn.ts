/** Ten kinds of clothes by five convolutions, with mirrored images. */
import { tensor } from "netwright";
import { type Dataset, fashionMnist, fashionMnistClasses } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { confusionMatrix } from "netwright/metrics";
import { BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { confusionChart } from "netwright/report";
import { fit, predict } from "netwright/train";
import { augment, randomFlip, toFloat } from "netwright/vision";
import { example, MissingData, type Run } from "./support/example.ts";

export default example({
  task: "tell kinds of clothes apart",
  data: "Fashion-MNIST, 60,000 images to train, 10,000 to test",
  metric: "accuracy",
  chance: 0.3,
  reference: {
    accuracy: { value: 0.934, from: "two convolutions with batch norms, the table of the data's authors" },
  },
  run,
});

async function run({ quick, seed, folder, training, say }: Run) {
  const clothes = await fashionMnist({ directory: folder, raw: true }).catch((error: Error) => {
    throw new MissingData(error.message);
  });
  const known = training(quick ? clothes.train.take(1200) : clothes.train);
  const train = known.map(augment(randomFlip(), toFloat()));
  const test: Dataset = (quick ? clothes.test.take(300) : clothes.test).map(augment(toFloat()));

  const convolution = (from: number, to: number) => [
    ...[new Conv2d(from, to, 3, { padding: 1, bias: false }), new BatchNorm2d(to), new ReLU()],
  ];
  // The image is halved early: most of the work is done on 14 × 14 and 7 × 7.
  const model = new Sequential(
    ...[...convolution(1, 16), new MaxPool2d(2)],
    ...[...convolution(16, 32), ...convolution(32, 32), new MaxPool2d(2), new Dropout(0.1)],
    ...[...convolution(32, 64), ...convolution(64, 64), new Flatten()],
    ...[new Dropout(0.4), new Linear(64 * 7 * 7, 128), new ReLU(), new Dropout(0.4), new Linear(128, 10)],
  );
  const [batchSize, epochs] = [64, quick ? 2 : 10];
  const steps = epochs * Math.ceil(train.length / batchSize);
  await fit(model, train, {
    ...{ loss: crossEntropy, epochs, batchSize, seed, progress: "none" },
    optimizer: adamw({ learningRate: cosine({ from: 3e-3, to: 1e-5, steps }), weightDecay: 0.01 }),
    callbacks: [
      { onEpochEnd: ({ epoch, scores }) => say(`epoch ${epoch}: loss ${scores.loss!.toFixed(4)}`) },
    ],
  });

  const predicted = await tensor(await predict(model, test))
    .argmax(-1)
    .data();
  const table = confusionMatrix(predicted, test.column("labels").data, { numClasses: 10 }).toArray();
  return {
    scores: { accuracy: table.reduce((sum, row, i) => sum + row[i]!, 0) / test.length },
    splits: { train: clothes.train.take(train.length), test: clothes.test },
    pictures: [
      confusionChart({
        ...{ title: "Mistakes on the test images", names: fashionMnistClasses, counts: table },
        mistakesOnly: true,
      }),
    ],
  };
}
