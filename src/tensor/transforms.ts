/** Products with Jacobians and Hessians, and whole ones, of tensors with respect to tensors and states. */
import * as autodiff from "../autodiff/index.ts";
import type { DType } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import { State } from "../graph/state.ts";
import { shapesAgree } from "../ops/rules.ts";
import {
  collect,
  type Gradients,
  type GradientTargets,
  rebuild,
  requireWholeGraph,
  targetOf,
} from "./grad.ts";
import { located } from "./located.ts";
import { nodeOf } from "./nodes.ts";
import { fromNode, type Tensor } from "./tensor.ts";

export interface TransformOptions {
  /** Zeros, rather than an error, for what the outputs do not depend on. */
  readonly allowUnused?: boolean;
}

/**
 * uᵀJ: cotangents of `inputs` from `cotangents` of `outputs` (the same tree as `outputs`). Zeros where nothing flows.
 *
 * @throws ArgumentError when a cotangent has another shape or dtype than its output
 * @example
 * const x = tensor([1, 2]);
 * vjp(x.mul(x), x, tensor([1, 10])); // [2, 40]
 */
export function vjp<O extends GradientTargets, P extends GradientTargets>(
  outputs: O,
  inputs: P,
  cotangents: GradientTargets,
): Gradients<P> {
  return located(() => {
    const ends = nodesOf("vjp", outputs, "outputs");
    const wrt = readBy(ends, inputs, "vjp");
    return treeOf(inputs, autodiff.vjp(ends, wrt, like("vjp", "cotangent", cotangents, ends)));
  });
}

/**
 * Jv: how `outputs` move when `inputs` move along `tangents` (the same tree as `inputs`). Two reverse walks: the first gives
 * uᵀJ, which is linear in u, the second differentiates it by u; so each op needs one rule, and what the first computed for u
 * alone is never run.
 *
 * @throws ArgumentError when a tangent has another shape or dtype than its input
 * @example
 * const x = tensor([1, 2]);
 * jvp(x.mul(x), x, tensor([1, 10])); // [2, 40]
 */
export function jvp<O extends GradientTargets, P extends GradientTargets>(
  outputs: O,
  inputs: P,
  tangents: GradientTargets,
): Gradients<O> {
  return located(() => {
    const ends = nodesOf("jvp", outputs, "outputs");
    const wrt = readBy(ends, inputs, "jvp");
    return treeOf(outputs, autodiff.jvp(ends, wrt, like("jvp", "tangent", tangents, wrt)));
  });
}

/**
 * ∂output/∂p for each of `parameters`, of shape (…output, …p), as one program over a basis: of the output, or of the parameter
 * where that has fewer elements.
 *
 * @throws ArgumentError as `grad` does, and for sizes known late
 * @example
 * const x = tensor([1, 2]);
 * jacobian(x.mul(x), x); // [[2, 0], [0, 4]]
 */
export function jacobian<P extends GradientTargets>(
  output: Tensor,
  parameters: P,
  options: TransformOptions = {},
): Jacobians<P> {
  return located(() => {
    const targets = collect(parameters, [], "parameters", "jacobian").map(targetOf);
    const node = nodeOf(output);
    requireWholeGraph(node, targets);
    return treeOf(parameters, autodiff.jacobian(node, targets, options));
  });
}

/** A Jacobian for each target, in the same tree. */
export type Jacobians<P> =
  P extends Tensor<any, infer D> ? Tensor<any, D> : { -readonly [K in keyof P]: Jacobians<P[K]> };

/**
 * ∂²loss/∂p∂p of a scalar, of shape (…p, …p).
 *
 * @throws ShapeError when the loss is not a scalar
 * @example
 * const x = tensor([1, 2]);
 * hessian(x.mul(x).mul(x).sum(), x); // [[6, 0], [0, 12]]
 */
export function hessian<D extends DType>(loss: Tensor, parameter: Tensor<any, D>): Tensor<any, D> {
  return located(() => {
    const target = targetOf(parameter);
    const node = nodeOf(loss);
    requireWholeGraph(node, [target]);
    const [first] = autodiff.gradients(node, [target]);
    return fromNode(autodiff.jacobian(first!, [target], { allowUnused: true })[0]!);
  });
}

/**
 * Hv: the Hessian of `loss` in all of `parameters` together, times `vectors` (the same tree), without building it: two reverse
 * walks. Pearlmutter: "Fast exact multiplication by the Hessian", 1994.
 *
 * @throws ArgumentError when a vector has another shape or dtype than its parameter, or the loss does not depend on one
 * @example
 * const x = tensor([1, 2]);
 * hessianVectorProduct(x.mul(x).mul(x).sum(), x, tensor([1, 1])); // [6, 12]
 */
export function hessianVectorProduct<P extends GradientTargets>(
  loss: Tensor,
  parameters: P,
  vectors: GradientTargets,
  options: TransformOptions = {},
): Gradients<P> {
  return located(() => {
    const targets = collect(parameters, [], "parameters", "hessianVectorProduct");
    const directions = like("hessianVectorProduct", "vector", vectors, targets);
    const node = nodeOf(loss);
    const wrt = targets.map(targetOf);
    requireWholeGraph(node, wrt);
    return treeOf(parameters, autodiff.hessianVectorProducts(node, wrt, directions, options));
  });
}

const nodesOf = (what: string, tree: unknown, path: string): Node[] =>
  collect(tree, [], path, what).map(nodeOf);

/** The nodes through which `ends` read the inputs. */
function readBy(ends: readonly Node[], inputs: unknown, what: string): Node[] {
  const targets = collect(inputs, [], "inputs", what).map(targetOf);
  for (const end of ends) requireWholeGraph(end, targets);
  const [first] = ends;
  if (first === undefined) throw new ArgumentError(`${what}: needs at least one output`);
  return targets.map((target) =>
    target instanceof State ? autodiff.valueReadBy(first, target) : (target as Node),
  );
}

/** The nodes of a tree that must have the types of others. */
function like(what: string, name: string, tree: unknown, types: readonly (Node | Tensor)[]): Node[] {
  const nodes = nodesOf(what, tree, `${name}s`);
  if (nodes.length !== types.length)
    throw new ArgumentError(
      `${what}: got ${nodes.length} ${name}s for ${types.length} tensors; give one for each`,
    );
  nodes.forEach((node, i) => {
    const type = types[i]!;
    if (node.dtype === type.dtype && shapesAgree(node.shape, type.shape)) return;
    const texts = `${node.dtype} ${shapeText(node.shape)}, its tensor ${type.dtype} ${shapeText(type.shape)}`;
    throw new ShapeError(`${what}: ${name} ${i} is ${texts}; they must be of one type`);
  });
  return nodes;
}

/** The public signatures say what comes out; the checker cannot follow a tree. */
function treeOf(tree: unknown, nodes: readonly Node[]): any {
  let next = 0;
  return rebuild(tree, () => fromNode(nodes[next++]!));
}
