/** Names that docstring examples of the public rooms use without declaring them. */
import { type HostArray, mnist } from "../../../src/data/index.ts";
import { Linear, Sequential } from "../../../src/nn/index.ts";
import { state, type Tensor, tensor } from "../../../src/tensor/index.ts";
import type { ByteImage } from "../../../src/vision/index.ts";

export const { train: digits } = await mnist();
export const [train, test] = [digits.take(64), digits.slice(64, 128)];
export const model = new Sequential(new Linear(784, 10));
export const x = tensor([1, -2, 3]);
export const loss = x.sum();
export const weight = state([1, 2, 3], { name: "weight" });
export const gradient = tensor([0.1, 0.2, 0.3]);
export const bytes: HostArray<[number, 28, 28], "u8"> = {
  dtype: "u8",
  shape: [2, 28, 28],
  data: new Uint8Array(2 * 784),
};
export const labels = Int32Array.of(3, 7);
export const tensors = new Map<string, HostArray>([
  ["weight", { dtype: "f32", shape: [1], data: Float32Array.of(1) }],
]);
export const trainStep = (images: HostArray, _labels: HostArray): Tensor => tensor(images);
export const photo: ByteImage = {
  dtype: "u8",
  shape: [4, 4, 3],
  data: Uint8Array.from({ length: 48 }, (_, i) => (i * 37) % 256),
};
