/** What augmentation buys: the same small network on 1,000 digits, with one kind of change at a time, and with all that are right. */
import { type Dataset, mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy } from "netwright/metrics";
import { Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential } from "netwright/nn";
import { adam, cosine } from "netwright/optim";
import { barChart } from "netwright/report";
import { evaluate, fit } from "netwright/train";
import {
  augment,
  elastic,
  randomAffine,
  randomCrop,
  randomErasing,
  randomFlip,
  randomRotation,
  renderBatch,
  type Transform,
  toFloat,
} from "netwright/vision";
import { example, type Run } from "./support/example.ts";

const together = "rotate, scale and crop";

export default example({
  task: "learn digits from 1,000 images, by what they are changed",
  data: "MNIST: 1,000 images to train, the 10,000 to test",
  metric: `accuracy, ${together}`,
  chance: 0.5,
  reference: {
    [`accuracy, ${together}`]: {
      value: 0.9178,
      from: "scikit-learn, RBF support vector machine on the images as they are",
    },
  },
  run,
});

const changes: Readonly<Record<string, readonly Transform[]>> = {
  nothing: [],
  // A mirrored 3 is no digit: not every change keeps the label.
  flip: [randomFlip()],
  erase: [randomErasing({ probability: 0.5, scale: [0.02, 0.15] })],
  rotate: [randomRotation(15)],
  crop: [randomCrop(28, { padding: 3 })],
  scale: [randomAffine({ rotate: 0, scale: [0.8, 1.2] })],
  elastic: [elastic({ alpha: 20, sigma: 4 })],
  [together]: [randomAffine({ rotate: 15, translate: [0.1, 0.1], scale: [0.8, 1.2] })],
};

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder, raw: true });
  const start = (seed * 1000) % 60_000;
  const train = training(digits.train.slice(start, start + 1000));
  const test = (quick ? digits.test.take(500) : digits.test).map(augment(toFloat()));

  const scores: Record<string, number> = {};
  for (const [name, transforms] of Object.entries(changes)) {
    if (quick && ![together, "nothing"].includes(name)) continue;
    const model = new Sequential(
      ...[new Conv2d(1, 16, 3, { padding: 1 }), new ReLU(), new MaxPool2d(2)],
      ...[new Conv2d(16, 32, 3, { padding: 1 }), new ReLU(), new MaxPool2d(2)],
      ...[new Flatten(), new Linear(32 * 7 * 7, 64), new ReLU(), new Dropout(0.3), new Linear(64, 10)],
    );
    const [batchSize, epochs] = [32, quick ? 4 : 20];
    const steps = epochs * Math.ceil(train.length / batchSize);
    await fit(model, train.map(augment(...transforms, toFloat())), {
      ...{ loss: crossEntropy, optimizer: adam({ learningRate: cosine({ from: 2e-3, to: 1e-5, steps }) }) },
      ...{ epochs, batchSize, seed, progress: "none", checks: false },
    });
    const result = await evaluate(model, test, { loss: crossEntropy, metrics: [accuracy] });
    scores[`accuracy, ${name}`] = result.accuracy!;
    say(`${name}: ${result.accuracy!.toFixed(4)}`);
  }

  return {
    scores,
    splits: { train, test: digits.test },
    pictures: [
      barChart({
        ...{ title: "Error in the test, by what the images are changed", x: "error (%)", y: "" },
        bars: Object.entries(scores).map(([name, value]) => ({
          ...{ name: name.replace("accuracy, ", ""), value: Number((100 - 100 * value).toFixed(2)) },
        })),
      }),
      await picture(train),
    ],
  };
}

/** One digit, three times by each change. */
function picture(train: Dataset): Promise<Uint8Array> {
  const rows = [0, 1, 2].flatMap((row) =>
    Object.values(changes).map((transforms) => {
      const change = augment(...transforms);
      const data = train.sample(2).images as Uint8Array;
      const { images } = change({ images: { dtype: "u8", shape: [28, 28, 1], data: data.slice() } }, row + 1);
      return [...images.data];
    }),
  );
  const images = { dtype: "u8" as const, shape: [rows.length, 28, 28], data: Uint8Array.from(rows.flat()) };
  return renderBatch({ images }, { columns: Object.keys(changes).length });
}
