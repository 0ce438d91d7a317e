/** Networks against torchvision's: logits in both modes, gradients of every parameter, names of states. */
import { describe, expect, test } from "vitest";
import {
  decodeArray,
  type EncodedArray,
  hashedUniform,
  hashedUnit,
  readFixture,
} from "../../test/fixtures.ts";
import { Dropout, DropPath, type Module } from "../nn/index.ts";
import { compile, grad, type HostArray, type Tensor, tensor } from "../tensor/index.ts";
import * as models from "./index.ts";

interface ModelRow {
  readonly model: string;
  readonly options: readonly unknown[];
  /** Shapes of numbers in −1 … 1, or of integers below a limit. */
  readonly inputs: readonly (
    | readonly number[]
    | { readonly shape: readonly number[]; readonly below: number }
  )[];
  readonly evaluated: EncodedArray;
  readonly trained: EncodedArray;
  /** Norm, and sum of products with `hashedUniform(weightsSeed, …)`. */
  readonly gradients: Readonly<Record<string, readonly [number, number]>>;
}

const { cases, weightsSeed, inputSeed, stateSeed } = readFixture<{
  cases: readonly ModelRow[];
  weightsSeed: number;
  inputSeed: number;
  stateSeed: number;
}>("models.json");

const isDropping = (part: Module): boolean => part instanceof Dropout || part instanceof DropPath;

type Network = Module & { forward(...inputs: Tensor[]): Tensor };
const sizeOf = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

/** `state_of` of the fixture's script. */
function stateOf(index: number, name: string, shape: readonly number[]): Float32Array {
  const seed = stateSeed + index;
  if (shape.length >= 2) return hashedUniform(seed, sizeOf(shape), Math.sqrt(3 / sizeOf(shape.slice(1))));
  const numbers = hashedUniform(seed, sizeOf(shape), 0.25);
  return /(^|\.)(weight|running_var)$/.test(name) ? numbers.map((x) => x + 1) : numbers;
}

function inputOf(wanted: ModelRow["inputs"][number], i: number): HostArray {
  const seed = inputSeed + i;
  if (!("below" in wanted))
    return { dtype: "f32", shape: wanted, data: hashedUniform(seed, sizeOf(wanted), 1) };
  const { shape, below } = wanted;
  const data = Int32Array.from({ length: sizeOf(shape) }, (_, at) =>
    Math.floor(hashedUnit(seed, at) * below),
  );
  return { dtype: "i32", shape, data };
}

function fill(model: Network): void {
  const states = [...model.stateDict()].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [i, [name, state]] of states.entries()) {
    if (state.dtype !== "f32") continue;
    const shape = state.shape as readonly number[];
    state.assign({ dtype: "f32", shape, data: stateOf(i, name, shape) });
  }
}

function made({ model, options }: ModelRow): Network {
  const make = (models as Record<string, unknown>)[model] as never;
  const isClass = /^class /.test(Function.prototype.toString.call(make as Function));
  const network = isClass
    ? new (make as new (...given: unknown[]) => Network)(...options)
    : (make as (...given: unknown[]) => Network)(...options);
  for (const part of network.namedModules().values()) if (isDropping(part)) part.eval();
  return network;
}

/** Where sums cancel, errors are measured by the largest. */
function expectNear(
  what: string,
  found: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number,
): void {
  const largest = Array.from(wanted).reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
  Array.from(wanted).forEach((x, i) => {
    expectWithin(`${what}, element ${i}`, found[i]!, x, tolerance * largest);
  });
}

function expectWithin(what: string, found: number, wanted: number, slack: number): void {
  if (!(Math.abs(found - wanted) <= slack)) expect.fail(`${what}: ${found}, not ${wanted}`);
}

describe("networks of torchvision, and those written in PyTorch", () => {
  test.each(cases.map((row) => ({ row, title: `${row.model} ${JSON.stringify(row.options)}` })))(
    "$title",
    async ({ row }) => {
      const model = made(row);
      fill(model);
      expect([...model.namedParameters().keys()].sort()).toEqual(Object.keys(row.gradients).sort());
      const inputs = row.inputs.map(inputOf);

      const isTraining = [...model.namedModules().values()].filter((part) => !isDropping(part));
      model.eval();
      const evaluated = compile((...x: Tensor[]) => model.forward(...x))(...(inputs as never[]));
      expectNear("evaluated", await evaluated.data(), decodeArray(row.evaluated), 1e-4);

      for (const part of isTraining) part.train();
      for (const part of model.namedModules().values()) if (isDropping(part)) part.eval();
      const names = [...model.namedParameters().keys()];
      const step = compile((...x: Tensor[]) => {
        const logits = model.forward(...x);
        const shape = logits.shape as number[];
        const weights = tensor(hashedUniform(weightsSeed, sizeOf(shape), 1), { shape });
        const gradients = grad(logits.mul(weights).sum() as Tensor, model.parameters()) as Tensor[];
        return [logits, ...gradients] as Tensor[];
      });
      const [logits, ...gradients] = step(...(inputs as never[]));
      expectNear("trained", await logits!.data(), decodeArray(row.trained), 1e-4);
      const largest = Math.max(...Object.values(row.gradients).map(([norm]) => norm));
      for (const [i, name] of names.entries()) {
        const values = await gradients[i]!.data();
        const along = hashedUniform(weightsSeed, values.length, 1);
        let [squares, product] = [0, 0];
        values.forEach((value, at) => {
          squares += Number(value) ** 2;
          product += Number(value) * along[at]!;
        });
        const [norm, sum] = row.gradients[name]!;
        const slack = 2e-3 * norm + 1e-5 * largest;
        expectWithin(`norm of the gradient of ${name}`, Math.sqrt(squares), norm, slack);
        expectWithin(`gradient of ${name}`, product, sum, slack);
      }
    },
    60_000,
  );
});
