/** What each kind of value asks of its operands: part of the kernel verifier. */
import { bytesOf, computeDType, isFloat, roundTo } from "../base/dtype.ts";
import type { BinaryOperator, ScalarDType, UnaryOperator } from "../graph/scalar.ts";
import type { Value } from "./kernel.ts";

/** The values a value is computed from. */
export function operandsOf(value: Value): readonly Value[] {
  switch (value.kind) {
    case "constant":
    case "index":
    case "register":
    case "combine":
      return [];
    case "load":
      return value.dynamic.map(({ index }) => index);
    case "unary":
    case "convert":
    case "bitcast":
    case "bytePairs":
    case "checkIndex":
      return [value.x];
    case "binary":
    case "compare":
      return [value.a, value.b];
    case "mulAdd":
    case "dotAdd":
      return [value.a, value.b, value.c];
    case "select":
      return [value.condition, value.a, value.b];
    case "check":
      return [value.condition, value.x];
  }
}

type Domain = "float" | "single" | "integer" | "number" | "bits";

const unaryDomain: Record<UnaryOperator, Domain> = {
  neg: "number",
  abs: "number",
  sqrt: "float",
  floor: "float",
  ceil: "float",
  trunc: "float",
  round: "float",
  not: "bits",
};

const binaryDomain: Record<BinaryOperator, Domain> = {
  add: "number",
  sub: "number",
  mul: "number",
  div: "number",
  remainder: "integer",
  min: "number",
  max: "number",
  and: "bits",
  or: "bits",
  xor: "bits",
  shiftLeft: "integer",
  shiftRight: "integer",
  scale: "single",
};

const domainHolds: Record<Domain, (dtype: ScalarDType) => boolean> = {
  float: isFloat,
  single: (dtype) => dtype === "f32",
  integer: (dtype) => dtype === "i32" || dtype === "u32",
  number: (dtype) => dtype !== "bool",
  bits: (dtype) => !isFloat(dtype),
};

/** Why the dtypes of a value and its operands do not fit, or undefined. */
export function dtypeFault(value: Value): string | undefined {
  const { dtype } = value;
  const same = (...operands: Value[]): string | undefined =>
    operands.some((x) => x.dtype !== dtype)
      ? `operands are ${operands.map((x) => x.dtype).join(", ")}, the value ${dtype}`
      : undefined;
  const domain = (wanted: Domain, name: string): string | undefined =>
    domainHolds[wanted](dtype) ? undefined : `${name} has no meaning for ${dtype}`;
  const is = (x: { dtype: ScalarDType }, wanted: ScalarDType, what: string): string | undefined =>
    x.dtype === wanted ? undefined : `${what} is ${x.dtype}, not ${wanted}`;
  switch (value.kind) {
    case "constant":
      return Object.is(roundTo(dtype, value.value), value.value)
        ? undefined
        : `${value.value} is no ${dtype}`;
    case "index":
      return is(value, "i32", "an index value");
    case "load":
      return is(value, computeDType(value.buffer.dtype), `a ${value.buffer.dtype} load`);
    case "unary":
      return same(value.x) ?? domain(unaryDomain[value.operator], value.operator);
    case "binary":
      return same(value.a, value.b) ?? domain(binaryDomain[value.operator], value.operator);
    case "compare":
      return (
        is(value, "bool", "a comparison") ??
        (value.a.dtype === value.b.dtype ? undefined : `operands are ${value.a.dtype} and ${value.b.dtype}`)
      );
    case "mulAdd":
      return same(value.a, value.b, value.c) ?? domain("number", "mulAdd");
    case "dotAdd":
      return same(value.a, value.b, value.c) ?? is(value, "i32", "a sum of products");
    case "bytePairs":
      return is(value, "i32", "a pair of bytes") ?? is(value.x, "i32", "a word of bytes");
    case "select":
      return is(value.condition, "bool", "the condition") ?? same(value.a, value.b);
    case "convert":
      return undefined;
    case "bitcast":
      return bytesOf(value.x.dtype) === bytesOf(dtype) && dtype !== "bool" && value.x.dtype !== "bool"
        ? undefined
        : `the bits of ${value.x.dtype} are no ${dtype}`;
    case "checkIndex":
      return is(value, "i32", "a checked index") ?? is(value.x, "i32", "the index");
    case "check":
      return is(value.condition, "bool", "the condition") ?? same(value.x);
    case "register":
      return is(value.register, dtype, `register ${value.register.name}`);
    case "combine":
      return is(value.register, dtype, `register ${value.register.name}`) ?? domain("number", "combine");
  }
}
