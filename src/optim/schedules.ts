/**
 * Learning rates that change: functions of a step counter that is state, so they are part of the compiled step and
 * nothing is traced again.
 *
 * `step` is how many steps are done: 0 for the first update. Each schedule is one formula, stated for s = step.
 */
import { ArgumentError } from "../base/errors.ts";
import { full, type Tensor, where } from "../tensor/index.ts";

/** From the number of steps done, f32 of shape (), to the learning rate of the next one, of shape (). */
export type Schedule = (step: Tensor) => Tensor;

/**
 * The same rate at every step.
 *
 * @example constant(0.1)(tensor(7)); // 0.1
 */
export const constant =
  (value: number): Schedule =>
  () =>
    full([], value);

/**
 * from + (to − from)·min(s / steps, 1): in a straight line, then `to`.
 *
 * @example adam({ learningRate: linear({ from: 1e-3, to: 0, steps: 18_750 }) })
 */
export function linear({ from, to, steps }: { from: number; to: number; steps: number }): Schedule {
  requireSteps("linear", steps);
  return (step) =>
    progress(step, steps)
      .mul(to - from)
      .add(from);
}

/**
 * to + (from − to)·(1 + cos(π·min(s / steps, 1))) / 2: half a cosine, then `to`.
 * Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017.
 *
 * @example (await cosine({ from: 1, steps: 4 })(scalar(2)).item()).toFixed(4) // "0.5000"
 */
export function cosine({ from, to = 0, steps }: { from: number; to?: number; steps: number }): Schedule {
  requireSteps("cosine", steps);
  return (step) => halfCosine(progress(step, steps), from, to);
}

/**
 * from · factor^(s / steps): multiplied by `factor` every `steps` steps, smoothly.
 *
 * @example (await exponential({ from: 8, factor: 0.5, steps: 10 })(scalar(20)).item()).toFixed(4) // "2.0000"
 */
export function exponential({
  from,
  factor,
  steps = 1,
}: {
  from: number;
  factor: number;
  steps?: number;
}): Schedule {
  requireSteps("exponential", steps);
  if (!(factor > 0)) throw new ArgumentError(`exponential: factor must be above 0, got ${factor}`);
  return (step) =>
    step
      .mul(Math.log(factor) / steps)
      .exp()
      .mul(from);
}

/**
 * from · factor^⌊s / every⌋: multiplied by `factor` every `every` steps, at once.
 *
 * @example (await stepDecay({ from: 8, factor: 0.5, every: 10 })(scalar(19)).item()).toFixed(4) // "4.0000"
 */
export function stepDecay({
  from,
  factor,
  every,
}: {
  from: number;
  factor: number;
  every: number;
}): Schedule {
  requireSteps("stepDecay", every);
  if (!(factor > 0)) throw new ArgumentError(`stepDecay: factor must be above 0, got ${factor}`);
  return (step) => step.div(every).floor().mul(Math.log(factor)).exp().mul(from);
}

/**
 * to + (from − to)·(1 − min(s / steps, 1))^power.
 *
 * @example polynomial({ from: 1, steps: 4, power: 2 })(scalar(2)) // 0.25
 */
export function polynomial({
  from,
  to = 0,
  steps,
  power = 2,
}: {
  from: number;
  to?: number;
  steps: number;
  power?: number;
}): Schedule {
  requireSteps("polynomial", steps);
  return (step) => {
    const left = progress(step, steps).neg().add(1);
    return left
      .pow(power)
      .mul(from - to)
      .add(to);
  };
}

/**
 * Rises in a line over `steps` steps to where `schedule` begins, then is `schedule` from its own beginning:
 * (s + 1) / (steps + 1) · schedule(0) while s < steps, so that the first step does something. As in Goyal et al., "Accurate,
 * large minibatch SGD", 2017.
 *
 * @example adam({ learningRate: warmup(100, cosine({ from: 3e-4, steps: 10_000 })) })
 */
export function warmup(steps: number, schedule: Schedule | number): Schedule {
  requireSteps("warmup", steps);
  const main = typeof schedule === "number" ? constant(schedule) : schedule;
  return (step) => {
    const rising = step.add(1).mul(1 / (steps + 1));
    return where(step.less(steps), rising.mul(main(full([], 0))), main(step.sub(steps).maximum(0)));
  };
}

/**
 * `values[i]` from step `boundaries[i − 1]` on: a staircase (Keras's PiecewiseConstantDecay, PyTorch's MultiStepLR).
 *
 * @throws ArgumentError unless there is one value more than boundaries, and these rise
 * @example
 * const schedule = piecewise({ boundaries: [1000, 2000], values: [0.1, 0.01, 0.001] });
 * await schedule(scalar(1500)).item(); // 0.009999999776482582
 */
export function piecewise({
  boundaries,
  values,
}: {
  boundaries: readonly number[];
  values: readonly number[];
}): Schedule {
  if (values.length !== boundaries.length + 1)
    throw new ArgumentError(
      `piecewise: ${boundaries.length} boundaries part ${boundaries.length + 1} values, got ${values.length}`,
    );
  if (boundaries.some((boundary, i) => i > 0 && boundary <= boundaries[i - 1]!))
    throw new ArgumentError(`piecewise: boundaries must rise, got ${boundaries.join(", ")}`);
  return (step) =>
    boundaries.reduce<Tensor>(
      (rate, boundary, i) => where(step.less(boundary), rate, values[i + 1]!),
      full([], values[0]!),
    );
}

