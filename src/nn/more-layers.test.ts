/** What fixtures cannot say: randomness, layers that undo each other, equal ways to one result, errors. */
import { describe, expect, it } from "vitest";
import { compile, concat, grad, ones, type Tensor, tensor, zeros } from "../tensor/index.ts";
import * as nn from "./index.ts";

const numbers = (...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7)),
    { shape },
  ) as Tensor;
const dataOf = async (x: Tensor): Promise<number[]> => Array.from((await x.data()) as Float32Array);
const expectSame = async (a: Tensor, b: Tensor): Promise<void> => {
  const [found, wanted] = [await dataOf(a), await dataOf(b)];
  expect(a.shape).toEqual(b.shape);
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, 5);
  });
};

describe("randomness", () => {
  it.each([
    ["DropPath", new nn.DropPath(0.25, { key: 1 }), [400, 3], 0],
    ["Dropout1d", new nn.Dropout1d(0.25, { key: 1 }), [20, 20, 3], 1],
    ["Dropout2d", new nn.Dropout2d(0.25, { key: 1 }), [20, 20, 2, 2], 1],
    ["Dropout3d", new nn.Dropout3d(0.25, { key: 1 }), [20, 20, 2, 1, 2], 1],
  ] as [string, nn.Module, number[], number][])(
    "of %s drops a share of whole samples or channels",
    async (_, layer, shape, last) => {
      const size = shape.slice(last + 1).reduce((n, s) => n * s, 1);
      const values = await dataOf(layer.forward(ones(shape) as Tensor) as Tensor);
      const firsts = values.filter((_value, i) => i % size === 0);
      values.forEach((value, i) => {
        expect(value).toBe(firsts[Math.floor(i / size)]);
      });
      expect(firsts.filter((value) => value === 0).length / firsts.length).toBeCloseTo(0.25, 1);
      expect(new Set(firsts)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    },
  );

  it("of noise has the mean and the spread that are asked for", async () => {
    const x = ones([200, 100]).mul(3) as Tensor;
    for (const [layer, spread] of [
      [new nn.GaussianNoise(0.5, { key: 2 }), 0.5],
      [new nn.GaussianDropout(0.2, { key: 2 }), 3 * Math.sqrt(0.2 / 0.8)],
    ] as const) {
      const y = layer.forward(x) as Tensor;
      expect(Number(await y.mean().item())).toBeCloseTo(3, 1);
      expect(Number(await y.std().item())).toBeCloseTo(spread, 1);
      expect(await dataOf(layer.eval().forward(x) as Tensor)).toEqual(await dataOf(x));
    }
  });

  it("of RReLU draws slopes between its bounds", async () => {
    const slopes = (
      await dataOf(new nn.RReLU({ key: 3 }).forward(ones([1000]).neg() as Tensor) as Tensor)
    ).map((y) => -y);
    expect(Math.min(...slopes)).toBeGreaterThanOrEqual(1 / 8);
    expect(Math.max(...slopes)).toBeLessThan(1 / 3);
    expect(slopes.reduce((a, b) => a + b) / 1000).toBeCloseTo((1 / 8 + 1 / 3) / 2, 1);
  });

  it("of feature alpha dropout keeps mean 0 and variance 1", async () => {
    const y = new nn.FeatureAlphaDropout(0.2, { key: 4 }).forward(
      numbers(50, 80, 4).mul(Math.SQRT2) as Tensor,
    ) as Tensor;
    expect(Math.abs(Number(await y.mean().item()))).toBeLessThan(0.1);
    expect(Number(await y.std().item())).toBeCloseTo(1, 0);
  });
});

describe("layers that undo each other", () => {
  it("are PixelShuffle and PixelUnshuffle", async () => {
    const x = numbers(2, 8, 3, 2);
    await expectSame(new nn.PixelUnshuffle(2).forward(new nn.PixelShuffle(2).forward(x)), x);
  });

  it("are Unfold and Fold as transposes: ⟨Unfold x, y⟩ = ⟨x, Fold y⟩", async () => {
    const options = { stride: [2, 1], padding: [1, 0], dilation: [1, 2] };
    const x = numbers(2, 3, 6, 5);
    const unfolded = new nn.Unfold([3, 2], options).forward(x);
    const y = numbers(...(unfolded.shape as number[])).add(0.3) as Tensor;
    const folded = new nn.Fold([6, 5], [3, 2], options).forward(y);
    const [left, right] = [unfolded.mul(y).sum(), x.mul(folded).sum()];
    expect(Number(await left.item())).toBeCloseTo(Number(await right.item()), 4);
  });
});

describe("equal ways", () => {
  it.each([nn.RNN, nn.GRU, nn.LSTM])("of %o: both directions are two runs", async (Layer) => {
    const both = new Layer(3, 4, { bidirectional: true, key: 5 });
    const one = new Layer(3, 4, { key: 6 });
    const x = numbers(5, 2, 3);
    const suffixed = (suffix: string): Map<string, Tensor> =>
      new Map([...one.stateDict().keys()].map((key) => [key, both.stateDict().get(key + suffix) as Tensor]));
    const result = both.forward(x).output.split(2, -1) as Tensor[];
    one.loadStateDict(suffixed("") as never);
    await expectSame(one.forward(x).output, result[0]!);
    one.loadStateDict(suffixed("_reverse") as never);
    await expectSame((one.forward(x.flip(0) as Tensor).output as Tensor).flip(0) as Tensor, result[1]!);
  });

  it("of a cell: steps one by one are the layer", async () => {
    const layer = new nn.GRU(3, 4, { key: 7 });
    const cell = new nn.GRUCell(3, 4);
    cell.loadStateDict(
      new Map([...layer.stateDict()].map(([name, value]) => [name.replace("_l0", ""), value])),
    );
    const x = numbers(3, 2, 3);
    let h: Tensor = zeros([2, 4]) as Tensor;
    for (const step of x.unstack(0) as Tensor[]) h = cell.forward(step, h);
    await expectSame(h, (layer.forward(x).hidden as Tensor).squeeze(0) as Tensor);
  });

  it("of parts: states carried from a compiled part to the next give what the whole gives", async () => {
    const layer = new nn.LSTM(3, 4, { key: 8 });
    const part = compile((x: Tensor, h: Tensor, c: Tensor) => {
      const { output, hidden, cell } = layer.forward(x, [h, c]);
      return [output, hidden, cell] as const;
    });
    const x = numbers(6, 2, 3);
    let [h, c] = [zeros([1, 2, 4]) as Tensor, zeros([1, 2, 4]) as Tensor];
    const outputs: Tensor[] = [];
    for (const piece of x.split(3, 0) as Tensor[]) {
      const [output, ...states] = part(piece, h, c);
      outputs.push(output);
      [h, c] = states as [Tensor, Tensor];
    }
    await expectSame(concat(outputs, 0) as Tensor, layer.forward(x).output);
  });

  it("of containers", async () => {
    const [a, b] = [new nn.Linear(3, 3, { key: 9 }), new nn.Linear(3, 2, { key: 10 })];
    const x = numbers(4, 3);
    const ofA = a.forward(x as never) as Tensor;
    await expectSame(new nn.Residual(a).forward(x), x.add(ofA) as Tensor);
    await expectSame(new nn.Residual(a, { shortcut: a }).forward(x), ofA.mul(2) as Tensor);
    await expectSame(
      new nn.Concat([a, b]).forward(x),
      concat([ofA, b.forward(x as never) as Tensor], 1) as Tensor,
    );
    const heads = new nn.Parallel(a, b);
    expect([...heads.stateDict().keys()]).toEqual(["0.weight", "0.bias", "1.weight", "1.bias"]);
    expect(heads.forward(x).map((y) => y.shape)).toEqual([
      [4, 3],
      [4, 2],
    ]);
    class Scaled extends nn.Module {
      readonly scales = new nn.ParameterList([new nn.Parameter([2, 2, 2])]);
      readonly shifts = new nn.ParameterDict({ all: new nn.Parameter(1) });
      forward(y: Tensor): Tensor {
        return y.mul(this.scales.at(0)).add(this.shifts.get("all")) as Tensor;
      }
    }
    const scaled = new Scaled();
    await expectSame(scaled.forward(x), x.mul(2).add(1) as Tensor);
    expect([...scaled.stateDict().keys()]).toEqual(["scales.0", "shifts.all"]);
    expect(grad(scaled.forward(x).sum() as Tensor, scaled.parameters())).toHaveLength(2);
    expect(() => scaled.shifts.get("al")).toThrow('nothing is named "al"; did you mean "all"?');
    expect(() => scaled.scales.at(3)).toThrow("index 3 is out of range for 1 parameters");
  });
});

describe("errors", () => {
  const x = zeros([1, 2, 4, 4]) as Tensor;
  it.each<[string, () => unknown]>([
    ["ZeroPad2d: padding must be an integer, or 4 of them, got [1, 2]", () => new nn.ZeroPad2d([1, 2])],
    ["ZeroPad1d(1) expects 3 axes, (N, C, L), got (1, 2, 4, 4)", () => new nn.ZeroPad1d(1).forward(x)],
    ["interpolate: give either size or scaleFactor", () => nn.interpolate(x, {})],
    [
      'mode "linear" takes (N, C, …) with 1 spatial axes, got (1, 2, 4, 4)',
      () => nn.interpolate(x, { size: 2, mode: "linear" }),
    ],
    [
      "alignCorners goes with linear, bilinear, trilinear and bicubic",
      () => nn.interpolate(x, { size: 2, alignCorners: true }),
    ],
    [
      "PixelShuffle(3) expects channels that 9 divides, got (1, 2, 4, 4)",
      () => new nn.PixelShuffle(3).forward(x),
    ],
    [
      "PixelUnshuffle(3) expects a height and width that 3 divides",
      () => new nn.PixelUnshuffle(3).forward(x),
    ],
    ["ChannelShuffle(3 groups) expects channels that 3 divides", () => new nn.ChannelShuffle(3).forward(x)],
    [
      "Fold(to 4, kernel 2, stride 1) expects (N, channels · 4, 9), got (1, 8, 4)",
      () => new nn.Fold(4, 2).forward(zeros([1, 8, 4]) as Tensor),
    ],
    ["LPPool2d: normType must be above 0, got 0", () => new nn.LPPool2d(0, 2)],
    ["LSTM: projSize must be from 0 to below hiddenSize 4, got 4", () => new nn.LSTM(3, 4, { projSize: 4 })],
    [
      "LSTMCell(3 → 4), hidden state, expects 4 features",
      () =>
        new nn.LSTMCell(3, 4).forward(zeros([2, 3]) as Tensor, [
          zeros([2, 3]) as Tensor,
          zeros([2, 4]) as Tensor,
        ]),
    ],
    [
      "EmbeddingBag(3 × 2, mean) expects (bags, indices), or (indices) with offsets, got (4,)",
      () => new nn.EmbeddingBag(3, 2).forward(zeros([4], { dtype: "i32" }) as Tensor),
    ],
    ["GaussianNoise: stddev must be 0 or more, got -1", () => new nn.GaussianNoise(-1)],
    [
      "Softmax2d() expects (N, C, H, W) or (C, H, W), got (2, 2)",
      () => new nn.Softmax2d().forward(zeros([2, 2]) as Tensor),
    ],
  ])("say %s", (message, body) => {
    expect(body).toThrow(message);
  });
});
