/**
 * Cotangents of slices: a gradient that is zero but for one stretch of an axis. Stretches that do not overlap, as those of all parts of a
 * `split`, are put side by side rather than filled up with zeros and added.
 */
import type { Node } from "../graph/node.ts";
import { add } from "./arithmetic.ts";
import { concat } from "./concat.ts";
import { pad, padOp } from "./slice.ts";

/** `value` from `start` on along `axis` of what is zero elsewhere. */
interface Stretch {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly value: Node;
}

/** The stretch that a node pads with zeros along one axis; undefined for any other node. */
export function stretchOf(node: Node): Stretch | undefined {
  if (node.op !== padOp) return undefined;
  const { low, high, interior, value } = node.attributes as {
    low: readonly unknown[];
    high: readonly unknown[];
    interior: readonly number[];
    value: number;
  };
  const padded = low.flatMap((size, axis) => (size !== 0 || high[axis] !== 0 ? [axis] : []));
  const [axis] = padded;
  if (padded.length !== 1 || value !== 0 || interior.some((gap) => gap !== 0)) return undefined;
  const [input] = node.inputs;
  const [start, size] = [low[axis!], input!.shape[axis!]];
  if (typeof start !== "number" || typeof size !== "number") return undefined;
  return { axis: axis!, start, end: start + size, value: input! };
}

/** Stretches of one axis that do not overlap. */
export class DisjointSum {
  private readonly stretches: Stretch[] = [];
  private readonly whole: Node;

  /** @param whole a node of the sum's shape whose stretch is the first */
  constructor(whole: Node, first: Stretch) {
    this.whole = whole;
    this.stretches.push(first);
  }

  /** Takes another one in, if it fits beside the others. */
  take(other: Stretch): boolean {
    const fits = this.stretches.every(
      ({ axis, start, end }) => axis === other.axis && (other.end <= start || end <= other.start),
    );
    if (fits) this.stretches.push(other);
    return fits;
  }

  /** The sum: neighbours put together, runs of them added. */
  get node(): Node {
    const sorted = [...this.stretches].sort((a, b) => a.start - b.start);
    const runs: Stretch[][] = [];
    for (const stretch of sorted) {
      const run = runs.at(-1);
      if (run !== undefined && run.at(-1)?.end === stretch.start) run.push(stretch);
      else runs.push([stretch]);
    }
    return runs.map((run) => this.filled(run)).reduceRight((sum, run) => add(sum, run));
  }

  private filled(run: readonly Stretch[]): Node {
    const { axis, start } = run[0]!;
    const { end } = run.at(-1)!;
    const size = this.whole.shape[axis] as number;
    const at = (by: number): number[] => this.whole.shape.map((_, i) => (i === axis ? by : 0));
    const joined = concat(
      run.map(({ value }) => value),
      axis,
    );
    return pad(joined, { low: at(start), high: at(size - end) });
  }
}
