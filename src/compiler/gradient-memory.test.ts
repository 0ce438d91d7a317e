/** What a gradient keeps: memory of a step by the number of its layers. */
import { expect, test } from "vitest";
import { Linear, quantizeModel, Sequential } from "../nn/index.ts";
import { adamw } from "../optim/index.ts";
import { compile, grad, ones, rematerialize, StateTensor, type Tensor, zeros } from "../tensor/index.ts";

const [rows, width] = [64, 64];
const activationBytes = 4 * rows * width;

/** Bytes of the arena that one more layer takes, from programs of 4 and of 12. */
async function bytesPerLayer(arenaOf: (layers: number) => number | Promise<number>): Promise<number> {
  return ((await arenaOf(12)) - (await arenaOf(4))) / 8;
}

const state = (name: string, ...shape: number[]): StateTensor =>
  new StateTensor({ name, shape, dtype: "f32", initial: new Float32Array(shape.reduce((a, b) => a * b, 1)) });

test("what is computed again is not computed by the kernel that makes what it reads", async () => {
  const arenaOf = (layers: number): number => {
    const weights = Array.from({ length: layers }, (_, i) => state(`w${i}`, width, width));
    const step = compile((x: Tensor) => {
      let y = x;
      for (const weight of weights) {
        const gate = y.matmul(weight) as Tensor;
        y = rematerialize(
          (g: Tensor) =>
            g
              .silu()
              .mul(g.tanh())
              .matmul(ones([width, width])) as Tensor,
        )(gate);
      }
      return grad(y.sum(), weights as Tensor[]);
    });
    return step.describe(zeros([rows, width])).arenaBytes;
  };
  // The gate, and the input of the next layer.
  expect(await bytesPerLayer(arenaOf)).toBeLessThan(2.1 * activationBytes);
});

test("gradients stand behind the layers that they are of: what they read is not kept until the update", async () => {
  const arenaOf = (layers: number): number => {
    const weights = Array.from({ length: layers }, (_, i) => state(`w${i}`, width, width));
    const small = Array.from({ length: layers }, (_, i) => [
      state(`a${i}`, width, 2),
      state(`b${i}`, 2, width),
    ]);
    const learnt = small.flat() as never[];
    const optimizer = adamw({ learningRate: 0.1 })(learnt);
    const step = compile((x: Tensor) => {
      let y = x;
      for (const [i, [a, b]] of small.entries())
        y = rematerialize((z: Tensor) => {
          const hidden = z.matmul(weights[i]!).tanh() as Tensor;
          return hidden.add(hidden.matmul(a!).matmul(b!)).tanh() as Tensor;
        })(y);
      const loss = y.sum() as Tensor;
      optimizer.step(grad(loss, learnt) as Tensor[]);
      return loss;
    });
    return step.describe(zeros([rows, width])).arenaBytes;
  };
  const gradientBytes = 2 * 4 * 2 * width;
  expect(await bytesPerLayer(arenaOf)).toBeLessThan(1.1 * activationBytes + 1.5 * gradientBytes);
});

test("a weight of few bits lies in full precision while its product is made, and for one layer at a time", async () => {
  const arenaOf = async (layers: number): Promise<number> => {
    const size = 256;
    const model = new Sequential(
      ...Array.from({ length: layers }, () => new Linear(size, size, { bias: false })),
    );
    await quantizeModel(model);
    const shift = state("shift", size);
    const step = compile((x: Tensor) => grad((model.forward(x.add(shift)) as Tensor).sum(), shift as Tensor));
    return step.describe(zeros([4, size])).arenaBytes;
  };
  // A weight has 262 144 bytes.
  expect(await bytesPerLayer(arenaOf)).toBeLessThan(20_000);
});
