/** Ten kinds of clothes by a deeper convolutional network, with mirrored images. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { tensor } from "netwright";
import { type Dataset, mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { confusionMatrix } from "netwright/metrics";
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  MaxPool2d,
  type Module,
  ReLU,
  Sequential,
} from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { heatmapChart } from "netwright/report";
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

const names = [
  "T-shirt",
  "trousers",
  "pullover",
  "dress",
  "coat",
  "sandal",
  "shirt",
  "sneaker",
  "bag",
  "boot",
];

/** Where Debian's package puts it. */
const debian = "/usr/share/datasets/fashion-mnist";

async function run({ quick, seed, folder = debian, training, say }: Run) {
  if (
    !existsSync(join(folder, "train-images-idx3-ubyte.gz")) &&
    !existsSync(join(folder, "train-images-idx3-ubyte"))
  )
    throw new MissingData(
      `Fashion-MNIST is not in "${folder}"; on Debian "apt install dataset-fashion-mnist", elsewhere put its four IDX files ` +
        "into a folder and name it with --data DIR",
    );
  const clothes = await mnist({ directory: folder, raw: true });
  const known = training(quick ? clothes.train.take(1200) : clothes.train);
  const train = known.map(augment(randomFlip(), toFloat()));
  const test: Dataset<any> = (quick ? clothes.test.take(300) : clothes.test).map(augment(toFloat()));

  /** Two convolutions with norms, then half the size. */
  const block = (from: number, to: number) => [
    ...[new Conv2d(from, to, 3, { padding: 1, bias: false }), new BatchNorm2d(to), new ReLU()],
    ...[new Conv2d(to, to, 3, { padding: 1, bias: false }), new BatchNorm2d(to), new ReLU()],
    ...[new MaxPool2d(2), new Dropout(0.2)],
  ];
  const model = new Sequential(
    ...[...block(1, 24), ...block(24, 48), new Flatten()],
    ...[new Linear(48 * 7 * 7, 128), new ReLU(), new Dropout(0.4), new Linear(128, 10)],
  ) as Module;
  const [batchSize, epochs] = [64, quick ? 2 : 12];
  const steps = epochs * Math.ceil(train.length / batchSize);
  await fit(model, train as Dataset<any>, {
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
      heatmapChart({
        ...{ title: "Mistakes on the test images", x: "taken for", y: "is a" },
        ...{ rows: names, columns: names },
        values: table.map((row, i) => row.map((count, j) => (i === j ? 0 : count))),
      }),
    ],
  };
}
