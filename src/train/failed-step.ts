/** What is said of a step whose loss or gradients were not finite: where it began. */
import { StepError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { explainNaN } from "../tensor/index.ts";
import { type BatchProgram, finiteRules } from "./step.ts";

/**
 * The error to throw for one that a step gave. What is not finite is explained: the step changed nothing, so it is run again, every
 * operation looked at.
 */
export async function explained(
  error: StepError,
  program: BatchProgram,
  columns: readonly HostArray[],
  place: string,
): Promise<StepError> {
  const failed = watchedIn(error);
  if (failed === undefined) return error;
  const explanation = await explainNaN(() => program(...columns));
  const cause = explanation ? `: ${explanation}` : "";
  return new StepError(
    `fit: the ${failed} of ${place} ${failed === "loss" ? "is" : "are"} not finite${cause}. The step changed nothing: the model is as ` +
      "it was before. Look at the data of this batch, lower the learning rate, or limit gradients with clipNorm",
    { cause: error },
  );
}

const watchedIn = ({ message }: StepError) =>
  (["loss", "gradients"] as const).find((what) => message.startsWith(finiteRules[what]));
