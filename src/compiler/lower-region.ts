/**
 * Loops of the program: `scan` runs its body once for each slice, `repeatWhile` until its condition is false.
 *
 * A carry lives in the buffer of the node's final value: it begins as a copy of the initial value, each iteration computes
 * the next value in its place where only that computation reads it, else beside it, to copy it over at the iteration's end. Slices are addresses that move with the counter.
 */
import { bytesOf } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { elementCount, maxElementCount, shapeKey } from "../base/shape.ts";
import { maxOf, subtractSizes } from "../base/size.ts";
import { type Node, type Region, type TensorType, topologicalOrder } from "../graph/node.ts";
import { contiguousView } from "../graph/view.ts";
import { addAffine, constantAffine, indexAffine, scaleAffine, zeroAffine } from "../ir/affine.ts";
import type { Affine, Index } from "../ir/kernel.ts";
import type { ProgramBuffer, ProgramStep } from "../ir/program.ts";
import { scalar } from "../ops/index.ts";
import type { RepeatAttributes } from "../ops/repeat-while.ts";
import type { ScanAttributes } from "../ops/scan.ts";
import type { Accesses } from "./access.ts";
import type { Location } from "./kernel-context.ts";
import type { BlockLowering, Wanted } from "./lower-program.ts";

export function lowerRegion(
  block: BlockLowering,
  node: Node,
  accesses: Accesses,
  steps: ProgramStep[],
): void {
  if (node.op.kind !== "region") throw new InternalError(`${node.op.name} is no region`);
  const wanted = block.regionPlaces.get(node);
  const outputs = node.outputs!.map(
    (type, i) => wanted?.get(i) ?? newLocation(block, type, `${node.op.name}${node.id}.${i}`),
  );
  block.regionOutputs.set(node, outputs);
  const inputs = node.inputs.map((input) => contiguousLocation(block, input, accesses, steps));
  const lowering = { block, node, inputs, outputs, steps };
  if (node.op.loop === "scan") lowerScan(lowering, node.attributes as unknown as ScanAttributes);
  else lowerRepeat(lowering, node.attributes as unknown as RepeatAttributes);
}

interface RegionLowering {
  readonly block: BlockLowering;
  readonly node: Node;
  /** Every input in contiguous memory. */
  readonly inputs: readonly Location[];
  readonly outputs: readonly Location[];
  readonly steps: ProgramStep[];
}

function lowerScan(lowering: RegionLowering, attributes: ScanAttributes): void {
  const { block, node, inputs, outputs, steps } = lowering;
  const { body, carryCount, sliceCount, length, reverse, range } = attributes;
  startCarries(lowering, carryCount);
  const index: Index = { name: "t" };
  const position: Affine = reverse
    ? addAffine(constantAffine(subtractSizes(length, 1)), scaleAffine(indexAffine(index), -1))
    : indexAffine(index);
  /** Slice `t` of memory that stacks values of `type`. */
  const sliceOf = (whole: Location, type: TensorType): Location => ({
    buffer: whole.buffer,
    base: addAffine(whole.base, scaleAffine(position, elementCount(type.shape))),
  });
  const given = body.parameters.map((parameter, i) => {
    if (i < carryCount) return outputs[i]!;
    return i < carryCount + sliceCount ? sliceOf(inputs[i]!, parameter) : inputs[i]!;
  });
  const limits = range === undefined ? {} : { range: lowerRange(lowering, range, carryCount) };
  const bodySteps: ProgramStep[] = [];
  const isParallel = mayShare(block, attributes);
  const inner = block.enter(
    [...block.loops, { index, extent: length }],
    bodySteps,
    block.isInParallel || isParallel,
  );
  const next = nextCarries(block, body.results.slice(0, carryCount), node, body.parameters, outputs);
  const stacked = body.results.slice(carryCount).map((result, i): Wanted => {
    return { node: result, destination: sliceOf(outputs[carryCount + i]!, result) };
  });
  inner.lowerRegionBody(body, given, [...next, ...stacked]);
  next.forEach((carry, i) => {
    if (!inner.inPlace.has(carry)) inner.copyLocation(carry.destination, carry.node, outputs[i]!, bodySteps);
  });
  const step: LoopStep = { kind: "loop", index, extent: length, isParallel, ...limits, body: bodySteps };
  if (carryCount === 0 && range === undefined) block.program.independent.add(step);
  steps.push(isParallel ? withInner(step, block.program.independent) : step);
}

type LoopStep = Extract<ProgramStep, { kind: "loop" }>;

/** A parallel loop, all of whose body is a loop of independent iterations: threads take the iterations of both together. */
function withInner(step: LoopStep, independent: ReadonlySet<ProgramStep>): LoopStep {
  const [only] = step.body;
  const isShared = step.body.length === 1 && only!.kind === "loop" && independent.has(only!);
  return isShared ? { ...step, body: [{ ...(only as LoopStep), isParallel: true }] } : step;
}

