/**
 * The search for the operation that first gave a NaN: a program is run again with every value looked at. It is the same program,
 * compiled with a number more for each of its values: how bad it is. Where that leads to a loop, its body is run in the same way,
 * iteration by iteration.
 */
import { decode, isFloat } from "../base/dtype.ts";
import type { HostArray } from "../base/host-array.ts";
import type { Dimension } from "../base/size.ts";
import { type GraphFunction, rootsOf } from "../graph/function.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import { withOrigin } from "../graph/origin.ts";
import type { State } from "../graph/state.ts";
import { makeNode, Trace, withTrace } from "../graph/trace.ts";
import { checkOp } from "../ops/index.ts";
import type { Executable, Storage } from "../runtime/device.ts";
import { cpuDevice } from "../runtime/devices.ts";
import { iterationsOf, type LoopNode } from "./find-nan-loops.ts";
import { where } from "./functions.ts";
import { nodeOf } from "./nodes.ts";
import { fromNode } from "./tensor.ts";

export type Values = readonly (HostArray | Storage)[];
type Dimensions = ReadonlyMap<Dimension, number> | undefined;

/** Where something began, and for a NaN made of infinities where those did. */
export interface NaNOrigin {
  readonly node: Node;
  /** Of the node and of its inputs. */
  readonly values: ReadonlyMap<Node, DenseArray>;
  /** What the parameters of a loop's body are. */
  readonly names: ReadonlyMap<Node, string>;
  /** Outermost first. */
  readonly loops: readonly { readonly node: Node; readonly iteration: number }[];
  readonly cause: NaNOrigin | undefined;
}

/** Of a value: all finite, an infinity among them, a NaN. */
type Badness = 0 | 1 | 2;
const [infinite, nan] = [1, 2] as const;

/** Runs a function without its checks, which would end it: its results, and where they went wrong first. */
export function findNaN(
  fn: GraphFunction,
  inputs: Values,
  dimensions: Dimensions,
): { readonly results: readonly Storage[]; readonly origin: NaNOrigin | undefined } {
  const replay = new Replay(fn, dimensions);
  const run = replay.run(inputs);
  replay.dispose();
  return {
    results: run.results,
    origin: replay.firstNaN(run) ?? replay.firstInfinity(run, rootsOf(fn)),
  };
}

interface Run {
  readonly inputs: Values;
  readonly results: readonly Storage[];
  readonly badness: ReadonlyMap<Node, Badness>;
}

class Replay {
  readonly #fn: GraphFunction;
  readonly #dimensions: Dimensions;
  readonly #names: ReadonlyMap<Node, string>;
  readonly #order: readonly Node[];
  /** What stands for a node where checks are left out. */
  readonly #standIns: ReadonlyMap<Node, Node>;
  readonly #looked: readonly Node[];
  readonly #executable: Executable;