/**
 * from · factor^n after n of the milestones: PyTorch's MultiStepLR.
 *
 * @throws ArgumentError unless milestones rise and the factor is above 0
 * @example (await multiStep({ from: 1, milestones: [30, 60], factor: 0.1 })(scalar(45)).item()).toFixed(4) // "0.1000"
 */
export function multiStep({
  from,
  milestones,
  factor = 0.1,
}: {
  from: number;
  milestones: readonly number[];
  factor?: number;
}): Schedule {
  if (!(factor > 0)) throw new ArgumentError(`multiStep: factor must be above 0, got ${factor}`);
  return piecewise({
    boundaries: milestones,
    values: [0, ...milestones.map((_, i) => i + 1)].map((n) => from * factor ** n),
  });
}

/**
 * peak · min((s + 1) / w, √(w / (s + 1))): up in a line over w = `warmupSteps` steps, then down as 1/√s. Vaswani et al., "Attention
 * is all you need", 2017, whose peak is (d_model·w)^−½.
 *
 * @throws ArgumentError unless warmupSteps is above 0
 * @example (await inverseSquareRoot({ peak: 1, warmupSteps: 100 })(scalar(399)).item()).toFixed(4) // "0.5000"
 */
export function inverseSquareRoot({ peak, warmupSteps }: { peak: number; warmupSteps: number }): Schedule {
  requireSteps("inverseSquareRoot", warmupSteps);
  return (step) => {
    const share = step.add(1).mul(1 / warmupSteps);
    return share.minimum(share.rsqrt()).mul(peak);
  };
}

/**
 * Half a cosine from `from` to `to` over `steps` steps, then again from the top, each round `factor` times as long as the
 * one before. Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017.
 *
 * @example (await cosineRestarts({ from: 1, steps: 4 })(scalar(6)).item()).toFixed(4) // "0.5000"
 */
export function cosineRestarts({
  from,
  to = 0,
  steps,
  factor = 1,
}: {
  from: number;
  to?: number;
  steps: number;
  factor?: number;
}): Schedule {
  requireSteps("cosineRestarts", steps);
  if (!(factor >= 1)) throw new ArgumentError(`cosineRestarts: factor must be 1 or more, got ${factor}`);
  return (step) => {
    const done = factor === 1 ? step.mul(1 / steps).sub(step.div(steps).floor()) : grown(step, steps, factor);
    return halfCosine(done, from, to);
  };
}

/** The part of the round that is done, where round n is steps·factorⁿ long and begins at steps·(factorⁿ − 1)/(factor − 1). */
function grown(step: Tensor, steps: number, factor: number): Tensor {
  const share = (factor - 1) / steps;
  // Half a step on, so that rounding at a round's first step does not count it to the round before.
  const round = step
    .add(0.5)
    .mul(share)
    .log1p()
    .mul(1 / Math.log(factor))
    .floor();
  const scale = round.mul(Math.log(factor)).exp();
  return step
    .mul(share)
    .add(1)
    .sub(scale)
    .div(scale.mul(factor - 1));
}

/**
 * One cycle: half a cosine up from peak / `startFactor` to `peak` over the first part of the steps (`rise`), then one down to
 * peak / `startFactor` / `endFactor`. PyTorch's OneCycleLR with its defaults. Smith and Topin, "Super-convergence", 2018.
 *
 * @example
 * const schedule = oneCycle({ peak: 0.1, steps: 100 });
 * await schedule(scalar(29)).item(); // 0.10000000149011612
 */
export function oneCycle({
  peak,
  steps,
  rise = 0.3,
  startFactor = 25,
  endFactor = 1e4,
}: {
  peak: number;
  steps: number;
  rise?: number;
  startFactor?: number;
  endFactor?: number;
}): Schedule {
  requireSteps("oneCycle", steps);
  const top = rise * steps - 1;
  if (!(top > 0 && top < steps - 1))
    throw new ArgumentError(
      `oneCycle: rise ${rise} of ${steps} steps must leave steps on both sides of the peak`,
    );
  const start = peak / startFactor;
  return (step) => {
    const up = halfCosine(step.mul(1 / top), start, peak);
    const left = step
      .sub(top)
      .mul(1 / (steps - 1 - top))
      .minimum(1);
    return where(step.lessEqual(top), up, halfCosine(left, peak, start / endFactor));
  };
}

/** From `from` at 0 to `to` at 1. */
const halfCosine = (part: Tensor, from: number, to: number): Tensor =>
  part
    .mul(Math.PI)
    .cos()
    .add(1)
    .mul((from - to) / 2)
    .add(to);

/** min(s / steps, 1). */
const progress = (step: Tensor, steps: number): Tensor => step.mul(1 / steps).minimum(1);

function requireSteps(what: string, steps: number): void {
  if (steps > 0) return;
  throw new ArgumentError(`${what}: steps must be above 0, got ${steps}`);
}
