/** What the workloads without state share. */
import { type Tensor, tensor } from "netwright";
import { hashedUniform, sample } from "../data.ts";
import type { Job } from "../serve.ts";

/** An input by the formula that all contenders use. */
export function uniform(seed: number, shape: readonly number[], limit = 1): Tensor {
  const elements = shape.reduce((a, b) => a * b, 1);
  return tensor(hashedUniform(seed, elements, limit), { shape });
}

/**
 * A job that repeats `forward`. Calls run in their order, so one element of the last result being there means that all are: reading
 * megabytes into JavaScript would be another work.
 */
export async function repeated(inputs: readonly Tensor[], forward: () => Tensor): Promise<Job> {
  using first = forward();
  const check = sample((await first.data()) as Float32Array | Int32Array);
  return {
    check,
    async run(iterations) {
      for (let i = 1; i < iterations; i++) forward().dispose();
      using last = forward();
      await last.reshape([-1]).slice(0, 0, 1).data();
    },
    release() {
      for (const input of inputs) input.dispose();
    },
  };
}

/** A job that trains, and reads the loss of every step; its check is the first losses. */
export async function trained(step: () => Tensor, checks: number): Promise<Job> {
  const lossOfStep = async (): Promise<number> => {
    using loss = step();
    return Number(await loss.item());
  };
  const check: number[] = [];
  for (let i = 0; i < checks; i++) check.push(await lossOfStep());
  return {
    check,
    async run(iterations) {
      for (let i = 0; i < iterations; i++) await lossOfStep();
    },
    release() {},
  };
}
