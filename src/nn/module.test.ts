import { afterEach, describe, expect, it } from "vitest";
import { seed } from "../base/default-key.ts";
import { compile, type Tensor, tensor } from "../tensor/index.ts";
import { Adapter, Linear, Module, Parameter, Sequential } from "./index.ts";

afterEach(() => seed(42));

/** The error's text; places lose their folders and lines. */
function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return String(error).replace(/\S*\/([\w.]+):\d+:\d+/g, "$1");
  }
  return "no error";
}

/** x·factor. */
class Scale extends Module {
  readonly factor: Parameter;
  constructor(factor = 2) {
    super();
    this.factor = new Parameter(factor);
  }
  forward(x: Tensor): Tensor {
    return x.mul(this.factor);
  }
}

class Model extends Module {
  readonly first = new Scale();
  readonly blocks = [new Scale(3), new Scale(5)];
  readonly heads = { left: new Scale(), right: new Scale() };
  readonly named = new Map<string | number, Module>([
    ["a", new Scale()],
    [7, new Scale()],
  ]);
  readonly width = 3;
  readonly notes = ["text"];
  forward(x: Tensor): Tensor {
    return this.blocks.reduce((value, block) => block.forward(value), this.first.forward(x));
  }
}

describe("what a module holds", () => {
  it("is found in fields, arrays, records and Maps, in their order", () => {
    expect([...new Model().namedParameters().keys()]).toEqual([
      "first.factor",
      "blocks.0.factor",
      "blocks.1.factor",
      "heads.left.factor",
      "heads.right.factor",
      "named.a.factor",
      "named.7.factor",
    ]);
    expect([...new Model().children().keys()]).toContain("heads.left");
  });

  it("is listed once when reached twice", () => {
    class Tied extends Module {
      readonly encoder = new Scale();
      readonly decoder = this.encoder;
      readonly alias = this.encoder.factor;
      forward(x: Tensor): Tensor {
        return this.decoder.forward(this.encoder.forward(x));
      }
    }
    const tied = new Tied();
    expect([...tied.namedParameters().keys()]).toEqual(["encoder.factor"]);
    expect(tied.parameters()).toHaveLength(1);
  });

  it("may point back at its parent", () => {
    class Child extends Scale {
      parent: Module | undefined;
    }
    const child = new Child();
    const parent = new Sequential(child);
    child.parent = parent;
    expect([...parent.namedParameters().keys()]).toEqual(["0.factor"]);
    expect([...child.namedParameters().keys()]).toEqual(["factor"]);
  });

  it("gives parameters their paths as names", () => {
    const model = new Model();
    model.namedParameters();
    expect(model.blocks[1]!.factor.name).toBe("blocks.1.factor");
  });

  it("refuses a forward that is a field", () => {
    class Arrow extends Module {
      override forward = (x: Tensor): Tensor => x;
    }
    expect(messageOf(() => new Arrow().parameters())).toMatchInlineSnapshot(
      `"ArgumentError: Arrow: a Module needs forward(…), as a method of its class"`,
    );
  });

  it("needs a forward", () => {
    class Nothing extends (Module as unknown as new () => object) {}
    expect(messageOf(() => new Nothing())).toMatchInlineSnapshot(
      `"ArgumentError: Nothing: a Module needs forward(…), as a method of its class"`,
    );
  });
});

