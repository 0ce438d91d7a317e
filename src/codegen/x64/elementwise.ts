/** Values that are computed lane by lane from their operands alone. */
import { InternalError } from "../../base/errors.ts";
import type { Value } from "../../ir/kernel.ts";
import type { Lanes, Vectors } from "./lanes.ts";

/** What needs no memory, register, index or report. */
export function computeElementwise(lanes: Lanes, value: Value, operands: readonly Vectors[]): Vectors {
  const [a, b, c] = operands as [Vectors, Vectors, Vectors];
  switch (value.kind) {
    case "unary":
      return lanes.unary(value.operator, value.dtype, a);
    case "binary":
      return lanes.binary(value.operator, value.dtype, a, b, {
        a: constantOf(value.a),
        b: constantOf(value.b),
      });
    case "compare":
      return [lanes.compare(value.operator, value.a.dtype, a, b)];
    case "mulAdd":
      return lanes.mulAdd(value.dtype, a, b, c);
    case "dotAdd":
      return lanes.dotAdd(value.parts, a[0]!, b[0]!, c[0]!);
    case "bytePairs":
      return [lanes.bytePairs(value.which, value.isSigned, a[0]!)];
    case "select":
      return lanes.select(value.dtype, a[0]!, b, c);
    case "convert":
      return lanes.convert(value.x.dtype, value.dtype, a);
    case "bitcast":
      return lanes.bitcast(value.x.dtype, value.dtype, a);
    default:
      throw new InternalError(`${value.kind} is not elementwise`);
  }
}

const constantOf = (value: Value): number | undefined =>
  value.kind === "constant" ? value.value : undefined;
