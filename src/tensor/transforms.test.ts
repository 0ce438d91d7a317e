import { describe, expect, test } from "vitest";
import {
  compile,
  customGradient,
  device,
  dimension,
  grad,
  hessian,
  hessianVectorProduct,
  jacobian,
  jvp,
  rematerialize,
  repeatWhile,
  scan,
  state,
  stopGradient,
  type Tensor,
  tensor,
  vectorize,
  vjp,
  zeros,
} from "./index.ts";

const values = (x: Tensor): Promise<any> => x.toArray();
const messageOf = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    return (error as Error).message.replace(/[^ ]*\/([\w.]+):\d+:\d+/g, "$1");
  }
  return "no error";
};

const matrix = tensor([
  [1, 2, 3],
  [4, 5, 7],
]);

describe("products and whole derivatives", () => {
  test("the Jacobian of a matrix product, by rows and by columns", async () => {
    const x = tensor([1, -1, 2]);
    const wide = tensor([0.5, 2]);
    expect(await values(jacobian(matrix.matmul(x), x))).toEqual(await values(matrix));
    const tall = matrix.transpose().matmul(wide);
    expect(await values(jacobian(tall, wide))).toEqual(await values(matrix.transpose()));
  });

  test("vjp and jvp agree with the Jacobian on a nonlinear function of two inputs", async () => {
    const [a, b] = [tensor([0.3, -0.7], { dtype: "f64" }), tensor([1.5, 0.2], { dtype: "f64" })];
    const f = a.sin().mul(b.exp()).add(a.mul(b).sum());
    const { a: Ja, b: Jb } = jacobian(f, { a, b });
    const [va, vb] = [tensor([1, 2], { dtype: "f64" }), tensor([-1, 0.5], { dtype: "f64" })];
    const forward = jvp(f, [a, b], [va, vb]);
    const expected = Ja.matmul(va).add(Jb.matmul(vb));
    expect(await forward.sub(expected).abs().max().item()).toBeLessThan(1e-14);
    const back = vjp(f, [a, b], va);
    expect(await back[1]!.sub(va.matmul(Jb)).abs().max().item()).toBeLessThan(1e-14);
  });

  test("Hessian and its products", async () => {
    const x = tensor([1, 2, -1], { dtype: "f64" });
    const loss = x.mul(x).sum().mul(x.prod());
    const H = hessian(loss, x);
    const v = tensor([0.3, -1, 2], { dtype: "f64" });
    expect(await H.sub(H.transpose()).abs().max().item()).toBeLessThan(1e-12);
    expect(await hessianVectorProduct(loss, x, v).sub(H.matmul(v)).abs().max().item()).toBeLessThan(1e-12);
    // ∂²/∂x₀² of (x₀² + x₁² + x₂²)·x₀x₁x₂ is 6·x₀x₁x₂
    expect(await H.at(0).at(0).item()).toBe(-12);
  });

  test("of states, inside a compiled step", async () => {
    const w = state([1, 2], { name: "w" });
    const step = compile(() => {
      const loss = w.mul(w).mul(w).sum();
      const H = hessian(loss, w);
      w.assign(w.sub(grad(loss, w).mul(0.1)));
      return H;
    });
    expect(await values(step())).toEqual([
      [6, 0],
      [0, 12],
    ]);
  });

  test("through scan, forwards as well", async () => {
    const x = tensor([0.5, 1.5, -1], { dtype: "f64" });
    const one = tensor(1, { dtype: "f64" });
    const run = (x: Tensor) => scan((c: Tensor, s: Tensor) => ({ carry: c.mul(s).add(s) }), one, x).carry;
    const y = run(x);
    const v = tensor([1, -2, 0.5], { dtype: "f64" });
    const g = grad(y, x);
    expect(await jvp(y, x, v).sub(g.mul(v).sum()).abs().item()).toBeLessThan(1e-13);
    const H = hessian(y, x);
    expect(await hessianVectorProduct(y, x, v).sub(H.matmul(v)).abs().max().item()).toBeLessThan(1e-12);
    const [a, b, c] = [0.5, 1.5, -1];
    // y = ((1·a + a)·b + b)·c + c, so ∂²y/∂a∂b = 2c
    expect(await H.at(0).at(1).item()).toBeCloseTo(2 * c, 12);
    expect(await y.item()).toBeCloseTo(((a + a) * b + b) * c + c, 12);
  });

  test("the vector is a constant, also where it depends on the parameter", async () => {
    const x = tensor([1, 2]);
    const loss = x.mul(x).mul(x).sum();
    const H = hessian(loss, x);
    const twice = hessianVectorProduct(loss, x, hessianVectorProduct(loss, x, tensor([1, 1])));
    expect(await values(twice)).toEqual(await values(H.matmul(H).matmul(tensor([1, 1]))));
  });

  test("inside a loop, of a loss built outside: states, tensors and what lies between", async () => {
    const w = state([1, 2], { name: "w" });
    const outside = tensor([3, 1]);
    const powers = compile(() => {
      const loss = w.square().mul(w).mul(outside).sum();
      const times = (v: Tensor): Tensor => hessianVectorProduct(loss, w, v);
      const start = tensor([1, 1]);
      const { carry } = scan((v: Tensor) => ({ carry: times(v) }), start, null, { length: 2 });
      const { outputs } = scan(
        (_: null, s: Tensor) => ({ carry: null, output: grad(s.mul(loss), [w, outside])[1]! }),
        null,
        start,
      );
      return [carry, times(times(start)), outputs];
    });
    const [looped, written, slopes] = powers() as [Tensor, Tensor, Tensor];
    expect(await values(looped)).toEqual(await values(written));
    expect(await values(written)).toEqual([324, 144]);
    expect(await values(slopes)).toEqual([
      [1, 8],
      [1, 8],
    ]);
  });

  test("what cannot be", () => {
    const x = tensor([1, 2]);
    expect(messageOf(() => jvp(x.mul(2), x, tensor([1, 2, 3])))).toMatchInlineSnapshot(
      `"jvp: tangent 0 is f32 (3,), its tensor f32 (2,); they must be of one type (at transforms.test.ts)"`,
    );
    expect(messageOf(() => vjp([x.mul(2)], x, [] as never))).toMatchInlineSnapshot(
      `"vjp: got 0 cotangents for 1 tensors; give one for each (at transforms.test.ts)"`,
    );
    expect(messageOf(() => jacobian(x, tensor([1])))).toMatchInlineSnapshot(
      `"gradients: the loss (at transforms.test.ts) does not depend on the buffer (1,); leave it out, or pass { allowUnused: true } for zeros (at transforms.test.ts)"`,
    );
    expect(messageOf(() => hessian(x, x))).toMatchInlineSnapshot(
      `"gradients: the loss has shape (2,) (at transforms.test.ts), not (); take its mean or sum, or pass a cotangent (at transforms.test.ts)"`,
    );
  });
});

