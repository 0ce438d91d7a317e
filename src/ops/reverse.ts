/**
 * The reverse walk: cotangents of some nodes from cotangents of others, as more graph. It stands in this room because ops
 * that hold regions differentiate them; `autodiff/` is what others call.
 *
 * Order of sums: nodes are visited by falling id (users before inputs), and a cotangent is added to what is there as it
 * arrives, so the sum runs over users from the latest built to the earliest, within one user over its inputs in order. What slices
 * of one axis give is put together where they do not overlap (`disjoint.ts`): no element of it has more than one term.
 */
import { isFloat } from "../base/dtype.ts";
import { ArgumentError, InternalError } from "../base/errors.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import { originText, withOrigin } from "../graph/origin.ts";
import { standsFor } from "../graph/trace.ts";
import { add } from "./arithmetic.ts";
import { DisjointSum, stretchOf } from "./disjoint.ts";
import { shapesAgree, typeText } from "./rules.ts";

export interface Cotangent {
  readonly of: Node;
  readonly value: Node;
}

/**
 * Cotangents of `wrt` given those of the ends; undefined where no differentiable path leads. Visits only nodes between.
 * Nodes it builds carry the origin of the forward node they belong to.
 */
export function reverse(ends: readonly Cotangent[], wrt: readonly Node[]): (Node | undefined)[] {
  const between = nodesBetween(
    ends.map(({ of }) => of),
    wrt,
  );
  const cotangents = new Cotangents();
  for (const { of, value } of ends) cotangents.add(of, value);
  for (const node of between) {
    withOrigin(node.origin, () => {
      const outputs = cotangents.outputsOf(node);
      if (outputs === undefined) return;
      addInputCotangents(node, outputs, between, cotangents);
    });
  }
  return wrt.map((node) => withOrigin(node.origin, () => cotangents.of(node)));
}

/** Nodes on a path from `wrt` to `ends` along which a gradient could flow, users before inputs. */
function nodesBetween(ends: readonly Node[], wrt: readonly Node[]): ReadonlySet<Node> {
  const wanted = new Set(wrt);
  const order = reachedFrom(ends);
  for (const node of order) if (gradientInputs(node).some((input) => wanted.has(input))) wanted.add(node);
  const reached = order.filter((node) => wanted.has(node));
  return new Set(reached.sort((a, b) => b.id - a.id));
}

/**
 * All nodes that `roots` reach, inputs before users. In the body of a loop that is being built they go on outside of it: a
 * gradient taken there flows through what the body captured. A custom gradient's inputs need not be on the way to its output:
 * views of them may have been built again from what they view.
 */
export function reachedFrom(roots: readonly Node[]): Node[] {
  let order = topologicalOrder(roots);
  for (let known = 0; known < order.length; ) {
    const seen = new Set(order);
    const outer = order
      .slice(known)
      .flatMap(elsewhere)
      .filter((node) => !seen.has(node));
    if (outer.length === 0) break;
    known = order.length;
    order = [...order, ...topologicalOrder(outer).filter((node) => !seen.has(node))];
  }
  return order.sort((a, b) => a.id - b.id);
}

/** What a gradient goes on to without being an input: outside of a loop's body, or where a rule of its own says. */
function elsewhere(node: Node): readonly Node[] {
  const outer = standsFor(node);
  return outer === undefined ? (node.op.gradientInputs?.(node as never) ?? []) : [outer];
}

function gradientInputs(node: Node): readonly Node[] {
  const outer = standsFor(node);
  return outer === undefined ? (node.op.gradientInputs?.(node as never) ?? node.inputs) : [outer];
}

function addInputCotangents(
  node: Node,
  outputs: readonly (Node | undefined)[],
  between: ReadonlySet<Node>,
  to: Cotangents,
): void {
  if (node.op.kind === "output") return;
  const outer = standsFor(node);
  if (outer !== undefined) {
    to.add(outer, outputs[0]!);
    return;
  }
  if (node.op.gradient === undefined) {
    if (node.inputs.some((input) => between.has(input) && isFloat(input.dtype)))
      throw notDifferentiable(node);
    return;
  }
  const values = node.op.gradient(node as never, outputs);
  gradientInputs(node).forEach((input, i) => {
    const value = values[i];
    if (value != null && between.has(input)) to.add(input, value);
  });
}

function notDifferentiable(node: Node): ArgumentError {
  const where = `${node.op.name}${originText(node.origin)}`;
  return new ArgumentError(
    `gradient: ${where} has no gradient; wrap its inputs in stopGradient, or leave it out`,
  );
}

function plus(sum: Node | DisjointSum | undefined, value: Node): Node | DisjointSum {
  if (sum !== undefined && !(sum instanceof DisjointSum)) return add(sum, value);
  const stretch = stretchOf(value);
  if (sum === undefined) return stretch === undefined ? value : new DisjointSum(value, stretch);
  if (stretch !== undefined && sum.take(stretch)) return sum;
  return add(sum.node, value);
}

/** The sums so far. A node with several outputs has one for each: `output` nodes pass theirs on to it. */
class Cotangents {
  private readonly sums = new Map<Node, (Node | DisjointSum | undefined)[]>();

  add(node: Node, value: Node): void {
    if (node.op.kind === "output") this.addAt(node.inputs[0]!, node.attributes["index"] as number, value);
    this.addAt(node, 0, value);
  }
  of(node: Node): Node | undefined {
    return this.outputsOf(node)?.[0];
  }
  outputsOf(node: Node): readonly (Node | undefined)[] | undefined {
    const sums = this.sums.get(node);
    sums?.forEach((sum, index) => {
      if (sum instanceof DisjointSum) sums[index] = sum.node;
    });
    return sums as readonly (Node | undefined)[] | undefined;
  }

  private addAt(node: Node, index: number, value: Node): void {
    const type = node.outputs?.[index] ?? node;
    if (type.dtype !== value.dtype || !shapesAgree(type.shape, value.shape))
      throw new InternalError(`gradient: ${typeText(value)} for ${node.op.name} of ${typeText(type)}`);
    let sums = this.sums.get(node);
    if (sums === undefined)
      this.sums.set(node, (sums = new Array((node.outputs ?? [node]).length).fill(undefined)));
    sums[index] = plus(sums[index], value);
  }
}
