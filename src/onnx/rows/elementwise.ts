/** Operators that act on elements. */
import { isFloat, isInteger } from "../../base/dtype.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { broadcast, type Request, type Row, type Rows } from "../request.ts";

const unary =
  (op: (x: Node) => Node): Row =>
  (request) =>
    op(request.input(0));

const binary =
  (op: (a: Node, b: Node) => Node): Row =>
  (request) => {
    const [a, b] = broadcast(request.input(0), request.input(1));
    return op(a!, b!);
  };

/** Of one input or more. */
const folded =
  (op: (a: Node, b: Node) => Node): Row =>
  (request) =>
    broadcast(...request.inputs()).reduce(op);

/** Integers are divided exactly, and rounded towards 0. */
function divided(a: Node, b: Node): Node {
  if (isFloat(a.dtype)) return ops.div(a, b);
  const quotient = ops.div(ops.cast(a, "f64"), ops.cast(b, "f64"));
  return ops.cast(ops.trunc(quotient), a.dtype);
}

const power: Row = (request) => {
  const base = request.input(0);
  const exponent = request.maybeConstant(1);
  const float = isFloat(base.dtype) ? base : ops.cast(base, "f64");
  const back = (x: Node): Node => ops.cast(x, base.dtype);
  // Small whole exponents are products: exact, and with a gradient at 0.
  const value =
    exponent?.data.length === 1 && exponent.shape.length <= base.shape.length
      ? Number(exponent.data[0])
      : NaN;
  const isPlain = exponent !== undefined && exponent.dtype !== "f16" && exponent.dtype !== "bf16";
  if (isPlain && value === 2) return back(ops.mul(float, float));
  if (isPlain && value === 3) return back(ops.mul(ops.mul(float, float), float));
  if (isPlain && value === 0.5) return back(ops.sqrt(float));
  const [a, b] = broadcast(float, ops.cast(request.input(1), float.dtype));
  return back(ops.pow(a!, b!));
};

const clip: Row = (request) => {
  const x = request.input(0);
  if (request.opset < 11) {
    const [low, high] = [request.float("min", -Infinity), request.float("max", Infinity)];
    return ops.clamp(x, ops.like(x, low), ops.like(x, high));
  }
  const limit = (index: number): Node | undefined => {
    const given = request.optional(index);
    return given && ops.broadcastTo(ops.reshape(given, []), x.shape);
  };
  return ops.clamp(x, limit(1), limit(2));
};

const modulo: Row = (request) => {
  const [a, b] = broadcast(request.input(0), request.input(1));
  return (request.flag("fmod") ? ops.fmod : ops.remainder)(a!, b!);
};

/** What is not 0 is true. */
const castTo = (x: Node, dtype: Parameters<typeof ops.cast>[1]): Node =>
  dtype === "bool" && x.dtype !== "bool" ? ops.notEqual(x, ops.zerosLike(x)) : ops.cast(x, dtype);

const isInfinite: Row = (request) => {
  const x = request.input(0);
  const at = (value: number): Node => ops.equal(x, ops.like(x, value));
  const found = [
    ...(request.flag("detect_positive", true) ? [at(Infinity)] : []),
    ...(request.flag("detect_negative", true) ? [at(-Infinity)] : []),
  ];
  return found.length === 0 ? ops.full(x.shape, 0, "bool") : found.reduce(ops.or);
};

const hardSigmoid: Row = (request) => {
  const x = request.input(0);
  const line = ops.add(
    ops.mul(x, ops.like(x, request.float("alpha", 0.2))),
    ops.like(x, request.float("beta", 0.5)),
  );
  return ops.hardTanh(line, 0, 1);
};

const shrink: Row = (request) => {
  const x = request.input(0);
  const [lambda, bias] = [request.float("lambd", 0.5), ops.like(x, request.float("bias", 0))];
  const below = ops.select(ops.less(x, ops.like(x, -lambda)), ops.add(x, bias), ops.zerosLike(x));
  return ops.select(ops.greater(x, ops.like(x, lambda)), ops.sub(x, bias), below);
};

const where: Row = (request) => {
  const [condition, a, b] = broadcast(request.input(0), request.input(1), request.input(2));
  return ops.select(condition!, a!, b!);
};

/** As in evaluation: nothing is dropped. */
const dropout: Row = (request) => {
  const x = request.input(0);
  return [x, request.wants(1) ? ops.full(x.shape, 1, "bool") : undefined];
};

