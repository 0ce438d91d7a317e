/** Rules that labels must keep, checked while a step runs: one that is broken fails the step, which then changes nothing. */
import { check } from "../ops/index.ts";
import { type Tensor, where } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";

/** `values`, where `condition` holds for every element; else the step fails with `rule` and the element. */
export const checked = (values: Tensor, condition: Tensor, rule: string): Tensor =>
  fromNode(check(nodeOf(values), nodeOf(condition), rule));

/** Labels that are 1 or −1; others fail the step. */
export const signs = (what: string, labels: Tensor): Tensor =>
  checked(labels, labels.abs().equal(1), `${what}: labels must be 1 or -1`);

/** Below the smallest normal number a probability counts as 0. */
const smallestProbability = 1.2e-38;
/** −log of what counts as 0, as in PyTorch: large, but a number. */
const largestSurprise = 100;

/** −log p, where every p is from 0 to 1; else the step fails. Its gradient where p counts as 0 is 0. */
export function surpriseOfProbability(what: string, probabilities: Tensor): Tensor {
  const isProbability = probabilities.greaterEqual(0).and(probabilities.lessEqual(1));
  const p = checked(probabilities, isProbability, `${what}: probabilities must be from 0 to 1`);
  const isZero = p.less(smallestProbability);
  return where(isZero, largestSurprise, where(isZero, 1, p).log().neg());
}