describe("vectorize", () => {
  const weight = tensor([
    [0.5, -1],
    [2, 0.25],
    [1, 1],
  ]);
  const loss = (x: Tensor, y: Tensor): Tensor => x.matmul(weight).tanh().sub(y).square().sum();
  const X = tensor([
    [1, 0.5, -1],
    [0.2, 2, 1],
    [-1, 1, 0.3],
    [0, 0.1, 0.2],
  ]);
  const Y = tensor([
    [1, 0],
    [0, 1],
    [0.5, 0.5],
    [-1, 1],
  ]);

  test("per-sample gradients are those of each sample", async () => {
    const all = vectorize((x: Tensor, y: Tensor) => grad(loss(x, y), weight))(X, Y);
    for (let i = 0; i < 4; i++) {
      const alone = grad(loss(X.at(i), Y.at(i)), weight);
      expect(await (all.at(i) as Tensor).sub(alone).abs().max().item()).toBeLessThan(1e-6);
    }
  });

  test("axes in and out, trees, what is the same for all", async () => {
    const f = vectorize(({ x }: { x: Tensor }, b: Tensor) => [x.add(b), b], {
      inAxes: [1, null],
      outAxes: 1,
    });
    const [sum, same] = f({ x: matrix }, tensor([10, 20]));
    expect(await values(sum!)).toEqual([
      [11, 12, 13],
      [24, 25, 27],
    ]);
    expect(await values(same!)).toEqual([
      [10, 10, 10],
      [20, 20, 20],
    ]);
  });

  test("nested, differentiated outside, with own gradients", async () => {
    const times = vectorize((a: Tensor) => vectorize((b: Tensor) => a.mul(b))(tensor([1, 2])));
    expect(await values(times(tensor([3, 5])))).toEqual([
      [3, 6],
      [5, 10],
    ]);
    // softplus of the library has a gradient of its own, which must map as well.
    const x = tensor([-100, 0, 100]);
    const y = vectorize((x: Tensor) => x.softplus().mul(3))(x);
    expect(await values(grad(y.sum(), x))).toEqual([0, 1.5, 3]);
    const mine = customGradient(
      (x: Tensor) => x.mul(2),
      (g) => [g.mul(7)],
    );
    expect(await values(grad(vectorize(mine)(x).sum(), x))).toEqual([7, 7, 7]);
  });

  test("states: read by all, assigned by none", async () => {
    const w = state([1, 2], { name: "w" });
    const g = vectorize((x: Tensor) => grad(w.mul(x).sum().square(), w))(
      tensor([
        [1, 0],
        [1, 1],
      ]),
    );
    expect(await values(g)).toEqual([
      [2, 0],
      [6, 6],
    ]);
    const wrong = vectorize((x: Tensor) => {
      w.assign(w.add(x));
      return x;
    });
    expect(messageOf(() => wrong(tensor([[1, 2]])))).toMatchInlineSnapshot(
      `"vectorize: the function assigns state "w", which would need a value for each element; return the new value instead, and draw random numbers from keys that are passed in: random.split(key, count) (at transforms.test.ts)"`,
    );
  });

  test("loops whose length differs from one to the next", async () => {
    const f = vectorize((x: Tensor) =>
      repeatWhile(
        (x: Tensor) => x.less(100),
        (x: Tensor) => x.mul(2),
        x,
        { max: 50 },
      ),
    );
    expect(await values(f(tensor([3, 99, 1000, 1])))).toEqual([192, 198, 1000, 128]);
  });

  test("a batch known late", async () => {
    const batch = dimension("batch", { min: 1, max: 8 });
    const f = compile((x: Tensor) => vectorize((x: Tensor) => x.softmax(0).square().sum())(x), {
      shapes: [[batch, 3]],
    });
    for (const x of [X, matrix] as Tensor[])
      expect(await values(f(x))).toEqual(await values(x.softmax(1).square().sum(1)));
  });

  test("what cannot be", () => {
    const f = (a: Tensor, b: Tensor): Tensor => a.add(b);
    expect(messageOf(() => vectorize(f)(zeros([2]), zeros([3])))).toMatchInlineSnapshot(
      `"vectorize: arguments differ in the size of the mapped axis, here first: (2,) and (3,) (at transforms.test.ts)"`,
    );
    expect(messageOf(() => vectorize(f)(zeros([2]), tensor(1)))).toMatchInlineSnapshot(
      `"vectorize: argument 1 is a scalar, so it has no axis to map over; give null for it in inAxes (at transforms.test.ts)"`,
    );
    expect(
      messageOf(() => vectorize(f, { inAxes: [null, null] })(zeros([2]), zeros([2]))),
    ).toMatchInlineSnapshot(`"vectorize: no argument has a tensor to map over (at transforms.test.ts)"`);
    expect(messageOf(() => vectorize(f, { inAxes: [0] })(zeros([2]), zeros([2])))).toMatchInlineSnapshot(
      `"vectorize: inAxes has 1 entries for 2 arguments (at transforms.test.ts)"`,
    );
  });
});

