/** Digits in cluttered scenes: where are they, how large, and which? A detector of centres, without anchors. */
import { tensor } from "netwright";
import { mnist } from "netwright/data";
import { type Detection, detectionScores } from "netwright/metrics";
import { CenterDetector, centerLoss, centerTargets } from "netwright/models";
import { adamw, cosine } from "netwright/optim";
import { fit } from "netwright/train";
import { renderBatch } from "netwright/vision";
import { example, type Run } from "./support/example.ts";
import { drawScene, type Scene, sceneSize } from "./support/scenes.ts";

export default example({
  task: "find digits in cluttered scenes",
  data: "scenes of 1 to 3 digits of MNIST among pieces of others, 64 × 64, made by a seeded script; 500 scenes of test digits",
  metric: "mAP at overlap 0.5",
  chance: 0.6,
  reference: {
    "mAP at overlap 0.5": {
      value: 0.602,
      from: "connected components read by a dense network, SciPy and scikit-learn",
    },
  },
  run,
});

const size = { height: sceneSize, width: sceneSize };

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder, raw: true });
  // Two classes are enough to see that all of it runs.
  const classes = quick ? 2 : 10;
  const known = training(digits.train.filter(({ labels }) => labels < classes));
  const unseen = digits.test.filter(({ labels }) => labels < classes);
  const scenesOfEpoch = quick ? 1000 : 6000;
  const epochs = quick ? 4 : 8;

  // Each epoch sees new scenes of the same digits: the key that `map` hands out is another in each.
  const scenes = known.take(scenesOfEpoch).map((_, __, key) => {
    const { pixels, things } = drawScene(known, key);
    const { isCenter, centers, sizes, offsets } = centerTargets([things], { numClasses: 10, ...size });
    const without = <H extends { shape: readonly number[] }>(map: H) => ({
      ...map,
      shape: map.shape.slice(1),
    });
    return {
      images: inputOf(pixels),
      isCenter: without(isCenter),
      ...{ centers: without(centers), sizes: without(sizes), offsets: without(offsets) },
    };
  });

  const model = new CenterDetector({
    numClasses: 10,
    inChannels: 1,
    width: 16,
    features: 32,
    blocks: [1, 1, 1, 1],
  });
  const batchSize = 16;
  const steps = epochs * Math.ceil(scenesOfEpoch / batchSize);
  await fit(model, scenes, {
    ...{ loss: centerLoss, inputs: ["images"], labels: ["isCenter", "centers", "sizes", "offsets"] },
    optimizer: adamw({ learningRate: cosine({ from: 3e-3, to: 1e-5, steps }), weightDecay: 1e-4 }),
    ...{ epochs, batchSize, seed, progress: "none", checks: false },
    callbacks: [
      { onEpochEnd: ({ epoch, scores }) => say(`epoch ${epoch}: loss ${scores.loss!.toFixed(3)}`) },
    ],
  });

  model.eval();
  const test = Array.from({ length: quick ? 100 : 500 }, (_, i) => drawScene(unseen, i));
  const found: Detection[][] = [];
  for (let i = 0; i < test.length; i += 50) {
    const batch = test.slice(i, i + 50).map(({ pixels }) => Array.from(inputOf(pixels).data));
    const images = tensor(Float32Array.from(batch.flat()), {
      shape: [batch.length, 1, sceneSize, sceneSize],
    });
    found.push(...(await model.detect(images, { threshold: 0.05 })));
  }
  const all = detectionScores(
    found,
    test.map(({ things }) => things),
  );
  return {
    scores: {
      "mAP at overlap 0.5": all.averagePrecision50,
      "mAP, overlaps 0.5 to 0.95": all.meanAveragePrecision,
      "recall of 10 boxes": all.recall10,
    },
    splits: { train: known, test: unseen },
    pictures: [await picture(test.slice(0, 8), found)],
  };
}

const inputOf = (pixels: Uint8Array) => ({
  ...{ dtype: "f32" as const, shape: [1, sceneSize, sceneSize] as const },
  data: Float32Array.from(pixels, (ink) => ink / 255),
});

/** Scenes with the boxes that are surer than a half. */
function picture(scenes: readonly Scene[], found: readonly (readonly Detection[])[]): Promise<Uint8Array> {
  const kept = scenes.map((_, i) => found[i]!.filter(({ score }) => score > 0.4).slice(0, 3));
  const boxes = new Float32Array(scenes.length * 3 * 4);
  const labels = new Int32Array(scenes.length * 3).fill(-1);
  for (const [i, list] of kept.entries())
    for (const [j, { box, label }] of list.entries()) {
      boxes.set(box, (3 * i + j) * 4);
      labels[3 * i + j] = label;
    }
  const images = Uint8Array.from(scenes.flatMap(({ pixels }) => [...pixels]));
  return renderBatch(
    {
      images: { dtype: "u8", shape: [scenes.length, sceneSize, sceneSize], data: images },
      boxes: { dtype: "f32", shape: [scenes.length, 3, 4], data: boxes },
      labels: { dtype: "i32", shape: [scenes.length, 3], data: labels },
    },
    { columns: 4 },
  );
}
