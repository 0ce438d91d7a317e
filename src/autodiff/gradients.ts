/** Gradients of a loss: the reverse walk with its rules and errors. */
import { isFloat } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import { originText } from "../graph/origin.ts";
import { State } from "../graph/state.ts";
import { like, zerosLike } from "../ops/constants.ts";
import { reverse } from "../ops/reverse.ts";
import { shapesAgree, typeText } from "../ops/rules.ts";
import { valueReadBy } from "./state-reads.ts";

export interface GradientOptions {
  /** The cotangent of the loss, of its shape; 1 for a scalar loss when left out. */
  readonly cotangent?: Node;
  /** Zeros, rather than an error, for what the loss does not depend on. */
  readonly allowUnused?: boolean;
}

/**
 * ∂loss/∂w for each of `wrt`: nodes, or states (the values that the loss read). Gradients are graph and can be
 * differentiated again. Cotangents are added in a fixed order (`ops/reverse.ts`).
 *
 * @throws ShapeError when the loss is no scalar and no cotangent is given
 * @throws ArgumentError when the loss does not depend on one of `wrt` (see `allowUnused`), or a state was assigned since
 * the loss read it
 * @example const [dw] = gradients(sum(mul(w, w)), [w]) // 2w
 */
export function gradients(
  loss: Node,
  wrt: readonly (Node | State)[],
  { cotangent, allowUnused = false }: GradientOptions = {},
): Node[] {
  requireLoss(loss, cotangent);
  const targets = wrt.map((target) => (target instanceof State ? valueReadBy(loss, target) : target));
  targets.forEach((target, i) => {
    requireFloat(nameOf(wrt[i]!), target);
  });
  const seed = { of: loss, value: cotangent ?? like(loss, 1) };
  return reverse([seed], targets).map((gradient, i) => {
    if (gradient !== undefined) return gradient;
    if (allowUnused) return zerosLike(targets[i]!);
    throw unused(loss, wrt[i]!);
  });
}

function requireLoss(loss: Node, cotangent: Node | undefined): void {
  const where = (): string => originText(loss.origin);
  if (!isFloat(loss.dtype))
    throw new DTypeError(`gradients: the loss is ${typeText(loss)}${where()}; only floats have gradients`);
  if (cotangent === undefined && loss.shape.length > 0) {
    const remedy = "take its mean or sum, or pass a cotangent";
    throw new ShapeError(
      `gradients: the loss has shape ${shapeText(loss.shape)}${where()}, not (); ${remedy}`,
    );
  }
  if (cotangent && (cotangent.dtype !== loss.dtype || !shapesAgree(cotangent.shape, loss.shape))) {
    const types = `${typeText(cotangent)}, the loss ${typeText(loss)}`;
    throw new ShapeError(`gradients: the cotangent is ${types}; they must be of one type`);
  }
}

function requireFloat(name: string, target: Node): void {
  if (!isFloat(target.dtype))
    throw new DTypeError(`gradients: ${name} is ${typeText(target)}; only floats have gradients`);
}

function nameOf(target: Node | State): string {
  if (target instanceof State) return `state "${target.name}"`;
  const name = target.attributes["name"];
  return typeof name === "string" ? `parameter "${name}"` : `the ${target.op.name}`;
}

function unused(loss: Node, target: Node | State): ArgumentError {
  const { shape } = target;
  const what = `${nameOf(target)} ${shapeText(shape)}`;
  const remedy = "leave it out, or pass { allowUnused: true } for zeros";
  return new ArgumentError(
    `gradients: the loss${originText(loss.origin)} does not depend on ${what}; ${remedy}`,
  );
}
