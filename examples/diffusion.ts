/** Digits out of noise: a small diffusion model draws the digit it is asked for, and a reader trained on real ones says whether it did. */
import { compile, concat, random, type Tensor, tensor, where } from "netwright";
import { arrayDataset, mnist } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy } from "netwright/metrics";
import { LeNet } from "netwright/models";
import {
  Conv2d,
  ConvTranspose2d,
  Embedding,
  GroupNorm,
  Linear,
  Module,
  PixelShuffle,
  PixelUnshuffle,
  RandomStream,
} from "netwright/nn";
import { adam, adamw, cosine } from "netwright/optim";
import { evaluate, fit } from "netwright/train";
import { renderBatch } from "netwright/vision";
import { example, type Run } from "./support/example.ts";

export default example({
  task: "draw digits out of noise, each the one that is asked for",
  data: "MNIST, 30,000 images and labels to train; a reader trained on the same tests what is drawn",
  metric: "drawings that read as what was asked for",
  chance: 0.75,
  // The most that can be expected is another score of it: real test images that the same reader reads right.
  reference: {
    "drawings that read as what was asked for": {
      value: 0.1,
      from: "drawings of any digit, whatever is asked",
    },
  },
  run,
});

const features = 64;
/** What stands for "any digit": in training one label of ten is hidden, so that a drawing can be led away from it. */
const any = 10;

/** Two convolutions with what is known (the time, the digit) added to each channel between. */
class Block extends Module {
  readonly norms: GroupNorm[];
  readonly convolutions: Conv2d[];
  readonly known: Linear;
  readonly skip: Conv2d | undefined;
  constructor(from: number, to: number) {
    super();
    this.norms = [new GroupNorm(4, from), new GroupNorm(4, to)];
    this.convolutions = [new Conv2d(from, to, 3, { padding: 1 }), new Conv2d(to, to, 3, { padding: 1 })];
    this.known = new Linear(features, to);
    this.skip = from === to ? undefined : new Conv2d(from, to, 1);
  }
  forward(x: Tensor, known: Tensor): Tensor {
    const first = this.convolutions[0]!.forward(this.norms[0]!.forward(x).silu());
    const told = this.known.forward(known).expandDims(-1).expandDims(-1); // (N, C, 1, 1)
    const second = this.norms[1]!.forward(first.add(told)).silu();
    const given = this.skip === undefined ? x : this.skip.forward(x);
    return this.convolutions[1]!.forward(second).add(given);
  }
}

/**
 * A U-Net on images of 14 × 14 with 4 channels, which say the same as 28 × 28 with one. An image at time t is cos(πt/2) · digit +
 * sin(πt/2) · noise; what is learnt is its velocity, cos · noise − sin · digit. Ho, Jain and Abbeel, "Denoising diffusion probabilistic
 * models", 2020; Salimans and Ho, "Progressive distillation for fast sampling of diffusion models", 2022 (velocities); Ho and Salimans,
 * "Classifier-free diffusion guidance", 2022 (hidden labels).
 */
class Diffusion extends Module {
  readonly fold = new PixelUnshuffle(2);
  readonly unfold = new PixelShuffle(2);
  readonly digit = new Embedding(11, features);
  readonly time = new Linear(32, features);
  readonly first: Conv2d;
  readonly down: Block;
  readonly halve: Conv2d;
  readonly middle: Block;
  readonly double: ConvTranspose2d;
  readonly up: Block;
  readonly last: Conv2d;
  readonly random = new RandomStream();

  constructor(width: number) {
    super();
    this.first = new Conv2d(4, width, 3, { padding: 1 });
    this.down = new Block(width, width);
    this.halve = new Conv2d(width, 2 * width, 3, { padding: 1, stride: 2 });
    this.middle = new Block(2 * width, 2 * width);
    this.double = new ConvTranspose2d(2 * width, width, 2, { stride: 2 });
    this.up = new Block(2 * width, width);
    this.last = new Conv2d(width, 4, 3, { padding: 1 });
  }

  /** (N, 1, 28, 28), (N), (N) → (N, 1, 28, 28) */
  velocity(x: Tensor, time: Tensor, digits: Tensor): Tensor {
    const rates = Float32Array.from({ length: 16 }, (_, i) => Math.PI * 1.4 ** i);
    const angles = time.expandDims(-1).mul(tensor(rates)); // (N, 16)
    const when = this.time.forward(concat([angles.sin(), angles.cos()], -1));
    const known = when.add(this.digit.forward(digits)).silu(); // (N, 64)
    const wide = this.down.forward(this.first.forward(this.fold.forward(x)), known); // (N, C, 14, 14)
    const narrow = this.middle.forward(this.halve.forward(wide), known); // (N, 2C, 7, 7)
    const both = concat([wide, this.double.forward(narrow)], 1);
    return this.unfold.forward(this.last.forward(this.up.forward(both, known).silu()));
  }

