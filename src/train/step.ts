/** The compiled programs of training and evaluation. */
import type { HostArray } from "../base/host-array.ts";
import type { Module } from "../nn/index.ts";
import { check } from "../ops/index.ts";
import { GradientAccumulator, globalNorm, LossScaler, type Optimizer } from "../optim/index.ts";
import { autocast, type Compiled, compile, type Precision, stack, Tensor } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import type { BatchLayout, Divisors } from "./columns.ts";
import type { FitOptions } from "./fit.ts";
import { forAll, type GradientLimits, limited, trainedGradients } from "./gradients.ts";
import type { BatchTensors, Scoring } from "./scoring.ts";

/** A model's forward, whatever its arguments; bytes are divided first. */
export function forward(
  model: Module,
  inputs: readonly Tensor[],
  divisors: Divisors = [],
  precision: Precision = "f32",
): unknown {
  const given = inputs.map((input, i) => (divisors[i] ? input.cast("f32").div(divisors[i]) : input));
  const run = (): unknown => (model.forward as (...inputs: readonly Tensor[]) => unknown)(...given);
  return precision === "f32" ? run() : inFull(autocast(precision, run));
}

/** Losses and metrics take f32. */
function inFull(outputs: unknown): unknown {
  if (outputs instanceof Tensor)
    return outputs.dtype === "bf16" || outputs.dtype === "f16" ? outputs.cast("f32") : outputs;
  return Object.fromEntries(
    Object.entries(outputs as object).map(([name, output]) => [name, inFull(output)]),
  );
}

/** What a step watches, by the sentence of the error where one of them is NaN or infinite. */
export const finiteRules = {
  loss: "fit: the loss must be finite",
  gradients: "fit: the gradients must be finite",
} as const;

/** `result`; a run in which `scalar` is not finite fails and commits nothing. It costs one comparison. */
const finite = (what: keyof typeof finiteRules, scalar: Tensor, result = scalar): Tensor =>
  fromNode(check(nodeOf(result), nodeOf(scalar.isFinite()), finiteRules[what]));

export interface ProgramParts {
  readonly model: Module;
  readonly scoring: Scoring;
  readonly layout: BatchLayout;
  readonly divisors: Divisors | undefined;
  readonly precision?: Precision | undefined;
  /** Set while a step is traced: the last axis of the model's output, where it has one output. */
  classes?: number;
}

/** One batch, its columns in the order of the layout. */
export type BatchProgram = Compiled<HostArray[], BatchTensors>;

type StepOptions = Pick<
  FitOptions,
  "penalty" | "gradientNorm" | "gradientAccumulationSteps" | keyof GradientLimits
>;

/** What one batch can be to a step: it ends it, it ends it and its gradients are results too, or more batches follow. */
export type StepPart = "update" | "update, gradients kept" | "accumulate";

/**
 * The programs of a step: forward, loss, metrics, gradients and the optimizer's update in one. The update is part of it, so a
 * check that fails anywhere leaves parameters and moments as they were. A step of several batches has a program that only
 * adds its gradients to those before. Each is made when it is first asked for.
 */
export class StepPrograms {
  readonly #parts: ProgramParts;
  readonly #optimizer: Optimizer;
  readonly #options: StepOptions;
  readonly #made = new Map<StepPart, BatchProgram>();
  /** Present where a step is of several batches. */
  readonly accumulator: GradientAccumulator | undefined;
  /** Present where products are f16. */
  readonly scaler: LossScaler | undefined;

  constructor(parts: ProgramParts, optimizer: Optimizer, options: StepOptions) {
    this.#parts = parts;
    this.#optimizer = optimizer;
    this.#options = options;
    const { gradientAccumulationSteps = 1 } = options;
    const trained = optimizer.parameters.filter((parameter) => parameter.trainable);
    this.accumulator = gradientAccumulationSteps > 1 ? new GradientAccumulator(trained) : undefined;
    this.scaler = parts.precision === "f16" ? new LossScaler() : undefined;
  }

  of(part: StepPart): BatchProgram {
    let program = this.#made.get(part);
    if (program === undefined)
      this.#made.set(
        part,
        (program = compile((...columns: readonly Tensor[]) => this.#batch(part, columns))),
      );
    return program;
  }

  #batch(part: StepPart, columns: readonly Tensor[]): BatchTensors {
    const { penalty } = this.#options;
    const results = scoreBatch(this.#parts, columns);
    const loss = finite("loss", penalty ? results.loss.add(penalty(this.#parts.model)) : results.loss);
    const { scaler } = this;
    const scaled = trainedGradients(scaler?.scale(loss) ?? loss, this.#optimizer);
    const own = scaler?.unscale(scaled) ?? scaled;
    this.accumulator?.add(own, results.lossCount ?? samplesOf(columns));
    if (part === "accumulate")
      return { ...results, loss: this.#watchesGradients ? finite("gradients", globalNorm(own), loss) : loss };
    const gradients = this.accumulator?.take() ?? own;
    return { ...results, loss, ...this.#update(gradients, part === "update, gradients kept") };
  }

  #update(gradients: readonly Tensor[], isKept: boolean): Pick<BatchTensors, "update" | "gradients"> {
    const optimizer = this.#optimizer;
    const norms = this.#options.gradientNorm === false ? {} : this.#norms(gradients);
    const update = { learningRate: optimizer.learningRate(), ...norms };
    const changes = forAll(limited(gradients, this.#options), optimizer);
    if (this.scaler === undefined) optimizer.step(changes);
    else this.scaler.step(optimizer, changes);
    return { update, ...(isKept && { gradients: forAll(gradients, optimizer) }) };
  }

  /** Where products are f16 gradients that overflow are the scaler's business. */
  get #watchesGradients(): boolean {
    return this.#options.gradientNorm !== false && this.scaler === undefined;
  }

  #norms(gradients: readonly Tensor[]) {
    const squares = gradients.map((gradient) => gradient.cast("f32").square().sum() as Tensor);
    const norm = globalNorm(gradients);
    return {
      gradientNorm: this.#watchesGradients ? finite("gradients", norm) : norm,
      gradientSquares: stack(squares),
    };
  }
}

const samplesOf = (columns: readonly Tensor[]): number => columns[0]!.shape[0] as number;

export const evaluationProgram = (parts: ProgramParts): BatchProgram =>
  compile((...columns: readonly Tensor[]) => scoreBatch(parts, columns));

function scoreBatch(parts: ProgramParts, columns: readonly Tensor[]): BatchTensors {
  const { model, scoring, layout, divisors, precision } = parts;
  const outputs = forward(model, layout.inputs(columns), divisors, precision);
  if (outputs instanceof Tensor) parts.classes = Number(outputs.shape.at(-1));
  return scoring.apply(outputs, layout.labels(columns), layout.weights(columns));
}
