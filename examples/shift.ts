/** Evaluation under shift: how good is a digit reader on images that are noisier, turned or blurred, as its training never was? */

import { tensor } from "netwright";
import { type Dataset, mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { expectedCalibrationError } from "netwright/metrics";
import { Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential } from "netwright/nn";
import { adam, cosine } from "netwright/optim";
import { lineChart } from "netwright/report";
import { fit, predict } from "netwright/train";
import {
  augment,
  gaussianBlur,
  gaussianNoise,
  randomAffine,
  renderBatch,
  rotate,
  type Transform,
  toFloat,
} from "netwright/vision";
import { example, type Run } from "./support/example.ts";

const [plain, varied] = ["trained on plain images", "trained on varied images"];

export default example({
  task: "read digits that are noisy, turned or blurred, trained on others",
  data: "MNIST: 12,000 images to train, 2,000 test images under 3 shifts of 5 strengths",
  metric: `accuracy under shift, ${varied}`,
  chance: 0.4,
  reference: {
    [`accuracy under shift, ${varied}`]: { value: 0.669, from: "scikit-learn, MLPClassifier of 128 units" },
  },
  run,
});

/** Each from nothing to strong. None is in the training of the varied reader as it is here: that sees small changes of all kinds. */
const shifts: Readonly<
  Record<string, { strengths: readonly number[]; change: (strength: number) => Transform }>
> = {
  noise: { strengths: [0.1, 0.2, 0.3, 0.4, 0.5], change: (deviation) => gaussianNoise({ deviation }) },
  turned: { strengths: [10, 20, 30, 45, 60], change: (degrees) => rotate(degrees) },
  blurred: { strengths: [0.75, 1, 1.5, 2, 2.5], change: (sigma) => gaussianBlur({ sigma }) },
};

const makeModel = () =>
  new Sequential(
    ...[new Conv2d(1, 16, 3, { padding: 1 }), new ReLU(), new MaxPool2d(2)],
    ...[new Conv2d(16, 32, 3, { padding: 1 }), new ReLU(), new MaxPool2d(2)],
    ...[new Flatten(), new Linear(32 * 7 * 7, 64), new ReLU(), new Dropout(0.3), new Linear(64, 10)],
  );

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder, raw: true });
  const known = training(digits.train.take(quick ? 1500 : 12_000));
  const test = digits.test.take(quick ? 200 : 2000);
  const small = randomAffine({ rotate: 15, translate: [0.08, 0.08], scale: [0.9, 1.1] });
  const ways = {
    [plain]: augment(toFloat()),
    [varied]: augment(small, gaussianBlur({ sigma: [0.1, 1] }), gaussianNoise({ deviation: 0.1 }), toFloat()),
  };

  const scores: Record<string, number> = {};
  const curves: { name: string; shift: string; accuracies: number[] }[] = [];
  for (const [name, change] of Object.entries(ways)) {
    const model = makeModel();
    const [batchSize, epochs] = [64, quick ? 3 : 5];
    const steps = epochs * Math.ceil(known.length / batchSize);
    await fit(model, known.map(change), {
      ...{ loss: crossEntropy, optimizer: adam({ learningRate: cosine({ from: 2e-3, to: 1e-5, steps }) }) },
      ...{ epochs, batchSize, seed, progress: "none", checks: false },
    });
    const clean = await judge(model, test, []);
    scores[`accuracy on clean images, ${name}`] = clean.accuracy;
    scores[`calibration error on clean images, ${name}`] = clean.calibrationError;
    const under: { accuracy: number; calibrationError: number }[] = [];
    for (const [shift, { strengths, change: by }] of Object.entries(shifts)) {
      const found = [clean];
      for (const strength of strengths) found.push(await judge(model, test, [by(strength)]));
      under.push(...found.slice(1));
      curves.push({ name, shift, accuracies: found.map(({ accuracy }) => accuracy) });
      scores[`accuracy, ${shift}, ${name}`] = meanOf(found.slice(1).map(({ accuracy }) => accuracy));
    }
    scores[`accuracy under shift, ${name}`] = meanOf(under.map(({ accuracy }) => accuracy));
    scores[`calibration error under shift, ${name}`] = meanOf(
      under.map(({ calibrationError }) => calibrationError),
    );
    say(
      `${name}: ${clean.accuracy.toFixed(4)} clean, ${scores[`accuracy under shift, ${name}`]!.toFixed(4)} shifted`,
    );
  }

  const charts = Object.keys(shifts).map((shift) =>
    lineChart({
      ...{
        title: `Accuracy, ${shift}`,
        x: { noise: "noise, standard deviation", turned: "turned by degrees", blurred: "blur, σ in pixels" }[
          shift
        ]!,
        y: "accuracy",
        yLimits: [0, 1] as const,
        points: true,
      },
      series: curves
        .filter((curve) => curve.shift === shift)
        .map(({ name, accuracies }) => ({ name, x: [0, ...shifts[shift]!.strengths], y: accuracies })),
    }),
  );
  return { scores, splits: { train: known, test }, pictures: [await picture(test), ...charts] };
}

/** How often it is right, and how far its probabilities are from how often it is right. */
async function judge(model: Sequential, test: Dataset, change: readonly Transform[]) {
  const logits = tensor(await predict(model, test.map(augment(...change, toFloat()))));
  const labels = test.column("labels").data as Int32Array;
  const predicted = await logits.argmax(-1).data();
  const confidences = await logits.softmax(-1).max(-1).data();
  const isRight = Array.from(labels, (label, i) => label === predicted[i]);
  return {
    accuracy: isRight.filter(Boolean).length / labels.length,
    calibrationError: expectedCalibrationError(confidences, isRight),
  };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** A few digits in every shift, in rising strength. */
function picture(test: Dataset): Promise<Uint8Array> {
  const rows = Object.values(shifts).flatMap(({ strengths, change }, row) =>
    strengths.map((strength) => {
      const data = test.sample(row).images as Uint8Array;
      return [...change(strength)({ dtype: "u8", shape: [28, 28, 1], data: data.slice() }, 1).data];
    }),
  );
  const images = { dtype: "u8" as const, shape: [rows.length, 28, 28], data: Uint8Array.from(rows.flat()) };
  return renderBatch({ images }, { columns: 5 });
}
