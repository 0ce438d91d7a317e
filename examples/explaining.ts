/** What does a reader of digits look at? Three ways to ask, and a measure: the pixels that are named are hidden, and it should fail. */
import { compile, grad, type Tensor, tensor } from "netwright";
import { draws, mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, Unflatten } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { fit } from "netwright/train";
import { renderBatch } from "netwright/vision";
import { example, type Run } from "./support/example.ts";

const metric = "accuracy lost, integrated gradients";

export default example({
  task: "explain what a reader of digits looks at",
  data: "MNIST: 12,000 images train; of 1,000 others the 20 pixels that matter most are hidden",
  metric,
  chance: 0.12,
  reference: { [metric]: { value: 0.0153, from: "as many inked pixels at random, the same program" } },
  run,
});

const pixels = 784;

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder });
  const known = training(digits.train.take(quick ? 3000 : 12_000));
  const model = new Sequential(
    new Unflatten(1, [1, 28, 28]),
    ...[new Conv2d(1, 16, 3, { padding: 1 }), new ReLU(), new MaxPool2d(2)],
    ...[new Conv2d(16, 32, 3, { padding: 1 }), new ReLU(), new MaxPool2d(2)],
    ...[new Flatten(), new Linear(32 * 7 * 7, 64), new ReLU(), new Linear(64, 10)],
  );
  const [batchSize, epochs] = [64, quick ? 2 : 4];
  await fit(model, known, {
    ...{ loss: crossEntropy, epochs, batchSize, seed, progress: "none" },
    optimizer: adamw({ learningRate: cosine({ from: 2e-3, steps: (epochs * known.length) / batchSize }) }),
  });
  model.eval();

  const test = digits.test.take(quick ? 200 : 1000);
  const { images, labels } = test.batch();
  const said = await answersOf(model, images.data);
  const ways: Record<string, Float32Array> = {
    "gradient × input": await explain(gradientTimesInput(model), images.data, said),
    "integrated gradients": await explain(integratedGradients(model, 24), images.data, said),
    occlusion: await explain(occlusion(model), images.data, said),
    "inked pixels at random": atRandom(images.data, seed),
  };
  const accuracy = (answers: ArrayLike<number>) =>
    Array.from(labels.data).filter((label, i) => answers[i] === label).length / test.length;
  const whole = accuracy(said);
  say(`${(100 * whole).toFixed(1)} % right as long as nothing is hidden`);
  const scores: Record<string, number> = {};
  for (const [name, importance] of Object.entries(ways)) {
    const hidden = withoutBest(images.data, importance, 20);
    scores[`accuracy lost, ${name}`] = whole - accuracy(await answersOf(model, hidden));
  }
  return {
    scores: { ...scores, "accuracy, nothing hidden": whole },
    splits: { train: known, test },
    pictures: [await picture(images.data, Object.values(ways).slice(0, 3))],
  };
}

type Explain = (images: Tensor, answers: Tensor) => Tensor;

/** The logits of the answers that were given, summed: each image's gradient is its own. */
const logitsOf = (model: Sequential, images: Tensor, answers: Tensor) =>
  model.forward(images).mul(answers.oneHot(10)).sum(-1);

/** What each pixel would add if the network were linear. */
const gradientTimesInput =
  (model: Sequential): Explain =>
  (images, answers) =>
    grad(logitsOf(model, images, answers).sum(), images).mul(images);

/** The gradient's mean on the way from black to the image, times it: Sundararajan, Taly and Yan 2017. */
const integratedGradients =
  (model: Sequential, steps: number): Explain =>
  (images, answers) => {
    const parts = Array.from({ length: steps }, (_, i) => {
      const between = images.mul((i + 0.5) / steps);
      return grad(logitsOf(model, between, answers).sum(), between);
    });
    return parts
      .reduce((sum, part) => sum.add(part))
      .div(steps)
      .mul(images);
  };

/** How far the answer's logit falls when a square of 4 × 4 is hidden: Zeiler and Fergus 2014. Squares lie 2 pixels apart. */
const occlusion =
  (model: Sequential): Explain =>
  (images, answers) => {
    const whole = logitsOf(model, images, answers);
    const falls: Tensor[] = [];
    for (let top = 0; top <= 24; top += 2)
      for (let left = 0; left <= 24; left += 2) {
        const square = Array.from({ length: pixels }, (_, p) => {
          const [row, column] = [Math.floor(p / 28) - top, (p % 28) - left];
          return Number(row >= 0 && row < 4 && column >= 0 && column < 4);
        });
        const hidden = images.mul(tensor(square).neg().add(1));
        const fall = whole.sub(logitsOf(model, hidden, answers));
        falls.push(fall.expandDims(-1).mul(tensor(square)));
      }
    return falls.reduce((sum, fall) => sum.add(fall)).mul(images.greater(0).cast("f32"));
  };

/** The importance of each pixel of each image, in batches. */
async function explain(way: Explain, images: Float32Array, answers: Int32Array): Promise<Float32Array> {
  const compiled = compile(way);
  const importance = new Float32Array(images.length);
  const batch = 100;
  for (let from = 0; from < answers.length; from += batch) {
    const part = images.subarray(from * pixels, (from + batch) * pixels);
    const found = compiled(
      tensor(part, { shape: [batch, pixels] }),
      tensor(answers.slice(from, from + batch)),
    );
    importance.set((await found.data()) as Float32Array, from * pixels);
  }
  return importance;
}

async function answersOf(model: Sequential, images: Float32Array): Promise<Int32Array> {
  const logits = model.forward(tensor(images, { shape: [images.length / pixels, pixels] }));
  return (await logits.argmax(-1).data()) as Int32Array;
}

function atRandom(images: Float32Array, seed: number): Float32Array {
  const random = draws(seed);
  return images.map((ink) => (ink > 0 ? 1 + random.uniform() : 0));
}

/** The images with those pixels black that matter most. */
function withoutBest(images: Float32Array, importance: Float32Array, count: number): Float32Array {
  const hidden = images.slice();
  for (let from = 0; from < images.length; from += pixels) {
    const order = Array.from({ length: pixels }, (_, p) => from + p);
    order.sort((a, b) => importance[b]! - importance[a]!);
    for (const at of order.slice(0, count)) hidden[at] = 0;
  }
  return hidden;
}

/** Eight images, and below each what the three ways mark: the brighter, the more it speaks for the answer. */
function picture(images: Float32Array, ways: readonly Float32Array[]): Promise<Uint8Array> {
  const rows = [images, ...ways].map((values) => values.subarray(0, 8 * pixels));
  const data = rows.flatMap((values) =>
    Array.from({ length: 8 }, (_, i) => {
      const own = values.subarray(i * pixels, (i + 1) * pixels);
      const most = Math.max(...own);
      return Array.from(own, (value) => Math.round((255 * Math.max(0, value)) / most));
    }).flat(),
  );
  const shape = [8 * rows.length, 28, 28];
  return renderBatch({ images: { dtype: "u8", shape, data: Uint8Array.from(data) } }, { columns: 8 });
}
