/** The small Llama that adapters are put on, filled as the scripts of their fixtures do, and what is compared of it with PyTorch. */
import { expect } from "vitest";
import { crossEntropy } from "../src/losses/index.ts";
import { Llama, PretrainedConfig } from "../src/models/index.ts";
import type { Parameter } from "../src/nn/index.ts";
import { adamw } from "../src/optim/index.ts";
import { compile, grad, type Tensor, tensor } from "../src/tensor/index.ts";
import { decodeArray, type EncodedArray, hashedUnit, readFixture } from "./fixtures.ts";
import {
  expectGradients,
  expectNear,
  fillStates,
  type Gradients,
  type Seeds,
  weightedSum,
} from "./model-states.ts";

/** What PyTorch made of an adapted model. */
export interface AdaptedRow {
  readonly logits: EncodedArray;
  readonly gradients: Gradients;
  /** Of ten steps of AdamW. */
  readonly losses: readonly number[];
}

const base = readFixture<{ cases: readonly { config: Record<string, unknown> }[] }>("language-models.json");
const [batch, steps] = [2, 9];

export class AdaptedLlama {
  readonly ids: Tensor;
  private readonly seeds: Seeds;

  constructor(seeds: Seeds) {
    this.seeds = seeds;
    this.ids = tensor(
      Int32Array.from({ length: batch * steps }, (_, i) => Math.floor(hashedUnit(seeds.inputSeed, i) * 40)),
      { shape: [batch, steps] },
    ) as Tensor;
  }

  /** The model without adapters. */
  made(): Llama {
    const model = Llama.fromConfig(new PretrainedConfig(base.cases[0]!.config)) as Llama;
    fillStates(model, this.seeds);
    return model.eval();
  }

  /**
   * Compares logits, and gradients of what is trained.
   *
   * @param published the fixture's name of a parameter
   * @returns the names of what is trained
   */
  async expectForward(
    model: Llama,
    { logits, gradients }: AdaptedRow,
    published: (name: string) => string,
  ): Promise<readonly string[]> {
    const { ids, seeds } = this;
    const learnt = [...model.namedParameters()].filter(([, { trainable }]) => trainable);
    const names = learnt.map(([name]) => published(name));
    expect([...names].sort()).toEqual(Object.keys(gradients).sort());
    const step = compile((x: Tensor) => {
      const y = model.forward(x);
      return [y, ...grad(weightedSum(y, seeds), model.parameters({ trainable: true }))] as Tensor[];
    });
    const [found, ...own] = step(ids);
    expectNear("logits", await found!.data(), decodeArray(logits), 1e-4);
    await expectGradients(names, own, gradients, seeds);
    return names;
  }

  async expectSteps(
    model: Llama,
    { losses }: AdaptedRow,
    { parameters, learningRate }: { readonly parameters: Parameter[]; readonly learningRate: number },
  ): Promise<void> {
    const optimizer = adamw({ learningRate })(parameters);
    const step = compile((x: Tensor) => {
      const y = model.forward(x).slice(1, 0, steps - 1) as Tensor;
      const loss = crossEntropy(y.reshape([batch * (steps - 1), -1]), x.slice(1, 1, steps).flatten());
      optimizer.step(grad(loss, parameters) as Tensor[]);
      return loss;
    });
    // The first steps go by the signs of gradients: rounding of small ones grows.
    for (const wanted of losses)
      expect(Math.abs(((await step(this.ids).item()) as number) - wanted)).toBeLessThan(3e-3 * wanted);
  }
}
