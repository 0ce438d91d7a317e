/** Programs over the whole API that are right, or that nobody can judge: never red. */

import {
  arange,
  compile,
  concat,
  einsum,
  grad,
  ones,
  slice,
  stack,
  type Tensor,
  tensor,
  vectorize,
  where,
  zeros,
} from "netwright";
import { crossEntropy, mse } from "netwright/losses";
import {
  AdaptiveAvgPool2d,
  BatchNorm1d,
  BatchNorm2d,
  Bilinear,
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  Dropout,
  Dropout2d,
  Flatten,
  GELU,
  GroupNorm,
  Linear,
  MaxPool2d,
  Module,
  ModuleList,
  PixelShuffle,
  ReLU,
  Sequential,
  Softmax,
  Unflatten,
  Upsample,
  ZeroPad2d,
} from "netwright/nn";
import { adam, sgd } from "netwright/optim";
import { type Table, table } from "netwright/tabular";

// ---- products of any rank ---------------------------------------------------------------------------------------

export const heads: Tensor<[8, 4, 64, 64]> = zeros([8, 4, 64, 32]).matmul(zeros([8, 4, 32, 64]));
export const sharedRight: Tensor<[8, 32, 4]> = zeros([8, 32, 16]).matmul(zeros([16, 4]));
export const sharedBatch: Tensor<[8, 3, 32, 4]> = zeros([8, 1, 32, 16]).matmul(zeros([3, 16, 4]));
declare const rows: number;
export const lateRows: Tensor<[number, 4]> = zeros([rows, 16]).matmul(zeros([16, 4]));
declare const anything: Tensor;
export const unknown: Tensor = anything
  .matmul(anything)
  .add(zeros([3]))
  .relu()
  .sum(-1);

// ---- axes, with sizes that are known and not --------------------------------------------------------------------

export const mean: Tensor<[32], "f32"> = zeros([32, 10]).mean(1);
export const kept: Tensor<[1, 10], "f32"> = zeros([32, 10]).max(0, { keepDims: true });
export const both: Tensor<[], "f32"> = zeros([32, 10]).sum([0, 1]);
export const integers: Tensor<[32], "i32"> = zeros([32, 10]).argmax(-1);
export const inserted: Tensor<[2, 1, 3]> = zeros([2, 3]).expandDims(1);
export const removed: Tensor<[2, 3]> = zeros([2, 1, 3]).squeeze(1);
export const column: Tensor<[number, 3]> = zeros([rows, 3]).add(ones([3]));
export const widened: Tensor<[4, 3]> = ones([4, 1]).mul(ones([3]));
export const chosen: Tensor<[4, 3]> = where(ones([4, 3]).greater(0), ones([4, 3]), 0);
declare const shape: number[];
export const someShape: Tensor<number[]> = zeros(shape).reshape(shape);
declare const list: Tensor<[2, 3]>[];
export const joined = concat(list, 0).sum();
export const stacked = stack([...list, zeros([2, 3])], 0);
export const contracted = einsum("bij,bjk->bik", zeros([8, 2, 3]), zeros([8, 3, 4]));
export const indexed = zeros([4, 5]).at(slice(0, 2), "...", null, [1, 2]);
export const replaced: Tensor<[4, 5]> = zeros([4, 5]).set(1, [0, slice()]);
export const parts: Tensor[] = arange(6).split([1, 2, 3]);
export const oneHot: Tensor = tensor([1, 2], { dtype: "i32" }).oneHot(3);
export const norms: Tensor<[32], "f32"> = zeros([32, 10]).norm(1, { order: 3 });
export const ordered: Tensor<[32, 10]> = zeros([32, 10]).sort(1, { descending: true });
export const sums: Tensor<[32, 10]> = zeros([32, 10]).cumsum(0);

// ---- modules: known, generic, spread, nested --------------------------------------------------------------------

