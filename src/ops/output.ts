import { InternalError } from "../base/errors.ts";
import type { Node } from "../graph/node.ts";
import type { OutputOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";

export const outputOp: OutputOp = {
  name: "output",
  kind: "output",
  type([x], { index }) {
    const type = (x as Node).outputs?.[index];
    if (type === undefined) throw new InternalError(`output: there is no output ${index}`);
    return { shape: type.shape, dtype: type.dtype };
  },
  reference: () => {
    throw new InternalError("output: the interpreter picks outputs itself");
  },
};

/** One output of a node that has several. */
export const output = (node: Node, index: number): Node => makeNode(outputOp, [node], { index });
