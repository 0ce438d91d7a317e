/** Training steps of a transformer over tokens and of one over the patches of images, as a user writes them. */
import { compile, grad, type HostArray, type Tensor } from "netwright";
import { crossEntropy } from "netwright/losses";
import {
  Conv2d,
  Embedding,
  LayerNorm,
  LearnedPositions,
  Linear,
  Module,
  TransformerEncoder,
  TransformerEncoderLayer,
} from "netwright/nn";
import { AdamW } from "netwright/optim";
import { hashedLabels, hashedUniform } from "../data.ts";
import type { EncoderSizes, WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";

const weightLimit = 0.05;

/** Pre-norm blocks with GELU, without dropout, and a last norm. */
function encoderOf({ layers, heads, width, hidden }: EncoderSizes): TransformerEncoder {
  const options = {
    dimFeedforward: hidden,
    dropout: 0,
    activation: "gelu",
    normFirst: true,
    batchFirst: true,
  } as const;
  return new TransformerEncoder(() => new TransformerEncoderLayer(width, heads, options), layers, {
    norm: new LayerNorm(width),
  });
}

/** The mean of the last layer's tokens is classified. */
class TextClassifier extends Module {
  readonly tokens: Embedding;
  readonly positions: LearnedPositions;
  readonly encoder: TransformerEncoder;
  readonly head: Linear;

  constructor(work: WorkOf<"transformer">) {
    super();
    this.tokens = new Embedding(work.vocabulary, work.width);
    this.positions = new LearnedPositions(work.length, work.width);
    this.encoder = encoderOf(work);
    this.head = new Linear(work.width, work.classes);
  }
  /** (B, T) → (B, classes) */
  forward(tokens: Tensor): Tensor {
    const embedded = this.positions.forward(this.tokens.forward(tokens)); // (B, T, C)
    return this.head.forward(this.encoder.forward(embedded).mean(1));
  }
}

/** A vision transformer without a class token. Dosovitskiy et al., 2021; Beyer et al., "Better plain ViT baselines", 2022. */
class ImageClassifier extends Module {
  readonly patches: Conv2d;
  readonly positions: LearnedPositions;
  readonly encoder: TransformerEncoder;
  readonly head: Linear;

  constructor(work: WorkOf<"vit">) {
    super();
    const { channels, width, imageSize, patchSize } = work;
    this.patches = new Conv2d(channels, width, patchSize, { stride: patchSize });
    this.positions = new LearnedPositions((imageSize / patchSize) ** 2, width);
    this.encoder = encoderOf(work);
    this.head = new Linear(width, work.classes);
  }
  /** (B, channels, size, size) → (B, classes) */
  forward(images: Tensor): Tensor {
    const cut: Tensor = this.patches.forward(images); // (B, C, rows, columns)
    const tokens = cut.flatten(2).transpose(1, 2); // (B, T, C)
    return this.head.forward(this.encoder.forward(this.positions.forward(tokens)).mean(1));
  }
}

/** Each weight by the formula, its seed the place of its name among all, as the peers have it; norms and biases stay. */
export function fill(model: Module): void {
  const parameters = [...model.namedParameters()].sort(([a], [b]) => (a < b ? -1 : 1));
  const states = parameters.map(([name, parameter], i): [string, HostArray] => {
    const shape = parameter.shape as readonly number[];
    const count = shape.reduce((a, b) => a * b, 1);
    const ones = name.includes("norm") && name.endsWith("weight");
    const constant = new Float32Array(count).fill(ones ? 1 : 0);
    return [
      name,
      { dtype: "f32", shape, data: shape.length > 1 ? hashedUniform(i + 1, count, weightLimit) : constant },
    ];
  });
  model.loadStateDict(new Map(states));
}

export const transformer = (work: WorkOf<"transformer">): Promise<Job> => {
  const { batchSize, length, batches, vocabulary } = work;
  const size = batchSize * length;
  const tokens = hashedLabels(101, batches * size, vocabulary);
  return training(new TextClassifier(work), work, (at) => ({
    dtype: "i32",
    shape: [batchSize, length],
    data: tokens.subarray(at * size, (at + 1) * size),
  }));
};

export const vit = (work: WorkOf<"vit">): Promise<Job> => {
  const { batchSize, channels, imageSize, batches } = work;
  const size = batchSize * channels * imageSize ** 2;
  const images = hashedUniform(103, batches * size);
  return training(new ImageClassifier(work), work, (at) => ({
    dtype: "f32",
    shape: [batchSize, channels, imageSize, imageSize],
    data: images.subarray(at * size, (at + 1) * size),
  }));
};

/** Reads the loss of every step. */
async function training(
  model: Module & { forward(x: Tensor): Tensor },
  { batchSize, batches, classes, learningRate, weightDecay }: WorkOf<"transformer" | "vit">,
  inputs: (index: number) => HostArray,
): Promise<Job> {
  fill(model);
  const labels = hashedLabels(102, batches * batchSize, classes);
  const optimizer = new AdamW(model.parameters(), { learningRate, weightDecay });
  const train = compile((x: Tensor, y: Tensor) => {
    const loss = crossEntropy(model.forward(x), y);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  });
  let position = 0;
  const step = async (): Promise<number> => {
    const at = position;
    position = (position + 1) % batches;
    const data = labels.subarray(at * batchSize, (at + 1) * batchSize);
    using loss = train(inputs(at), { dtype: "i32", shape: [batchSize], data });
    return Number(await loss.item());
  };
  const check: number[] = [];
  for (let i = 0; i < 3; i++) check.push(await step());
  return {
    check,
    async run(iterations) {
      for (let i = 0; i < iterations; i++) await step();
    },
    release() {},
  };
}
