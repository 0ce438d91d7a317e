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

/** The same rate at every step. */
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
 */
export function cosine({ from, to = 0, steps }: { from: number; to?: number; steps: number }): Schedule {
  requireSteps("cosine", steps);
  return (step) =>
    progress(step, steps)
      .mul(Math.PI)
      .cos()
      .add(1)
      .mul((from - to) / 2)
      .add(to);
}

/** from · factor^(s / steps): multiplied by `factor` every `steps` steps, smoothly. */
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

/** from · factor^⌊s / every⌋: multiplied by `factor` every `every` steps, at once. */
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

/** to + (from − to)·(1 − min(s / steps, 1))^power. */
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

/** min(s / steps, 1). */
const progress = (step: Tensor, steps: number): Tensor => step.mul(1 / steps).minimum(1);

function requireSteps(what: string, steps: number): void {
  if (steps > 0) return;
  throw new ArgumentError(`${what}: steps must be above 0, got ${steps}`);
}