class Residual<M extends Module & { forward(x: Tensor): Tensor }> extends Module {
  readonly inner: M;
  constructor(inner: M) {
    super();
    this.inner = inner;
  }
  forward(x: Tensor): Tensor {
    return x.add(this.inner.forward(x));
  }
}
class Tower extends Module {
  readonly layers: ModuleList<Linear>;
  constructor(widths: readonly number[]) {
    super();
    this.layers = new ModuleList(widths.slice(1).map((width, i) => new Linear(widths[i]!, width)));
  }
  forward(x: Tensor): Tensor {
    return [...this.layers].reduce((h, layer) => layer.forward(h).relu(), x);
  }
}
declare const hidden: number;
declare const more: Linear[];
export const models = [
  new Sequential(new Flatten(), new Linear(784, 64), new GELU(), new Dropout(0.1), new Linear(64, 10)),
  new Sequential(new Linear(784, hidden), new ReLU(), new Linear(hidden, 10)),
  new Sequential(new Linear(784, 64), new Residual(new Linear(64, 64)), new Linear(64, 10)),
  new Sequential(new Linear(784, 64), ...more, new Linear(3, 10)),
  new Sequential(new Tower([784, 64, 10]), new Linear(10, 2)),
] as const;
export const convolved: Tensor = new Conv2d(3, 32, 3).forward(zeros([8, 3, 28, 28]));
export const late: Tensor = new Conv2d(hidden, 32, 3).forward(zeros([rows, hidden, 28, 28]));
export const images = new Sequential(
  new Conv2d(1, 32, 3, { padding: "same" }),
  new BatchNorm2d(32),
  new ReLU(),
  new MaxPool2d(2),
  new Flatten(),
  new Linear(6272, 10),
);
export const pair: Tensor = new Bilinear(3, 4, 5).forward(zeros([8, 3]), zeros([8, 4]));
export const logits: Tensor<[32, 10]> = new Linear(784, 10).forward(zeros([32, 784]));
export const sequence: Tensor<[2, 5, 10]> = new Linear(7, 10).forward(zeros([2, 5, 7]));

// ---- losses, gradients, compiled functions ----------------------------------------------------------------------

export const loss: Tensor<[], "f32"> = crossEntropy(logits, zeros([32], { dtype: "i32" }));
export const squared: Tensor<[], "f32"> = mse(zeros([32, 1]), zeros([32, 1]));
export const [dw, db] = grad(loss, [zeros([784, 10]), zeros([10])]);
export const step = compile((x: Tensor<[number, 784]>, y: Tensor<[number], "i32">) =>
  crossEntropy(new Linear(784, 10).forward(x), y),
);
export const perSample = vectorize((x: Tensor) => x.mul(x).sum());
export const optimizers = [adam(), sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true })];

// ---- channels ----------------------------------------------------------------------------------------------------

export const convolutional = new Sequential(
  new Conv2d(3, 32, 3),
  new BatchNorm2d(32),
  new ReLU(),
  new MaxPool2d(2),
  new ZeroPad2d(1),
  new Dropout2d(0.1),
  new Conv2d(32, 64, 3, { padding: "same" }),
  new GroupNorm(8, 64),
  new ConvTranspose2d(64, 16, 2),
  new Upsample({ scaleFactor: 2 }),
  new AdaptiveAvgPool2d(1),
  new Flatten(),
  new Linear(16, 10),
);
type Counts = typeof convolutional.features;
export const counts: [Counts["in"], Counts["out"], Counts["channelsIn"], Counts["channelsOut"]] = [
  0, 10, 3, 0,
];
/** Features and channels are other axes: nobody can say how a product's features stand to a convolution's channels. */
export const mixed = new Sequential(
  new Linear(8, 16),
  new Unflatten(1, [4, 4]),
  new Conv1d(4, 6, 3),
  new Linear(2, 5),
  new BatchNorm1d(6),
  new Conv1d(6, 2, 1),
  new Softmax(),
);
export const afterVector = new Sequential(new Linear(8, 16), new BatchNorm1d(16), new Linear(16, 2));
export const shuffled = new Sequential(new Conv2d(1, 8, 3), new PixelShuffle(2), new Conv2d(2, 4, 3));
declare const width: number;
export const lateChannels = new Sequential(
  new Conv2d(3, width, 3),
  new BatchNorm2d(width),
  new Conv2d(64, 10, 1),
);
export const nestedImages = new Sequential(
  convolutional.layers[0],
  new Sequential(new ReLU(), new BatchNorm2d(32)),
  new Conv2d(32, 1, 1),
);
export const known: Tensor<[8, 32, number, number]> = new BatchNorm2d(32).forward(
  new Conv2d(3, 32, 3).forward(zeros([8, 3, 28, 28])),
);
export const unknownImage: Tensor = new Conv2d(3, 32, 3).forward(anything);
/** A user's own field of this name is its own business. */
class Backbone extends Module {
  readonly features = new Sequential(new Conv2d(3, 8, 3), new ReLU());
  forward(x: Tensor): Tensor {
    return this.features.forward(x);
  }
}
export const ofBackbone = new Sequential(new Backbone(), new Flatten(), new Linear(8, 2));

/** Rows of typed arrays; tables of whatever columns. */
export const typedRows: Tensor<[2, number], "f32"> = tensor([new Float32Array(3), new Float32Array(3)]);
const countRows = (table: Table): number => table.length;
export const counted = countRows(table({ a: [1], b: ["x"] }).with("b", [2]));
