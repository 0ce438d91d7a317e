/** Where a NaN came from, told: the search itself is `find-nan.ts`. */
import { shapeText } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import { originText, userLine } from "../graph/origin.ts";
import { findNaN, inputsOf, type NaNOrigin, nameOf } from "./find-nan.ts";
import { isTensor } from "./handle.ts";
import { type Interceptor, withInterceptor } from "./launch.ts";

/** The range of a value: NaN and infinities counted apart. */
export interface ValueRange {
  /** What made it: an op, or the name of a state or an argument. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Of the finite elements; NaN when there are none. */
  readonly min: number;
  readonly max: number;
  readonly nanCount: number;
  readonly infinityCount: number;
}

/** The operation that first gave a NaN (or, where there is none, an infinity) from inputs that had none. */
export interface NaNExplanation {
  readonly op: string;
  /** NaN, Infinity or −Infinity. */
  readonly value: number;
  /** The path of the layer that was running; "" outside of layers. */
  readonly layer: string;
  /** `file:line:column` in the user's program, where it is known. */
  readonly line: string | undefined;
  readonly inputs: readonly ValueRange[];
  /** Of the loops around it (`scan`, `repeatWhile`), outermost first: in which iteration, counted from 0. */
  readonly iterations: readonly number[];
  /** For a NaN made of infinities: where those began. */
  readonly cause: NaNExplanation | undefined;
  /** One paragraph for people. */
  toString(): string;
}

/**
 * Runs `body` with every value of every program looked at, and tells which operation first gave a NaN; where there is none, which
 * one gave an infinity that reached a result. Nothing is committed: states stay as they are. A replay takes about as long as the
 * program and its compilation; in a loop (`scan`, `repeatWhile`) the iterations are gone through one by one.
 *
 * @param body calls a compiled function, or reads a tensor out; what it does after an `await` is not looked at
 * @returns undefined when every result is finite
 * @example
 * const explanation = await explainNaN(() => tensor([-1]).log().sum().item());
 * explanation?.op; // "log"
 */
export async function explainNaN(body: () => unknown): Promise<NaNExplanation | undefined> {
  let found: NaNExplanation | undefined;
  const replay: Interceptor = ({ fn }, inputs, dimensions) => {
    const { results, origin } = findNaN(fn, inputs, dimensions);
    found ??= origin && explanationOf(origin);
    return results;
  };
  await withInterceptor(replay, () => {
    const result = body();
    return isTensor(result) ? result.data() : result;
  });
  return found;
}

function explanationOf({ node, values, names, loops, cause: earlier }: NaNOrigin): NaNExplanation {
  const { data } = values.get(node)!;
  const value = data.some(Number.isNaN) ? Number.NaN : data.find((x) => !Number.isFinite(x))!;
  const name = (x: Node): string => names.get(x) ?? nameOf(x);
  const inputs = inputsOf(node).map((input) => rangeOf(name(input), values.get(input)!));
  const cause = earlier && explanationOf(earlier);
  const place = originText(node.origin);
  const around = loops.map(
    (loop) => `, in iteration ${loop.iteration} of ${nameOf(loop.node)}${originText(loop.node.origin)}`,
  );
  return {
    op: name(node),
    value,
    layer: node.origin.modulePath,
    line: userLine(node.origin),
    inputs,
    iterations: loops.map(({ iteration }) => iteration),
    cause,
    toString: () => {
      const from = inputs.length === 0 ? "" : `: from ${inputs.map(rangeText).join(" and ")}`;
      return `the first ${value} came out of ${name(node)}${place}${[...around].reverse().join("")}${from}${cause ? `; ${cause}` : ""}`;
    },
  };
}

function rangeOf(name: string, { shape, data }: DenseArray): ValueRange {
  const finite = data.filter(Number.isFinite);
  const none = finite.length === 0;
  const nanCount = data.filter(Number.isNaN).length;
  return {
    name,
    shape,
    min: none ? Number.NaN : finite.reduce((a, b) => Math.min(a, b)),
    max: none ? Number.NaN : finite.reduce((a, b) => Math.max(a, b)),
    nanCount,
    infinityCount: data.length - finite.length - nanCount,
  };
}

function rangeText({ name, shape, min, max, nanCount, infinityCount }: ValueRange): string {
  const range = Number.isNaN(min)
    ? ""
    : min === max
      ? ` ${min}`
      : ` ${min.toPrecision(4)} … ${max.toPrecision(4)}`;
  const count = (n: number, what: string): string => (n === 0 ? "" : `, ${n} ${what}`);
  return `${name} ${shapeText(shape)}${range}${count(infinityCount, "infinite")}${count(nanCount, "NaN")}`;
}
