/** Models that are exported in tests: their files, run by onnxruntime, are the fixture `onnx-exports.json`. */

import { Bert, GPT2, Llama, ViT } from "../src/models/index.ts";
import {
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  ConvTranspose2d,
  GRU,
  LayerNorm,
  Linear,
  LSTM,
  MaxPool2d,
  Module,
  MultiheadAttention,
  RNN,
} from "../src/nn/index.ts";
import { concat, type Tensor, tensor, where } from "../src/tensor/index.ts";
import { hashedUniform } from "./fixtures.ts";

export interface Exported {
  readonly name: string;
  readonly model: Module;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly forward?: (...inputs: Tensor[]) => unknown;
  /** Why the first axis keeps its size, where it does. */
  readonly fixedBatch?: RegExp;
}

let seed = 500;
const floats = (...shape: number[]): Tensor =>
  tensor(
    Float32Array.from(
      hashedUniform(
        seed++,
        shape.reduce((a, b) => a * b, 1),
        1,
      ),
    ),
    { shape },
  ) as Tensor;
const tokens = (vocabulary: number, ...shape: number[]): Tensor =>
  tensor(
    Int32Array.from(
      hashedUniform(
        seed++,
        shape.reduce((a, b) => a * b, 1),
        1,
      ),
      (x) => Math.floor(((x + 1) / 2) * vocabulary),
    ),
    { shape },
  ) as Tensor;

/** Weights of hashed numbers; variances are positive. */
function randomized<M extends Module>(model: M): M {
  for (const [path, state] of model.stateDict()) {
    if (state.dtype !== "f32") continue;
    const shape = state.shape as number[];
    const data = Float32Array.from(
      hashedUniform(
        seed++,
        shape.reduce((a, b) => a * b, 1),
        0.5,
      ),
      (x) => (/var/.test(path) ? 1 + x : x),
    );
    state.assign({ dtype: "f32", shape, data });
  }
  return model;
}

class Images extends Module {
  readonly first = new Conv2d(2, 4, 3, { padding: 1, stride: 2 });
  readonly norm = new BatchNorm2d(4);
  readonly grouped = new Conv2d(4, 4, [3, 1], { groups: 2, dilation: [2, 1] });
  readonly pool = new MaxPool2d(3, { stride: 1, padding: 1 });
  readonly average = new AvgPool2d(2, { stride: 1, padding: 1 });
  readonly back = new ConvTranspose2d(4, 3, 3, { stride: 2, outputPadding: 1 });
  forward(x: Tensor): Tensor {
    const y = this.norm.forward(this.first.forward(x)).relu();
    return this.back.forward(this.average.forward(this.pool.forward(this.grouped.forward(y)))).sigmoid();
  }
}

class Loops extends Module {
  readonly lstm = new LSTM(3, 4, { batchFirst: true, bidirectional: true });
  readonly gru = new GRU(8, 4, { batchFirst: true });
  readonly rnn = new RNN(4, 2, { batchFirst: true });
  forward(x: Tensor): Tensor {
    return this.rnn.forward(this.gru.forward(this.lstm.forward(x).output).output).output;
  }
}

class Operations extends Module {
  readonly norm = new LayerNorm(6);
  readonly linear = new Linear(6, 6);
  forward(x: Tensor): Record<string, Tensor> {
    const y = this.linear.forward(this.norm.forward(x)) as Tensor;
    const positive = y.abs().add(0.5) as Tensor;
    return {
      elementwise: concat(
        [
          y.exp(),
          positive.log(),
          positive.log1p(),
          positive.log2(),
          positive.sqrt(),
          y.tanh(),
          y.sin(),
          y.cos(),
          y.erf(),
          y.gelu(),
          y.silu(),
          y.softplus(),
          y.square(),
          y.trunc(),
          y.round(),
          y.floor(),
          y.expm1(),
          y.cbrt(),
          y.sign(),
        ] as Tensor[],
        1,
      ) as Tensor,
      binary: concat(
        [
          y.maximum(x),
          y.minimum(0),
          positive.pow(1.5),
          y.remainder(0.3),
          y.div(positive),
          where(y.greater(0).and(x.less(0.5)), y, x),
        ] as Tensor[],
        1,
      ) as Tensor,
      reduced: concat(
        [y.sum(-1), y.mean(-1), y.max(-1), y.min(-1), y.prod(-1), y.var(-1), y.logSumExp(-1)].map(
          (r) => (r as Tensor).expandDims(-1) as Tensor,
        ),
        -1,
      ) as Tensor,
      moved: y
        .transpose()
        .flip(1)
        .slice(1, 1, 6, 2)
        .pad(
          [
            [0, 0],
            [1, 2],
            [0, 0],
          ],
          0.25,
        ) as Tensor,
      chosen: y.argmax(-1) as Tensor,
      sorted: y.sort(-1) as Tensor,
      accumulated: y.cumsum(1) as Tensor,
      soft: y.softmax(-1).add(y.logSoftmax(1)) as Tensor,
      isLarge: y.greater(0.2).any(-1) as Tensor,
    };
  }
}

const sizes = { vocabSize: 20, hiddenSize: 8, numLayers: 1, numHeads: 2, intermediateSize: 12 };

/** The same models and inputs each time. */
export function exportedModels(): Exported[] {
  seed = 500;
  const attention = new MultiheadAttention(8, 2, { batchFirst: true });
  const bert = new Bert({ ...sizes, maxPositions: 12 });
  const mask = tensor(
    [
      [1, 1, 1, 1, 1, 1],
      [1, 1, 1, 1, 0, 0],
    ],
    { dtype: "i32" },
  ) as Tensor;
  return [
    { name: "images", model: randomized(new Images()), inputs: { image: floats(1, 2, 9, 8) } },
    { name: "loops", model: randomized(new Loops()), inputs: { x: floats(2, 5, 3) } },
    { name: "operations", model: randomized(new Operations()), inputs: { x: floats(2, 3, 6) } },
    {
      name: "attention",
      model: randomized(attention),
      inputs: { x: floats(2, 4, 8) },
      forward: (x) => attention.forward(x!, x!, x!, { causal: true }).output,
    },
    {
      name: "BERT",
      model: randomized(bert),
      inputs: { input_ids: tokens(20, 2, 6), attention_mask: mask },
      forward: (ids, mask) => bert.forward(ids!, { attentionMask: mask!.notEqual(0) }),
    },
    {
      name: "Llama",
      model: randomized(new Llama({ ...sizes, numKeyValueHeads: 1 })),
      inputs: { input_ids: tokens(20, 2, 6) },
    },
    {
      name: "GPT-2",
      model: randomized(
        new GPT2({ vocabSize: 20, hiddenSize: 8, numLayers: 1, numHeads: 2, maxPositions: 12 }),
      ),
      inputs: { input_ids: tokens(20, 2, 6) },
    },
    {
      name: "ViT",
      model: randomized(
        new ViT({ imageSize: 8, patchSize: 4, numLayers: 1, numHeads: 2, hiddenSize: 8, numClasses: 3 }),
      ),
      inputs: { image: floats(1, 3, 8, 8) },
    },
  ];
}
