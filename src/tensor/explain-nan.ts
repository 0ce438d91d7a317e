/**
 * Where a NaN came from: programs are run again with every value looked at, and the graph is searched for the first operation that
 * made one. The program that runs is the same one, compiled with a number more for each of its values: how bad it is.
 */
import { decode, isFloat } from "../base/dtype.ts";
import type { HostArray } from "../base/host-array.ts";
import { shapeText } from "../base/shape.ts";
import type { Dimension } from "../base/size.ts";
import { type GraphFunction, rootsOf } from "../graph/function.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import { originText, userLine, withOrigin } from "../graph/origin.ts";
import type { State } from "../graph/state.ts";
import { makeNode, Trace, withTrace } from "../graph/trace.ts";
import { checkOp } from "../ops/index.ts";
import type { Storage } from "../runtime/device.ts";
import { cpuDevice } from "../runtime/devices.ts";
import { where } from "./functions.ts";
import { isTensor } from "./handle.ts";
import { type Interceptor, withInterceptor } from "./launch.ts";
import { nodeOf } from "./nodes.ts";
import { fromNode } from "./tensor.ts";

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
 * Runs `body` with every value of every program looked at, and tells which operation first gave a NaN; where there is none, which
 * one gave an infinity that reached a result. Nothing is committed: states stay as they are. A replay takes about as long as the
 * program and its compilation; within a loop (`scan`) it is the loop that is named.
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
    const replayed = new Replay(fn, inputs, dimensions);
    found ??= replayed.explanation();
    return replayed.results;
  };
  await withInterceptor(replay, () => {
    const result = body();
    return isTensor(result) ? result.data() : result;
  });
  return found;
}

/** Of a value: all finite, an infinity among them, a NaN. */
type Badness = 0 | 1 | 2;
const [infinite, nan] = [1, 2] as const;

/** Where something began, and for a NaN made of infinities where those did. */
interface Origin {
  readonly node: Node;
  readonly cause: Origin | undefined;
}

/** A run of a function without its checks, which would end it. */
class Replay {
  readonly results: readonly Storage[];
  readonly #run: (results: readonly Node[]) => readonly Storage[];
  readonly #roots: readonly Node[];
  readonly #order: readonly Node[];
  /** What stands for a node where checks are left out. */
  readonly #standIns: ReadonlyMap<Node, Node>;
  readonly #badness: ReadonlyMap<Node, Badness>;

  constructor(
    fn: GraphFunction,
    inputs: readonly (HostArray | Storage)[],
    dimensions: ReadonlyMap<Dimension, number> | undefined,
  ) {
    this.#roots = rootsOf(fn);
    this.#order = topologicalOrder(this.#roots);
    this.#run = (results) => {
      const executable = cpuDevice().compile({ ...fn, results, assignments: [] });
      const made = executable.run(inputs, dimensions);
      executable.dispose();
      return made;
    };
    const trace = new Trace("compiled");
    this.#standIns = withTrace(trace, () => withoutChecks(this.#order));
    const looked = this.#order.filter((node) => isLookedAt(node));
    const numbers = withTrace(trace, () => looked.map((node) => badnessOf(this.#standIns.get(node)!)));
    const wanted = fn.results.map((node) => this.#standIns.get(node)!);
    const storages = this.#run([...wanted, ...numbers]);
    this.results = storages.slice(0, wanted.length);
    const found = storages.slice(wanted.length).map((storage) => Number(storage.readSync()[0]) as Badness);
    this.#badness = new Map(looked.map((node, i) => [node, found[i]!]));
  }

  explanation(): NaNExplanation | undefined {
    const origin = this.#firstNaN() ?? this.#firstInfinity(this.#roots);
    if (origin === undefined) return undefined;
    const origins = origin.cause === undefined ? [origin] : [origin, origin.cause];
    const shown = [...new Set(origins.flatMap(({ node }) => [node, ...inputsOf(node)]))];
    const storages = this.#run(shown.map((node) => this.#standIns.get(node)!));
    const values = new Map(shown.map((node, i) => [node, arrayIn(storages[i]!)]));
    return explanationOf(origin, values);
  }

  #firstNaN(): Origin | undefined {
    const hasNaN = (node: Node): boolean => this.#badness.get(node) === nan;
    const node = this.#order.find((n) => hasNaN(n) && !inputsOf(n).some(hasNaN));
    return node && { node, cause: this.#firstInfinity(inputsOf(node)) };
  }

  /** From a result that is infinite back to where that began. */
  #firstInfinity(roots: readonly Node[]): Origin | undefined {
    const isBad = (node: Node): boolean => (this.#badness.get(node) ?? 0) >= infinite;
    let node = roots.find(isBad);
    for (let next = node; next !== undefined; next = inputsOf(next).find(isBad)) node = next;
    return node && { node, cause: undefined };
  }
}

/** Floats, if there are any; of an op with several outputs each is a node of its own. */
const isLookedAt = ({ dtype, shape, outputs }: Node): boolean =>
  isFloat(dtype) && outputs === undefined && !shape.includes(0);

/** An output of an op with several is made of what that op is made of. */
const inputsOf = ({ op, inputs }: Node): readonly Node[] =>
  op.kind === "output" ? inputs[0]!.inputs : inputs;

function withoutChecks(order: readonly Node[]): ReadonlyMap<Node, Node> {
  const next = new Map<Node, Node>();
  for (const node of order) {
    const inputs = node.inputs.map((input) => next.get(input)!);
    const isSame = inputs.every((input, i) => input === node.inputs[i]);
    if (node.op.name === checkOp.name) next.set(node, inputs[1]!);
    else if (isSame) next.set(node, node);
    else
      next.set(
        node,
        withOrigin(node.origin, () => makeNode(node.op, inputs, node.attributes)),
      );
  }
  return next;
}

/** A scalar: 2 where an element is NaN, 1 where one is infinite, 0. */
function badnessOf(node: Node): Node {
  const x = fromNode(node);
  return nodeOf(where(x.isFinite(), 0, where(x.isNaN(), nan, infinite)).max());
}

function arrayIn(storage: Storage): DenseArray {
  const { dtype, shape } = storage;
  return { dtype, shape, data: decode(dtype, storage.readSync()) };
}

function explanationOf(
  { node, cause: earlier }: Origin,
  values: ReadonlyMap<Node, DenseArray>,
): NaNExplanation {
  const { data } = values.get(node)!;
  const value = data.some(Number.isNaN) ? Number.NaN : data.find((x) => !Number.isFinite(x))!;
  const inputs = inputsOf(node).map((input) => rangeOf(input, values.get(input)!));
  const cause = earlier && explanationOf(earlier, values);
  const place = originText(node.origin);
  return {
    op: nameOf(node),
    value,
    layer: node.origin.modulePath,
    line: userLine(node.origin),
    inputs,
    cause,
    toString: () => {
      const from = inputs.length === 0 ? "" : `: from ${inputs.map(rangeText).join(" and ")}`;
      return `the first ${value} came out of ${nameOf(node)}${place}${from}${cause ? `; ${cause}` : ""}`;
    },
  };
}

/** States and arguments go by their names, everything else by its op. */
function nameOf({ op, attributes, inputs }: Node): string {
  if (op.kind === "output") return nameOf(inputs[0]!);
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
