/** Gradients of tensors with respect to tensors and states. */
import { gradients } from "../autodiff/index.ts";
import { ArgumentError } from "../base/errors.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import { originText } from "../graph/origin.ts";
import { State } from "../graph/state.ts";
import { currentTrace, openTraces } from "../graph/trace.ts";
import { toNode } from "./convert.ts";
import { handleOf, isTensor, valueOfNode } from "./handle.ts";
import { located } from "./located.ts";
import { nodeOf } from "./nodes.ts";
import { isRecord } from "./signature.ts";
import { fromNode, type Tensor } from "./tensor.ts";
import type { TensorLike } from "./types.ts";

/** Tensors and states in arrays and records. */
export type GradientTargets =
  | Tensor
  | readonly GradientTargets[]
  | { readonly [key: string]: GradientTargets };

/** A gradient for each target, in the same tree. */
export type Gradients<P> =
  P extends Tensor<infer S, infer D> ? Tensor<S, D> : { -readonly [K in keyof P]: Gradients<P[K]> };

export interface GradOptions {
  /** The cotangent of the loss, of its shape; 1 for a scalar loss when left out. */
  readonly cotangent?: TensorLike;
  /** Zeros, rather than an error, for what the loss does not depend on. */
  readonly allowUnused?: boolean;
}

/**
 * ∂loss/∂p for each of `parameters`: tensors, states and module parameters, alone or in arrays and records; the result is the
 * same tree. Gradients are tensors and can be differentiated again.
 *
 * @throws ShapeError when the loss is not a scalar and no cotangent is given
 * @throws ArgumentError when the loss does not depend on a parameter (see `allowUnused`), or a state was assigned since the
 * loss read it
 * @example
 * const x = tensor([1, 2]);
 * grad(x.mul(x).sum(), x); // [2, 4]
 */
export function grad<P extends GradientTargets>(
  loss: Tensor,
  parameters: P,
  options: GradOptions = {},
): Gradients<P> {
  return gradientTree(loss, parameters, options) as Gradients<P>;
}

function gradientTree(loss: Tensor, parameters: unknown, { cotangent, allowUnused }: GradOptions): unknown {
  return located(() => {
    const targets: Tensor[] = [];
    collect(parameters, targets, "parameters");
    const lossNode = nodeOf(loss);
    const wrt = targets.map(targetOf);
    requireWholeGraph(lossNode, wrt);
    const found = gradients(lossNode, wrt, {
      ...(allowUnused !== undefined && { allowUnused }),
      ...(cotangent !== undefined && { cotangent: toNode(cotangent, loss.dtype, "grad: cotangent") }),
    });
    let next = 0;
    return rebuild(parameters, () => fromNode(found[next++]!));
  });
}

/**
 * The loss that `compute` gives, and its gradients.
 *
 * @example
 * const x = tensor([1, 2]);
 * const { value, gradients } = valueAndGrad(() => x.mul(x).sum(), [x]);
 * value; // 5
 * gradients; // [[2, 4]]
 */
export function valueAndGrad<L extends Tensor, P extends GradientTargets>(
  compute: () => L,
  parameters: P,
  options: GradOptions = {},
): { value: L; gradients: Gradients<P> } {
  const value = compute();
  return { value, gradients: gradientTree(value, parameters, options) as Gradients<P> };
}

/** What a tensor is differentiated by: its state, or its node. */
export function targetOf(tensor: Tensor): Node | State {
  const handle = handleOf(tensor);
  return "state" in handle ? handle.state : nodeOf(tensor);
}

/** The tensors of a tree, in order. @throws ArgumentError for anything else in it */
export function collect(value: unknown, into: Tensor[], path: string, what = "grad"): Tensor[] {
  if (isTensor(value)) into.push(value);
  else if (Array.isArray(value)) value.forEach((item, i) => void collect(item, into, `${path}[${i}]`, what));
  else if (isRecord(value))
    for (const key of Object.keys(value)) collect(value[key], into, `${path}.${key}`, what);
  else throw new ArgumentError(`${what}: ${path} is no tensor, state or parameter: ${String(value)}`);
  return into;
}

/** The same tree with other tensors, asked for in order. */
export function rebuild(value: unknown, gradient: () => Tensor): unknown {
  if (isTensor(value)) return gradient();
  if (Array.isArray(value)) return value.map((item) => rebuild(item, gradient));
  return Object.fromEntries(
    Object.entries(value as object).map(([key, item]) => [key, rebuild(item, gradient)]),
  );
}

/**
 * A gradient through a value whose graph was forgotten, or through the result of a compiled function, would be too small
 * without a word: an error instead.
 */
export function requireWholeGraph(loss: Node, wrt: readonly (Node | State)[]): void {
  const states = new Set(wrt.filter((target) => target instanceof State));
  const hasNodes = states.size < wrt.length;
  for (const node of topologicalOrder([loss])) {
    if (node.op.kind !== "source") continue;
    if (node.op.source === "state") requireCurrent(node, states);
    if (node.op.source !== "buffer") continue;
    const value = valueOfNode(node);
    const read = [...(value?.history.states ?? [])].find((state) => states.has(state));
    if (read === undefined && !(value?.isCut && hasNodes)) continue;
    const what = read === undefined ? "what it was computed from" : `state "${read.name}"`;
    throw new ArgumentError(
      `grad: the loss uses a value that was computed before${originText(node.origin)} and whose graph is gone: no gradient can reach ` +
        `${what}; compute the loss anew, or wrap that value in stopGradient`,
    );
  }
}

/** Reading a value out commits assignments: a loss that read the state before then has no gradient for what it is now. */
function requireCurrent(node: Node, states: ReadonlySet<State>): void {
  const state = node.attributes["state"] as State;
  const trace = currentTrace();
  if (!states.has(state) || openTraces().some(({ reads }) => reads.get(state) === node)) return;
  if (
    trace.reads.get(state) === undefined &&
    trace.assigned.get(state) === undefined &&
    valueOfNode(node) === undefined
  )
    return;
  throw new ArgumentError(
    `grad: state "${state.name}" was assigned after the loss read it${originText(node.origin)}; take the gradient before the assignment`,
  );
}
