import { afterEach, describe, expect, test, vi } from "vitest";
import { StepError } from "../base/errors.ts";
import { check } from "../ops/index.ts";
import { cpuDevice } from "../runtime/devices.ts";
import { compile, grad, type StateTensor, state, type Tensor, tensor } from "./index.ts";
import { nodeOf } from "./nodes.ts";
import { fromNode } from "./tensor.ts";

const messageOf = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    return (error as Error).message.replace(/at \S*\/eager\.test\.ts:\d+:\d+/g, "at eager.test.ts");
  }
  return "nothing was thrown";
};

/** How many programs were compiled while `body` ran. */
async function compilations(body: () => unknown): Promise<number> {
  const spy = vi.spyOn(cpuDevice(), "compile");
  await body();
  const count = spy.mock.calls.length;
  spy.mockRestore();
  return count;
}
afterEach(() => {
  vi.restoreAllMocks();
});

const step = (weight: StateTensor): { prediction: Tensor; loss: Tensor } => {
  const prediction = tensor([[1, 2]]).matmul(weight);
  const error = prediction.sub(3);
  const loss = error.mul(error).sum();
  const gradient = grad(loss, weight);
  weight.assign(weight.sub(gradient.mul(0.1)));
  return { prediction, loss };
};

test("rows that are typed arrays make one tensor of their dtype", async () => {
  const rows = [Float32Array.of(1, 2), Float32Array.of(3, 4)];
  const x = tensor(rows);
  expect([x.shape, x.dtype]).toEqual([[2, 2], "f32"]);
  rows[0]![0] = 9;
  expect(await x.toArray()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(tensor([[Int32Array.of(7)], [Int32Array.of(8)]]).dtype).toBe("i32");
  expect(tensor([Int32Array.of(7)], { dtype: "f64" }).dtype).toBe("f64");
  expect(tensor([new Float32Array(0), new Float32Array(0)]).shape).toEqual([2, 0]);
  expect(messageOf(() => tensor([new Float32Array(2), new Float32Array(3)]))).toMatchInlineSnapshot(
    `"tensor: a row of 3 where a row of 2 was expected: rows must have equal lengths (axis 1) (at eager.test.ts)"`,
  );
  expect(messageOf(() => tensor([new Float32Array(2), new Int32Array(2)]))).toMatchInlineSnapshot(
    `"tensor: there are rows of f32 and i32; make them of one kind, or say a dtype (at eager.test.ts)"`,
  );
  expect(messageOf(() => tensor([new Float32Array(2), [1, 2]] as never))).toMatchInlineSnapshot(
    `"tensor: there are rows of f32 and plain numbers; make them of one kind, or say a dtype (at eager.test.ts)"`,
  );
});

describe("states outside of compile", () => {
  test("a value read before an assignment keeps the old value, whenever it is looked at", async () => {
    const count = state(1);
    const before = count.value;
    const doubled = count.mul(2);
    count.assign(count.add(1));
    const after = count.value;
    count.assign(count.add(1));
    expect(await count.item()).toBe(3);
    expect(await before.item()).toBe(1);
    expect(await doubled.item()).toBe(2);
    expect(await after.item()).toBe(2);
  });

  test("tensors inside a step mean the weights that the step read", async () => {
    const weight = state([[1], [2]]);
    const first = step(weight);
    const second = step(weight);
    expect(await second.loss.item()).toBe(0);
    expect(await first.prediction.item()).toBe(5);
    expect(await first.loss.item()).toBe(4);
    expect(await second.prediction.item()).toBeCloseTo(3, 5);
  });

  test("any read-out commits all pending assignments, in one program", async () => {
    const [a, b] = [state(1), state(10)];
    a.assign(a.add(1));
    b.assign(b.add(a));
    const count = await compilations(() => tensor([1]).add(1).data());
    expect(count).toBe(1);
    expect(await compilations(async () => [await a.item(), await b.item()])).toBe(0);
    expect([await a.item(), await b.item()]).toEqual([2, 12]);
  });

  test("a compiled function sees pending assignments, and leaves values read before alone", async () => {
    const count = state(1);
    const increment = compile(() => {
      count.assign(count.add(1));
      return count.value;
    });
    count.assign(10);
    const before = count.value;
    const doubled = before.mul(2);
    expect(await increment().item()).toBe(11);
    increment();
    expect(await before.item()).toBe(10);
    expect(await doubled.item()).toBe(20);
    expect(await count.item()).toBe(12);
  });

  test("assigning another shape or dtype says so", () => {
    const weight = state([1, 2], { name: "weight" });
    expect(messageOf(() => weight.assign([1, 2, 3]))).toMatchInlineSnapshot(
      `"state "weight" has shape (2,), got (3,): a state keeps its shape (at eager.test.ts)"`,
    );
    expect(messageOf(() => weight.assign(tensor([1, 2], { dtype: "i32" })))).toMatchInlineSnapshot(
      `"state "weight" is f32, got i32: cast the value first (at eager.test.ts)"`,
    );
  });
});

describe("programs are kept by structure", () => {
  test("a loop over a tensor compiles once", async () => {
    let x = tensor([1, 2]) as Tensor;
    const loop = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        x = x.add(x);
        await x.data();
      }
    };
    // While x keeps its graph for gradients, its value is still a leaf of the next program.
    expect(await compilations(loop)).toBe(1);
    expect(await x.toArray()).toEqual([32, 64]);
  });

  test("a training step without compile compiles once", async () => {
    const weight = state([[1], [2]]);
    const loop = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) await step(weight).loss.item();
    };
    expect(await compilations(loop)).toBe(1);
  });
});

