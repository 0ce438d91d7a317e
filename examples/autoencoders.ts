/** Digits through 16 numbers and back: an autoencoder, and a variational one that can draw digits that nobody wrote. */
import { seed as setSeed, type Tensor, tensor } from "netwright";
import { arrayDataset, type Dataset, mnist } from "netwright/data";
import { binaryCrossEntropy, crossEntropy } from "netwright/losses";
import { accuracy } from "netwright/metrics";
import { Autoencoder, VAE, vaeLoss } from "netwright/models";
import { Linear, Module } from "netwright/nn";
import { adam, cosine } from "netwright/optim";
import { evaluate, fit, predict } from "netwright/train";
import { renderBatch } from "netwright/vision";
import { example, type Run } from "./support/example.ts";

export default example({
  task: "say digits through 16 numbers, and draw new ones",
  data: "MNIST: the images of 30,000 train without their labels; 1,000 labels to read codes by; the 10,000 to test",
  metric: "accuracy read off the codes, VAE",
  chance: 0.4,
  reference: {
    "squared error of a pixel, autoencoder": { value: 0.0269, from: "scikit-learn, PCA with 16 components" },
    "accuracy read off the codes, VAE": {
      value: 0.8153,
      from: "scikit-learn, logistic regression on 16 PCA components",
    },
  },
  run,
});

const sizes = { inputSize: 784, latentSize: 16, hiddenSizes: [400] };

async function run({ quick, seed, folder, training, say }: Run) {
  const digits = await mnist({ directory: folder });
  const [count, labelled] = quick ? [3000, 500] : [30_000, 1000];
  const known = digits.train.take(count);
  const test = quick ? digits.test.take(500) : digits.test;
  // An image is its own label.
  const itself = (dataset: Dataset): Dataset => dataset.map(({ images }) => ({ images, labels: images }));
  const [batchSize, epochs] = [128, quick ? 6 : 8];
  const steps = epochs * Math.ceil(count / batchSize);
  const options = () => ({
    optimizer: adam({ learningRate: cosine({ from: 2e-3, to: 1e-5, steps }) }),
    ...{ epochs, batchSize, seed, progress: "none" as const, checks: false },
  });

  const plain = new Autoencoder(sizes);
  await fit(plain, itself(known), { loss: binaryCrossEntropy, ...options() });
  const vae = new VAE(sizes);
  const history = await fit(vae, itself(known), { loss: vaeLoss, ...options() });
  say(`VAE: −ELBO ${history.series("loss").at(-1)!.toFixed(2)} nats in training`);

  const images = test.column("images").data as Float32Array;
  const again = {
    autoencoder: await pixelsOf(plain, test),
    VAE: await pixelsOf(vae.decoder, await codesOf(vae, test)),
  };
  // In training mode codes are drawn, as the bound wants it.
  vae.train();
  setSeed(seed);
  const bound = await vae.loss(tensor(images, { shape: [test.length, 784] })).item();

  const scores: Record<string, number> = { "−ELBO, nats": Number(bound) };
  const few = training(known.take(labelled));
  for (const [name, model] of Object.entries({ autoencoder: plain, VAE: vae })) {
    const pixels = again[name as keyof typeof again];
    const error = pixels.reduce((sum, pixel, i) => sum + (pixel - images[i]!) ** 2, 0) / pixels.length;
    scores[`squared error of a pixel, ${name}`] = error;
    // A linear reader of the codes: what 16 numbers tell of a digit.
    const reader = new Linear(16, 10);
    await fit(reader, await codesOf(model, few), {
      ...{ loss: crossEntropy, optimizer: adam({ learningRate: 0.02 }), epochs: 40, batchSize: 50, seed },
      ...{ progress: "none", checks: false },
    });
    const read = await evaluate(reader, await codesOf(model, test), {
      ...{ loss: crossEntropy, metrics: [accuracy] },
    });
    scores[`accuracy read off the codes, ${name}`] = read.accuracy!;
    say(`${name}: squared error ${error.toFixed(4)}, accuracy ${read.accuracy!.toFixed(4)}`);
  }

  const shown = [images, again.autoencoder, again.VAE].map((pixels) => pixels.slice(0, 10 * 784));
  const drawn = (await vae.sample(20).sigmoid().data()) as Float32Array;
  return {
    scores,
    splits: { train: known, test },
    pictures: [await picture(shown), await picture([drawn])],
  };
}

class Encoder extends Module {
  readonly model: Autoencoder | VAE;
  constructor(model: Autoencoder | VAE) {
    super();
    this.model = model;
  }
  /** (N, 784) → (N, 16): the code; of a VAE the mean of its distribution. */
  forward(x: Tensor): Tensor {
    return this.model instanceof VAE ? this.model.forward(x).mean : this.model.encode(x);
  }
}

/** The codes of a dataset's images, with its labels. */
async function codesOf(model: Autoencoder | VAE, dataset: Dataset) {
  const codes = await predict(new Encoder(model), dataset, { inputs: ["images"] });
  return arrayDataset({ codes, labels: dataset.column("labels").data as Int32Array });
}

async function pixelsOf(model: Module, dataset: Dataset): Promise<Float32Array> {
  const inputs = Object.keys(dataset.columns).filter((name) => name !== "labels");
  return (await tensor(await predict(model, dataset, { inputs }))
    .sigmoid()
    .data()) as Float32Array;
}

/** Rows of ten digits. */
function picture(rows: readonly Float32Array[]): Promise<Uint8Array> {
  const data = Uint8Array.from(
    rows.flatMap((row) => [...row]),
    (x) => 255 * x,
  );
  return renderBatch({ images: { dtype: "u8", shape: [data.length / 784, 28, 28], data } }, { columns: 10 });
}
