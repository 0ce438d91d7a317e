import { expect, test } from "vitest";
import { compile, explainNaN, grad, repeatWhile, scan, state, tensor, where, zeros } from "./index.ts";
import type { Tensor } from "./tensor.ts";

/** Where the test stands is not part of the text. */
const text = (explanation: unknown): string =>
  String(explanation).replace(/at [^ ,)]*\.test\.ts:\d+:\d+/g, "at HERE");

test("the first operation that gives a NaN, with its inputs and the user's line", async () => {
  const step = compile((x: Tensor) => x.sub(2).log().mul(3).sum());
  const explanation = await explainNaN(() => step([1, 2, 3]));
  expect(explanation).toMatchObject({ op: "log", value: Number.NaN });
  expect(explanation?.line).toContain("explain-nan.test.ts");
  expect(text(explanation)).toMatchInlineSnapshot(
    `"the first NaN came out of log (at HERE): from sub (3,) -1.000 … 1.000"`,
  );
});

test("infinities that cancel are followed to where they began", async () => {
  const step = compile((x: Tensor) => x.mul(100).exp().sub(x.mul(200).exp()).sum());
  expect(text(await explainNaN(() => step([1, 2])))).toMatchInlineSnapshot(
    `"the first NaN came out of sub (at HERE): from exp (2,), 2 infinite and exp (2,), 2 infinite; the first Infinity came out of exp (at HERE): from mul (2,) 100.0 … 200.0"`,
  );
});

test("an infinity that reaches the result, where there is no NaN", async () => {
  const step = compile((x: Tensor) => x.mul(1e30).exp().sum());
  expect(text(await explainNaN(() => step([1, 2])))).toMatchInlineSnapshot(
    `"the first Infinity came out of exp (at HERE): from mul (2,) 1.000e+30 … 2.000e+30"`,
  );
});

test("an infinity that only masks is not blamed", async () => {
  const step = compile((x: Tensor) => where(x.greater(1), x, -Infinity).max().sub(2).sqrt());
  expect(await explainNaN(() => step([1, 2]))).toBeUndefined();
  expect((await explainNaN(() => step([1, 1.5])))?.op).toBe("sqrt");
});

test("nothing is committed, in compiled functions and outside", async () => {
  const count = state([1], { name: "count" });
  const step = compile((x: Tensor) => {
    count.assign(count.add(x));
    return count.log();
  });
  expect(text(await explainNaN(() => step([-5])))).toMatchInlineSnapshot(
    `"the first NaN came out of log (at HERE): from add (1,) -4"`,
  );
  expect(await count.toArray()).toEqual([1]);
  expect((await explainNaN(() => tensor([0]).div([0])))?.op).toBe("div");
});

test("a state that holds a NaN already is named", async () => {
  const weight = state([1, Number.NaN], { name: "weight" });
  expect(text(await explainNaN(() => weight.sum().item()))).toMatchInlineSnapshot(
    `"the first NaN came out of weight (at HERE)"`,
  );
});

test("finite results have nothing to explain", async () => {
  expect(await explainNaN(() => tensor([1, 2]).sum().item())).toBeUndefined();
});

test("a program of a billion operations is looked at where it runs", async () => {
  const rows = Float32Array.from({ length: 800 * 800 }, (_, i) => Math.sin(i));
  const step = compile((x: Tensor) => x.matmul(x.transpose()).sub(400).log().sum());
  const explanation = await explainNaN(() => step(tensor(rows, { shape: [800, 800] }) as Tensor));
  expect(explanation?.op).toBe("log");
});

const rows = [
  [1, 4],
  [4, 9],
  [-1, 0],
];

test("in a loop it is the op of the body, and the iteration", async () => {
  const run = compile((x: Tensor) => {
    const step = (sum: Tensor, row: Tensor) => ({ carry: sum.add(row.sqrt()) as Tensor });
    return scan(step, zeros([2]) as Tensor, x).carry.sum();
  });
  const explanation = await explainNaN(() => run(rows));
  expect(explanation).toMatchObject({ op: "sqrt", iterations: [2] });
  expect(text(explanation)).toMatchInlineSnapshot(
    `"the first NaN came out of sqrt (at HERE), in iteration 2 of scan (at HERE): from slice (2,) -1.000 … 0.000"`,
  );
  expect(await explainNaN(() => run([[1, 2]]))).toBeUndefined();
});

test("an infinity that grows in a loop from the end, in a loop within a loop", async () => {
  const grow = compile((x: Tensor, by: Tensor) => {
    const inner = (product: Tensor, factor: Tensor) => ({ carry: product.mul(factor.mul(by)) as Tensor });
    const outer = (sum: Tensor, row: Tensor) => ({
      carry: sum.add(scan(inner, tensor(1) as Tensor, row).carry) as Tensor,
    });
    return scan(outer, zeros([]) as Tensor, x, { reverse: true }).carry;
  });
  const explanation = await explainNaN(() => grow(rows, tensor(1e20)));
  expect(explanation).toMatchObject({ op: "mul", value: Infinity, iterations: [1, 1] });
  expect(text(explanation)).toMatchInlineSnapshot(
    `"the first Infinity came out of mul (at HERE), in iteration 1 of scan (at HERE), in iteration 1 of scan (at HERE): from carry () 400000008016350940000 and mul () 900000053221161700000"`,
  );
});

test("in a gradient of a loop, and in repeatWhile", async () => {
  const slope = compile((x: Tensor) => {
    const step = (sum: Tensor, row: Tensor) => ({ carry: sum.add(row.sqrt().sum()) as Tensor });
    return (grad(scan(step, zeros([]) as Tensor, x).carry, x) as Tensor).sum();
  });
  const explanation = await explainNaN(() => slope(rows.slice(0, 2).concat([[0, 1]])));
  expect(explanation?.value).toBe(Infinity);
  expect(explanation?.iterations).toHaveLength(1);
  const halved = compile((x: Tensor) =>
    repeatWhile(
      (y: Tensor) => y.less(100),
      (y: Tensor) => y.sub(2).log().add(200) as Tensor,
      x,
      { max: 5 },
    ),
  );
  expect(await explainNaN(() => halved(tensor(1) as Tensor))).toMatchObject({ op: "log", iterations: [0] });
});
