/** Functions of the graph applied to tensors. */
import type { Node } from "../graph/node.ts";
import type { Tensor } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";

/** `op` of a tensor; what it throws on purpose names the layer and the user's line. */
export const onNode = (x: Tensor, op: (x: Node) => Node): Tensor => located(() => fromNode(op(nodeOf(x))));
