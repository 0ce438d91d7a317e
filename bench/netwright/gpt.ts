/** The training step of a small GPT, as a user writes it. */
import { arange, compile, grad, type HostArray, type Tensor, tensor, where } from "netwright";
import { crossEntropy } from "netwright/losses";
import { type Initializer, initializers, LayerNorm, Linear, Module, Parameter } from "netwright/nn";
import { AdamW } from "netwright/optim";
import { hashedLabels, hashedUniform } from "../data.ts";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated } from "./repeated.ts";

const weightLimit = 0.05;

/** Each weight's seed is its place in the order in which the model is built: the peers count alike. */
class Seeds {
  private last = 0;
  next(): (shape: readonly number[]) => Float32Array {
    const seed = ++this.last;
    return (shape) =>
      hashedUniform(
        seed,
        shape.reduce((a, b) => a * b, 1),
        weightLimit,
      );
  }
  weight(): Initializer {
    const values = this.next();
    return ({ shape }) => values(shape);
  }
}

class Block extends Module {
  readonly heads: number;
  readonly attentionNorm: LayerNorm;
  readonly qkv: Linear;
  readonly attentionOut: Linear;
  readonly hiddenNorm: LayerNorm;
  readonly hidden: Linear;
  readonly hiddenOut: Linear;

  constructor(width: number, heads: number, seeds: Seeds) {
    super();
    const linear = (inputs: number, outputs: number): Linear =>
      new Linear(inputs, outputs, { weightInit: seeds.weight(), biasInit: initializers.zeros() });
    this.heads = heads;
    this.attentionNorm = new LayerNorm(width);
    this.qkv = linear(width, 3 * width);
    this.attentionOut = linear(width, width);
    this.hiddenNorm = new LayerNorm(width);
    this.hidden = linear(width, 4 * width);
    this.hiddenOut = linear(4 * width, width);
  }

  /** (B, T, C) → (B, T, C) */
  forward(x: Tensor): Tensor {
    const attended = x.add(this.attention(this.attentionNorm.forward(x)));
    const hidden = this.hidden.forward(this.hiddenNorm.forward(attended)).gelu(); // (B, T, 4C)
    return attended.add(this.hiddenOut.forward(hidden));
  }

  private attention(x: Tensor): Tensor {
    const [B, T, C] = x.shape;
    const size = C / this.heads;
    const [q, k, v] = this.qkv
      .forward(x)
      .split(3, -1) // (B, T, C)
      .map((part) => part.reshape([B, T, this.heads, size]).permute([0, 2, 1, 3])); // (B, heads, T, size)
    const scores = q.matmul(k.transpose()).mul(1 / Math.sqrt(size)); // (B, heads, T, T)
    const isPast = arange(T).reshape([T, 1]).greaterEqual(arange(T)); // (T, T)
    const attended = where(isPast, scores, -Infinity).softmax().matmul(v); // (B, heads, T, size)
    return this.attentionOut.forward(attended.permute([0, 2, 1, 3]).reshape([B, T, C]));
  }
}

type ModelSizes = Pick<WorkOf<"gpt">, "layers" | "heads" | "width" | "context" | "vocabulary">;

class Gpt extends Module {
  readonly tokens: Parameter;
  readonly positions: Parameter;
  readonly blocks: readonly Block[];
  readonly norm: LayerNorm;

  constructor({ layers, heads, width, context, vocabulary }: ModelSizes) {
    super();
    const seeds = new Seeds();
    const table = (rows: number): Parameter => {
      const shape = [rows, width];
      return new Parameter({ dtype: "f32", shape, data: seeds.next()(shape) });
    };
    this.tokens = table(vocabulary);
    this.positions = table(context);
    this.blocks = Array.from({ length: layers }, () => new Block(width, heads, seeds));
    this.norm = new LayerNorm(width);
  }

  /** (B, T) → (B, T, vocabulary) */
  forward(tokens: Tensor): Tensor {
    const embedded = this.tokens.gather(tokens).add(this.positions); // (B, T, C)
    const last = this.blocks.reduce<Tensor>((x, block) => block.forward(x), embedded);
    return this.norm.forward(last).matmul(this.tokens.transpose());
  }
}

type Step = (tokens: Tensor, targets: Tensor) => Tensor;

/** A model's training step, still to be compiled. */
export function trainingStep(work: WorkOf<"gpt">): Step {
  const { learningRate, weightDecay } = work;
  const model = new Gpt(work);
  const optimizer = new AdamW(model.parameters(), { learningRate, weightDecay });
  return (tokens, targets) => {
    const loss = crossEntropy(model.forward(tokens), targets);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  };
}

/** Tokens and targets, by number. */
export function batchesOf(work: WorkOf<"gpt">): (index: number) => [HostArray, HostArray] {
  const { batchSize, context, vocabulary, batches } = work;
  const size = batchSize * context;
  const all = [101, 102].map((seed) => hashedLabels(seed, batches * size, vocabulary));
  const batch = (from: Int32Array, index: number): HostArray => ({
    dtype: "i32",
    shape: [batchSize, context],
    data: from.subarray(index * size, (index + 1) * size),
  });
  return (index) => [batch(all[0], index), batch(all[1], index)];
}

/** The logits of the first batch. */
export function gptForward(work: WorkOf<"gpt-forward">): Promise<Job> {
  const model = new Gpt(work);
  const { batchSize, context, vocabulary } = work;
  const shape = [batchSize, context];
  const tokens = tensor(hashedLabels(101, batchSize * context, vocabulary), { shape, dtype: "i32" });
  const forward = compile((x: Tensor) => model.forward(x));
  return repeated([tokens], () => forward(tokens));
}

/** Reads the loss of every step. */
export async function gpt(work: WorkOf<"gpt">): Promise<Job> {
  const train = compile(trainingStep(work));
  const batch = batchesOf(work);
  let position = 0;
  const step = async (): Promise<number> => {
    using loss = train(...batch(position));
    position = (position + 1) % work.batches;
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
