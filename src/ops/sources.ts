/** Ops without inputs: constants, arrays, counters, parameters, values in device memory. States are in `state.ts`. */
import { type DType, decode, roundTo } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { normalizeAxis, type Shape } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import type { SourceOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { dense } from "./rules.ts";

type Constant = { value: number; dtype: DType };

export const constantOp: SourceOp<Constant> = {
  name: "constant",
  kind: "source",
  source: "constant",
  type: (_inputs, { dtype }) => ({ shape: [], dtype }),
  reference: (_inputs, { value }, { outputs: [out] }) => [dense(out!, () => value)],
};

/**
 * A 0-d constant, rounded to `dtype`. Equal bits give the same node of a trace.
 *
 * @example scalar(0.5, "f32") // ()
 */
export const scalar = (value: number, dtype: DType): Node =>
  makeNode(constantOp, [], { value: roundTo(dtype, value), dtype });

export const arrayOp: SourceOp<{ array: HostArray }> = {
  name: "array",
  kind: "source",
  source: "array",
  type: (_inputs, { array }) => ({ shape: array.shape, dtype: array.dtype }),
  reference: (_inputs, { array }) => [
    { shape: array.shape, dtype: array.dtype, data: decode(array.dtype, array.data) },
  ],
};

/** Numbers of the host as a constant of the graph. Interned by the identity of their data, which must not change. */
export const array = (value: HostArray): Node => makeNode(arrayOp, [], { array: value });

type Iota = { shape: Shape; axis: number; dtype: DType };

export const iotaOp: SourceOp<Iota> = {
  name: "iota",
  kind: "source",
  source: "iota",
  type: (_inputs, { shape, dtype }) => ({ shape, dtype }),
  reference: (_inputs, { axis }, { outputs: [out] }) => [dense(out!, (index) => index[axis]!)],
};

/** Each element is its index along `axis`: 0, 1, 2 … */
export function iota(shape: Shape, axis: number, dtype: DType = "i32"): Node {
  return makeNode(iotaOp, [], { shape, axis: normalizeAxis(axis, shape.length, "iota"), dtype });
}

type Parameter = { shape: Shape; dtype: DType; name: string; owner: object };

export const parameterOp: SourceOp<Parameter> = {
  name: "parameter",
  kind: "source",
  source: "parameter",
  type: (_inputs, { shape, dtype }) => ({ shape, dtype }),
  reference: (_inputs, { name }) => {
    throw new InternalError(`parameter "${name}" has no value: it was not bound by its function or region`);
  },
};

/** An argument of a function or region: each call makes a new node. */
export function parameter(type: { shape: Shape; dtype: DType }, name = "x"): Node {
  return makeNode(parameterOp, [], { shape: type.shape, dtype: type.dtype, name, owner: new Owner() });
}

/** Tells one parameter from the next of the same type: attributes that are instances compare by identity. */
class Owner {}

type Stored = { storage: object; shape: Shape; dtype: DType };

export const bufferOp: SourceOp<Stored> = {
  name: "buffer",
  kind: "source",
  source: "buffer",
  type: (_inputs, { shape, dtype }) => ({ shape, dtype }),
  reference: () => {
    throw new InternalError("a buffer has no value: it was not bound by its function");
  },
};

/** A value that an earlier run left in device memory. Interned by the identity of the storage. */
export const buffer = (storage: object, type: { shape: Shape; dtype: DType }): Node =>
  makeNode(bufferOp, [], { storage, shape: type.shape, dtype: type.dtype });
