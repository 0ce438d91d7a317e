/** Networks against torchvision's: logits in both modes, gradients of every parameter, names of states. */
import { describe, expect, test } from "vitest";
import {
  decodeArray,
  type EncodedArray,
  hashedUniform,
  hashedUnit,
  readFixture,
} from "../../test/fixtures.ts";
import {
  expectGradients,
  expectNear,
  fillStates,
  type Gradients,
  type Seeds,
  sizeOf,
  weightedSum,
} from "../../test/model-states.ts";
import { byTier } from "../../test/tier.ts";
import { Dropout, DropPath, type Module } from "../nn/index.ts";
import { compile, grad, type HostArray, type Tensor } from "../tensor/index.ts";
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
  readonly gradients: Gradients;
}

const { cases, ...seeds } = readFixture<Seeds & { cases: readonly ModelRow[] }>("models.json");

const isDropping = (part: Module): boolean => part instanceof Dropout || part instanceof DropPath;

type Network = Module & { forward(...inputs: Tensor[]): Tensor };
function inputOf(wanted: ModelRow["inputs"][number], i: number): HostArray {
  const seed = seeds.inputSeed + i;
  if (!("below" in wanted))
    return { dtype: "f32", shape: wanted, data: hashedUniform(seed, sizeOf(wanted), 1) };
  const { shape, below } = wanted;
  const data = Int32Array.from({ length: sizeOf(shape) }, (_, at) =>
    Math.floor(hashedUnit(seed, at) * below),
  );
  return { dtype: "i32", shape, data };
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

describe("networks of torchvision, and those written in PyTorch", () => {
  // VGG's nine million weights, once.
  const chosen = byTier(
    cases.filter(({ options }) => !JSON.stringify(options).includes('"batchNorm":false')),
    cases,
  );
  test.each(chosen.map((row) => ({ row, title: `${row.model} ${JSON.stringify(row.options)}` })))(
    "$title",
    async ({ row }) => {
      const model = made(row);
      fillStates(model, seeds);
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
        const gradients = grad(weightedSum(logits, seeds), model.parameters()) as Tensor[];
        return [logits, ...gradients] as Tensor[];
      });
      const [logits, ...gradients] = step(...(inputs as never[]));
      expectNear("trained", await logits!.data(), decodeArray(row.trained), 1e-4);
      await expectGradients(names, gradients as Tensor[], row.gradients, seeds);
    },
    60_000,
  );
});
