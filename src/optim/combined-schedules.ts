/** Schedules made of schedules, and schedules that come and go. */
import { ArgumentError } from "../base/errors.ts";
import { type Tensor, where } from "../tensor/index.ts";
import { constant, type Schedule } from "./schedules.ts";

/**
 * One schedule after the other: `schedules[i]` from step `boundaries[i − 1]` on, each from its own beginning. PyTorch's SequentialLR.
 *
 * @throws ArgumentError unless there is one schedule more than boundaries, and these rise
 * @example
 * const schedule = sequential({ boundaries: [10], schedules: [linear({ from: 0.1, to: 1, steps: 10 }), constant(0.5)] });
 * await schedule(scalar(10)).item(); // 0.5
 */
export function sequential({
  boundaries,
  schedules,
}: {
  boundaries: readonly number[];
  schedules: readonly (Schedule | number)[];
}): Schedule {
  if (schedules.length !== boundaries.length + 1)
    throw new ArgumentError(
      `sequential: ${boundaries.length} boundaries part ${boundaries.length + 1} schedules, got ${schedules.length}`,
    );
  if (boundaries.some((boundary, i) => boundary <= (boundaries[i - 1] ?? 0)))
    throw new ArgumentError(`sequential: boundaries must rise from above 0, got ${boundaries.join(", ")}`);
  const all = schedules.map((schedule) => (typeof schedule === "number" ? constant(schedule) : schedule));
  return (step) =>
    boundaries.reduce<Tensor>((rate, boundary, i) => {
      const own = all[i + 1]!(step.sub(boundary).maximum(0) as Tensor);
      return where(step.less(boundary), rate, own) as Tensor;
    }, all[0]!(step));
}

/**
 * A schedule times others that count as factors: where PyTorch chains schedulers (ChainedScheduler).
 *
 * @example
 * const schedule = product(constant(0.5), exponential({ from: 1, factor: 0.9 }), stepDecay({ from: 1, factor: 0.1, every: 30 }));
 * await schedule(scalar(0)).item(); // 0.5
 */
export const product =
  (first: Schedule, ...factors: readonly Schedule[]): Schedule =>
  (step) =>
    factors.reduce<Tensor>((rate, factor) => rate.mul(factor(step)) as Tensor, first(step));

export interface CyclicOptions {
  /** Where a cycle begins and ends. */
  readonly low: number;
  /** Its peak. */
  readonly high: number;
  /** Steps up, default 2000, and steps down, default as many. */
  readonly rise?: number;
  readonly fall?: number;
  /** "triangular" (default): peaks stay. "triangular2": each is half as high as the one before. "exponential": `factor` to the step. */
  readonly mode?: "triangular" | "triangular2" | "exponential";
  /** Of "exponential", default 1. */
  readonly factor?: number;
}

/**
 * Up in a line from `low` to `high` and down again, and so on: PyTorch's CyclicLR. Smith, "Cyclical learning rates for training
 * neural networks", WACV 2017.
 *
 * @throws ArgumentError for steps that are not above 0
 * @example (await cyclic({ low: 0, high: 1, rise: 4 })(scalar(6)).item()).toFixed(4) // "0.5000"
 */
export function cyclic(options: CyclicOptions): Schedule {
  const { low, high, rise = 2000, fall = rise, mode = "triangular", factor = 1 } = options;
  if (!(rise > 0 && fall > 0))
    throw new ArgumentError(`cyclic: steps up and down must be above 0, got ${rise} and ${fall}`);
  if (mode !== "triangular" && mode !== "triangular2" && mode !== "exponential")
    throw new ArgumentError(
      `cyclic: mode "${String(mode)}" is unknown; use "triangular", "triangular2" or "exponential"`,
    );
  const scaleOf = (step: Tensor, cycle: Tensor): Tensor | number => {
    if (mode === "triangular") return 1;
    const [times, log] = mode === "triangular2" ? [cycle, -Math.LN2] : [step, Math.log(factor)];
    return times.mul(log).exp() as Tensor;
  };
  return (step) => {
    const cycle = step.div(rise + fall).floor() as Tensor;
    const within = step.sub(cycle.mul(rise + fall)) as Tensor;
    const up = within.mul(1 / rise) as Tensor;
    const down = within
      .sub(rise)
      .mul(-1 / fall)
      .add(1) as Tensor;
    return up
      .minimum(down)
      .mul(high - low)
      .mul(scaleOf(step, cycle))
      .add(low) as Tensor;
  };
}