/** The range where the loop reads it, and zeros for what iterations outside it would stack. */
function lowerRange(
  { block, node, inputs, outputs, steps }: RegionLowering,
  range: number,
  carryCount: number,
): ProgramBuffer {
  const place = newLocation(block, node.inputs[range]!, `range${node.id}`);
  block.copyLocation(inputs[range]!, node.inputs[range]!, place, steps);
  node.outputs!.slice(carryCount).forEach((type, i) => {
    const root = scalar(0, type.dtype);
    const view = { ...contiguousView(type.shape), strides: type.shape.map(() => 0), offset: 0 };
    block.copyView({ root, view }, type, outputs[carryCount + i]!, steps);
  });
  return place.buffer;
}

/**
 * Whether threads take iterations of a scan whole: those that carry nothing are independent. Then there should be as many as
 * keep all threads busy, and what each thread has for itself should stay small.
 */
function mayShare(
  { isInParallel, target }: BlockLowering,
  { body, carryCount, length, range }: ScanAttributes,
): boolean {
  if (isInParallel || target.threads === 1 || carryCount > 0 || range !== undefined) return false;
  const pieces = maxOf(length) * piecesOf(body);
  const isEven = pieces >= leastBusy * Math.ceil(pieces / target.threads) * target.threads;
  return isEven && bytesComputed(body) <= mostBytesOfThread;
}

/** How many independent pieces an iteration falls into: those of a scan that is all there is, and carries nothing. */
function piecesOf({ results }: Region): number {
  const computing = topologicalOrder(results).filter(
    ({ op }) => op.kind !== "movement" && op.kind !== "source" && op.kind !== "output",
  );
  const [only] = computing;
  if (computing.length !== 1 || only!.op.kind !== "region" || only!.op.loop !== "scan") return 1;
  const { carryCount, length, range } = only!.attributes as unknown as ScanAttributes;
  return carryCount === 0 && range === undefined ? maxOf(length) : 1;
}

/** The part of the threads' time that their pieces must fill. */
const leastBusy = 0.8;
/** More than second caches hold: then all threads had better work on the same. */
const mostBytesOfThread = 2 ** 24;

/** At most what a region's nodes take, those of regions inside included. */
function bytesComputed(region: Region): number {
  let bytes = 0;
  for (const node of topologicalOrder(region.results)) {
    if (node.op.kind === "region") {
      const inner = (node.attributes as { body?: Region }).body;
      if (inner !== undefined) bytes += bytesComputed(inner);
    } else if (node.op.kind !== "movement" && node.op.kind !== "source")
      bytes += maxElementCount(node.shape) * bytesOf(node.dtype);
  }
  return bytes;
}

function lowerRepeat(lowering: RegionLowering, attributes: RepeatAttributes): void {
  const { block, node, inputs, outputs, steps } = lowering;
  const { condition, body, carryCount, max } = attributes;
  startCarries(lowering, carryCount);
  const given = [...outputs.slice(0, carryCount), ...inputs.slice(carryCount)];
  const goesOn = newLocation(block, condition.results[0]!, `condition${node.id}`);
  const wanted: Wanted[] = [{ node: condition.results[0]!, destination: goesOn }];
  block.enter(block.loops, steps).lowerRegionBody(condition, given, wanted);
  const index: Index = { name: "n" };
  const bodySteps: ProgramStep[] = [];
  const inner = block.enter([...block.loops, { index, extent: max }], bodySteps);
  const next = nextCarries(block, body.results, node, body.parameters, outputs);
  inner.lowerRegionBody(body, given, next);
  next.forEach((carry, i) => {
    if (!inner.inPlace.has(carry)) inner.copyLocation(carry.destination, carry.node, outputs[i]!, bodySteps);
  });
  block.enter(inner.loops, bodySteps).lowerRegionBody(condition, given, wanted);
  steps.push({ kind: "while", index, max, condition: goesOn.buffer, body: bodySteps });
}

function startCarries({ block, node, inputs, outputs, steps }: RegionLowering, carryCount: number): void {
  for (let i = 0; i < carryCount; i++) block.copyLocation(inputs[i]!, node.inputs[i]!, outputs[i]!, steps);
}

/** The next value of each carry is computed beside the present one, where the body may still read that. */
const nextCarries = (
  block: BlockLowering,
  results: readonly Node[],
  node: Node,
  parameters: readonly Node[],
  outputs: readonly Location[],
): Wanted[] =>
  results.map((result, i) => ({
    node: result,
    destination: newLocation(block, result, `next${node.id}.${i}`),
    replaces: { parameter: parameters[i]!, location: outputs[i]! },
  }));

function newLocation(block: BlockLowering, { shape, dtype }: TensorType, name: string): Location {
  return {
    buffer: block.newBuffer(name, dtype, maxElementCount(shape), "program"),
    base: zeroAffine,
  };
}

/** An input's memory when it lies there as it is, else a copy. */
function contiguousLocation(
  block: BlockLowering,
  input: Node,
  accesses: Accesses,
  steps: ProgramStep[],
): Location {
  const { root, view } = accesses.inMemory(input);
  const whole = contiguousView(input.shape);
  const isWhole = view.offset === 0 && shapeKey(view.strides) === shapeKey(whole.strides);
  if (isWhole) return block.locate(root);
  const copy = newLocation(block, input, `slices${input.id}`);
  block.copyView({ location: block.locate(root), view }, input, copy, steps);
  return copy;
}
