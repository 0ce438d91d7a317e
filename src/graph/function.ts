/** A traced function, pure: (parameters, states) → (results, new values of states). What a device compiles and runs. */
import { type Dimension, dimensionsOf } from "../base/size.ts";
import { type Node, topologicalOrder } from "./node.ts";
import type { State } from "./state.ts";

export interface GraphFunction {
  readonly name: string;
  /** Source nodes of kind "parameter" (the call's arguments) and "buffer" (values computed by earlier runs), in call order. */
  readonly parameters: readonly Node[];
  readonly results: readonly Node[];
  readonly assignments: readonly (readonly [State, Node])[];
}

/** Everything a function computes, its assigned values included. */
export const rootsOf = (fn: GraphFunction): readonly Node[] => [
  ...fn.results,
  ...fn.assignments.map(([, node]) => node),
];

/** The Dimensions that any of its shapes mentions. */
export function functionDimensions(fn: GraphFunction): readonly Dimension[] {
  const nodes = topologicalOrder([...rootsOf(fn), ...fn.parameters]);
  return [...new Set(nodes.flatMap((node) => node.shape.flatMap((size) => dimensionsOf(size))))];
}
