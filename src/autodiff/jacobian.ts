/** Whole Jacobians: a product with the Jacobian, over a basis. And products with the Hessian, which need no basis. */
import { ArgumentError } from "../base/errors.ts";
import { elementCount, shapeText } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import type { State } from "../graph/state.ts";
import { add, mul } from "../ops/arithmetic.ts";
import { reshape, sum } from "../ops/broadcast.ts";
import { cast } from "../ops/cast.ts";
import { equal } from "../ops/compare.ts";
import { Mapping, substitute } from "../ops/mapping.ts";
import { permute } from "../ops/permute.ts";
import { iota, parameter } from "../ops/sources.ts";
import { gradients } from "./gradients.ts";
import { valueReadBy } from "./state-reads.ts";
import { jvp } from "./vjp.ts";

/**
 * ∂output/∂w for each of `wrt`, of shape (…output, …w). The basis runs over the side with fewer elements: rows by reverse
 * mode, columns by forward mode.
 *
 * @throws ArgumentError as `gradients` does, and for sizes known late
 */
export function jacobian(
  output: Node,
  wrt: readonly (Node | State)[],
  { allowUnused }: { allowUnused?: boolean } = {},
): Node[] {
  const cotangent = parameter(output, "cotangent");
  const found = gradients(output, wrt, { cotangent, ...(allowUnused !== undefined && { allowUnused }) });
  const rows = countOf(output);
  return wrt.map((target, i): Node => {
    const row = found[i]!;
    const shape = [...output.shape, ...row.shape];
    const columns = countOf(row);
    if (rows <= columns) return reshape(overBasis(cotangent, rows, row), shape);
    const x = target instanceof Object && "op" in target ? target : valueReadBy(output, target);
    const tangent = parameter(x, "tangent");
    const [moved] = jvp([output], [x], [tangent]);
    const byColumn = overBasis(tangent, columns, moved!);
    const order = [...output.shape.map((_, axis) => axis + 1), 0];
    return reshape(permute(byColumn, order), shape);
  });
}

/** `result`, which depends on `direction`, for each of its `count` unit vectors: (count, …result). */
function overBasis(direction: Node, count: number, result: Node): Node {
  const unit = cast(equal(iota([count, count], 0), iota([count, count], 1)), direction.dtype);
  const basis = reshape(unit, [count, ...direction.shape]);
  const mapping = new Mapping(count, new Map([[direction, { node: basis, isMapped: true }]]));
  return mapping.whole(mapping.of([result])[0]!);
}

function countOf({ shape }: Node): number {
  const count = elementCount(shape);
  if (typeof count === "number") return count;
  throw new ArgumentError(
    `jacobian: ${shapeText(shape)} has a size known late; take it where the sizes are known`,
  );
}

/**
 * Hv for each of `wrt`, H the Hessian of the loss in all of them together and v `vectors`: the gradient of ⟨∇loss, v⟩, at the
 * cost of two reverse walks. Pearlmutter: "Fast exact multiplication by the Hessian", 1994.
 */
export function hessianVectorProducts(
  loss: Node,
  wrt: readonly (Node | State)[],
  vectors: readonly Node[],
  options: { allowUnused?: boolean } = {},
): Node[] {
  const first = gradients(loss, wrt, options);
  // Vectors that depend on the parameters count as constants: others stand for them until the gradient is built.
  const constants = vectors.map((vector) => parameter(vector, "vector"));
  const along = first.map((g, i) => sum(mul(g, constants[i]!))).reduce(add);
  return substitute(gradients(along, wrt, { allowUnused: true }), constants, vectors);
}
