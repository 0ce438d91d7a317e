import { describe, expect, it } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import { Parameter } from "../nn/index.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import {
  Adam,
  AdamW,
  adadelta,
  adafactor,
  adagrad,
  adam,
  adamax,
  adamw,
  asgd,
  clipByGlobalNorm,
  clipByValue,
  globalNorm,
  lamb,
  lars,
  lion,
  lookahead,
  muon,
  nadam,
  type OptimizerFactory,
  radam,
  rmsprop,
  rprop,
  SGD,
  sgd,
} from "./index.ts";

interface Run {
  optimizer: keyof typeof factories;
  options: Record<string, unknown>;
  losses: number[];
  after: Record<string, { weight: EncodedArray; bias: EncodedArray }>;
}
interface Fixture {
  x: EncodedArray;
  y: EncodedArray;
  start: { weight: EncodedArray; bias: EncodedArray };
  runs: Run[];
}

const fixture = readFixture<Fixture>("optimizers.json");
const factories = {
  ...{ sgd, adam, adamw, rmsprop, adagrad, adadelta, adamax, nadam, radam, asgd, rprop, adafactor },
  ...{ lion, lamb, lars, muon },
  lookahead: ({ every, alpha, ...options }: Record<string, number>) =>
    lookahead(adam(options), { every, alpha } as never),
} satisfies Record<string, (options: never) => OptimizerFactory>;
const tensorOf = (encoded: EncodedArray): Tensor =>
  tensor(decodeArray(encoded), { shape: encoded.shape as number[] }) as Tensor;

/** 10⁻⁵ of each element or 10⁻⁶, as PyTorch's f32 run keeps to its f64 run. */
function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const off = Array.from(expected, (value, i) => Math.abs(actual[i]! - value) - 1e-5 * Math.abs(value));
  expect(Math.max(...off)).toBeLessThan(1e-6);
}

describe("20 steps of PyTorch", () => {
  const rows = fixture.runs.map((run) => [`${run.optimizer} ${JSON.stringify(run.options)}`, run] as const);

  async function train({ optimizer: name, options, losses, after }: Run, isCompiled: boolean): Promise<void> {
    const weight = new Parameter(tensorOf(fixture.start.weight), { name: "weight" });
    const bias = new Parameter(tensorOf(fixture.start.bias), { name: "bias" });
    const optimizer = factories[name](options as never)([weight, bias]);
    const step = (x: Tensor, y: Tensor): Tensor => {
      const loss = x.matmul(weight).add(bias).sub(y).square().mean();
      optimizer.step(grad(loss, optimizer.parameters));
      return loss;
    };
    const run = (isCompiled ? compile(step) : step) as typeof step;
    const [x, y] = [tensorOf(fixture.x), tensorOf(fixture.y)];
    for (let i = 0; i < losses.length; i++) {
      const loss = Number(await run(x, y).item());
      expect(Math.abs(loss - losses[i]!)).toBeLessThan(1e-5 * losses[i]!);
      const kept = after[String(i + 1)];
      if (kept === undefined) continue;
      expectNear(await weight.data(), decodeArray(kept.weight));
      expectNear(await bias.data(), decodeArray(kept.bias));
    }
  }

  it.each(rows)("%s", (_, run) => train(run, true));
  it.each(rows.slice(-1))("%s, without compile", (_, run) => train(run, false));
});

