/**
 * Where a NaN came from: programs are run again by the interpreter, which keeps every value, and the graph is searched for
 * the first operation that made one.
 */
import { decode, encode } from "../base/dtype.ts";
import type { HostArray } from "../base/host-array.ts";
import { shapeText } from "../base/shape.ts";
import { interpret } from "../codegen/interpreter/index.ts";
import { rootsOf } from "../graph/function.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import { originText, userLine } from "../graph/origin.ts";
import type { State } from "../graph/state.ts";
import type { Storage } from "../runtime/device.ts";
import { cpuDevice } from "../runtime/devices.ts";
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
  /** For a NaN made of infinities: where those began. */
  readonly cause: NaNExplanation | undefined;
  /** One paragraph for people. */
  toString(): string;
}

/**
 * Runs `body` with every program replayed slowly and every value looked at, and tells which operation first gave a NaN;
 * where there is none, which one gave an infinity that reached a result. Nothing is committed: states stay as they are.
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
    const order = topologicalOrder(rootsOf(fn));
    const everything = { ...fn, results: order, assignments: [] };
    const options = { readState, ...(dimensions && { dimensions }) };
    const { results } = interpret(everything, inputs.map(denseInput), options);
    const values = new Map(order.map((node, i) => [node, results[i]!] as const));
    found ??= firstNaN(order, values) ?? firstInfinity(rootsOf(fn), values);
    return fn.results.map((node) => store(values.get(node)!));
  };
  await withInterceptor(replay, () => {
    const result = body();
    return isTensor(result) ? result.data() : result;
  });
  return found;
}

const readState = (state: State): DenseArray => {
  const { dtype, shape } = state;
  return { dtype, shape, data: decode(dtype, cpuDevice().readState(state)) };
};

const denseInput = (input: HostArray | Storage): DenseArray => {
  const { dtype, shape } = input;
  return { dtype, shape, data: decode(dtype, "data" in input ? input.data : input.readSync()) };
};

const store = ({ dtype, shape, data }: DenseArray): Storage =>
  cpuDevice().upload({ dtype, shape, data: encode(dtype, data) });

type Values = ReadonlyMap<Node, DenseArray>;

const hasNaN = ({ data }: DenseArray): boolean => data.some(Number.isNaN);
const isBad = ({ data }: DenseArray): boolean => data.some((value) => !Number.isFinite(value));

function firstNaN(order: readonly Node[], values: Values): NaNExplanation | undefined {
  const node = order.find(
    (n) => hasNaN(values.get(n)!) && !n.inputs.some((input) => hasNaN(values.get(input)!)),
  );
  return node && explanation(node, values, Number.NaN, firstInfinity(node.inputs, values));
}

/** From a result that is infinite back to where that began. */
function firstInfinity(roots: readonly Node[], values: Values): NaNExplanation | undefined {
  let node = roots.find((root) => isBad(values.get(root)!));
  for (let next = node; next !== undefined; next = next.inputs.find((input) => isBad(values.get(input)!)))
    node = next;
  return node && explanation(node, values, values.get(node)!.data.find((value) => !Number.isFinite(value))!);
}

function explanation(node: Node, values: Values, value: number, cause?: NaNExplanation): NaNExplanation {
  const inputs = node.inputs.map((input) => rangeOf(input, values.get(input)!));
  const origin = originText(node.origin);
  return {
    op: nameOf(node),
    value,
    layer: node.origin.modulePath,
    line: userLine(node.origin),
    inputs,
    cause,
    toString: () => {
      const from = inputs.length === 0 ? "" : `: from ${inputs.map(rangeText).join(" and ")}`;
      return `the first ${value} came out of ${nameOf(node)}${origin}${from}${cause ? `; ${cause}` : ""}`;
    },
  };
}

/** States and arguments go by their names, everything else by its op. */
function nameOf({ op, attributes }: Node): string {
  const state = attributes["state"] as State | undefined;
  return (
    state?.name ?? (op.kind === "source" ? ((attributes["name"] as string | undefined) ?? op.name) : op.name)
  );
}

function rangeOf(node: Node, { shape, data }: DenseArray): ValueRange {
  const finite = data.filter(Number.isFinite);
  const none = finite.length === 0;
  const nanCount = data.filter(Number.isNaN).length;
  return {
    name: nameOf(node),
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
