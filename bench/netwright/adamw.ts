/** One step of AdamW on one large parameter, its gradient given. */
import { compile, type Tensor } from "netwright";
import { Parameter } from "netwright/nn";
import { AdamW } from "netwright/optim";
import { hashedUniform, sample } from "../data.ts";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { uniform } from "./repeated.ts";

export async function adamw({ elements, learningRate, weightDecay }: WorkOf<"adamw">): Promise<Job> {
  const parameter = new Parameter({ dtype: "f32", shape: [elements], data: hashedUniform(1, elements) });
  const gradient = uniform(2, [elements]);
  const optimizer = new AdamW([parameter], { learningRate, weightDecay });
  /** Returns the number of steps: it is there when the step is done. */
  const update = compile((g: Tensor) => {
    optimizer.step([g]);
    return optimizer.stepCount.value;
  });
  const step = async (): Promise<void> => {
    using count = update(gradient);
    await count.item();
  };
  await step();
  return {
    check: sample((await parameter.data()) as Float32Array),
    async run(iterations) {
      for (let i = 0; i < iterations; i++) await step();
    },
    release() {
      for (const held of [gradient, parameter, ...optimizer.stateDict().values()]) held.dispose();
    },
  };
}