  constructor(fn: GraphFunction, dimensions: Dimensions, names: ReadonlyMap<Node, string> = new Map()) {
    this.#fn = fn;
    this.#dimensions = dimensions;
    this.#names = names;
    this.#order = topologicalOrder(rootsOf(fn));
    const trace = new Trace("compiled");
    this.#standIns = withTrace(trace, () => withoutChecks(this.#order));
    this.#looked = this.#order.filter((node) => isLookedAt(node));
    const numbers = withTrace(trace, () => this.#looked.map((node) => badnessOf(this.#standIns.get(node)!)));
    this.#executable = this.#compile([...this.#standInsOf(fn.results), ...numbers]);
  }

  #standInsOf(nodes: readonly Node[]): readonly Node[] {
    return nodes.map((node) => this.#standIns.get(node)!);
  }

  #compile(results: readonly Node[]): Executable {
    return cpuDevice().compile({ ...this.#fn, results, assignments: [] });
  }

  run(inputs: Values): Run {
    const storages = this.#executable.run(inputs, this.#dimensions);
    const count = this.#fn.results.length;
    const found = storages.slice(count).map((storage) => Number(storage.readSync()[0]) as Badness);
    const badness = new Map(this.#looked.map((node, i) => [node, found[i]!]));
    return { inputs, results: storages.slice(0, count), badness };
  }

  dispose(): void {
    this.#executable.dispose();
  }

  /** Values of nodes in a run. */
  #valuesOf(nodes: readonly Node[], { inputs }: Run): readonly Storage[] {
    const executable = this.#compile(this.#standInsOf(nodes));
    const storages = executable.run(inputs, this.#dimensions);
    executable.dispose();
    return storages;
  }

  firstNaN(run: Run): NaNOrigin | undefined {
    const hasNaN = (node: Node): boolean => run.badness.get(node) === nan;
    const node = this.#order.find((n) => hasNaN(n) && !inputsOf(n).some(hasNaN));
    return node && this.#origin(node, run, nan);
  }

  /** From a result that is infinite back to where that began. */
  firstInfinity(run: Run, roots: readonly Node[]): NaNOrigin | undefined {
    const isBad = (node: Node): boolean => (run.badness.get(node) ?? 0) >= infinite;
    let node = roots.find(isBad);
    for (let next = node; next !== undefined; next = inputsOf(next).find(isBad)) node = next;
    return node && this.#origin(node, run, infinite);
  }

  #origin(node: Node, run: Run, wanted: Badness): NaNOrigin {
    const loop = loopOf(node);
    const inside = loop && this.#insideLoop(loop, run, wanted);
    if (inside !== undefined) return inside;
    const shown = [...new Set([node, ...inputsOf(node)])];
    const storages = this.#valuesOf(shown, run);
    return {
      node,
      values: new Map(shown.map((shownNode, i) => [shownNode, arrayIn(storages[i]!)])),
      names: this.#names,
      loops: [],
      cause: wanted === nan ? this.firstInfinity(run, inputsOf(node)) : undefined,
    };
  }

  /** The first iteration in which a result is that bad, and in it the operation; undefined when none is. */
  #insideLoop(node: LoopNode, run: Run, wanted: Badness): NaNOrigin | undefined {
    const { body } = node.attributes;
    const names = new Map(
      body.parameters.map((parameter, i) => [parameter, nameOfParameter(node, i, this.#names)]),
    );
    const fn = { name: node.op.name, parameters: body.parameters, results: body.results, assignments: [] };
    const replay = new Replay(fn, this.#dimensions, names);
    try {
      const iterations = iterationsOf(node, this.#valuesOf(node.inputs, run), this.#dimensions);
      for (let i = 0, next = iterations.next(); !next.done; i++) {
        const iteration = replay.run(next.value);
        if (body.results.some((result) => (iteration.badness.get(result) ?? 0) >= wanted)) {
          const origin =
            wanted === nan ? replay.firstNaN(iteration) : replay.firstInfinity(iteration, body.results);
          return origin && { ...origin, loops: [{ node, iteration: i }, ...origin.loops] };
        }
        next = iterations.next(iteration.results);
      }
      return undefined;
    } finally {
      replay.dispose();
    }
  }
}

/** The loop that a node is the output of. */
function loopOf({ op, inputs }: Node): LoopNode | undefined {
  const made = op.kind === "output" ? inputs[0]! : undefined;
  return made?.op.kind === "region" ? (made as LoopNode) : undefined;
}

/** Carried and sliced values by what they are, those from outside by the names they have there. */
function nameOfParameter(
  { attributes, inputs }: LoopNode,
  i: number,
  names: ReadonlyMap<Node, string>,
): string {
  const { carryCount } = attributes;
  const sliceCount = "sliceCount" in attributes ? attributes.sliceCount : 0;
  if (i < carryCount) return carryCount === 1 ? "carry" : `carry ${i}`;
  if (i < carryCount + sliceCount) return sliceCount === 1 ? "slice" : `slice ${i - carryCount}`;
  return names.get(inputs[i]!) ?? nameOf(inputs[i]!);
}

/** Floats, if there are any; of an op with several outputs each is a node of its own. */
const isLookedAt = ({ dtype, shape, outputs }: Node): boolean =>
  isFloat(dtype) && outputs === undefined && !shape.includes(0);

/** An output of an op with several is made of what that op is made of. */
export const inputsOf = ({ op, inputs }: Node): readonly Node[] =>
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

/** States and arguments go by their names, everything else by its op. */
export function nameOf({ op, attributes, inputs }: Node): string {
  if (op.kind === "output") return nameOf(inputs[0]!);
  const state = attributes["state"] as State | undefined;
  return (
    state?.name ?? (op.kind === "source" ? ((attributes["name"] as string | undefined) ?? op.name) : op.name)
  );
}