describe("rules of one's own", () => {
  test("stopGradient, and a straight-through estimator", async () => {
    const x = tensor([0.2, 1.7]);
    const rounded = x.add(stopGradient(x.round().sub(x)));
    expect(await values(rounded)).toEqual([0, 2]);
    expect(await values(grad(rounded.sum(), x))).toEqual([1, 1]);
  });
});

describe("rematerialize", () => {
  const layer = (x: Tensor, w: Tensor): Tensor => x.matmul(w).tanh();

  test("gradients to second order are the same, closed-over states included", async () => {
    const w = state(
      [
        [0.5, -1],
        [2, 0.25],
      ],
      { name: "w" },
    );
    const x = tensor([[0.3, -0.4]]);
    const plain = layer(layer(x, w), w).sum();
    const block = rematerialize((x: Tensor) => layer(layer(x, w), w));
    const again = block(x).sum();
    expect(await values(grad(again, w))).toEqual(await values(grad(plain, w)));
    expect(await values(hessian(again, x))).toEqual(await values(hessian(plain, x)));
  });

  // The interpreter plans no memory.
  const isPlanned = device().target !== "interpreter";

  test.skipIf(!isPlanned)("the backward pass needs less memory: describe() shows the peak", () => {
    const peak = (wrap: boolean): number => {
      const step = compile((x: Tensor, w: Tensor) => {
        const block = (h: Tensor): Tensor => layer(layer(layer(layer(h, w), w), w), w);
        let h = x;
        for (let i = 0; i < 6; i++) h = wrap ? rematerialize(block)(h) : block(h);
        return grad(h.square().sum(), w);
      });
      return step.describe(zeros([512, 64]), zeros([64, 64])).peakMemoryBytes;
    };
    expect(peak(true)).toBeLessThan(0.6 * peak(false));
  });

  test("a loop whose body is wrapped keeps its carries alone", async () => {
    const steps = 64;
    const loss = (x: Tensor, w: Tensor, wrap: boolean): Tensor => {
      const body = (h: Tensor): Tensor => layer(layer(layer(h, w), w), w).add(h);
      const run = wrap ? rematerialize(body) : body;
      return scan((h: Tensor) => ({ carry: run(h) }), x, null, { length: steps })
        .carry.square()
        .sum();
    };
    const step = (wrap: boolean) => compile((x: Tensor, w: Tensor) => grad(loss(x, w, wrap), w));
    const [x, w] = [zeros([32, 16]).add(0.1), zeros([16, 16]).add(0.05)];
    const [plain, again] = [step(false), step(true)];
    expect(await values(again(x, w))).toEqual(await values(plain(x, w)));
    if (isPlanned)
      expect(again.describe(x, w).peakMemoryBytes).toBeLessThan(0.5 * plain.describe(x, w).peakMemoryBytes);
  });

  test("a state that is assigned inside is assigned once, and computed again from what it was", async () => {
    const n = state(2, { name: "n" });
    const f = rematerialize((x: Tensor) => {
      n.assign(n.add(1));
      return x.exp().mul(n);
    });
    const step = compile((x: Tensor) => grad(f(f(x)), x));
    // d/dx of 4·exp(3·exp(x)) at 0
    expect(await step(tensor(0)).item()).toBeCloseTo(12 * Math.exp(3), 3);
    expect(await n.item()).toBe(4);
  });
});
