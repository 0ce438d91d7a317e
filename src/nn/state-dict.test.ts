import { describe, expect, it } from "vitest";
import { hostArray } from "../base/host-array.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { type Initializer, initializers, Linear, Module, Parameter, Sequential } from "./index.ts";

const host = (shape: number[], ...values: number[]) => ({
  dtype: "f32" as const,
  shape,
  data: Float32Array.from(values),
});
const model = (): Sequential => new Sequential(new Linear(2, 1), new Linear(1, 1));
const values = {
  "0.weight": host([1, 2], 1, 2),
  "0.bias": host([1], 3),
  "1.weight": host([1, 1], 4),
  "1.bias": host([1], 5),
};

describe("loadStateDict", () => {
  it("sets every state from host arrays, and from another model", async () => {
    const [first, second] = [model(), model()];
    expect(first.loadStateDict(values)).toEqual({ missing: [], unexpected: [] });
    second.loadStateDict(first.stateDict());
    const x = tensor([[1, 1]]);
    expect(await first.forward(x).toArray()).toEqual([[29]]);
    expect(await second.forward(x).toArray()).toEqual([[29]]);
  });

  it("names what does not match, with the nearest name, and sets nothing", async () => {
    const target = model();
    const before = await target.stateDict().get("0.bias")!.toArray();
    const { "1.weight": weight, ...rest } = values;
    expect(() => target.loadStateDict({ ...rest, "1.wieght": weight })).toThrowErrorMatchingInlineSnapshot(`
      [ArgumentError: Sequential: the names do not match; rename them, or pass { strict: false } to leave these out:
        nothing here is named "1.wieght"; did you mean "1.weight"?
        no value for "1.weight"]
    `);
    expect(await target.stateDict().get("0.bias")!.toArray()).toEqual(before);
  });

  it("reports what it leaves out when told to", async () => {
    const target = model();
    const report = target.loadStateDict({ "0.bias": host([1], 7), other: host([1], 1) }, { strict: false });
    expect(report).toEqual({ missing: ["0.weight", "1.weight", "1.bias"], unexpected: ["other"] });
    expect(await target.stateDict().get("0.bias")!.toArray()).toEqual([7]);
  });

  it("names shapes and dtypes that differ", () => {
    expect(() =>
      model().loadStateDict({ ...values, "0.weight": host([2, 1], 1, 2) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: Sequential: "0.weight" has shape (1, 2), its value (2, 1): the model was built with other sizes]`,
    );
    const half = { dtype: "f16" as const, shape: [1], data: Uint16Array.of(0x4200) };
    expect(() => model().loadStateDict({ ...values, "1.bias": half })).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: Sequential: "1.bias" is f32, its value f16: pass { cast: true } to convert it]`,
    );
  });

  it("converts dtypes when told to", async () => {
    const target = model();
    const half = { dtype: "f16" as const, shape: [1], data: Uint16Array.of(0x4200) };
    target.loadStateDict(
      { ...values, "1.bias": half, "0.bias": tensor([9], { dtype: "i32" }) },
      { cast: true },
    );
    expect(await target.stateDict().get("1.bias")!.toArray()).toEqual([3]);
    expect(await target.stateDict().get("0.bias")!.toArray()).toEqual([9]);
  });

  it("shortens a long list", () => {
    const many = new Sequential(...Array.from({ length: 10 }, () => new Linear(1, 1)));
    expect(() => many.loadStateDict({})).toThrow(/no value for "5\.bias"\n {2}… and 8 more$/);
  });
});

describe("first values", () => {
  it("are computed when they are first needed: never, where others are loaded", async () => {
    let drawn = 0;
    const counting: Initializer = (request) => {
      drawn++;
      return initializers.glorotUniform()(request);
    };
    const options = { weightInit: counting, key: 3 };
    const loaded = new Linear(2, 2, options);
    const before = loaded.weight.value;
    loaded.loadStateDict({
      weight: hostArray("f32", [2, 2], Float32Array.of(1, 2, 3, 4)),
      bias: hostArray("f32", [2]),
    });
    expect(await loaded.forward(tensor([1, 1])).toArray()).toEqual([3, 7]);
    expect(drawn).toBe(1); // for `before`, which was asked for
    expect(await before.toArray()).toEqual(await new Linear(2, 2, { key: 3 }).weight.toArray());
    const untouched = new Linear(2, 2, options);
    untouched.loadStateDict(loaded.stateDict());
    const fresh = new Linear(2, 2, options);
    fresh.loadStateDict({ weight: hostArray("f32", [2, 2]), bias: hostArray("f32", [2]) });
    expect(await fresh.weight.sum().item()).toBe(0);
    expect(drawn).toBe(2);
  });

  it("of another length are refused by name", async () => {
    const layer = new Linear(2, 2, { weightInit: () => new Float32Array(3) });
    expect(() => layer.weight.toArray()).toThrow(
      /"weight": the initial value of f32 \(2, 2\) is a Float32Array of 3/,
    );
  });
});

describe("tied parameters", () => {
  class Tied extends Module {
    readonly encoder = { weight: new Parameter([1, 2]) };
    readonly decoder = { weight: this.encoder.weight };
    forward(x: Tensor): Tensor {
      return x.mul(this.encoder.weight).mul(this.decoder.weight);
    }
  }

  it("load from either name, or from both with one value", async () => {
    const tied = new Tied();
    tied.loadStateDict({ "decoder.weight": host([2], 3, 4) });
    expect(await tied.encoder.weight.toArray()).toEqual([3, 4]);
    tied.loadStateDict({ "decoder.weight": host([2], 5, 6), "encoder.weight": host([2], 5, 6) });
    expect(await tied.encoder.weight.toArray()).toEqual([5, 6]);
    expect([...tied.stateDict().keys()]).toEqual(["encoder.weight"]);
  });

  it("refuse two values", () => {
    const two = { "encoder.weight": host([2], 1, 2), "decoder.weight": host([2], 1, 3) };
    expect(() => new Tied().loadStateDict(two)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: "encoder.weight" and "decoder.weight" are one tied parameter here, but their values differ: load one of them]`,
    );
  });

  it("of a layer that is used twice have both names", async () => {
    class Twice extends Module {
      readonly first = new Linear(1, 1);
      readonly second = this.first;
      forward(x: Tensor): Tensor {
        return this.second.forward(this.first.forward(x));
      }
    }
    const twice = new Twice();
    twice.loadStateDict({ "second.weight": host([1, 1], 2), "first.bias": host([1], 1) });
    expect(await twice.forward(tensor([1])).toArray()).toEqual([7]);
  });
});
