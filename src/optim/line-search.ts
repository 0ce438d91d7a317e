/**
 * A line search for the strong Wolfe conditions: along a direction, a step where the loss has fallen enough and the slope is small
 * enough. Nocedal and Wright, "Numerical optimization", Algorithms 3.5 and 3.6, with the safeguards of minFunc, as PyTorch has it.
 */

/** Loss, gradient and slope along the direction, at a step. */
export interface Trial {
  readonly step: number;
  readonly loss: number;
  readonly gradient: Float64Array;
  readonly slope: number;
}

export interface LineSearchOptions {
  readonly firstStep: number;
  /** How many times the search may go on after the first evaluation. */
  readonly maxTrials: number;
  /** Where a bracket times the direction's largest element is below this, the search ends. */
  readonly toleranceChange: number;
  readonly largestOfDirection: number;
}

/** How much of the fall that the slope promises must be there, and how much of the slope may be left. */
const [sufficientFall, remainingSlope] = [1e-4, 0.9];

type Evaluate = (step: number) => Promise<Trial>;

/** @param begin the trial of step 0, whose slope is below 0 */
export async function strongWolfe(
  evaluate: Evaluate,
  begin: Trial,
  options: LineSearchOptions,
): Promise<Trial> {
  const found = await bracketOf(evaluate, begin, options);
  return found.isDone ? found.bracket[0] : zoom(evaluate, begin, found, options);
}

const hasFallen = (trial: Trial, begin: Trial): boolean =>
  trial.loss <= begin.loss + sufficientFall * trial.step * begin.slope;
const isFlat = (trial: Trial, begin: Trial): boolean =>
  Math.abs(trial.slope) <= -remainingSlope * begin.slope;

interface Bracket {
  readonly bracket: readonly [Trial, Trial];
  readonly trials: number;
  readonly isDone: boolean;
}

/** Steps further and further until two steps have an acceptable one between them, or one is acceptable itself. */
async function bracketOf(evaluate: Evaluate, begin: Trial, options: LineSearchOptions): Promise<Bracket> {
  let previous = begin;
  let trial = await evaluate(options.firstStep);
  for (let trials = 0; trials < options.maxTrials; trials++) {
    const isWorse = !hasFallen(trial, begin) || (trials > 1 && trial.loss >= previous.loss);
    if (isWorse) return { bracket: [previous, trial], trials, isDone: false };
    if (isFlat(trial, begin)) return { bracket: [trial, trial], trials, isDone: true };
    if (trial.slope >= 0) return { bracket: [previous, trial], trials, isDone: false };
    const bounds = [trial.step + 0.01 * (trial.step - previous.step), trial.step * 10] as const;
    const next = cubicMinimum(previous, trial, bounds);
    previous = trial;
    trial = await evaluate(next);
  }
  return { bracket: [begin, trial], trials: options.maxTrials, isDone: false };
}

/** Narrows the bracket; the better end is what comes out. */
async function zoom(
  evaluate: Evaluate,
  begin: Trial,
  found: Bracket,
  options: LineSearchOptions,
): Promise<Trial> {
  let [low, high] = ordered(...found.bracket);
  let isStuck = false;
  for (let { trials } = found; trials < options.maxTrials; trials++) {
    if (Math.abs(high.step - low.step) * options.largestOfDirection < options.toleranceChange) break;
    const place = placeWithin(low, high, isStuck);
    isStuck = place.isStuck;
    const trial = await evaluate(place.step);
    if (!hasFallen(trial, begin) || trial.loss >= low.loss) {
      [low, high] = ordered(low, trial);
      continue;
    }
    if (isFlat(trial, begin)) return trial;
    if (trial.slope * (high.step - low.step) >= 0) high = low;
    low = trial;
  }
  return low;
}

const ordered = (a: Trial, b: Trial): [low: Trial, high: Trial] => (a.loss <= b.loss ? [a, b] : [b, a]);

/** The cubic's minimum, kept a tenth of the bracket away from its ends where it comes near one twice. */
function placeWithin(a: Trial, b: Trial, wasStuck: boolean): { step: number; isStuck: boolean } {
  const [least, most] = [Math.min(a.step, b.step), Math.max(a.step, b.step)];
  const step = cubicMinimum(a, b, [least, most]);
  const margin = 0.1 * (most - least);
  if (Math.min(most - step, step - least) >= margin) return { step, isStuck: false };
  if (!wasStuck && step < most && step > least) return { step, isStuck: true };
  const isNearMost = Math.abs(step - most) < Math.abs(step - least);
  return { step: isNearMost ? most - margin : least + margin, isStuck: false };
}

/** Where the cubic through both losses and slopes is least, within bounds; their middle where it has no minimum. */
function cubicMinimum(a: Trial, b: Trial, [least, most]: readonly [number, number]): number {
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.step - b.step);
  const square = d1 ** 2 - a.slope * b.slope;
  if (!(square >= 0)) return (least + most) / 2;
  const d2 = Math.sqrt(square);
  const [first, last] = a.step <= b.step ? [a, b] : [b, a];
  const share = (last.slope + d2 - d1) / (last.slope - first.slope + 2 * d2);
  const minimum = last.step - (last.step - first.step) * share;
  return Math.min(Math.max(minimum, least), most);
}
