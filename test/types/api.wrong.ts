/** Programs over the whole API with a wrong known size: red, with a sentence. */
import { Conv2d, ConvTranspose1d, Flatten, Linear, ReLU, Sequential } from "../../src/nn/index.ts";
import { ones, type Tensor, zeros } from "../../src/tensor/index.ts";

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
// error: Type '3' is not assignable to type '4'
export const product: Tensor<[2, 4]> = zeros([2, 5]).matmul(zeros([5, 3]));
// error: Type '10' is not assignable to type '11'
export const logits: Tensor<[32, 11]> = new Linear(784, 10).forward(zeros([32, 784]));
