/**
 * The gradient of `scan`: a scan the other way round over saved residuals.
 *
 * The body's reverse walk is traced as a region. What it takes from the forward body is saved: a second forward scan with the
 * same parameters stacks those nodes as well (the compiler merges scans that share parameters). Cotangents of carries are
 * carried back; cotangents of captured values are summed from the last iteration to the first.
 */
import { isFloat } from "../base/dtype.ts";
import { type Size, subtractSizes } from "../base/size.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import { makeNode } from "../graph/trace.ts";
import { add, sub } from "./arithmetic.ts";
import { broadcastTo } from "./broadcast.ts";
import { full, like, zerosLike } from "./constants.ts";
import { output } from "./output.ts";
import { ClosedRegion, traceRegion } from "./region.ts";
import { reverse } from "./reverse.ts";
import type { ScanAttributes } from "./scan.ts";
import { flip, sliceAxis } from "./slice.ts";
import { iota, parameter } from "./sources.ts";

type ScanNode = Node<ScanAttributes>;

/** Positions among the inputs (and the body's parameters) through which cotangents flow. */
interface Flow {
  readonly carries: readonly number[];
  readonly slices: readonly number[];
  readonly captured: readonly number[];
  /** Positions among the body's results: stacks whose cotangent is given. */
  readonly stacks: readonly number[];
}

export function scanGradient(
  node: ScanNode,
  cotangents: readonly (Node | undefined)[],
): readonly (Node | null)[] {
  const { body, length, reverse: isReverse } = node.attributes;
  const flow = flowOf(node, cotangents);
  const { parameters } = body;
  const at = (positions: readonly number[]): Node[] => positions.map((i) => parameters[i]!);
  const stackTypes = flow.stacks.map((i) => body.results[i]!);
  const backward = traceRegion([...at(flow.carries), ...at(flow.captured), ...stackTypes], (given) => {
    const carried = given.slice(0, flow.carries.length);
    const sums = given.slice(carried.length, carried.length + flow.captured.length);
    const stacked = given.slice(carried.length + sums.length);
    const ends = [
      ...flow.carries.map((i, k) => ({ of: body.results[i]!, value: carried[k]! })),
      ...flow.stacks.map((i, k) => ({ of: body.results[i]!, value: stacked[k]! })),
    ];
    const wanted = [...at(flow.carries), ...at(flow.captured), ...at(flow.slices)];
    const found = reverse(ends, wanted);
    const orZero = (i: number): Node => found[i] ?? zerosLike(wanted[i]!);
    return [
      ...carried.map((_, i) => orZero(i)),
      ...sums.map((sum, i) => (found[carried.length + i] ? add(sum, found[carried.length + i]!) : sum)),
      ...flow.slices.map((_, i) => orZero(carried.length + sums.length + i)),
    ];
  });

  const residuals = residualsOf(node, [...backward.captured.keys()]);
  const standsFor = (kept: readonly Node[]): Node[] => kept.map((n) => backward.captured.get(n)!);
  const carriedCount = flow.carries.length + flow.captured.length;
  const range = rangeOf(node);
  const backwardNode = makeNode(
    node.op,
    [
      ...flow.carries.map((i) => cotangents[i] ?? zerosLike(node.inputs[i]!)),
      ...flow.captured.map((i) => zerosLike(node.inputs[i]!)),
      ...flow.stacks.map((i) => cotangents[i]!),
      ...residuals.stacks,
      ...residuals.outer,
      ...range.inputs,
    ],
    {
      body: new ClosedRegion(
        [
          ...[...backward.given, ...standsFor(residuals.sliced), ...standsFor(residuals.whole)],
          ...range.parameters,
        ],
        backward.results,
      ),
      carryCount: carriedCount,
      sliceCount: flow.stacks.length + residuals.sliced.length,
      length,
      reverse: !isReverse,
      ...range.attribute(backward.given.length + residuals.sliced.length + residuals.whole.length),
    },
  );
  const result: (Node | null)[] = parameters.map(() => null);
  [...flow.carries, ...flow.captured, ...flow.slices].forEach((i, k) => {
    result[i] = output(backwardNode, k);
  });
  return result;
}

/** A size as i32 of shape (1). */
const sizeNode = (size: Size): Node => {
  if (typeof size === "number") return full([1], size, "i32");
  const last = sliceAxis(iota([size], 0, "i32"), 0, subtractSizes(size, 1), 1);
  return add(last, like(last, 1));
};

/** The iterations that ran, counted from the other end. */
function rangeOf({ inputs, attributes: { range, length } }: ScanNode): {
  readonly inputs: readonly Node[];
  readonly parameters: readonly Node[];
  readonly attribute: (position: number) => { range?: number };
} {
  if (range === undefined) return { inputs: [], parameters: [], attribute: () => ({}) };
  const ends = inputs[range]!;
  const turned = sub(broadcastTo(sizeNode(length), [2]), flip(ends, [0]));
  return {
    inputs: [turned],
    parameters: [parameter(turned, "range")],
    attribute: (position) => ({ range: position }),
  };
}

function flowOf(node: ScanNode, cotangents: readonly (Node | undefined)[]): Flow {
  const { body, carryCount, sliceCount } = node.attributes;
  const used = new Set(topologicalOrder(body.results));
  const positions = body.parameters.map((_, i) => i).filter((i) => isFloat(body.parameters[i]!.dtype));
  const isStack = (i: number): boolean => i >= carryCount && cotangents[i] !== undefined;
  return {
    carries: positions.filter((i) => i < carryCount),
    slices: positions.filter((i) => i >= carryCount && i < carryCount + sliceCount),
    captured: positions.filter((i) => i >= carryCount + sliceCount && used.has(body.parameters[i]!)),
    stacks: body.results.map((_, i) => i).filter((i) => isStack(i) && isFloat(body.results[i]!.dtype)),
  };
}

/** Where the values come from that the backward body captured. */
interface Residuals {
  /** Nodes of the forward body that differ from one iteration to the next, and their stacks outside. */
  readonly sliced: readonly Node[];
  readonly stacks: readonly Node[];
  /** Nodes that are the same in all iterations, and what they are outside. */
  readonly whole: readonly Node[];
  readonly outer: readonly Node[];
}

function residualsOf(node: ScanNode, captured: readonly Node[]): Residuals {
  const { body, carryCount, sliceCount } = node.attributes;
  const inBody = new Set([...topologicalOrder(body.results), ...body.parameters]);
  const positionOf = new Map(body.parameters.map((parameter, i) => [parameter, i] as const));
  const isSlice = (i: number | undefined): i is number =>
    i !== undefined && i >= carryCount && i < carryCount + sliceCount;
  const isWhole = (n: Node): boolean =>
    !inBody.has(n) || (positionOf.get(n) ?? -1) >= carryCount + sliceCount;
  const whole = captured.filter(isWhole);
  const sliced = captured.filter((n) => !isWhole(n));
  const saved = sliced.filter((n) => !isSlice(positionOf.get(n)));
  const stackOf = new Map(saved.map((n, i) => [n, i] as const));
  const forward =
    saved.length === 0
      ? node
      : makeNode(node.op, node.inputs, {
          ...node.attributes,
          body: new ClosedRegion(body.parameters, [...body.results, ...saved]),
        });
  return {
    sliced,
    stacks: sliced.map((n) => {
      const stack = stackOf.get(n);
      return stack === undefined
        ? node.inputs[positionOf.get(n)!]!
        : output(forward, body.results.length + stack);
    }),
    whole,
    outer: whole.map((n) => node.inputs[positionOf.get(n) ?? -1] ?? n),
  };
}