  /** The squared error of each image's velocity, at a time drawn for it: images 0 … 1 (N, 784), digits (N) → (N). */
  forward(images: Tensor, digits: Tensor): Tensor {
    const count = images.shape[0] as number;
    const clean = images.mul(2).sub(1).reshape([count, 1, 28, 28]);
    const time = random.uniform(this.random.next(), [count]);
    const noise = random.normal(this.random.next(), [count, 1, 28, 28]);
    const isHidden = random.bernoulli(this.random.next(), [count], 0.1);
    const angle = time.mul(Math.PI / 2).reshape([count, 1, 1, 1]);
    const [signal, sigma] = [angle.cos(), angle.sin()];
    const noisy = clean.mul(signal).add(noise.mul(sigma));
    const velocity = noise.mul(signal).sub(clean.mul(sigma));
    const told = where(isHidden, any, digits);
    const found = this.velocity(noisy, time, told);
    return found.sub(velocity).square().mean([1, 2, 3]);
  }
}

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder });
  // Two digits are enough to see that all of it runs.
  const kinds = quick ? 2 : 10;
  const isKind = ({ labels }: { labels: number }) => labels < kinds;
  const real = digits.train.filter(isKind).take(quick ? 2000 : 30_000);
  const test = digits.test.filter(isKind);
  const known = training(real);

  // Who reads what is drawn has seen real images with their right labels only.
  const reader = new LeNet();
  await fit(reader, real.map(shaped), {
    ...{ loss: crossEntropy, optimizer: adam({ learningRate: 2e-3 }), epochs: quick ? 3 : 2, batchSize: 64 },
    ...{ seed, progress: "none", checks: false },
  });
  const readable = { loss: crossEntropy, metrics: [accuracy] };
  const ofReal = await evaluate(reader, test.map(shaped), readable);

  const model = new Diffusion(quick ? 16 : 32);
  const [batchSize, epochs] = quick ? [16, 4] : [64, 4];
  const steps = epochs * Math.ceil(known.length / batchSize);
  await fit(
    model,
    known.map(({ images, labels }) => ({
      ...{
        images,
        labels,
        digits: { dtype: "i32" as const, shape: [] as const, data: Int32Array.of(labels) },
      },
    })),
    {
      ...{ loss: (errors: Tensor) => errors.mean(), inputs: ["images", "digits"], labels: "labels" },
      optimizer: adamw({ learningRate: cosine({ from: 3e-3, to: 1e-5, steps }), weightDecay: 0.01 }),
      ...{ epochs, batchSize, seed, clipNorm: 1, progress: "none", checks: false },
      callbacks: [
        {
          onEpochEnd: ({ epoch, scores }) => say(`epoch ${epoch}: squared error ${scores.loss!.toFixed(4)}`),
        },
      ],
    },
  );

  const asked = Int32Array.from({ length: quick ? 100 : 500 }, (_, i) => i % kinds);
  const drawn = await draw(model, asked, { seed, steps: quick ? 12 : 30, guidance: 1 });
  const ofDrawn = await evaluate(
    reader,
    arrayDataset({ images: { dtype: "f32", shape: [asked.length, 1, 28, 28], data: drawn }, labels: asked }),
    readable,
  );
  return {
    scores: {
      "drawings that read as what was asked for": ofDrawn.accuracy!,
      "real test images that read right": ofReal.accuracy!,
    },
    splits: { train: real, test },
    pictures: [
      await renderBatch(
        { images: { dtype: "f32", shape: [asked.length, 1, 28, 28], data: drawn } },
        { columns: 10, count: 40 },
      ),
    ],
  };
}

const shaped = ({ images, labels }: { images: Float32Array; labels: number }) => ({
  images: { dtype: "f32" as const, shape: [1, 28, 28] as const, data: images },
  labels,
});

/** From noise at time 1 to an image at time 0, along the velocity: Song, Meng and Ermon, "Denoising diffusion implicit models", 2021. */
async function draw(
  model: Diffusion,
  digits: Int32Array,
  { seed, steps, guidance }: { seed: number; steps: number; guidance: number },
): Promise<Float32Array> {
  model.eval();
  const count = digits.length;
  const step = compile((x: Tensor, asked: Tensor, times: Tensor) => {
    const [now, next] = times.split(2, 0) as [Tensor, Tensor]; // (1) each
    const time = now.broadcastTo([count]);
    const led = model.velocity(x, time, asked);
    const free = model.velocity(x, time, asked.mul(0).add(any));
    const velocity = led.add(led.sub(free).mul(guidance));
    const [cos, sin] = [now.mul(Math.PI / 2).cos(), now.mul(Math.PI / 2).sin()];
    const clean = x.mul(cos).sub(velocity.mul(sin)).clip(-1, 1);
    const noise = x.sub(clean.mul(cos)).div(sin);
    const angle = next.mul(Math.PI / 2);
    return clean.mul(angle.cos()).add(noise.mul(angle.sin()));
  });
  let x = random.normal(seed, [count, 1, 28, 28]);
  const asked = tensor(digits);
  for (let i = steps; i > 0; i--) x = await step(x, asked, tensor([i / steps, (i - 1) / steps]));
  return (await x.add(1).div(2).clip(0, 1).data()) as Float32Array;
}
