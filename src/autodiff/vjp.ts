/** Products with the Jacobian from both sides, of nodes with respect to nodes. */
import { ArgumentError } from "../base/errors.ts";
import type { Node } from "../graph/node.ts";
import { zerosLike } from "../ops/constants.ts";
import { substitute } from "../ops/mapping.ts";
import { type Cotangent, reverse } from "../ops/reverse.ts";
import { typeText } from "../ops/rules.ts";
import { parameter } from "../ops/sources.ts";

/**
 * uᵀJ: cotangents of `inputs` from cotangents of `outputs` (one each, of its type). Zeros where nothing flows.
 *
 * @example const [dx] = vjp([y], [x], [u])
 */
export function vjp(outputs: readonly Node[], inputs: readonly Node[], cotangents: readonly Node[]): Node[] {
  requirePaired("vjp: cotangents", cotangents, outputs);
  const ends: Cotangent[] = outputs.map((of, i) => ({ of, value: cotangents[i]! }));
  return reverse(ends, inputs).map((value, i) => value ?? zerosLike(inputs[i]!));
}

/**
 * Jv: how `outputs` move when `inputs` move along `tangents` (one each, of its type). vjp is linear in its cotangents u, so
 * J is its own Jacobian with respect to u: no forward rule is needed.
 *
 * @example const [dy] = jvp([y], [x], [v])
 */
export function jvp(outputs: readonly Node[], inputs: readonly Node[], tangents: readonly Node[]): Node[] {
  requirePaired("jvp: tangents", tangents, inputs);
  const u = outputs.map((output) => parameter(output, "cotangent"));
  const ends: Cotangent[] = outputs.map((of, i) => ({ of, value: u[i]! }));
  const moved = reverse(ends, inputs).flatMap((of, i): Cotangent[] =>
    of === undefined ? [] : [{ of, value: tangents[i]! }],
  );
  const found = reverse(moved, u).map((value, i) => value ?? zerosLike(outputs[i]!));
  // Linear in u, so its derivative does not depend on it; a loop may still carry it along.
  return substitute(found, u, outputs.map(zerosLike));
}

function requirePaired(what: string, values: readonly Node[], types: readonly Node[]): void {
  const wanted = types.map(typeText).join(", ");
  const got = values.map(typeText).join(", ");
  if (got !== wanted) throw new ArgumentError(`${what} are ${got || "none"}; need ${wanted}`);
}