describe("options", () => {
  const parameters = [new Parameter([1, 2], { name: "w" })];

  it("have PyTorch's defaults", async () => {
    const first = new Parameter([1, 2]);
    const second = new Parameter([1, 2]);
    const gradient = [tensor([0.5, -1])];
    new Adam([first]).step(gradient);
    new Adam([second], { learningRate: 1e-3, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 }).step(
      gradient,
    );
    expect(await first.toArray()).toEqual(await second.toArray());
  });

  it("that are unknown are refused, with the nearest name", () => {
    expect(() => new Adam(parameters, { learningrate: 1 } as object)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Adam: there is no option "learningrate"; did you mean "learningRate"?]`,
    );
    expect(() => new SGD(parameters, { foo: 1 } as object)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: there is no option "foo"; it takes learningRate, momentum, dampening, weightDecay, nesterov]`,
    );
  });

  it("out of range are refused", () => {
    expect(() => new Adam(parameters, { betas: [0.9, 1] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Adam: betas[1] must be from 0 to below 1, got 1]`,
    );
    expect(() => new Adam(parameters, { learningRate: Number.NaN })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Adam: learningRate must be 0 or more, got NaN]`,
    );
    expect(() => new AdamW(parameters, { epsilon: -1 })).toThrow("epsilon must be 0 or more, got -1");
    expect(() => new SGD(parameters, { nesterov: true })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: nesterov needs momentum above 0 and dampening 0, got momentum 0, dampening 0]`,
    );
  });
});

describe("groups", () => {
  it("have options of their own", async () => {
    const [a, b] = [new Parameter(1, { name: "a" }), new Parameter(1, { name: "b" })];
    const optimizer = new SGD([{ parameters: [a], learningRate: 0.5 }, { parameters: [b] }], {
      learningRate: 0.25,
    });
    optimizer.step([tensor(1), tensor(1)]);
    expect([await a.item(), await b.item()]).toEqual([0.5, 0.75]);
    optimizer.setLearningRate(1, 1);
    optimizer.step([tensor(1), tensor(1)]);
    expect([await a.item(), await b.item()]).toEqual([0, -0.25]);
  });

  it("are checked", () => {
    const [a, b] = [new Parameter(1, { name: "a" }), new Parameter(1, { name: "b" })];
    expect(() => new SGD([])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: no parameters; pass model.parameters(), of a model that has some]`,
    );
    expect(() => new SGD([a, b, a])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: parameter "a" is given twice; list it in one group]`,
    );
    expect(() => new SGD([a, { parameters: [b] }] as never)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: parameters and groups are mixed; put every parameter in a group]`,
    );
  });
});

describe("a step", () => {
  it("leaves frozen parameters and their moments as they are", async () => {
    const [a, b] = [new Parameter(1, { name: "a" }), new Parameter(1, { name: "b" })];
    const optimizer = new Adam([a, b], { learningRate: 0.1, weightDecay: 1 });
    const step = compile((x: Tensor) => {
      const loss = x.mul(a).mul(b);
      optimizer.step(grad(loss, [a, b]));
      return loss;
    });
    b.trainable = false;
    await step(tensor(2)).item();
    expect(await b.item()).toBe(1);
    expect(await optimizer.stateDict().get("firstMoment.b")!.item()).toBe(0);
    expect(await a.item()).toBeCloseTo(0.9, 6);
    b.trainable = true;
    await step(tensor(2)).item();
    expect(await b.item()).toBeLessThan(1);
  });

  it("needs a gradient for each parameter, of its shape", () => {
    const optimizer = new SGD([new Parameter([1, 2], { name: "w" })]);
    expect(() => optimizer.step([])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: 0 gradients for 1 parameters; pass grad(loss, optimizer.parameters)]`,
    );
    expect(() => optimizer.step([tensor(1)])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: SGD: gradient 0 has shape (), parameter "w" (2,); pass gradients in the order of optimizer.parameters]`,
    );
  });

  it("updates 16-bit parameters in f32, with moments in f32", async () => {
    const w = new Parameter([1, 2], { dtype: "bf16", name: "w" });
    const optimizer = new Adam([w], { learningRate: 0.5 });
    optimizer.step([tensor([1, -1], { dtype: "bf16" })]);
    expect(await w.toArray()).toEqual([0.5, 2.5]);
    expect(optimizer.stateDict().get("firstMoment.w")!.dtype).toBe("f32");
  });
});

