/** Statistics of batch norms for weights that no batch was trained with. */
import { compile, stack, type Tensor } from "../tensor/index.ts";
import type { Module } from "./module.ts";
import { BatchNorm } from "./normalization.ts";

/**
 * Computes the running statistics of all batch norms below a model anew, as the mean over batches, in training mode: after weights
 * were averaged (`WeightAverage`) or changed otherwise. Modes and momenta are then as before. PyTorch's `update_bn`.
 *
 * @param batches the model's inputs, a tensor or a list of inputs each
 * @example
 * const model = new Sequential(new BatchNorm1d(1));
 * await updateBatchNorm(model, [tensor([[1], [3]]), tensor([[5], [7]])]);
 * await model.layers[0].runningMean!.toArray(); // [4]
 */
export async function updateBatchNorm(
  model: Module,
  batches: Iterable<Tensor | readonly Tensor[]> | AsyncIterable<Tensor | readonly Tensor[]>,
): Promise<void> {
  const modules = [...model.namedModules().values()];
  const norms = modules.filter((module) => module instanceof BatchNorm && module.runningMean !== undefined);
  if (norms.length === 0) return;
  const [modes, momenta] = [
    modules.map((module) => module.training),
    norms.map((norm) => (norm as BatchNorm).momentum),
  ];
  const forward = compile((...inputs: Tensor[]) => {
    model.forward(...inputs);
    return stack(
      norms.map((norm) => (norm as BatchNorm).numBatchesTracked!.value),
      0,
    ) as Tensor;
  });
  try {
    model.train();
    for (const norm of norms as BatchNorm[]) {
      norm.resetRunningStats();
      norm.momentum = null;
    }
    for await (const batch of batches)
      await forward(...((Array.isArray(batch) ? batch : [batch]) as never[])).data();
  } finally {
    modules.forEach((module, i) => {
      module.train(modes[i]);
    });
    (norms as BatchNorm[]).forEach((norm, i) => {
      norm.momentum = momenta[i]!;
    });
  }
}
