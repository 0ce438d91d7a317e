/** From tensors to nodes, wherever they were made. */
import type { Node } from "../graph/node.ts";
import { buffer } from "../ops/index.ts";
import { evaluate } from "./eager.ts";
import { type Handle, handleOf } from "./handle.ts";
import type { Tensor } from "./tensor.ts";
import { compiledTrace, escaped } from "./tracing.ts";

/**
 * The node of a tensor in the trace that is current. Inside a compiled function a tensor from outside is a value: what it is
 * when the function is traced.
 *
 * @throws ArgumentError for a tensor that was made in another traced function and left it without being returned
 */
export function nodeOf(tensor: Tensor): Node {
  const handle = handleOf(tensor).now();
  const { trace } = handle;
  if (trace === undefined || trace.kind === "region") return handle.node;
  const compiling = compiledTrace();
  if (trace === (compiling ?? trace)) return handle.node;
  if (trace.kind === "compiled") throw escaped(handle.node);
  return captured(handle);
}

function captured(handle: Handle): Node {
  evaluate([handle]);
  return buffer(handle.value!, handle.value!);
}
