/** scan: a body repeated over slices, with values carried from one iteration to the next. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { boundsOf, type Size, sizesAgree } from "../base/size.ts";
import type { Node, TensorType } from "../graph/node.ts";
import type { AddedAxis, DenseArray, Mapped, ReferenceContext, RegionOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { mappedCarries, mappingOf } from "./mapping.ts";
import { output } from "./output.ts";
import { transpose } from "./permute.ts";
import { ClosedRegion, type TracedRegion, traceRegion } from "./region.ts";
import { countOf, shapesAgree, typeText } from "./rules.ts";
import { scanGradient } from "./scan-gradient.ts";
import { parameter } from "./sources.ts";
import { assignState, readState } from "./state.ts";

/**
 * Inputs: the carries' first values, the stacked slices, captured values. Parameters of the body: the same with one slice
 * each. Results of the body: the carries' next values, then what is stacked. Outputs: last carries, then the stacks.
 */
export type ScanAttributes = {
  readonly body: ClosedRegion;
  readonly carryCount: number;
  readonly sliceCount: number;
  readonly length: Size;
  /** From the last slice to the first. */
  readonly reverse: boolean;
  /** Which input (a captured one that the body does not read) holds the range of iterations that run; left out: all. */
  readonly range?: number;
};

export const scanOp: RegionOp<ScanAttributes> = {
  name: "scan",
  kind: "region",
  loop: "scan",
  type(inputs, { body, carryCount, length }) {
    const stacks = body.results
      .slice(carryCount)
      .map(({ shape, dtype }) => ({ shape: [length, ...shape], dtype }));
    return [...inputs.slice(0, carryCount).map(({ shape, dtype }) => ({ shape, dtype })), ...stacks];
  },
  reference(inputs, attributes, context) {
    const { body, carryCount, sliceCount, reverse, range } = attributes;
    const length = context.size(attributes.length);
    const [first, end] = range === undefined ? [0, length] : inputs[range]!.data;
    let carries = inputs.slice(0, carryCount);
    const slices = inputs.slice(carryCount, carryCount + sliceCount);
    const captured = inputs.slice(carryCount + sliceCount);
    const stacks = context.outputs.slice(carryCount).map(emptyStack);
    for (let step = Math.max(0, first!); step < Math.min(end!, length); step++) {
      const at = reverse ? length - 1 - step : step;
      const given = [...carries, ...slices.map((stack) => sliceOf(stack, at)), ...captured];
      const results = context.run(body, given);
      carries = results.slice(0, carryCount);
      stacks.forEach(({ data }, i) => {
        const slice = results[carryCount + i]!.data;
        data.set(slice, at * slice.length);
      });
    }
    return [...carries, ...stacks];
  },
  gradient: (node, cotangents) => scanGradient(node, cotangents),
  map: (node, axis) => mapScan(node, axis),
};

/** The same loop over elements with the axis; stacks have it behind their own. */
function mapScan(node: Node<ScanAttributes>, { size, given, isMapped, inputs }: AddedAxis): Mapped[] {
  const { body, carryCount, sliceCount, length, reverse, range } = node.attributes;
  if (range !== undefined && isMapped[range])
    throw new ArgumentError("vectorize: the range of a scan must be the same for all elements");
  const mapped = mappedCarries(body, isMapped, carryCount);
  const own = given.map((x, i) => (mapped[i] ? inputs[i]! : x));
  const first = carryCount + sliceCount;
  const slices = own
    .slice(carryCount, first)
    .map((x, i) => (mapped[carryCount + i] ? transpose(x, 0, 1) : x));
  let results: Mapped[] = [];
  const { carry, stacked } = scan(
    own.slice(0, carryCount),
    slices,
    (carried, sliced) => {
      const inner = mappingOf(size, body.parameters, [...carried, ...sliced, ...own.slice(first)], mapped);
      results = inner.of(body.results);
      return {
        carry: results.slice(0, carryCount).map((x, i) => (mapped[i] ? inner.whole(x) : x.node)),
        stacked: results.slice(carryCount).map((x) => x.node),
      };
    },
    { length, reverse, ...(range !== undefined && { range: given[range]! }) },
  );
  return [
    ...carry.map((x, i) => ({ node: x, isMapped: mapped[i]! })),
    ...stacked.map((x, i) => {
      const has = results[carryCount + i]!.isMapped;
      return { node: has ? transpose(x, 0, 1) : x, isMapped: has };
    }),
  ];
}

const emptyStack = (type: ReferenceContext["outputs"][number]): DenseArray => ({
  ...type,
  data: new Float64Array(countOf(type.shape)),
});

function sliceOf({ shape, dtype, data }: DenseArray, at: number): DenseArray {
  const inner = shape.slice(1);
  const count = countOf(inner);
  return { shape: inner, dtype, data: data.slice(at * count, (at + 1) * count) };
}

export interface ScanStep {
  /** The carries' next values, of the types they have. */
  readonly carry: readonly Node[];
  /** What to stack along a new first axis. */
  readonly stacked?: readonly Node[];
}

