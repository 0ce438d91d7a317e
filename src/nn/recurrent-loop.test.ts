/** The hand-written gradient of the loop against differences, along random directions and to second order. */
import { it } from "vitest";
import { hashedUniform } from "../../test/fixtures.ts";
import { concat, type Tensor } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { checkGradients } from "../testing/index.ts";
import { gruStep, lstmStep, rnnStep } from "./recurrent.ts";
import { type Loop, type LoopInputs, runLoop } from "./recurrent-loop.ts";

const [T, N, H, P] = [3, 2, 2, 1];
const host = (seed: number, ...shape: number[]) => {
  const count = shape.reduce((n, size) => n * size, 1);
  return { shape, dtype: "f64", data: Float64Array.from(hashedUniform(seed, count, 1)) } as const;
};
/** The last input of all cases. */
const lengthsHost = { shape: [N], dtype: "i32", data: Float64Array.of(2, 3) } as const;

const cases: Record<
  string,
  {
    loop: Omit<Loop, "lengths"> & { hasLengths: boolean };
    inputs: ReturnType<typeof host>[];
    take: (all: Tensor[]) => LoopInputs;
  }
> = {
  RNN: {
    loop: {
      step: ([sum]) => [rnnStep(sum!, "tanh")],
      gates: 1,
      isApart: false,
      reverse: true,
      hasLengths: false,
    },
    inputs: [host(1, T, N, H), host(2, H, H), host(3, N, H)],
    take: ([ofInputs, hidden, h]) =>
      ({ ofInputs, hidden, hiddenBias: undefined, projection: undefined, begin: [h] }) as LoopInputs,
  },
  "GRU with lengths": {
    loop: {
      step: (gates, [h]) => [gruStep(gates, h!)],
      gates: 3,
      isApart: true,
      reverse: false,
      hasLengths: true,
    },
    inputs: [host(4, T, N, 3 * H), host(5, 3 * H, H), host(6, 3 * H), host(7, N, H)],
    take: ([ofInputs, hidden, hiddenBias, h]) =>
      ({ ofInputs, hidden, hiddenBias, projection: undefined, begin: [h] }) as LoopInputs,
  },
  "LSTM with a projection and lengths": {
    loop: {
      step: (gates, [, c]) => lstmStep(gates, c!),
      gates: 4,
      isApart: false,
      reverse: false,
      hasLengths: true,
    },
    inputs: [host(8, T, N, 4 * H), host(9, 4 * H, P), host(10, P, H), host(11, N, P), host(12, N, H)],
    take: ([ofInputs, hidden, projection, h, c]) =>
      ({ ofInputs, hidden, hiddenBias: undefined, projection, begin: [h, c] }) as LoopInputs,
  },
};

it.each(Object.entries(cases))("is right for %s", (_, { loop: { hasLengths, ...loop }, inputs, take }) => {
  const compute = (all: Tensor[]): Tensor => {
    const lengths = hasLengths ? all.at(-1) : undefined;
    const { output, last } = runLoop({ ...loop, lengths }, take(all));
    return concat(
      [output, ...last].map((part) => part.reshape([-1]) as Tensor),
      0,
    ) as Tensor;
  };
  checkGradients(
    (nodes) => nodeOf(compute(nodes.map((node) => fromNode(node) as Tensor))),
    [...inputs, lengthsHost],
  );
});
