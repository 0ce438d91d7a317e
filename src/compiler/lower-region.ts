/**
 * Loops of the program: `scan` runs its body once for each slice, `repeatWhile` until its condition is false.
 *
 * A carry lives in the buffer of the node's final value: it begins as a copy of the initial value, each iteration computes
 * the next value beside it and copies it over at the iteration's end. Slices are addresses that move with the counter.
 */
import { InternalError } from "../base/errors.ts";
import { elementCount, maxElementCount, shapeKey } from "../base/shape.ts";
import { subtractSizes } from "../base/size.ts";
import type { Node, TensorType } from "../graph/node.ts";
import { contiguousView } from "../graph/view.ts";
import { addAffine, constantAffine, indexAffine, scaleAffine, zeroAffine } from "../ir/affine.ts";
import type { Affine, Index } from "../ir/kernel.ts";
import type { ProgramStep } from "../ir/program.ts";
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
  const outputs = node.outputs!.map((type, i) => newLocation(block, type, `${node.op.name}${node.id}.${i}`));
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
  const { body, carryCount, sliceCount, length, reverse } = attributes;
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
  const bodySteps: ProgramStep[] = [];
  const inner = block.enter([...block.loops, { index, extent: length }], bodySteps);
  const next = nextCarries(block, body.results.slice(0, carryCount), node);
  const stacked = body.results.slice(carryCount).map((result, i): Wanted => {
    return { node: result, destination: sliceOf(outputs[carryCount + i]!, result) };
  });
  inner.lowerRegionBody(body, given, [...next, ...stacked]);
  next.forEach((carry, i) => {
    inner.copyLocation(carry.destination, carry.node, outputs[i]!, bodySteps);
  });
  steps.push({ kind: "loop", index, extent: length, body: bodySteps });
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
  const next = nextCarries(block, body.results, node);
  inner.lowerRegionBody(body, given, next);
  next.forEach((carry, i) => {
    inner.copyLocation(carry.destination, carry.node, outputs[i]!, bodySteps);
  });
  block.enter(inner.loops, bodySteps).lowerRegionBody(condition, given, wanted);
  steps.push({ kind: "while", index, max, condition: goesOn.buffer, body: bodySteps });
}

function startCarries({ block, node, inputs, outputs, steps }: RegionLowering, carryCount: number): void {
  for (let i = 0; i < carryCount; i++) block.copyLocation(inputs[i]!, node.inputs[i]!, outputs[i]!, steps);
}

/** The next value of each carry is computed beside the present one, which the body may still read. */
const nextCarries = (block: BlockLowering, results: readonly Node[], node: Node): Wanted[] =>
  results.map((result, i) => ({
    node: result,
    destination: newLocation(block, result, `next${node.id}.${i}`),
  }));

function newLocation(block: BlockLowering, { shape, dtype }: TensorType, name: string): Location {
  return {
    buffer: block.program.newBuffer(name, dtype, maxElementCount(shape), "program"),
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
