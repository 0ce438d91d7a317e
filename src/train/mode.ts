/** Running a model in training or evaluation mode for a while. */
import type { Module } from "../nn/index.ts";

/** Runs `body` with the model in one mode; each of its modules then has the mode back that it had. */
export async function inMode<Result>(
  model: Module,
  mode: "train" | "eval",
  body: () => Promise<Result>,
): Promise<Result> {
  const before = [...model.namedModules().values()].map((module) => [module, module.training] as const);
  model.train(mode === "train");
  try {
    return await body();
  } finally {
    // Parents come before children, so that a child's own mode is set last.
    for (const [module, wasTraining] of before) module.train(wasTraining);
  }
}
