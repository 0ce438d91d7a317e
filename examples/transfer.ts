/** Transfer: a body that has learnt the digits 0 to 4 learns 5 to 9 from a few labels, beside the same network from nothing. */
import { type Dataset, draws, mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy } from "netwright/metrics";
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
  Unflatten,
} from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { lineChart } from "netwright/report";
import { evaluate, fit } from "netwright/train";
import { example, type Run } from "./support/example.ts";

export default example({
  task: "learn new digits from a few labels, with a body that knows others",
  data: "MNIST: 0 to 4 train the body; 2 to 50 labels each of 5 to 9 fine-tune, the test images of 5 to 9 test",
  metric: "accuracy, all fine-tuned, 10 labels each",
  chance: 0.5,
  reference: {
    "accuracy, all fine-tuned, 10 labels each": {
      value: 0.843,
      from: "scikit-learn, RBF support vector machine on the same labels",
    },
  },
  run,
});

/** Images to 128 features. */
const makeBody = () =>
  new Sequential(
    new Unflatten(1, [1, 28, 28]),
    ...[new Conv2d(1, 16, 3, { padding: 1 }), new BatchNorm2d(16), new ReLU(), new MaxPool2d(2)],
    ...[new Conv2d(16, 32, 3, { padding: 1 }), new BatchNorm2d(32), new ReLU(), new MaxPool2d(2)],
    ...[new Flatten(), new Linear(32 * 7 * 7, 128), new ReLU()],
  );
/** Five classes, of the one half or the other. */
const withHead = (body: ReturnType<typeof makeBody>) =>
  new Sequential(body, new Dropout(0.3), new Linear(128, 5));

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder });
  const known = training(quick ? digits.train.take(6000) : digits.train);
  const low = known.filter(({ labels }) => labels < 5);
  const high = known.filter(({ labels }) => labels >= 5).map(fromZero);
  const test = (quick ? digits.test.take(1000) : digits.test)
    .filter(({ labels }) => labels >= 5)
    .map(fromZero);

  const body = makeBody();
  await train(withHead(body), low, { epochs: 2, batchSize: 64, seed, learningRate: 2e-3 });
  say(`the body has seen ${low.length} images of 0 to 4`);

  const ways = {
    "from nothing": { isPretrained: false, isFrozen: false },
    "body kept": { isPretrained: true, isFrozen: true },
    "all fine-tuned": { isPretrained: true, isFrozen: false },
  };
  const counts = quick ? [10] : [2, 10, 50];
  const scores: Record<string, number> = {};
  for (const count of counts) {
    const few = firstOfEach(high, count, seed);
    for (const [name, { isPretrained, isFrozen }] of Object.entries(ways)) {
      const own = makeBody();
      if (isPretrained) own.loadStateDict(body.stateDict());
      if (isFrozen) own.freeze();
      const model = withHead(own);
      // The same number of steps for all: about 150.
      const batchSize = Math.min(few.length, 50);
      const epochs = Math.ceil(((quick ? 60 : 150) * batchSize) / few.length);
      // A last layer alone bears larger steps.
      await train(model, few, { epochs, batchSize, seed, learningRate: isFrozen ? 2e-2 : 2e-3 });
      const result = await evaluate(model, test, { loss: crossEntropy, metrics: [accuracy] });
      scores[`accuracy, ${name}, ${count} labels each`] = result.accuracy!;
      say(`${count} labels each, ${name}: ${result.accuracy!.toFixed(4)}`);
    }
  }

  return {
    scores,
    splits: { body: low, few: firstOfEach(high, counts.at(-1)!, seed), test },
    pictures: [
      lineChart({
        ...{ title: "Accuracy for 5 to 9", x: "labels of each digit", y: "accuracy", points: true },
        series: Object.keys(ways).map((name) => ({
          ...{ name, x: counts },
          y: counts.map((count) => scores[`accuracy, ${name}, ${count} labels each`]!),
        })),
      }),
    ],
  };
}

const fromZero = <S extends { readonly labels: number }>(sample: S) => ({
  ...sample,
  labels: sample.labels - 5,
});

function train(
  model: Sequential,
  dataset: Dataset,
  { learningRate, ...options }: { epochs: number; batchSize: number; seed: number; learningRate: number },
) {
  const steps = options.epochs * Math.ceil(dataset.length / options.batchSize);
  return fit(model, dataset, {
    ...{ loss: crossEntropy, ...options, progress: "none", checks: false },
    optimizer: adamw({ learningRate: cosine({ from: learningRate, to: 1e-5, steps }), weightDecay: 0.01 }),
  });
}

/** As many of each class, by chance. */
function firstOfEach<D extends Dataset>(dataset: D, count: number, seed: number): D {
  const labels = dataset.column("labels").data as Int32Array;
  const order = draws(seed).shuffled(Array.from(labels.keys()));
  const chosen = [0, 1, 2, 3, 4].flatMap((label) => order.filter((i) => labels[i] === label).slice(0, count));
  return dataset.subset(chosen) as D;
}
