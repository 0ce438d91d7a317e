/**
 * A graph over an added first axis, for `vectorize`: each op says how it maps (its block's `map`; elementwise ops and
 * reductions by their class), and what does not depend on anything mapped stays as it is.
 */
import { ArgumentError } from "../base/errors.ts";
import type { Size } from "../base/size.ts";
import { type Node, type Region, topologicalOrder } from "../graph/node.ts";
import type { AddedAxis, Mapped, Op } from "../graph/op.ts";
import { originText, withOrigin } from "../graph/origin.ts";
import { makeNode } from "../graph/trace.ts";
import { broadcastTo, reshape } from "./broadcast.ts";

/** What stands for a node; for one with several outputs all of them, where they were mapped. */
type Entry = Mapped & { readonly outputs?: readonly Mapped[] };

export class Mapping {
  readonly size: Size;
  private readonly known: Map<Node, Entry>;

  /** @param known what stands for some nodes: with the axis in front where `isMapped` */
  constructor(size: Size, known: ReadonlyMap<Node, Mapped>) {
    this.size = size;
    this.known = new Map(known);
  }

  /** What stands for `nodes`. */
  of(nodes: readonly Node[]): Mapped[] {
    for (const node of topologicalOrder(nodes))
      if (!this.known.has(node))
        this.known.set(
          node,
          withOrigin(node.origin, () => this.entry(node)),
        );
    return nodes.map((node) => this.known.get(node)!);
  }

  /** With the axis, repeated along it where it had none. */
  whole({ node, isMapped }: Mapped): Node {
    if (isMapped) return node;
    return broadcastTo(reshape(node, [1, ...node.shape]), [this.size, ...node.shape]);
  }

  private entry(node: Node): Entry {
    const entries = node.inputs.map((input) => this.known.get(input)!);
    const [first] = entries;
    if (node.op.kind === "output" && first?.outputs)
      return first.outputs[node.attributes["index"] as number]!;
    const isMapped = entries.some((entry) => entry.isMapped);
    const isChanged = entries.some((entry, i) => entry.node !== node.inputs[i]);
    if (!isMapped && !isChanged) return { node, isMapped };
    // A node whose rule names others is made anew with what stands for those.
    if (!isMapped && node.op.gradientInputs === undefined)
      return {
        node: makeNode(
          node.op,
          entries.map((entry) => entry.node),
          node.attributes,
        ),
        isMapped,
      };
    const made = this.mapped(node, entries);
    if (!Array.isArray(made)) return { node: made as Node, isMapped: true };
    const outputs = made as readonly Mapped[];
    return { ...outputs[0]!, ...(node.outputs && { outputs }) };
  }

  private mapped(node: Node, entries: readonly Entry[]): Node | readonly Mapped[] {
    const op: Op = node.op;
    const inputs = (): Node[] => entries.map((entry) => this.whole(entry));
    if (op.map) return op.map(node as never, this.added(entries));
    if (op.kind === "elementwise") return makeNode(op, inputs(), node.attributes);
    if (op.kind === "reduce") {
      const axes = (node.attributes["axes"] as readonly number[]).map((axis) => axis + 1);
      return makeNode(op, inputs(), { ...node.attributes, axes });
    }
    throw new ArgumentError(`vectorize: ${op.name}${originText(node.origin)} cannot be mapped over an axis`);
  }

  private added(entries: readonly Entry[]): AddedAxis {
    const whole = (mapped: Mapped): Node => this.whole(mapped);
    return {
      size: this.size,
      given: entries.map((entry) => entry.node),
      isMapped: entries.map((entry) => entry.isMapped),
      get inputs() {
        return entries.map(whole);
      },
      of: (nodes, more) =>
        more === undefined
          ? this.of(nodes)
          : new Mapping(this.size, new Map([...this.known, ...more])).of(nodes),
      whole,
    };
  }
}

/** A mapping of the body of a region: `values` stand for its parameters. */
export function mappingOf(
  size: Size,
  parameters: readonly Node[],
  values: readonly Node[],
  isMapped: readonly boolean[],
): Mapping {
  const entries = parameters.map((p, i) => [p, { node: values[i]!, isMapped: isMapped[i]! }] as const);
  return new Mapping(size, new Map(entries));
}

/** Nodes with others in the place of `parameters`, built in the current trace. */
export const substitute = (
  nodes: readonly Node[],
  parameters: readonly Node[],
  values: readonly Node[],
): Node[] => {
  const none = parameters.map(() => false);
  return mappingOf(1, parameters, values, none)
    .of(nodes)
    .map(({ node }) => node);
};

/** Which results of a region depend on one of its mapped parameters. */
export function dependsOn(region: Region, isMapped: readonly boolean[]): boolean[] {
  const reached = new Set(region.parameters.filter((_, i) => isMapped[i]));
  for (const node of topologicalOrder(region.results))
    if (node.inputs.some((input) => reached.has(input))) reached.add(node);
  return region.results.map((result) => reached.has(result));
}

/** Which parameters of a loop's body are mapped, once what is mapped in one iteration has been carried to the next. */
export function mappedCarries(body: Region, isMapped: readonly boolean[], carryCount: number): boolean[] {
  let known = [...isMapped];
  for (;;) {
    const results = dependsOn(body, known);
    const next = known.map((is, i) => is || (i < carryCount && results[i]!));
    if (next.every((is, i) => is === known[i])) return next;
    known = next;
  }
}
