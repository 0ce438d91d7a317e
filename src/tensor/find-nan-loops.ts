/** Loops step by step: what each iteration of a body is given, as the definitions of `scan` and `repeatWhile` say. */
import type { HostArray } from "../base/host-array.ts";
import { type Dimension, evaluateSize } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { RegionOp } from "../graph/op.ts";
import type { RepeatAttributes } from "../ops/repeat-while.ts";
import type { ScanAttributes } from "../ops/scan.ts";
import type { Storage } from "../runtime/device.ts";
import { cpuDevice } from "../runtime/devices.ts";

export type LoopNode = Node<ScanAttributes | RepeatAttributes> & { readonly op: RegionOp<any> };
type Dimensions = ReadonlyMap<Dimension, number> | undefined;
type Iterations = Generator<readonly (HostArray | Storage)[], void, readonly Storage[]>;

/** Gives the parameters of the body for each iteration, and is told the results before the next. */
export function iterationsOf(node: LoopNode, inputs: readonly Storage[], dimensions: Dimensions): Iterations {
  const { attributes } = node;
  return "condition" in attributes
    ? repeated(attributes, inputs, dimensions)
    : scanned(attributes, inputs, dimensions);
}

function* scanned(
  { carryCount, sliceCount, reverse, range, length: size }: ScanAttributes,
  inputs: readonly Storage[],
  dimensions: Dimensions,
): Iterations {
  const length = evaluateSize(size, dimensions ?? new Map());
  const [first, end] = range === undefined ? [0, length] : inputs[range]!.readSync();
  let carries = inputs.slice(0, carryCount);
  const stacks = inputs.slice(carryCount, carryCount + sliceCount).map(rowsOf);
  const captured = inputs.slice(carryCount + sliceCount);
  for (let step = Math.max(0, first!); step < Math.min(end!, length); step++) {
    const at = reverse ? length - 1 - step : step;
    const results = yield [...carries, ...stacks.map((row) => row(at)), ...captured];
    carries = results.slice(0, carryCount);
  }
}

function* repeated(
  { condition, carryCount, max }: RepeatAttributes,
  inputs: readonly Storage[],
  dimensions: Dimensions,
): Iterations {
  const test = cpuDevice().compile({ name: "condition", ...condition, assignments: [] });
  try {
    let carries = inputs.slice(0, carryCount);
    const captured = inputs.slice(carryCount);
    const holds = (): boolean => test.run([...carries, ...captured], dimensions)[0]!.readSync()[0] === 1;
    for (let step = 0; step < max && holds(); step++)
      carries = (yield [...carries, ...captured]).slice(0, carryCount);
  } finally {
    test.dispose();
  }
}

/** The slices of a stack, by position. */
function rowsOf(stack: Storage): (at: number) => HostArray {
  const { dtype } = stack;
  const shape = stack.shape.slice(1);
  const count = shape.reduce((product, size) => product * size, 1);
  const data = stack.readSync();
  return (at) => ({ dtype, shape, data: data.slice(at * count, (at + 1) * count) }) as HostArray;
}
