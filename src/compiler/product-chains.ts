/**
 * Products in a row, each of which reads by rows what the one before wrote (the layers of a network): where each thread keeps the
 * same rows all along, it need not wait for others.
 */
import type { Node } from "../graph/node.ts";
import type { View } from "../graph/view.ts";
import type { DotAxes } from "../ops/index.ts";
import type { Accesses } from "./access.ts";
import type { Cluster } from "./clusters.ts";

/** Marks the clusters of such products. */
export function findProductChains(clusters: readonly Cluster[], accesses: Accesses): void {
  const owners = new Map<Node, Cluster>();
  const products = clusters.filter(({ kind }) => kind === "dot");
  for (const cluster of products) for (const member of cluster.members.keys()) owners.set(member, cluster);
  for (const cluster of products) {
    const dot = [...cluster.members.keys()].find(({ op }) => op.kind === "dot") as Node<DotAxes>;
    const { root, view } = accesses.inMemory(dot.inputs[0]!);
    const before = owners.get(root);
    if (before === undefined || dot.attributes.batch > 0 || !isByRows(view)) continue;
    before.keepsRows = true;
    cluster.keepsRows = true;
  }
}

/** Whether rows lie one after the other. */
const isByRows = ({ strides: [row, ...others] }: View): boolean =>
  typeof row === "number" && others.every((stride) => typeof stride === "number" && stride < row);
