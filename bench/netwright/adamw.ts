/** Steps of AdamW, the gradients given. */
import { compile, type Tensor } from "netwright";
import { Parameter } from "netwright/nn";
import { AdamW } from "netwright/optim";
import { hashedUniform, sample } from "../data.ts";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { uniform } from "./repeated.ts";

type Rates = Pick<WorkOf<"adamw">, "learningRate" | "weightDecay">;

/** One large parameter. */
export const adamw = ({ elements, ...rates }: WorkOf<"adamw">): Promise<Job> => steps([[elements]], rates);

/** The parameters of a model. */
export const adamwModel = ({ shapes, ...rates }: WorkOf<"adamw-model">): Promise<Job> => steps(shapes, rates);

async function steps(
  shapes: readonly (readonly number[])[],
  { learningRate, weightDecay }: Rates,
): Promise<Job> {
  const parameters = shapes.map((shape, i) => {
    const data = hashedUniform(
      2 * i + 1,
      shape.reduce((a, b) => a * b, 1),
    );
    return new Parameter({ dtype: "f32", shape, data });
  });
  const gradients = shapes.map((shape, i) => uniform(2 * i + 2, shape));
  const optimizer = new AdamW(parameters, { learningRate, weightDecay });
  /** Returns the number of steps: it is there when the step is done. */
  const update = compile((g: Tensor[]) => {
    optimizer.step(g);
    return optimizer.stepCount.value;
  });
  const step = async (): Promise<void> => {
    using count = update(gradients);
    await count.item();
  };
  await step();
  return {
    check: sample((await parameters[0].data()) as Float32Array),
    async run(iterations) {
      for (let i = 0; i < iterations; i++) await step();
    },
    release() {
      for (const held of [...gradients, ...parameters, ...optimizer.stateDict().values()]) held.dispose();
    },
  };
}
