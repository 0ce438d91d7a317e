/** Programs over the whole API with a wrong known size: red, with a sentence. */

import { ones, type Tensor, zeros } from "netwright";
import {
  BatchNorm1d,
  BatchNorm2d,
  Conv1d,
  Conv2d,
  Conv3d,
  ConvTranspose1d,
  ConvTranspose2d,
  Dropout2d,
  Flatten,
  GroupNorm,
  InstanceNorm2d,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
  ZeroPad2d,
} from "netwright/nn";

// error: matmul: inner dimensions 32 and 31 differ
zeros([8, 4, 64, 32]).matmul(zeros([8, 4, 31, 64]));
// error: matmul: batch dimensions
zeros([8, 4, 64, 32]).matmul(zeros([8, 3, 32, 64]));
// error: cannot broadcast (4, 3) with (4,): sizes 3 and 4 differ
ones([4, 3]).mul(ones([4]));
// error: mean: axis 2 is out of range for rank 2
zeros([32, 10]).mean(2);
// error: argmax: axis -3 is out of range for rank 2
zeros([32, 10]).argmax(-3);
// error: norm: axis 1 is out of range for rank 1
zeros([32]).norm(1, { order: 1 });
// error: unstack: axis 2 is out of range for rank 2
zeros([32, 10]).unstack(2);
// error: diff: axis 1 is out of range for rank 1
zeros([32]).diff(1);
// error: flip: axis 2 is out of range for rank 2
zeros([32, 10]).flip(2);
// error: squeeze: axis 3 is out of range for rank 3
zeros([2, 1, 3]).squeeze(3);
// error: nanSum: axis 5 is out of range for rank 2
zeros([32, 10]).nanSum(5);
// error: Linear expects 63 features
new Linear(63, 10).forward(zeros([32, 64]));
// error: Linear expects 63 features, the layer before gives 64
new Sequential(new Flatten(), new Linear(784, 64), new ReLU(), new Linear(63, 10));
// error: Conv2d expects 3 channels, axis 1 has 1
new Conv2d(3, 32, 3).forward(zeros([8, 1, 28, 28]));
// error: ConvTranspose1d expects 4 channels, axis 1 has 5
new ConvTranspose1d(4, 2, 3).forward(zeros([8, 5, 9]));
// error: Conv2d expects 3 channels, the layer before gives 1
new Sequential(new Conv2d(4, 1, 3), new Conv2d(3, 32, 3));
// error: Conv1d expects 3 channels, the layer before gives 8
new Sequential(new Conv1d(3, 8, 3), new ReLU(), new Conv1d(3, 8, 3));
// error: Conv3d expects 2 channels, the layer before gives 4
new Sequential(new Conv3d(1, 4, 3), new Conv3d(2, 4, 3));
// error: BatchNorm2d expects 64 channels, the layer before gives 32
new Sequential(new Conv2d(3, 32, 3), new BatchNorm2d(64), new ReLU());
// error: BatchNorm1d expects 9 channels, the layer before gives 8
new Sequential(new Conv1d(3, 8, 3), new BatchNorm1d(9));
// error: Conv2d expects 16 channels, the layer before gives 32
new Sequential(
  new Conv2d(3, 32, 3),
  new BatchNorm2d(32),
  new ReLU(),
  new MaxPool2d(2),
  new ZeroPad2d(1),
  new Dropout2d(0.1),
  new Conv2d(16, 64, 3),
);
// error: GroupNorm expects 16 channels, the layer before gives 8
new Sequential(new ConvTranspose2d(4, 8, 2), new GroupNorm(4, 16));
// error: Sequential expects 16 channels, the layer before gives 32
new Sequential(new Conv2d(3, 32, 3), new Sequential(new ReLU(), new Conv2d(16, 8, 1)));
// error: Conv2d expects 16 channels, the layer before gives 8
new Sequential(new Sequential(new Conv2d(3, 8, 3), new ReLU()), new Conv2d(16, 8, 1));
class Stem extends Module {
  forward(x: Tensor<[number, 3, number, number]>): Tensor<[number, 24, number, number]> {
    return new Conv2d(3, 24, 3).forward(x);
  }
}
// error: Conv2d expects 32 channels, the layer before gives 24
new Sequential(new Stem(), new Conv2d(32, 8, 1));
// error: this layer expects 3 channels, the layer before gives 4
new Sequential(new Conv2d(1, 4, 1), new Stem());
// error: BatchNorm2d expects 64 channels, axis 1 has 32
new BatchNorm2d(64).forward(new Conv2d(3, 32, 3).forward(zeros([8, 3, 28, 28])));
// error: InstanceNorm2d expects 4 channels, axis 1 has 3
new InstanceNorm2d(4).forward(zeros([8, 3, 28, 28]));
// error: GroupNorm expects 4 channels, axis 1 has 3
new GroupNorm(2, 4).forward(zeros([8, 3, 28, 28]));
// error: Type '3' is not assignable to type '4'
export const product: Tensor<[2, 4]> = zeros([2, 5]).matmul(zeros([5, 3]));
// error: Type '10' is not assignable to type '11'
export const logits: Tensor<[32, 11]> = new Linear(784, 10).forward(zeros([32, 784]));
