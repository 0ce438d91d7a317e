/** Rules that labels must keep, checked while a step runs: one that is broken fails the step, which then changes nothing. */
import { check } from "../ops/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";

/** `values`, where `condition` holds for every element; else the step fails with `rule` and the element. */
export const checked = (values: Tensor, condition: Tensor, rule: string): Tensor =>
  fromNode(check(nodeOf(values), nodeOf(condition), rule));