describe("graphs behind values", () => {
  test("reading a loss does not change its gradient", async () => {
    const weight = state([3, 4]);
    const loss = weight.mul(weight).sum();
    expect(await loss.item()).toBe(25);
    expect(await grad(loss, weight).toArray()).toEqual([6, 8]);
  });

  test("a gradient across an assignment is refused, also after a read-out", async () => {
    const weight = state([3, 4], { name: "weight" });
    const loss = weight.mul(weight).sum();
    weight.assign(weight.mul(2));
    expect(messageOf(() => grad(loss, weight))).toMatchInlineSnapshot(
      `"gradients: state "weight" was assigned at eager.test.ts, after the loss read it at eager.test.ts; take the gradient before the assignment (at eager.test.ts)"`,
    );
    await loss.item();
    expect(messageOf(() => grad(loss, weight))).toMatchInlineSnapshot(
      `"grad: the loss uses a value that was computed before (at eager.test.ts) and whose graph is gone: no gradient can reach state "weight"; compute the loss anew, or wrap that value in stopGradient (at eager.test.ts)"`,
    );
    expect(messageOf(() => grad(loss.add(weight.sum()), weight))).toMatchInlineSnapshot(
      `"grad: the loss uses a value that was computed before (at eager.test.ts) and whose graph is gone: no gradient can reach state "weight"; compute the loss anew, or wrap that value in stopGradient (at eager.test.ts)"`,
    );
  });

  test("a value from outside of a compiled function is what it is when the function is traced", async () => {
    const scale = tensor([2]).mul(5);
    const double = compile((x: Tensor) => x.mul(scale));
    expect(await double([1, 2]).toArray()).toEqual([10, 20]);
    expect(await double([3, 4]).toArray()).toEqual([30, 40]);
  });

  test("a tensor that leaves a compiled function without being returned says so", async () => {
    let leaked: Tensor | undefined;
    compile((x: Tensor) => {
      leaked = x.mul(2);
      return x;
    })([1]);
    expect(messageOf(() => leaked!.data())).toMatchInlineSnapshot(
      `"a tensor made inside a traced function (at eager.test.ts) has no value outside of it: return it from that function"`,
    );
    expect(messageOf(() => compile((x: Tensor) => x.add(leaked!))([1]))).toMatchInlineSnapshot(
      `"a tensor made inside a traced function (at eager.test.ts) has no value outside of it: return it from that function (at eager.test.ts)"`,
    );
  });
});

describe("failed runs", () => {
  const positive = (x: Tensor): Tensor =>
    fromNode(check(nodeOf(x), nodeOf(x.greater(0)), "x must be positive"));

  test("the step changes nothing, its results carry the error, the next step runs", async () => {
    const total = state(1, { name: "total" });
    const add = compile((x: Tensor) => {
      total.assign(total.add(positive(x).sum()));
      return total.value;
    });
    await expect(add([1, -2]).item()).rejects.toThrow(StepError);
    expect(await total.item()).toBe(1);
    expect(await add([1, 2]).item()).toBe(4);
  });

  test("an error that nobody awaited is thrown by the next call, once", async () => {
    const total = state(1);
    const add = compile((x: Tensor) => {
      total.assign(total.add(positive(x).sum()));
    });
    add([-1]);
    expect(() => add([1])).toThrow(StepError);
    add([2]);
    expect(await total.item()).toBe(3);
  });

  test("outside of compile the pending assignments of a failed run are dropped", async () => {
    const total = state(1);
    total.assign(total.add(positive(tensor([-1])).sum()));
    await expect(total.add(0).item()).rejects.toThrow(StepError);
    expect(await total.item()).toBe(1);
  });
});

describe("long loops that never read", () => {
  test("a chain of 10,000 additions", async () => {
    let x = tensor([0]) as Tensor;
    for (let i = 0; i < 10_000; i++) x = x.add(1);
    expect(await x.toArray()).toEqual([10_000]);
  });

  test("states assigned 10,000 times, and tensors held in between", async () => {
    const count = state(0);
    const held: Tensor[] = [];
    for (let i = 0; i < 10_000; i++) {
      count.assign(count.add(1));
      if (i % 1000 === 0) held.push(count.mul(2));
    }
    expect(await count.item()).toBe(10_000);
    expect(await Promise.all(held.map((x) => x.item()))).toEqual(held.map((_, i) => 2 * (1000 * i + 1)));
  });
});
