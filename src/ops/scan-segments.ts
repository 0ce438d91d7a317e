/** scan whose gradient keeps the carries between segments alone: memory √T for one more forward pass. */
import { ArgumentError } from "../base/errors.ts";
import type { Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import { reshape } from "./broadcast.ts";
import { concat } from "./concat.ts";
import { rematerialize } from "./rematerialize.ts";
import { lengthOfScan, type ScanResult, type ScanStep, scan } from "./scan.ts";
import { sliceAxis } from "./slice.ts";

type Body = (carry: readonly Node[], slices: readonly Node[]) => ScanStep;

/**
 * What `scan` computes. For the gradient it keeps the carries at the beginning of each segment of so many iterations (√T when left
 * out), and computes a segment's other values again when the backward walk comes to it. Chen, Xu, Zhang, Guestrin: "Training deep
 * nets with sublinear memory cost", 2016.
 *
 * @throws ArgumentError when the length is not known, or the body assigns a state
 */
export function scanInSegments(
  initial: readonly Node[],
  slices: readonly Node[],
  body: Body,
  { length, reverse = false, segment }: { length?: Size; reverse?: boolean; segment?: number } = {},
): ScanResult {
  const steps = lengthOfScan(slices, length);
  if (typeof steps !== "number")
    throw new ArgumentError(`scan: segments need a known length, got ${steps}; leave rematerialize out`);
  const size = segment ?? Math.ceil(Math.sqrt(steps));
  if (!Number.isInteger(size) || (size < 1 && steps > 0))
    throw new ArgumentError(`scan: a segment is a whole number of iterations, 1 or more, got ${size}`);
  const count = steps === 0 ? 0 : Math.floor(steps / size);
  const whole = count * size;
  // What is left over runs last: it stands at the end, or for a loop from the end at the beginning.
  const [atWhole, atRest] = reverse ? [steps - whole, 0] : [0, whole];
  const part = (from: number, n: number): Node[] => slices.map((x) => sliceAxis(x, 0, from, n));
  const segmented = overSegments(initial, part(atWhole, whole), body, { count, size, reverse });
  if (whole === steps) return segmented;
  const rest = oneSegment(segmented.carry, part(atRest, steps - whole), body, steps - whole, reverse);
  const stacked = segmented.stacked.map((x, i) => {
    const both = [x, rest.stacked[i]!];
    return concat(reverse ? both.reverse() : both, 0);
  });
  return { carry: rest.carry, stacked };
}

function overSegments(
  initial: readonly Node[],
  slices: readonly Node[],
  body: Body,
  { count, size, reverse }: { count: number; size: number; reverse: boolean },
): ScanResult {
  const cut = slices.map((x) => reshape(x, [count, size, ...x.shape.slice(1)]));
  const { carry, stacked } = scan(
    initial,
    cut,
    (carried, sliced) => oneSegment(carried, sliced, body, size, reverse),
    { length: count, reverse },
  );
  return { carry, stacked: stacked.map((x) => reshape(x, [count * size, ...x.shape.slice(2)])) };
}

function oneSegment(
  initial: readonly Node[],
  slices: readonly Node[],
  body: Body,
  length: number,
  reverse: boolean,
): ScanResult {
  const results = rematerialize([...initial, ...slices], (given) => {
    const own = given.slice(0, initial.length);
    const { carry, stacked } = scan(own, given.slice(initial.length), body, { length, reverse });
    return [...carry, ...stacked];
  });
  return { carry: results.slice(0, initial.length), stacked: results.slice(initial.length) };
}
