/** Ten kinds of clothes by five convolutions, with mirrored images. */
import { tensor } from "netwright";
import { fashionMnist, fashionMnistClasses } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { confusionMatrix } from "netwright/metrics";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
} from "netwright/nn";
import { adamw, oneCycle } from "netwright/optim";
import { confusionChart } from "netwright/report";
import { fit, predict } from "netwright/train";
import { augment, horizontalFlip, randomFlip, type Transform, toFloat } from "netwright/vision";
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
  const known = training(quick ? clothes.train.take(3000) : clothes.train);
  const train = known.map(augment(randomFlip(), toFloat()));
  const test = quick ? clothes.test.take(300) : clothes.test;

  const convolution = (from: number, to: number) => [
    ...[new Conv2d(from, to, 3, { padding: 1, bias: false }), new BatchNorm2d(to), new ReLU()],
  ];
  // The image is halved early: most of the work is done on 14 × 14 and 7 × 7.
  const model = new Sequential(
    ...[...convolution(1, 24), new MaxPool2d(2)],
    ...[...convolution(24, 48), ...convolution(48, 48), new MaxPool2d(2)],
    ...[...convolution(48, 96), ...convolution(96, 96), new AdaptiveAvgPool2d(1), new Flatten()],
    ...[new Dropout(0.2), new Linear(96, 10)],
  );
  const [batchSize, epochs] = [64, quick ? 3 : 8];
  const steps = epochs * Math.ceil(train.length / batchSize);
  await fit(model, train, {
    ...{ epochs, batchSize, seed, progress: "none" },
    loss: (logits, labels) => crossEntropy(logits, labels, { labelSmoothing: 0.1 }),
    optimizer: adamw({ learningRate: oneCycle({ peak: 4e-3, steps, rise: 0.25 }), weightDecay: 0.05 }),
    callbacks: [
      { onEpochEnd: ({ epoch, scores }) => say(`epoch ${epoch}: loss ${scores.loss!.toFixed(4)}`) },
    ],
  });

  // Each image is read twice, as it is and mirrored: the mean of both answers is the better one.
  const read = async (...changes: readonly Transform[]) =>
    tensor(await predict(model, test.map(augment(...changes, toFloat())))).softmax(-1);
  const plain = await read();
  const predicted = await plain
    .add(await read(horizontalFlip()))
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
