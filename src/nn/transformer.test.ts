/** What holds of every transformer: padding is never looked at, causal is causal, samples and their order do not matter. */
import { describe, expect, it } from "vitest";
import { compile, type Tensor, tensor } from "../tensor/index.ts";
import {
  Transformer,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
} from "./index.ts";

const numbers = (seed: number, ...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7 + seed)),
    { shape },
  ) as Tensor;
const rows = async (x: Tensor): Promise<number[]> => Array.from((await x.data()) as Float32Array);
const sizes = { dimFeedforward: 8, dropout: 0, batchFirst: true } as const;

for (const normFirst of [false, true])
  for (const activation of ["relu", "gelu"] as const)
    describe(`normFirst ${normFirst}, ${activation}`, () => {
      const options = { ...sizes, normFirst, activation };
      const encoder = new TransformerEncoder(
        (i) => new TransformerEncoderLayer(4, 2, { ...options, key: i }),
        2,
      );
      const padding = tensor([
        [false, false, false, true],
        [false, false, true, true],
      ]) as Tensor;
      const encode = compile((x: Tensor) => encoder.forward(x, { keyPaddingMask: padding }));
      const future = compile((x: Tensor) => encoder.forward(x, { causal: true }));

      it("what stands in padding changes nothing, be it NaN", async () => {
        const x = numbers(1, 2, 4, 4);
        const spoilt = x
          .set(Number.NaN, [0, 3])
          .set(Number.NaN, [1, 2])
          .set(Number.POSITIVE_INFINITY, [1, 3]);
        const [a, b] = [await rows(encode(x)), await rows(encode(spoilt as Tensor))];
        expect(b.slice(0, 12)).toEqual(a.slice(0, 12));
        expect(b.slice(16, 24)).toEqual(a.slice(16, 24));
        expect(a.every(Number.isFinite)).toBe(true);
      });

      it("causal: a position knows nothing of later ones", async () => {
        const x = numbers(2, 1, 4, 4);
        const [a, b] = [await rows(future(x)), await rows(future(x.set(9, [0, 3]) as Tensor))];
        expect(b.slice(0, 12)).toEqual(a.slice(0, 12));
        expect(b.slice(12)).not.toEqual(a.slice(12));
      });

      it("a mask is what causal says", async () => {
        const x = numbers(3, 1, 4, 4);
        const mask = tensor([0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => j > i))) as Tensor;
        expect(await rows(encoder.forward(x, { mask }))).toEqual(await rows(future(x)));
      });
    });

describe("a decoder", () => {
  const layer = new TransformerDecoderLayer(4, 2, { ...sizes, key: 1 });
  const memoryPadding = tensor([[false, true, false]]) as Tensor;

  it("never looks at the memory's padding", async () => {
    const [target, memory] = [numbers(1, 1, 2, 4), numbers(2, 1, 3, 4)];
    const run = compile((m: Tensor) =>
      layer.forward(target, m, { causal: true, memoryKeyPaddingMask: memoryPadding }),
    );
    expect(await rows(run(memory.set(Number.NaN, [0, 1]) as Tensor))).toEqual(await rows(run(memory)));
  });

  it("with an encoder: each sample by itself, in any order", async () => {
    const model = new Transformer({
      dModel: 4,
      nhead: 2,
      numEncoderLayers: 1,
      numDecoderLayers: 1,
      ...sizes,
      key: 1,
    });
    const run = compile((source: Tensor, target: Tensor) => model.forward(source, target, { causal: true }));
    const [source, target] = [numbers(1, 3, 3, 4), numbers(2, 3, 2, 4)];
    const order = tensor([2, 0, 1], { dtype: "i32" });
    const [straight, mixed] = [
      run(source, target),
      run(source.gather(order) as Tensor, target.gather(order) as Tensor),
    ];
    expect(await rows(mixed)).toEqual(await rows(straight.gather(order) as Tensor));
  });
});