describe("the learning rate", () => {
  it("is a state where it is a number", async () => {
    const w = new Parameter(1, { name: "w" });
    const optimizer = new SGD([w], { learningRate: 0.5 });
    const step = compile((g: Tensor) => {
      optimizer.step([g]);
      return optimizer.learningRate();
    });
    expect(await step(tensor(1)).item()).toBe(0.5);
    optimizer.setLearningRate(0.25);
    expect(await step(tensor(1)).item()).toBe(0.25);
    expect(await w.item()).toBe(0.25);
    expect(step.signatures).toBe(1);
    expect([...optimizer.stateDict().keys()]).toEqual(["step", "learningRate.0"]);
  });

  it("may be a schedule of the steps done, inside the compiled step", async () => {
    const w = new Parameter(0, { name: "w" });
    const optimizer = new SGD([w], { learningRate: (step) => step.add(1) });
    const step = compile((g: Tensor) => {
      optimizer.step([g]);
      return w.value;
    });
    const values = [step(tensor(1)), step(tensor(1)), step(tensor(1))];
    expect(await Promise.all(values.map((value) => value.item()))).toEqual([-1, -3, -6]);
    expect(() => optimizer.setLearningRate(1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: the learning rate is a schedule; make the optimizer with a number to set it]`,
    );
  });
});

describe("states", () => {
  it("go by the parameters' names, or by their place where names repeat", () => {
    const named = new Adam([new Parameter(1, { name: "a" }), new Parameter(1, { name: "b" })]);
    expect([...named.stateDict().keys()]).toEqual([
      "step",
      "learningRate.0",
      "firstMoment.a",
      "secondMoment.a",
      "firstMoment.b",
      "secondMoment.b",
    ]);
    const unnamed = new SGD([new Parameter(1), new Parameter(1)], { momentum: 0.9 });
    expect([...unnamed.stateDict().keys()]).toEqual(["step", "learningRate.0", "momentum.0", "momentum.1"]);
  });

  it("continue a run where another optimizer left it", async () => {
    const parameters = [0, 1].map(() => new Parameter([1, -2], { name: "w" }));
    const [first, second] = parameters.map((parameter) => new Adam([parameter], { learningRate: 0.1 }));
    const gradient = [tensor([0.3, 0.1])];
    first!.step(gradient);
    parameters[1]!.assign(parameters[0]!.value);
    second!.loadStateDict(first!.stateDict());
    first!.step(gradient);
    second!.step(gradient);
    expect(await parameters[1]!.toArray()).toEqual(await parameters[0]!.toArray());
    expect(await second!.stepCount.item()).toBe(2);
    expect(() => second!.loadStateDict({ "firstMoment.v": tensor(1) })).toThrowErrorMatchingInlineSnapshot(`
      [ArgumentError: Adam: the names do not match; rename them, or pass { strict: false } to leave these out:
        nothing here is named "firstMoment.v"; did you mean "firstMoment.w"?
        no value for "step"
        no value for "learningRate.0"
        no value for "firstMoment.w"
        no value for "secondMoment.w"]
    `);
  });
});

describe("clipping", () => {
  const gradients = [tensor([3, 0]), tensor([[4]])];

  it("scales all gradients to a norm together", async () => {
    expect(await globalNorm(gradients).item()).toBe(5);
    const [a, b] = clipByGlobalNorm(gradients, 1);
    expect((await a!.toArray())[0]).toBeCloseTo(0.6, 6);
    expect((await b!.toArray())[0][0]).toBeCloseTo(0.8, 6);
    expect(await clipByGlobalNorm(gradients, 10)[0]!.toArray()).toEqual([3, 0]);
    expect(await clipByGlobalNorm([tensor([Infinity, 1])], 1)[0]!.toArray()).toEqual([Number.NaN, 0]);
  });

  it("limits each element", async () => {
    expect(await clipByValue([tensor([-3, 0.5, 9])], 1)[0]!.toArray()).toEqual([-1, 0.5, 1]);
  });

  it("checks its limits", () => {
    expect(() => clipByValue(gradients, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: clipByValue: the limit must be above 0, got 0]`,
    );
    expect(() => globalNorm([])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: globalNorm: no gradients]`,
    );
  });
});
