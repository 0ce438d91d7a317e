/**
 * Products in a row, each of which reads by rows what the one just before wrote (the layers of a network): where each thread keeps
 * the same rows all along, it need not wait for others.
 */
import type { Node } from "../graph/node.ts";
import type { View } from "../graph/view.ts";
import type { DotAxes } from "../ops/index.ts";
import type { Accesses } from "./access.ts";
import type { Cluster } from "./clusters.ts";

/** Marks the clusters of such products; `clusters` are in the order in which they run. */
export function findProductChains(clusters: readonly Cluster[], accesses: Accesses): void {
  for (const [i, cluster] of clusters.entries()) {
    const before = clusters[i - 1];
    if (cluster.kind !== "dot" || before?.kind !== "dot") continue;
    const dot = [...cluster.members.keys()].find(({ op }) => op.kind === "dot") as Node<DotAxes>;
    const { root, view } = accesses.inMemory(dot.inputs[0]!);
    if (!before.members.has(root) || dot.attributes.batch > 0 || !isByRows(view)) continue;
    before.keepsRows = true;
    cluster.keepsRows = true;
  }
}

/** Whether rows lie one after the other. */
const isByRows = ({ strides: [row, ...others] }: View): boolean =>
  typeof row === "number" && others.every((stride) => typeof stride === "number" && stride < row);
