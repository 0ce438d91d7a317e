/**
 * The loop of a recurrent layer, and its gradient by hand: what autodiff would sum up within the backward loop, the gradient of the
 * hidden weights, is one product over all steps after it.
 */
import type { Shape } from "../base/shape.ts";
import { addSizes, productOf, type Size } from "../base/size.ts";
import { reshape, sliceAxis } from "../ops/index.ts";
import { activePrecision, lowered, raised, withPrecision } from "../tensor/autocast.ts";
import { arange, concat, customGradient, grad, scan, type Tensor, where } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";

/** States of shape (N, H): one of RNN and GRU, hidden and cell of LSTM; the first is the output. */
export type States = readonly Tensor[];

/**
 * The next states from the gates and the states, element by element, so that it costs little to walk back. Gates are parts of
 * W_ih·x + b_ih + W_hh·h + b_hh, (N, H) each; where the two sums stand apart, the parts of one and then those of the other.
 */
export type CellStep = (gates: readonly Tensor[], states: States) => States;

export interface Loop {
  readonly step: CellStep;
  /** How many gates the weights have rows for. */
  readonly gates: number;
  /** Whether the cell takes W_ih·x + b_ih and W_hh·h + b_hh apart, not their sum. */
  readonly isApart: boolean;
  /** From the last step to the first. */
  readonly reverse: boolean;
  /** How many steps of each sequence count, (N). */
  readonly lengths: Tensor | undefined;
}

export interface LoopInputs {
  /** W_ih·x + b_ih of all steps, (T, N, gates·H). */
  readonly ofInputs: Tensor;
  /** W_hh, (gates·H, H). */
  readonly hidden: Tensor;
  /** b_hh, (gates·H); for RNN and LSTM it may be in `ofInputs` already. */
  readonly hiddenBias: Tensor | undefined;
  /** What the output of a step is multiplied by before it is the hidden state, (P, H). */
  readonly projection: Tensor | undefined;
  readonly begin: States;
}

/** The outputs of all steps, 0 after a sequence's end, and the last states. */
export function runLoop(loop: Loop, anyInputs: LoopInputs): { output: Tensor; last: States } {
  const inputs = { ...anyInputs, ofInputs: inFull(anyInputs.ofInputs), begin: anyInputs.begin.map(inFull) };
  const precision = activePrecision();
  const { ofInputs, hidden, hiddenBias, projection, begin } = inputs;
  const given = [ofInputs, hidden, hiddenBias, projection, ...begin].filter((input) => input !== undefined);
  const run = forwardLoop(loop, inputs);
  const all = customGradient<readonly Tensor[]>(
    () =>
      concat(
        run.states.map((stack) => stack.reshape([-1]) as Tensor),
        0,
      ) as Tensor,
    (cotangent) =>
      withPrecision(precision, () => backwardLoop(loop, inputs, run, partsOf(cotangent, run.states))),
  )(...given);
  const [steps] = ofInputs.shape as [number, ...number[]];
  const stacks = partsOf(all, run.states);
  const last = stacks.map((stack) => stack.at(loop.reverse ? 0 : steps - 1) as Tensor);
  return { output: withoutEnds(stacks[0]!, loop, steps), last };
}

const inFull = (x: Tensor): Tensor => fromNode(raised(nodeOf(x)));
/** Weights for a product of every step: within `autocast` cast before the loop. */
const ready = (weight: Tensor): Tensor => fromNode(lowered(nodeOf(weight)));
/** A product, in 16 bits within `autocast`, as f32. */
const product = (a: Tensor, b: Tensor): Tensor => inFull(a.matmul(b) as Tensor);

/** One vector as stacks of these shapes: a function with a gradient of its own has one result. */
function partsOf(all: Tensor, shapes: States): Tensor[] {
  let start: Size = 0;
  return shapes.map((like) => {
    const shape = like.shape as Shape;
    const count = productOf(shape);
    const part = sliceAxis(nodeOf(all), 0, start, count);
    start = addSizes(start, count);
    return fromNode(reshape(part, shape));
  });
}

const withoutEnds = (output: Tensor, { lengths }: Loop, steps: number): Tensor =>
  lengths === undefined
    ? output
    : (where(lengths.greater(arange(steps).expandDims(1)).expandDims(2), output, 0) as Tensor);

/** What the way back needs: the states after each step, W_hh·h + b_hh (or all of the sum), the output before its projection. */
interface Kept {
  readonly states: States;
  readonly sums: Tensor;
  readonly unprojected: Tensor | null;
}

function forwardLoop(loop: Loop, inputs: LoopInputs): Kept {
  const { ofInputs, hidden, hiddenBias, begin } = inputs;
  const matrix = ready(hidden.transpose() as Tensor);
  const { outputs } = scan(
    (states: States, [ofInput, step]: readonly [Tensor, Tensor]) => {
      const turned = product(states[0]!, matrix);
      const ofHidden = (hiddenBias === undefined ? turned : turned.add(hiddenBias)) as Tensor;
      const sums = (loop.isApart ? ofHidden : ofInput.add(ofHidden)) as Tensor;
      const gates = gatesOf(loop, ofInput, sums);
      const { next, unprojected } = advance(loop, inputs, { gates, states, step });
      return { carry: next, output: { states: next, sums, unprojected } };
    },
    begin,
    [ofInputs, arange((ofInputs.shape as readonly number[])[0]!) as Tensor] as const,
    { reverse: loop.reverse },
  );
  return outputs as unknown as Kept;
}

