/** Which pixel belongs to which digit? A U-Net colours cluttered scenes, where strokes that mean nothing are to be left out. */
import { tensor } from "netwright";
import { arrayDataset, mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { confusionMatrix } from "netwright/metrics";
import { UNet } from "netwright/models";
import { adamw, cosine, warmup } from "netwright/optim";
import { fit, predict } from "netwright/train";
import { renderBatch } from "netwright/vision";
import { example, type Run } from "./support/example.ts";
import { drawScene, sceneSize } from "./support/scenes.ts";

export default example({
  task: "say for each pixel of a scene which digit it belongs to",
  data: "scenes of 1 to 3 digits of MNIST among pieces of others, 64 × 64, made by a seeded script; 500 scenes of test digits",
  metric: "mean IoU of the digits",
  chance: 0.5,
  reference: {
    "mean IoU of the digits": {
      value: 0.469,
      from: "connected components read by a dense network, SciPy and scikit-learn",
    },
  },
  run,
});

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder, raw: true });
  // Two classes are enough to see that all of it runs.
  const kinds = quick ? 2 : 10;
  const known = training(digits.train.filter(({ labels }) => labels < kinds));
  const unseen = digits.test.filter(({ labels }) => labels < kinds);
  const scenesOfEpoch = quick ? 500 : 2500;
  const epochs = quick ? 3 : 14;
  const pixelsOf = (pixels: Uint8Array) => Float32Array.from(pixels, (ink) => ink / 255);

  // Each epoch sees new scenes of the same digits: the key that `map` hands out is another in each.
  const image = { dtype: "f32" as const, shape: [1, sceneSize, sceneSize] as const };
  const map = { dtype: "i32" as const, shape: [sceneSize, sceneSize] as const };
  const scenes = known.take(scenesOfEpoch).map((_, __, key) => {
    const { pixels, classes } = drawScene(known, key);
    return { images: { ...image, data: pixelsOf(pixels) }, labels: { ...map, data: classes } };
  });

  // 64 × 64, 32 × 32, 16 × 16 and 8 × 8 with 8, 16, 32 and 64 channels, and back. 11 classes a pixel.
  const model = new UNet({ inChannels: 1, outChannels: 11, width: 8, depth: 3 });
  const batchSize = 8;
  const steps = epochs * Math.ceil(scenesOfEpoch / batchSize);
  await fit(model, scenes, {
    // Logits are (N, 11, 64, 64): the loss wants classes last. Nine pixels of ten are ground, and weigh less.
    loss: (logits, labels) =>
      crossEntropy(logits.permute([0, 2, 3, 1]), labels, { classWeights: [...Array(10).fill(1), 0.2] }),
    // Without a gentle start some seeds find nothing but ground for whole epochs.
    optimizer: adamw({
      learningRate: warmup(Math.ceil(steps / 20), cosine({ from: 3e-3, to: 1e-5, steps })),
      weightDecay: 1e-4,
    }),
    ...{ epochs, batchSize, seed, clipNorm: 1, progress: "none", checks: false },
    callbacks: [
      { onEpochEnd: ({ epoch, scores }) => say(`epoch ${epoch}: loss ${scores.loss!.toFixed(4)}`) },
    ],
  });

  const drawn = Array.from({ length: quick ? 60 : 500 }, (_, i) => drawScene(unseen, i));
  const count = drawn.length;
  const test = arrayDataset({
    images: {
      ...{ dtype: "f32", shape: [count, 1, sceneSize, sceneSize] },
      data: Float32Array.from(drawn.flatMap(({ pixels }) => [...pixelsOf(pixels)])),
    },
  });
  const logits = tensor(await predict(model, test, { inputs: ["images"], batchSize: 50 }));
  const found = (await logits.argmax(1).data()) as Int32Array;
  const truth = Int32Array.from(drawn.flatMap(({ classes }) => [...classes]));
  const table = confusionMatrix(found, truth, { numClasses: 11 }).toArray();
  // What is both, of what is either: TP / (TP + FP + FN).
  const overlaps = Array.from({ length: kinds }, (_, digit) => {
    const marked = table.reduce((sum, row) => sum + row[digit]!, 0);
    const there = table[digit]!.reduce((sum, pixels) => sum + pixels, 0);
    return table[digit]![digit]! / (marked + there - table[digit]![digit]!);
  });
  const right = table.reduce((sum, row, i) => sum + row[i]!, 0);
  return {
    scores: {
      "mean IoU of the digits": overlaps.reduce((sum, iou) => sum + iou, 0) / kinds,
      "pixels right": right / truth.length,
      "pixels right, of digits alone":
        table.slice(0, 10).reduce((sum, row, i) => sum + row[i]!, 0) /
        table
          .slice(0, 10)
          .flat()
          .reduce((sum, pixels) => sum + pixels, 0),
    },
    splits: { train: known, test: unseen },
    pictures: [
      await picture(
        drawn.slice(0, 6).map(({ pixels }) => pixels),
        found,
      ),
    ],
  };
}

const colors = [
  ...[
    [230, 60, 60],
    [60, 140, 230],
    [60, 180, 75],
    [245, 170, 40],
    [150, 80, 200],
    [70, 200, 200],
  ],
  ...[
    [235, 80, 190],
    [170, 200, 50],
    [160, 110, 60],
    [120, 130, 250],
    [110, 110, 110],
  ],
] as const;

/** Scenes, and below them the same in the colours of what was found. */
function picture(scenes: readonly Uint8Array[], found: Int32Array): Promise<Uint8Array> {
  const area = sceneSize ** 2;
  const grey = scenes.flatMap((pixels) => [...pixels].flatMap((ink) => [ink, ink, ink]));
  const colored = scenes.flatMap((pixels, i) =>
    [...pixels].flatMap((ink, p) => {
      const color = ink < 40 ? [0, 0, 0] : colors[found[i * area + p]!]!;
      return color.map((part) => Math.round((part * Math.max(ink, 100)) / 255));
    }),
  );
  const data = Uint8Array.from([...grey, ...colored]);
  const images = { dtype: "u8" as const, shape: [2 * scenes.length, sceneSize, sceneSize, 3], data };
  return renderBatch({ images }, { columns: scenes.length });
}
