/** What is said of a step whose loss was not finite: where it began. */
import { StepError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { explainNaN } from "../tensor/index.ts";
import { type BatchProgram, finiteLossRule } from "./step.ts";

/** Larger steps are not replayed by themselves: the interpreter would take minutes. */
const replayedFlop = 400e6;

/**
 * The error to throw for one that a step gave. A loss that is not finite is explained: the step changed nothing, so it is run
 * again, every operation looked at.
 */
export async function explained(
  error: unknown,
  program: BatchProgram,
  columns: readonly HostArray[],
  place: string,
): Promise<unknown> {
  if (!(error instanceof StepError) || !error.message.startsWith(finiteLossRule)) return error;
  const isSmall = program.describe(...columns).flop < replayedFlop;
  const explanation = isSmall ? await explainNaN(() => program(...columns)) : undefined;
  const cause = explanation ? `: ${explanation}` : "";
  return new StepError(
    `fit: the loss of ${place} is not finite${cause}. The step changed nothing: the model is as it was before. ` +
      "Look at the data of this batch, lower the learning rate, or limit gradients with clipNorm",
    { cause: error },
  );
}