describe("calling", () => {
  it("computes", async () => {
    expect(await new Model().forward(tensor([1, 2])).toArray()).toEqual([30, 60]);
  });

  it("names the layer and the user's line in errors", () => {
    const model = new Sequential(new Sequential(new Linear(4, 3)));
    expect(() => model.forward(tensor([[1, 2, 3]]))).toThrow(
      /^Linear\(4 → 3\) expects 4 features, the last axis of \(1, 3\) has 3 \(in layer "0\.0", at .*module\.test\.ts:\d+:\d+\)$/,
    );
  });

  it("refuses parameters that the model does not list", () => {
    class Hidden extends Module {
      readonly #factor = new Parameter(2, { name: "factor" });
      forward(x: Tensor): Tensor {
        return x.mul(this.#factor);
      }
    }
    expect(messageOf(() => new Hidden().forward(tensor(1)))).toMatchInlineSnapshot(
      `"ArgumentError: Hidden: its forward reads parameter "factor" that Hidden.parameters() does not list, so it would be neither trained nor saved: keep it in a public field, or in an array, record or Map of one (#private fields cannot be searched) (in layer "Hidden", at module.test.ts)"`,
    );
    class HiddenLayer extends Module {
      readonly #layer = new Scale();
      forward(x: Tensor): Tensor {
        return this.#layer.forward(x);
      }
    }
    expect(messageOf(() => new HiddenLayer().forward(tensor(1)))).toMatchInlineSnapshot(
      `"ArgumentError: HiddenLayer: its forward calls a Scale that HiddenLayer.parameters() does not list, so its parameters would be neither trained nor saved: keep it in a public field, or in an array, record or Map of one (#private fields cannot be searched) (in layer "HiddenLayer", at module.test.ts)"`,
    );
  });

  it("accepts layers without parameters that are made on the way", async () => {
    class Negate extends Module {
      forward(x: Tensor): Tensor {
        return x.mul(-1);
      }
    }
    class Ad extends Module {
      forward(x: Tensor): Tensor {
        return new Negate().forward(x);
      }
    }
    expect(await new Ad().forward(tensor(1)).item()).toBe(-1);
  });

  it("runs hooks around the forward, and not after their removal", async () => {
    const model = new Model();
    const seen: string[] = [];
    const before = model.first.registerForwardPreHook(([x]) => [x.add(1)]);
    const after = model.first.registerForwardHook((output, [x], module) => {
      seen.push(module.constructor.name, String(x.shape));
      return output.mul(-1);
    });
    expect(await model.forward(tensor([1])).toArray()).toEqual([-60]);
    expect(seen).toEqual(["Scale", "1"]);
    before.remove();
    after.remove();
    expect(await model.forward(tensor([1])).toArray()).toEqual([30]);
  });

  it("runs adapters in place of the forward, and lists their parameters", async () => {
    class Bias extends Adapter {
      readonly bias = new Parameter(100);
      forward(inner: (x: Tensor) => Tensor, x: Tensor): Tensor {
        return inner(x).add(this.bias);
      }
    }
    const model = new Model();
    using _adapter = model.first.addAdapter("shift", new Bias());
    expect(await model.forward(tensor(1)).item()).toBe(102 * 15);
    expect(model.namedParameters().has("first.shift.bias")).toBe(true);
    expect(() => model.first.addAdapter("factor", new Bias())).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Scale: "factor" is taken; give the adapter another name]`,
    );
    model.first.removeAdapter("shift");
    expect(await model.forward(tensor(1)).item()).toBe(30);
    expect(() => model.first.removeAdapter("shift")).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Scale: no adapter "shift"; there are: none]`,
    );
    model.first.addAdapter("shift", new Bias());
  });
});

describe("what a compiled function was traced for", () => {
  /** How often the model is traced, seen by a hook that runs only then. */
  function counted(model: Module): { step: (x: Tensor) => Tensor; traces: () => number } {
    let traces = 0;
    const step = compile((x: Tensor) => {
      traces++;
      return (model as Model).forward(x);
    });
    return { step: step as never, traces: () => traces };
  }

  it("is traced again for another mode, and not when the mode has returned", () => {
    const model = new Model();
    const { step, traces } = counted(model);
    step(tensor(1));
    model.eval();
    model.train();
    step(tensor(2));
    expect(traces()).toBe(1);
    model.eval();
    step(tensor(1));
    expect(traces()).toBe(2);
  });

  it("is traced again for hooks, adapters and replaced layers", async () => {
    const model = new Model();
    const { step, traces } = counted(model);
    expect(await step(tensor(1)).item()).toBe(30);
    const hook = model.first.registerForwardHook((output) => output.mul(-1));
    expect(await step(tensor(1)).item()).toBe(-30);
    hook.remove();
    expect(await step(tensor(1)).item()).toBe(30);
    model.blocks.push(new Scale(10));
    expect(await step(tensor(1)).item()).toBe(300);
    expect(traces()).toBe(4);
  });
});

describe("modes and freezing", () => {
  it("reach every module below", () => {
    const model = new Model();
    expect(model.training && model.heads.left.training).toBe(true);
    expect(model.eval().heads.left.training).toBe(false);
    expect(model.train().heads.left.training).toBe(true);
    model.heads.left.freeze();
    expect(model.parameters().filter((parameter) => !parameter.trainable)).toEqual([model.heads.left.factor]);
    model.unfreeze();
    expect(model.parameters().every((parameter) => parameter.trainable)).toBe(true);
  });
});

describe("as text", () => {
  it("is a tree", () => {
    class Net extends Module {
      readonly hidden = new Linear(4, 3);
      readonly blocks = [new Sequential(new Linear(3, 2, { bias: false }))];
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    expect(String(new Net())).toMatchInlineSnapshot(`
      "Net(
        (hidden): Linear(4 → 3)
        (blocks.0): Sequential(
          (0): Linear(3 → 2, no bias)
        )
      )"
    `);
  });
});