const shifted: Row = (request) => {
  const [a, b] = broadcast(request.input(0), request.input(1));
  return (request.string("direction", "LEFT") === "LEFT" ? ops.shiftLeft : ops.shiftRight)(a!, b!);
};

const average: Row = (request) => {
  const all = broadcast(...request.inputs());
  const total = all.reduce(ops.add);
  return ops.div(total, ops.like(total, all.length));
};

const requireBits = (request: Request): Request => {
  if (request.inputs().every(({ dtype }) => isInteger(dtype))) return request;
  throw request.fail("takes integers");
};

const bits =
  (op: (a: Node, b: Node) => Node): Row =>
  (request) =>
    binary(op)(requireBits(request));

export const elementwise: Rows = {
  Abs: unary(ops.abs),
  Acos: unary(ops.acos),
  Acosh: unary(ops.acosh),
  Add: binary(ops.add),
  And: binary(ops.and),
  Asin: unary(ops.asin),
  Asinh: unary(ops.asinh),
  Atan: unary(ops.atan),
  Atanh: unary(ops.atanh),
  BitShift: shifted,
  BitwiseAnd: bits(ops.and),
  BitwiseOr: bits(ops.or),
  BitwiseXor: bits(ops.xor),
  Cast: (request) => castTo(request.input(0), request.dtype("to", "f32")),
  CastLike: (request) => castTo(request.input(0), request.input(1).dtype),
  Ceil: unary(ops.ceil),
  Celu: (request) => ops.celu(request.input(0), request.float("alpha", 1)),
  Clip: clip,
  Cos: unary(ops.cos),
  Cosh: unary(ops.cosh),
  Div: binary(divided),
  Dropout: dropout,
  Elu: (request) => ops.elu(request.input(0), request.float("alpha", 1)),
  Equal: binary(ops.equal),
  Erf: unary(ops.erf),
  Exp: unary(ops.exp),
  Floor: unary(ops.floor),
  Gelu: (request) =>
    (request.string("approximate", "none") === "tanh" ? ops.geluTanh : ops.gelu)(request.input(0)),
  Greater: binary(ops.greater),
  GreaterOrEqual: binary(ops.greaterEqual),
  HardSigmoid: hardSigmoid,
  HardSwish: unary(ops.hardSwish),
  Identity: (request) => request.value(0),
  IsInf: isInfinite,
  IsNaN: unary((x) => ops.notEqual(x, x)),
  LeakyRelu: (request) => ops.leakyRelu(request.input(0), request.float("alpha", 0.01)),
  Less: binary(ops.less),
  LessOrEqual: binary(ops.lessEqual),
  Log: unary(ops.log),
  Max: folded(ops.maximum),
  Mean: average,
  Min: folded(ops.minimum),
  Mish: unary(ops.mish),
  Mod: modulo,
  Mul: binary(ops.mul),
  Neg: unary(ops.neg),
  Not: unary(ops.not),
  Or: binary(ops.or),
  PRelu: (request) => {
    const x = request.input(0);
    return ops.parametricRelu(x, ops.broadcastTo(request.input(1), x.shape));
  },
  Pow: power,
  Reciprocal: unary((x) => ops.div(ops.like(x, 1), x)),
  Relu: unary(ops.relu),
  Round: unary(ops.round),
  Selu: (request) => {
    const x = request.input(0);
    const scale = request.float("gamma", 1.0507009873554805);
    return ops.mul(ops.elu(x, request.float("alpha", 1.6732632423543772)), ops.like(x, scale));
  },
  Shrink: shrink,
  Sigmoid: unary(ops.sigmoid),
  Sign: unary(ops.sign),
  Sin: unary(ops.sin),
  Sinh: unary(ops.sinh),
  Softplus: unary(ops.softplus),
  Softsign: unary(ops.softsign),
  Sqrt: unary(ops.sqrt),
  Sub: binary(ops.sub),
  Sum: folded(ops.add),
  Swish: (request) => {
    const x = request.input(0);
    return ops.mul(x, ops.sigmoid(ops.mul(x, ops.like(x, request.float("alpha", 1)))));
  },
  Tan: unary(ops.tan),
  Tanh: unary(ops.tanh),
  ThresholdedRelu: (request) => {
    const x = request.input(0);
    return ops.select(ops.greater(x, ops.like(x, request.float("alpha", 1))), x, ops.zerosLike(x));
  },
  Where: where,
  Xor: binary(ops.xor),
};