const gatesOf = ({ gates, isApart }: Loop, ofInput: Tensor, sums: Tensor): Tensor[] =>
  [...(isApart ? [ofInput] : []), sums].flatMap((all) => all.split(gates, -1) as Tensor[]);

interface Moment {
  readonly gates: readonly Tensor[];
  readonly states: States;
  readonly step: Tensor;
}

/** The states after a step: projected, and as they were where a sequence has ended. */
function advance(
  { step: cell, lengths }: Loop,
  { projection }: LoopInputs,
  { gates, states, step }: Moment,
): { next: States; unprojected: Tensor | null } {
  const [output, ...others] = cell(gates, states) as [Tensor, ...Tensor[]];
  const hidden = projection === undefined ? output : product(output, projection.transpose() as Tensor);
  const next = [hidden, ...others];
  const unprojected = projection === undefined ? null : output;
  if (lengths === undefined) return { next, unprojected };
  const counts = hasNotEnded(lengths, step);
  return { next: next.map((state, i) => where(counts, state, states[i]!) as Tensor), unprojected };
}

const hasNotEnded = (lengths: Tensor, step: Tensor): Tensor => lengths.greater(step).expandDims(1) as Tensor; // (N, 1)

/** What the way back gives for each step: gradients of W_ih·x + b_ih where it stands apart, of the sums, of the projection's result. */
interface Slopes {
  readonly ofInput: Tensor | null;
  readonly sums: Tensor;
  readonly projected: Tensor | null;
}

/** Gradients of the inputs in their order, from those of the states after each step. */
function backwardLoop(loop: Loop, inputs: LoopInputs, run: Kept, arriving: States): Tensor[] {
  const { ofInputs, hidden, hiddenBias, projection, begin } = inputs;
  const [steps] = ofInputs.shape as [number, ...number[]];
  const before = run.states.map((states, i) => statesBefore(states, begin[i]!, loop));
  const matrix = ready(hidden);
  type Slice = readonly [
    ofInput: Tensor | null,
    sums: Tensor,
    states: States,
    arriving: States,
    step: Tensor,
  ];
  const { carry, outputs } = scan(
    (later: States, [ofInput, sums, states, arrived, step]: Slice) => {
      const total = later.map((slope, i) => slope.add(arrived[i]!) as Tensor);
      const gates = gatesOf(loop, ofInput ?? sums, sums);
      const { next } = advance(loop, inputs, { gates, states, step });
      const value = next
        .map((state, i) => state.mul(total[i]!).sum() as Tensor)
        .reduce((a, b) => a.add(b) as Tensor);
      const found = grad(value, [...gates, ...states], { allowUnused: true }) as Tensor[];
      const byGates = (from: number): Tensor => concat(found.slice(from, from + loop.gates), -1) as Tensor;
      const bySums = byGates(gates.length - loop.gates);
      const [first, ...rest] = found.slice(gates.length) as [Tensor, ...Tensor[]];
      const counted = loop.lengths && where(hasNotEnded(loop.lengths, step), total[0]!, 0);
      const projected = projection === undefined ? null : ((counted ?? total[0]!) as Tensor);
      return {
        carry: [first.add(product(bySums, matrix)) as Tensor, ...rest] as States,
        output: { ofInput: loop.isApart ? byGates(0) : null, sums: bySums, projected },
      };
    },
    begin.map((state) => state.zerosLike() as Tensor) as States,
    [loop.isApart ? ofInputs : null, run.sums, before as States, arriving, arange(steps) as Tensor] as Slice,
    { reverse: !loop.reverse },
  );
  const slopes = outputs as unknown as Slopes;
  return [
    slopes.ofInput ?? slopes.sums,
    overAllSteps(slopes.sums, before[0]!),
    ...(hiddenBias === undefined ? [] : [slopes.sums.sum([0, 1]) as Tensor]),
    ...(projection === undefined ? [] : [overAllSteps(slopes.projected!, run.unprojected!)]),
    ...carry,
  ];
}

/** Σ over steps and sequences of slope · inputᵀ: a weight's gradient as one product. */
function overAllSteps(slopes: Tensor, inputs: Tensor): Tensor {
  const rows = (x: Tensor): Tensor => x.reshape([-1, (x.shape as readonly number[])[2]!]) as Tensor; // (T·N, …)
  return product(rows(slopes).transpose() as Tensor, rows(inputs));
}

/** The states that each step began with. */
function statesBefore(states: Tensor, begin: Tensor, { reverse }: Loop): Tensor {
  const [steps] = states.shape as [number, ...number[]];
  const first = begin.expandDims(0) as Tensor;
  return reverse
    ? (concat([states.slice(0, 1, steps), first], 0) as Tensor)
    : (concat([first, states.slice(0, 0, steps - 1)], 0) as Tensor);
}