export interface ScanResult {
  readonly carry: readonly Node[];
  readonly stacked: readonly Node[];
}

/**
 * Repeats `body` for each slice along the first axis of `slices` (`length` times where there are none), carrying values from
 * one iteration to the next. States that the body assigns are carried too. The gradient is a scan the other way round.
 *
 * With a `range` (i32 of shape 2: first, end) only iterations first ≤ i < end run, counted as the loop runs; the others leave
 * the carries as they are, and what they would stack is 0. It costs nothing to skip them.
 *
 * @throws ShapeError when lengths differ, or a carry changes its type
 * @example
 * // running sums of x, (T, C) → (T, C)
 * scan([zeros], [x], ([sum], [x]) => { const next = add(sum, x); return { carry: [next], stacked: [next] }; }).stacked[0]
 */
export function scan(
  initial: readonly Node[],
  slices: readonly Node[],
  body: (carry: readonly Node[], slices: readonly Node[]) => ScanStep,
  { length, reverse = false, range }: { length?: Size; reverse?: boolean; range?: Node } = {},
): ScanResult {
  if (range !== undefined) requireRange(range);
  const steps = lengthOfScan(slices, length);
  const sliceTypes = slices.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype }));
  const split = initial.length;
  const traced = traceRegion([...initial, ...sliceTypes], (given) => {
    const { carry, stacked = [] } = body(given.slice(0, split), given.slice(split));
    requireCarries("scan", initial, carry);
    return [...carry, ...stacked];
  });
  const states = [...traced.assigned.keys()];
  const carryCount = split + states.length;
  const outside = captures(traced);
  const parameters = [
    ...traced.given.slice(0, split),
    ...states.map((state) => traced.reads.get(state) ?? parameter(state, state.name)),
    ...traced.given.slice(split),
    ...outside.parameters,
    ...(range === undefined ? [] : [parameter(range, "range")]),
  ];
  const results = [
    ...traced.results.slice(0, split),
    ...traced.assigned.values(),
    ...traced.results.slice(split),
  ];
  const outer = [...initial, ...states.map(readState), ...slices, ...outside.inputs];
  const inputs = range === undefined ? outer : [...outer, range];
  if (results.length === 0) throw new ArgumentError("scan: carries nothing and stacks nothing");
  const attributes: ScanAttributes = {
    body: new ClosedRegion(parameters, results),
    carryCount,
    sliceCount: slices.length,
    length: steps,
    reverse,
    ...(range !== undefined && { range: outer.length }),
  };
  const node = makeNode(scanOp, inputs, attributes);
  const outputs = results.map((_, i) => output(node, i));
  states.forEach((state, i) => {
    assignState(state, outputs[split + i]!);
  });
  return { carry: outputs.slice(0, split), stacked: outputs.slice(carryCount) };
}

function requireRange(range: Node): void {
  if (range.dtype !== "i32" || range.shape.length !== 1 || range.shape[0] !== 2)
    throw new ShapeError(`scan: a range is i32 of shape (2), first and end, got ${typeText(range)}`);
}

/** How often a body runs, by the slices or by what was said. */
export function lengthOfScan(slices: readonly Node[], length: Size | undefined): Size {
  const lengths = slices.map((slice): Size => {
    const [first] = slice.shape;
    if (first === undefined)
      throw new ShapeError("scan: slices are taken along the first axis, got a scalar");
    return first;
  });
  const steps = length ?? lengths[0];
  if (steps === undefined) throw new ArgumentError("scan: needs slices or a length");
  if (boundsOf(steps).min < 0) throw new ArgumentError(`scan: length ${steps} is negative`);
  slices.forEach(({ shape }, i) => {
    if (sizesAgree(lengths[i]!, steps)) return;
    throw new ShapeError(`scan: slices ${i} have shape ${shapeText(shape)}, the length is ${steps}`);
  });
  return steps;
}

/** A carry keeps its type from one iteration to the next. */
export function requireCarries(
  name: string,
  initial: readonly TensorType[],
  next: readonly TensorType[],
): void {
  if (next.length !== initial.length)
    throw new ArgumentError(`${name}: ${initial.length} values are carried, the body gives ${next.length}`);
  initial.forEach((type, i) => {
    if (type.dtype === next[i]!.dtype && shapesAgree(type.shape, next[i]!.shape)) return;
    const types = `${typeText(type)} at the start and ${typeText(next[i]!)} after the body`;
    throw new ShapeError(`${name}: carry ${i} is ${types}; it must keep its shape and dtype`);
  });
}

/** Parameters and inputs for captured nodes and for states that are only read. */
function captures({ captured, reads, assigned }: TracedRegion): { parameters: Node[]; inputs: Node[] } {
  const readOnly = [...reads].filter(([state]) => !assigned.has(state));
  return {
    parameters: [...captured.values(), ...readOnly.map(([, node]) => node)],
    inputs: [...captured.keys(), ...readOnly.map(([state]) => readState(state))],
  };
}
