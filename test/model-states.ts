/** Networks whose states are a formula of their names, and comparisons with what `test/fixtures/models.py` recorded of them. */
import { expect } from "vitest";
import type { Module } from "../src/nn/index.ts";
import { type HostArray, type Tensor, tensor } from "../src/tensor/index.ts";
import { hashedUniform } from "./fixtures.ts";

export interface Seeds {
  readonly weightsSeed: number;
  readonly inputSeed: number;
  readonly stateSeed: number;
}

/** By parameter: the norm of its gradient, and its sum of products with `hashedUniform(weightsSeed, …)`. */
export type Gradients = Readonly<Record<string, readonly [number, number]>>;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

/** `state_of` of the fixture's script. */
export function stateOf(seed: number, name: string, shape: readonly number[]): Float32Array {
  if (shape.length >= 2) return hashedUniform(seed, sizeOf(shape), Math.sqrt(3 / sizeOf(shape.slice(1))));
  const numbers = hashedUniform(seed, sizeOf(shape), 0.25);
  return /(^|\.)(weight|running_var)$/.test(name) ? numbers.map((x) => x + 1) : numbers;
}

/** Gives each state what the fixture's script gave it. */
export function fillStates(model: Module, { stateSeed }: Seeds): void {
  const states = [...model.stateDict()].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [i, [name, state]] of states.entries()) {
    if (state.dtype !== "f32") continue;
    const shape = state.shape as readonly number[];
    state.assign({ dtype: "f32", shape, data: stateOf(stateSeed + i, name, shape) } satisfies HostArray);
  }
}

/** What the recorded gradients are of: the sum of `hashedUniform(weightsSeed, …)` · output. */
export function weightedSum(output: Tensor, { weightsSeed }: Seeds): Tensor {
  const shape = output.shape as number[];
  const weights = tensor(hashedUniform(weightsSeed, sizeOf(shape), 1), { shape });
  return output.mul(weights).sum() as Tensor;
}

/** Where sums cancel, errors are measured by the largest. */
export function expectNear(
  what: string,
  found: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number,
): void {
  const largest = Array.from(wanted).reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
  expect(found.length).toBe(wanted.length);
  Array.from(wanted).forEach((x, i) => {
    expectWithin(`${what}, element ${i}`, found[i]!, x, tolerance * largest);
  });
}

function expectWithin(what: string, found: number, wanted: number, slack: number): void {
  if (!(Math.abs(found - wanted) <= slack)) expect.fail(`${what}: ${found}, not ${wanted}`);
}

/** Gradients in the order of `names`. */
export async function expectGradients(
  names: readonly string[],
  gradients: readonly Tensor[],
  wanted: Gradients,
  { weightsSeed }: Seeds,
): Promise<void> {
  const largest = Math.max(...Object.values(wanted).map(([norm]) => norm));
  for (const [i, name] of names.entries()) {
    const values = await gradients[i]!.data();
    const along = hashedUniform(weightsSeed, values.length, 1);
    let [squares, product] = [0, 0];
    values.forEach((value, at) => {
      squares += Number(value) ** 2;
      product += Number(value) * along[at]!;
    });
    const [norm, sum] = wanted[name]!;
    const slack = 2e-3 * norm + 1e-5 * largest;
    expectWithin(`norm of the gradient of ${name}`, Math.sqrt(squares), norm, slack);
    expectWithin(`gradient of ${name}`, product, sum, slack);
  }
}
