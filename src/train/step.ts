/** The compiled programs of training and evaluation. */
import type { HostArray } from "../base/host-array.ts";
import type { Module } from "../nn/index.ts";
import { check } from "../ops/index.ts";
import { globalNorm, type Optimizer } from "../optim/index.ts";
import { type Compiled, compile, type Tensor } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import type { Divisors } from "./columns.ts";
import type { FitOptions } from "./fit.ts";
import { forAll, type GradientLimits, limited, trainedGradients } from "./gradients.ts";
import type { BatchTensors, Scoring } from "./scoring.ts";

/** A model's forward, whatever its arguments; bytes are divided first. */
export function forward(model: Module, inputs: readonly Tensor[], divisors: Divisors = []): Tensor {
  const given = inputs.map((input, i) => (divisors[i] ? input.cast("f32").div(divisors[i]) : input));
  return (model.forward as (...inputs: readonly Tensor[]) => Tensor)(...given);
}

/** The sentence of the error for a loss that is NaN or infinite. */
export const finiteLossRule = "fit: the loss must be finite";

/** The loss itself; a run in which it is not finite fails and commits nothing. It costs one comparison. */
function finite(loss: Tensor): Tensor {
  const node = nodeOf(loss);
  return fromNode(check(node, nodeOf(loss.isFinite()), finiteLossRule));
}

export interface ProgramParts {
  readonly model: Module;
  readonly scoring: Scoring;
  readonly divisors: Divisors | undefined;
}

/** One batch: inputs in the order of `forward`'s arguments, labels last. */
export type BatchProgram = Compiled<HostArray[], BatchTensors>;

/**
 * One step: forward, loss, metrics, gradients and the optimizer's update in one program. The update is part of it, so a
 * check that fails anywhere leaves parameters and moments as they were. Gradients are results of it where they are kept.
 */
export function trainProgram(
  { model, scoring, divisors }: ProgramParts,
  optimizer: Optimizer,
  options: StepOptions,
  { keepGradients = false }: { readonly keepGradients?: boolean } = {},
): BatchProgram {
  const { penalty } = options;
  const step = (...columns: readonly Tensor[]): BatchTensors => {
    const results = scoreBatch({ model, scoring, divisors }, columns);
    const loss = finite(penalty ? results.loss.add(penalty(model)) : results.loss);
    const gradients = trainedGradients(loss, optimizer);
    const norm = options.gradientNorm === false ? undefined : globalNorm(gradients);
    const update = { learningRate: optimizer.learningRate(), gradientNorm: norm };
    optimizer.step(forAll(limited(gradients, options), optimizer));
    return {
      ...results,
      loss,
      update,
      ...(keepGradients ? { gradients: forAll(gradients, optimizer) } : {}),
    };
  };
  return compile(step);
}

type StepOptions = Pick<FitOptions, "penalty" | "gradientNorm" | keyof GradientLimits>;

export const evaluationProgram = (parts: ProgramParts): BatchProgram =>
  compile((...columns: readonly Tensor[]) => scoreBatch(parts, columns));

function scoreBatch({ model, scoring, divisors }: ProgramParts, columns: readonly Tensor[]): BatchTensors {
  return scoring.apply(forward(model, columns.slice(0, -1), divisors), columns[columns.length - 1]!);
}
