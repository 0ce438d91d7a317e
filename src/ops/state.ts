/** Reading and assigning states on the current trace. Program order is the meaning (`graph/state.ts`). */
import { DTypeError, InternalError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import type { SourceOp } from "../graph/op.ts";
import { captureOrigin } from "../graph/origin.ts";
import type { State } from "../graph/state.ts";
import { currentTrace, makeNode } from "../graph/trace.ts";
import { shapesAgree } from "./rules.ts";

export const stateOp: SourceOp<{ state: State }> = {
  name: "state",
  kind: "source",
  source: "state",
  type: (_inputs, { state }) => ({ shape: state.shape, dtype: state.dtype }),
  reference: (_inputs, { state }) => {
    throw new InternalError(`state "${state.name}" was not bound by the interpreter`);
  },
};

/**
 * The value of a state at this moment of the program: what was last assigned in this trace, else what it held when the
 * trace began.
 */
export function readState(state: State): Node {
  const trace = currentTrace();
  const known = trace.assigned.get(state) ?? trace.reads.get(state);
  if (known !== undefined) return known;
  const node = trace.readOuter?.(state) ?? makeNode(stateOp, [], { state });
  trace.reads.set(state, node);
  return node;
}

/**
 * Makes the name point at a new value: later reads see it, earlier ones keep what they saw.
 *
 * @throws ShapeError, DTypeError when the value is not of the state's type
 */
export function assignState(state: State, value: Node): void {
  const name = `state "${state.name}"`;
  if (!shapesAgree(state.shape, value.shape)) {
    const shapes = `${shapeText(state.shape)}, got ${shapeText(value.shape)}`;
    throw new ShapeError(`${name} has shape ${shapes}: a state keeps its shape`);
  }
  if (state.dtype !== value.dtype)
    throw new DTypeError(`${name} is ${state.dtype}, got ${value.dtype}: cast the value first`);
  const trace = currentTrace();
  trace.assigned.set(state, value);
  trace.assignedAt.set(state, captureOrigin());
}
