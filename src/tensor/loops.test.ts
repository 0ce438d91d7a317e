/** Loops whose gradient keeps the beginnings of segments alone. */
import { describe, expect, test } from "vitest";
import {
  compile,
  device,
  dimension,
  grad,
  random,
  scan,
  state,
  type Tensor,
  tensor,
  zeros,
} from "./index.ts";

const width = 3;
const weights = random.normal(random.key(1), [width, width], { dtype: "f64" }).mul(0.5) as Tensor;
const inputs = (steps: number): Tensor =>
  random.normal(random.key(2), [steps, width], { dtype: "f64" }) as Tensor;

/** A recurrent layer: its states, the last one, and a loss of both. */
function recurrent(x: Tensor, w: Tensor, options: Parameters<typeof scan>[3]) {
  const first = zeros([width], { dtype: "f64" }) as Tensor;
  const step = (h: Tensor, x: Tensor) => {
    const next = h.matmul(w).add(x).tanh() as Tensor;
    return { carry: next, output: next };
  };
  const { carry, outputs } = scan(step, first, x, options) as { carry: Tensor; outputs: Tensor };
  const loss = carry.square().sum().add(outputs.mul(x).sum()) as Tensor;
  return { outputs, loss };
}

describe("scan with rematerialize", () => {
  test.each([
    [0, true],
    [7, true],
    [9, 2],
    [5, 8],
  ] as const)(
    "%i iterations, %s: the same values, and gradients to second order",
    async (steps, rematerialize) => {
      const x = inputs(steps);
      for (const reverse of [false, true]) {
        const [want, got] = await Promise.all(
          [{ reverse }, { reverse, rematerialize }].map(async (options) => {
            const { outputs, loss } = recurrent(x, weights, options);
            const [dx, dw] = grad(loss, [x, weights], { allowUnused: true }) as [Tensor, Tensor];
            const slope = dw.square().sum().add(dx.sum()) as Tensor;
            const second = grad(slope, weights, { allowUnused: true }) as Tensor;
            return {
              outputs: await outputs.data(),
              slopes: await Promise.all([dx, dw, second].map((t) => t.data())),
            };
          }),
        );
        expect(got!.outputs).toEqual(want!.outputs);
        got!.slopes.forEach((slope, i) => {
          slope.forEach((value, k) => {
            expect(value).toBeCloseTo(want!.slopes[i]![k]!, 12);
          });
        });
      }
    },
  );

  // The interpreter plans no memory.
  test.skipIf(device().target === "interpreter")("the backward pass needs memory for √T iterations", () => {
    const peak = (rematerialize: boolean): number => {
      const w = state(tensor(new Float32Array(64 * 64), { shape: [64, 64] }));
      const step = compile((x: Tensor) => {
        const { carry } = scan(
          (h: Tensor, x: Tensor) => ({ carry: h.matmul(w).add(x).tanh().matmul(w).tanh() as Tensor }),
          zeros([32, 64]) as Tensor,
          x,
          { rematerialize },
        );
        return grad(carry.sum(), [w])[0] as Tensor;
      });
      return step.describe(zeros([144, 32, 64]) as Tensor).arenaBytes;
    };
    expect(peak(true)).toBeLessThan(0.3 * peak(false));
  });

  test("messages", () => {
    const sum = (a: Tensor, x: Tensor) => ({ carry: a.add(x) as Tensor });
    expect(() => scan(sum, tensor(0) as Tensor, tensor([1]), { rematerialize: 0 })).toThrow(
      "scan: a segment is a whole number of iterations, 1 or more, got 0",
    );
    const time = dimension("time", { min: 1, max: 9 });
    expect(() =>
      scan(() => ({ carry: tensor(0) as Tensor }), tensor(0) as Tensor, null, {
        length: time,
        rematerialize: true,
      }),
    ).toThrow("scan: segments need a known length");
  });
});
