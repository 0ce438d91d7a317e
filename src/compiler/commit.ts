/**
 * Which nodes only the new values of states need: an optimizer's arithmetic. They are fused among themselves, so that
 * the update of a parameter is one kernel that reads gradient and state and writes state: the commit.
 */
import type { Node } from "../graph/node.ts";
import type { Wanted } from "./lower-program.ts";

const isPlain = (node: Node): boolean => node.op.kind === "elementwise" || node.op.kind === "movement";

/** `order` lists inputs before users. */
export function findCommitOnly(order: readonly Node[], wanted: readonly Wanted[]): ReadonlySet<Node> {
  const users = new Map<Node, Node[]>();
  for (const node of order)
    for (const input of node.inputs) users.set(input, [...(users.get(input) ?? []), node]);
  const results = new Set(wanted.filter(({ state }) => state === undefined).map(({ node }) => node));
  const assigned = new Set(wanted.filter(({ state }) => state !== undefined).map(({ node }) => node));
  const commitOnly = new Set<Node>();
  for (const node of [...order].reverse()) {
    if (!isPlain(node) || results.has(node)) continue;
    const readers = users.get(node) ?? [];
    const isNeeded = readers.length > 0 || assigned.has(node);
    if (isNeeded && readers.every((reader) => commitOnly.has(reader))) commitOnly.add(node);
  }
  return commitOnly;
}
