/**
 * Rewriting of the graph by rules that never change a bit of any result.
 *
 * Precondition: a verified graph. Postcondition: no movement that moves nothing, no reduction over axes of size 1, no
 * arithmetic with a neutral constant (x × 1, x ÷ 1, x − 0; not x + 0, which turns −0 into 0, nor x × 0, which hides NaN), maps
 * of arrays that lie in one order of axes computed in that order, products over columns as memory holds them.
 */
import { hasMachineCode } from "#platform";
import { sameSize } from "../base/size.ts";
import { type GraphFunction, rootsOf } from "../graph/function.ts";
import { creationOrder, type Node } from "../graph/node.ts";
import { withOrigin } from "../graph/origin.ts";
import { makeNode, Trace, withTrace } from "../graph/trace.ts";
import { contiguousView, permuteView, type View } from "../graph/view.ts";
import { type DotAxes, reshape, transposedDot } from "../ops/index.ts";
import { inMemoryOrder } from "./memory-order.ts";
import { splitColumns } from "./split-columns.ts";

/** What a node may be replaced by; `users` counts the readers of a node of the graph as it was. */
type Rule = (node: Node, users: ReadonlyMap<Node, number>) => Node | undefined;

const rules: readonly Rule[] = [dropNeutralOperand, dropIdleMovement, renameIdleReduction, transposeDot];

export function simplify(fn: GraphFunction): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const next = new Map<Node, Node>();
    const views = new Map<Node, View>();
    const users = new Map<Node, number>();
    const order = creationOrder(rootsOf(fn));
    for (const node of [...order.flatMap(({ inputs }) => inputs), ...rootsOf(fn)]) {
      users.set(node, (users.get(node) ?? 0) + 1);
    }
    for (const node of order) {
      const inputs = node.inputs.map((input) => next.get(input)!);
      const isSame = inputs.every((input, i) => input === node.inputs[i]);
      // What stands for a node comes from where the node came from.
      const simpler = withOrigin(node.origin, () => {
        const made = isSame ? node : makeNode(node.op, inputs, node.attributes);
        const simple = rules.reduce<Node>((current, rule) => rule(current, users) ?? current, made);
        const split = hasMachineCode ? splitColumns(simple, views) : undefined;
        return split ?? inMemoryOrder(simple, views) ?? simple;
      });
      // A replacement is read as often as what it stands for.
      if (simpler !== node) users.set(simpler, (users.get(simpler) ?? 0) + (users.get(node) ?? 0));
      next.set(node, simpler);
    }
    return {
      ...fn,
      results: fn.results.map((node) => next.get(node)!),
      assignments: fn.assignments.map(([state, node]) => [state, next.get(node)!] as const),
    };
  });
}

function dropNeutralOperand(node: Node): Node | undefined {
  if (node.op.kind !== "elementwise" || node.op.neutral === undefined) return undefined;
  const [a, b] = node.inputs as [Node, Node];
  const { left, right } = node.op.neutral;
  if (left !== undefined && Object.is(constantValue(a), left)) return b;
  return right !== undefined && Object.is(constantValue(b), right) ? a : undefined;
}

/** The number that every element of a node is, when it is a (moved or repeated) constant. */
function constantValue(node: Node): number | undefined {
  let source = node;
  while (source.op.kind === "movement") source = source.inputs[0]!;
  const { op } = source;
  return op.kind === "source" && op.source === "constant"
    ? (source.attributes as { value: number }).value
    : undefined;
}

/** A movement that shows a contiguous input as it is moves nothing. */
function dropIdleMovement(node: Node): Node | undefined {
  const { op } = node;
  if (op.kind !== "movement" || op.isBarrier || node.inputs.length !== 1) return undefined;
  const input = node.inputs[0]!;
  const whole = contiguousView(input.shape);
  const isSameShape =
    node.shape.length === input.shape.length &&
    node.shape.every((size, i) => sameSize(size, input.shape[i]!));
  if (!isSameShape) return undefined;
  const view = op.view(whole, node.attributes as never, node);
  const isIdle =
    view !== undefined &&
    sameSize(view.offset, 0) &&
    view.strides.every((s, i) => node.shape[i] === 1 || sameSize(s, whole.strides[i]!));
  return isIdle ? input : undefined;
}

/** Folding axes of size 1 is a reshape. */
function renameIdleReduction(node: Node): Node | undefined {
  if (node.op.kind !== "reduce") return undefined;
  const input = node.inputs[0]!;
  const { axes } = node.attributes as { axes: readonly number[] };
  const isIdle = input.dtype === node.dtype && axes.every((axis) => input.shape[axis] === 1);
  return isIdle ? reshape(input, node.shape) : undefined;
}

/**
 * (a·b)ᵀ → bᵀ·aᵀ, where nobody reads a·b itself: the product is then made in the order in which it is read. Each element is
 * the same chain of multiply-adds.
 */
function transposeDot(node: Node, users: ReadonlyMap<Node, number>): Node | undefined {
  const { op } = node;
  const product = node.inputs[0];
  if (op.kind !== "movement" || product?.op.kind !== "dot" || users.get(product) !== 1) return undefined;
  const rank = product.shape.length;
  const { batch, depth } = product.attributes as DotAxes;
  const columns = product.inputs[1]!.shape.length - batch - depth;
  const own = product.shape.map((_, axis) => axis).slice(batch);
  const rows = own.slice(0, own.length - columns);
  const order = [...Array(batch).keys(), ...own.slice(rows.length), ...rows];
  const view = op.view(contiguousView(product.shape), node.attributes as never, node);
  const transposed = permuteView(contiguousView(product.shape), order);
  const isTranspose =
    view !== undefined &&
    view.shape.length === rank &&
    sameSize(view.offset, 0) &&
    order.every(
      (_, i) =>
        sameSize(view.shape[i]!, transposed.shape[i]!) && sameSize(view.strides[i]!, transposed.strides[i]!),
    );
  if (!isTranspose) return undefined;
  return transposedDot(product as Node<DotAxes>);
}
