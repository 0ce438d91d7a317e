/** Handwritten digits by a convolutional network, which knows that neighbours belong together; `mnist.ts` does not. */
import { tensor } from "netwright";
import { mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy, confusionMatrix } from "netwright/metrics";
import { BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential } from "netwright/nn";
import { adam, cosine } from "netwright/optim";
import { confusionChart } from "netwright/report";
import { fit, predict } from "netwright/train";
import { augment, randomAffine, toFloat } from "netwright/vision";
import { example, type Run } from "./support/example.ts";

export default example({
  task: "read handwritten digits",
  data: "MNIST, 60,000 images to train, 10,000 to test",
  metric: "accuracy",
  chance: 0.4,
  reference: { accuracy: { value: 0.992, from: "LeNet-5 with distorted images, LeCun et al. 1998" } },
  run,
});

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder, raw: true });
  const known = training(quick ? digits.train.take(1200) : digits.train);
  // Each epoch sees each digit a little turned, moved and scaled.
  const change = randomAffine({ rotate: 10, translate: [0.07, 0.07], scale: [0.9, 1.1] });
  const train = known.map(augment(change, toFloat()));
  const test = (quick ? digits.test.take(300) : digits.test).map(augment(toFloat()));

  // Two convolutions find parts of digits, each pooling halves the image: 28 × 28, 14 × 14, 7 × 7.
  const model = new Sequential(
    new Conv2d(1, 16, 3, { padding: "same" }),
    new BatchNorm2d(16),
    new ReLU(),
    new MaxPool2d(2),
    new Conv2d(16, 32, 3, { padding: "same" }),
    new BatchNorm2d(32),
    new ReLU(),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(32 * 7 * 7, 128),
    new ReLU(),
    new Dropout(0.4),
    new Linear(128, 10),
  );
  const [batchSize, epochs] = [64, quick ? 4 : 10];
  say(`${model.summary([batchSize, 1, 28, 28])}\n`);

  // No choice is made by a score on the way, so there is no validation set: the learning rate falls to nothing by a plan.
  const steps = epochs * Math.ceil(train.length / batchSize);
  await fit(model, train, {
    ...{ loss: crossEntropy, optimizer: adam({ learningRate: cosine({ from: 2e-3, to: 1e-5, steps }) }) },
    ...{ metrics: [accuracy], epochs, batchSize, seed, progress: "none" },
    callbacks: [
      {
        onEpochEnd: ({ epoch, scores }) =>
          say(`epoch ${epoch}: accuracy in training ${scores.accuracy!.toFixed(4)}`),
      },
    ],
  });

  const predicted = await tensor(await predict(model, test))
    .argmax(-1)
    .data();
  const matrix = confusionMatrix(predicted, test.column("labels").data, { numClasses: 10 });
  const counts = matrix.toArray();
  const right = counts.reduce((sum, row, digit) => sum + row[digit]!, 0);
  return {
    scores: { accuracy: right / test.length },
    splits: { train: known, test: digits.test },
    pictures: [
      // Without the diagonal: thousands of right answers would hide the mistakes.
      confusionChart({
        ...{ title: "Mistakes on the test images", names: [..."0123456789"], counts },
        mistakesOnly: true,
      }),
    ],
  };
}
