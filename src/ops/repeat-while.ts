/** repeatWhile: a body repeated as long as a condition holds. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { Node } from "../graph/node.ts";
import type { AddedAxis, Mapped, RegionOp } from "../graph/op.ts";
import { originText } from "../graph/origin.ts";
import type { State } from "../graph/state.ts";
import { makeNode } from "../graph/trace.ts";
import { broadcastTo, reshape } from "./broadcast.ts";
import { dependsOn, mappedCarries, mappingOf } from "./mapping.ts";
import { output } from "./output.ts";
import { any as anyOf } from "./reduce.ts";
import { ClosedRegion, type TracedRegion, traceRegion } from "./region.ts";
import { typeText } from "./rules.ts";
import { requireCarries } from "./scan.ts";
import { select } from "./select.ts";
import { parameter } from "./sources.ts";
import { assignState, readState } from "./state.ts";

/** Inputs: the carries' first values, then captured values. Both regions have parameters for all of them. */
export type RepeatAttributes = {
  readonly condition: ClosedRegion;
  readonly body: ClosedRegion;
  readonly carryCount: number;
  readonly max: number;
};

export const repeatWhileOp: RegionOp<RepeatAttributes> = {
  name: "repeatWhile",
  kind: "region",
  loop: "repeatWhile",
  type: (inputs, { carryCount }) => inputs.slice(0, carryCount).map(({ shape, dtype }) => ({ shape, dtype })),
  reference(inputs, { condition, body, carryCount, max }, context) {
    let carries = inputs.slice(0, carryCount);
    const captured = inputs.slice(carryCount);
    const holds = (): boolean => context.run(condition, [...carries, ...captured])[0]!.data[0] === 1;
    for (let step = 0; step < max && holds(); step++) carries = context.run(body, [...carries, ...captured]);
    return [...carries];
  },
  gradient: ({ origin }) => {
    const where = originText(origin);
    throw new ArgumentError(
      `gradient: repeatWhile${where} has none, because the number of its iterations is not known; ` +
        "use scan with a fixed length, or wrap what flows into it in stopGradient",
    );
  },
  map: (node, axis) => mapRepeat(node, axis),
};

/**
 * The same loop over elements with the axis. Where the condition differs along it, the loop goes on while one holds, and
 * elements whose own has ended keep what they have.
 */
function mapRepeat(node: Node<RepeatAttributes>, { size, given, isMapped, inputs }: AddedAxis): Mapped[] {
  const { condition, body, carryCount, max } = node.attributes;
  const carried = mappedCarries(body, isMapped, carryCount);
  const isConditionMapped = dependsOn(condition, carried)[0]!;
  const mapped = carried.map((is, i) => is || (isConditionMapped && i < carryCount));
  const own = given.map((x, i) => (mapped[i] ? inputs[i]! : x));
  const inside = (region: ClosedRegion, carry: readonly Node[]) =>
    mappingOf(size, region.parameters, [...carry, ...own.slice(carryCount)], mapped);
  const holds = (carry: readonly Node[]): Node => inside(condition, carry).of(condition.results)[0]!.node;
  const outputs = repeatWhile(
    own.slice(0, carryCount),
    (carry) => (isConditionMapped ? anyOf(holds(carry)) : holds(carry)),
    (carry) => {
      const inner = inside(body, carry);
      const next = inner.of(body.results).map((x, i) => (mapped[i] ? inner.whole(x) : x.node));
      if (!isConditionMapped) return next;
      const goesOn = holds(carry);
      return next.map((x, i) => select(alongRest(goesOn, x), x, carry[i]!));
    },
    { max },
  );
  return outputs.map((x, i) => ({ node: x, isMapped: mapped[i]! }));
}

/** (N) → the shape of x, (N, …). */
const alongRest = (flags: Node, x: Node): Node =>
  broadcastTo(reshape(flags, [...flags.shape, ...x.shape.slice(1).map(() => 1)]), x.shape);

/**
 * Repeats `body` while `condition` (a bool scalar) holds, at most `max` times, carrying values from one iteration to the next.
 * States that the body assigns are carried too. It has no gradient.
 *
 * @throws ShapeError when a carry changes its type or the condition is no bool scalar
 * @example
 * // the first power of 2 that is at least x
 * repeatWhile([one], ([p]) => less(p, x), ([p]) => [add(p, p)], { max: 64 })
 */
export function repeatWhile(
  initial: readonly Node[],
  condition: (carry: readonly Node[]) => Node,
  body: (carry: readonly Node[]) => readonly Node[],
  { max }: { max: number },
): Node[] {
  if (!Number.isInteger(max) || max < 0)
    throw new ArgumentError(`repeatWhile: max must be an integer of 0 or more, got ${max}`);
  const test = traceRegion(initial, (carry) => [requireBool(condition(carry))]);
  if (test.assigned.size > 0)
    throw new ArgumentError("repeatWhile: the condition assigns a state; only the body may");
  const step = traceRegion(initial, (carry) => {
    const next = body(carry);
    requireCarries("repeatWhile", initial, next);
    return next;
  });
  const states = [...step.assigned.keys()];
  const readOnly = [...new Set([...test.reads.keys(), ...step.reads.keys()])].filter(
    (state) => !step.assigned.has(state),
  );
  const captured = [...new Set([...test.captured.keys(), ...step.captured.keys()])];
  const parametersOf = (region: TracedRegion): Node[] => [
    ...region.given,
    ...states.map((state) => stateIn(region, state)),
    ...captured.map((node) => region.captured.get(node) ?? parameter(node, "unused")),
    ...readOnly.map((state) => stateIn(region, state)),
  ];
  const inputs = [...initial, ...states.map(readState), ...captured, ...readOnly.map(readState)];
  const node = makeNode(repeatWhileOp, inputs, {
    condition: new ClosedRegion(parametersOf(test), test.results),
    body: new ClosedRegion(parametersOf(step), [...step.results, ...step.assigned.values()]),
    carryCount: initial.length + states.length,
    max,
  });
  states.forEach((state, i) => {
    assignState(state, output(node, initial.length + i));
  });
  return initial.map((_, i) => output(node, i));
}

/** The parameter that is a state's value in a region; a new one where the region does not read it. */
const stateIn = ({ reads }: TracedRegion, state: State): Node =>
  reads.get(state) ?? parameter(state, state.name);

function requireBool(condition: Node): Node {
  if (condition.dtype === "bool" && condition.shape.length === 0) return condition;
  throw new ShapeError(`repeatWhile: the condition is ${typeText(condition)}, not a bool scalar`);
}
