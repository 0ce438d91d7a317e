/** Is this a face? A small network on 200 photographs, with the threshold chosen where neither training nor test have looked. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tensor } from "netwright";
import { arrayDataset, type Dataset, stratifiedKFold } from "netwright/data";
import { binaryCrossEntropy } from "netwright/losses";
import { rocAuc } from "netwright/metrics";
import { BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { lineChart } from "netwright/report";
import { fit, predict } from "netwright/train";
import { augment, randomAffine, randomFlip, toFloat } from "netwright/vision";
import { example, MissingData, type Run } from "./support/example.ts";

export default example({
  task: "tell faces from what is behind them",
  data: "100 faces and 100 pieces of background out of Labeled Faces in the Wild, 25 × 25; 5 folds, a quarter of each training part validates",
  metric: "ROC AUC",
  chance: 0.7,
  reference: {
    "ROC AUC": { value: 0.9935, from: "scikit-learn, RBF support vector machine" },
    "faces found": { value: 0.96, from: "scikit-learn, RBF support vector machine" },
  },
  run,
});

const [size, count] = [25, 200];
/** Where Debian's package python3-skimage puts it. */
const debian = "/usr/lib/python3/dist-packages/skimage/data";

async function run({ quick, seed, folder = debian, labels, say }: Run) {
  const pixels = readPhotos(join(folder, "lfw_subset.npy"));
  const isFace = Int32Array.from({ length: count }, (_, i) => (i < 100 ? 1 : 0));
  const photos = arrayDataset({
    images: { dtype: "u8", shape: [count, size, size], data: pixels },
    labels: isFace,
  });
  const learnt = labels(isFace);
  const change = augment(
    randomFlip(),
    randomAffine({ rotate: 10, translate: [0.08, 0.08], scale: [0.9, 1.1] }),
    toFloat(),
  );

  const probabilities = new Float64Array(count);
  const isAlarm = new Uint8Array(count);
  for (const [fold, { train: rest, test }] of stratifiedKFold(isFace, { shuffle: { seed } }).entries()) {
    // Of the four fifths a quarter chooses the threshold.
    const inner = stratifiedKFold(
      Int32Array.from(rest, (i) => isFace[i]!),
      { folds: 4, shuffle: { seed } },
    );
    const [known, asked] = [inner[0]!.train, inner[0]!.test].map((part) => Array.from(part, (i) => rest[i]!));
    const train = photos.subset(known!).map((sample, i) => ({
      images: sample.images,
      labels: { dtype: "f32" as const, shape: [1] as const, data: Float32Array.of(learnt[known![i]!]!) },
    }));
    const model = makeModel();
    const [batchSize, epochs] = [20, quick ? 12 : 60];
    const steps = epochs * Math.ceil(train.length / batchSize);
    await fit(model, train.map(change), {
      ...{ loss: binaryCrossEntropy, epochs, batchSize, seed: seed + fold, progress: "none", checks: false },
      optimizer: adamw({ learningRate: cosine({ from: 3e-3, to: 1e-5, steps }), weightDecay: 0.02 }),
    });
    // Alarms are cheap here: the threshold lets through 5 % of what is no face.
    const ofAsked = await probabilitiesOf(model, photos.subset(asked!));
    const others = ofAsked.filter((_, i) => isFace[asked![i]!] === 0).sort((a, b) => a - b);
    const threshold = others[Math.floor(0.95 * others.length)]!;
    const ofTest = await probabilitiesOf(model, photos.subset(test));
    for (const [i, row] of Array.from(test).entries()) {
      probabilities[row] = ofTest[i]!;
      isAlarm[row] = ofTest[i]! > threshold ? 1 : 0;
    }
    say(`fold ${fold + 1}: threshold ${threshold.toFixed(3)}`);
  }

  const share = (faces: number) =>
    isAlarm.filter((alarm, i) => alarm === 1 && isFace[i] === faces).length / 100;
  const half = stratifiedKFold(isFace, { shuffle: { seed } })[0]!;
  return {
    scores: { "ROC AUC": rocAuc(probabilities, isFace), "faces found": share(1), "false alarms": share(0) },
    splits: { train: photos.subset(half.train), test: photos.subset(half.test) },
    // No photograph is shown: they are not ours to publish.
    pictures: [curve(probabilities, isFace)],
  };
}

const makeModel = () =>
  new Sequential(
    ...[new Conv2d(1, 8, 3, { padding: 1 }), new BatchNorm2d(8), new ReLU(), new MaxPool2d(2)],
    ...[new Conv2d(8, 16, 3, { padding: 1 }), new BatchNorm2d(16), new ReLU(), new MaxPool2d(2)],
    ...[new Flatten(), new Dropout(0.5), new Linear(16 * 6 * 6, 1)],
  );

async function probabilitiesOf(model: Sequential, photos: Dataset): Promise<number[]> {
  const logits = await predict(model, photos.map(augment(toFloat())));
  return [...(await tensor(logits).sigmoid().data())].map(Number);
}

/** Faces found against false alarms, for every threshold. */
function curve(probabilities: Float64Array, isFace: Int32Array) {
  const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b]! - probabilities[a]!);
  let [found, alarms] = [0, 0];
  const points = order.map(
    (i) => (isFace[i] === 1 ? found++ : alarms++, [alarms / 100, found / 100] as const),
  );
  return lineChart({
    ...{ title: "Every threshold", x: "false alarms", y: "faces found", diagonal: true },
    series: [{ name: "faces", x: points.map(([x]) => x), y: points.map(([, y]) => y) }],
  });
}

/** NumPy's format, version 1: a magic word, a text that says shape and type, the numbers. Here 200 × 25 × 25 of float64, 0 … 1. */
function readPhotos(path: string): Uint8Array {
  if (!existsSync(path))
    throw new MissingData(
      `"${path}" is missing; on Debian "apt install python3-skimage" brings it, elsewhere name the folder "skimage/data" of ` +
        "scikit-image with --data DIR",
    );
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const text = bytes.toString("latin1", 0, start);
  const isRight =
    /^\x93NUMPY/.test(text) && text.includes("'<f8'") && text.includes(`(${count}, ${size}, ${size})`);
  if (!isRight || bytes.length !== start + 8 * count * size * size)
    throw new Error(
      `"${path}" is not the file of 200 photographs of scikit-image; its beginning is ${text.slice(0, 90)}`,
    );
  return Uint8Array.from({ length: count * size * size }, (_, i) => 255 * bytes.readDoubleLE(start + 8 * i));
}
