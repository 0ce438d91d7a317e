/** Numbers in 8 bits with a scale and a zero point: x ≈ (q − zero) · scale. */
import type { DType } from "../../base/dtype.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import type { Request, Row, Rows } from "../request.ts";

/** A scale or zero point, one for all or one for each place of an axis, at all elements. */
function spread(request: Request, vector: Node, x: Node): Node {
  if (vector.shape.length === 0) return ops.broadcastTo(vector, x.shape);
  if (vector.shape.length > 1) throw request.fail("scales in blocks are not supported");
  if (vector.shape[0] === 1) return ops.broadcastTo(ops.reshape(vector, []), x.shape);
  const axis = request.axis(request.integer("axis", 1), x.shape.length);
  const shape = x.shape.map((_, at) => (at === axis ? vector.shape[0]! : 1));
  return ops.broadcastTo(ops.reshape(vector, shape), x.shape);
}

const dequantize: Row = (request) => {
  const x = request.input(0);
  const scale = spread(request, request.input(1), x);
  const zero = request.optional(2);
  const centred = ops.cast(x, "i32");
  const whole = zero === undefined ? centred : ops.sub(centred, ops.cast(spread(request, zero, x), "i32"));
  return ops.mul(ops.cast(whole, scale.dtype), scale);
};

const limits: Partial<Record<DType, readonly [number, number]>> = { u8: [0, 255], i8: [-128, 127] };

function rounded(x: Node, zero: Node, dtype: DType): Node {
  const [low, high] = limits[dtype]!;
  const whole = ops.add(ops.round(x), ops.cast(zero, x.dtype));
  return ops.cast(ops.clamp(whole, ops.like(whole, low), ops.like(whole, high)), dtype);
}

const quantize: Row = (request) => {
  const x = request.input(0);
  const given = request.optional(2);
  const dtype = given?.dtype ?? "u8";
  if (limits[dtype] === undefined) throw request.fail(`${dtype} is not supported; 8-bit integers are`);
  const scale = spread(request, request.input(1), x);
  const zero = given === undefined ? ops.zerosLike(x) : spread(request, given, x);
  return rounded(ops.div(x, scale), zero, dtype);
};

/** To u8, by the range of x and 0. */
const dynamic: Row = (request) => {
  const x = request.input(0);
  const [low, high] = [ops.min(x), ops.max(x)];
  const zero = ops.zerosLike(low);
  const [least, most] = [ops.minimum(low, zero), ops.maximum(high, zero)];
  const scale = ops.div(ops.sub(most, least), ops.like(most, 255));
  const point = rounded(ops.div(ops.neg(least), scale), zero, "u8");
  const everywhere = (value: Node): Node => ops.broadcastTo(value, x.shape);
  return [rounded(ops.div(x, everywhere(scale)), everywhere(point), "u8"), scale, point];
};

export const quantization: Rows = {
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: dynamic,
  QuantizeLinear: quantize,
};
