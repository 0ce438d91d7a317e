/**
 * Sums down the columns of values that another kernel makes or reads row by row: that kernel carries them along, and the
 * values are read once. The gradient of layer norm's weight and bias is such a sum beside the rows' own gradient. Where there
 * is no such kernel and much to read, one is made that only walks the rows.
 *
 * The carrying cluster leaves one partial sum for each part of the rows; the cluster of the sum itself then adds the parts.
 * Parts are blocks of the long sum's own tree (`long-sum.ts`): the order is the one it had alone.
 *
 * Precondition: all roots are placed. Postcondition: as that of `clusters.ts`; a carried sum stays in its own cluster,
 * whose full members have moved to the one that carries it.
 */
import { elementCount } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import type { View } from "../graph/view.ts";
import { type Accesses, hasMemory } from "./access.ts";
import { type Cluster, type Fusion, keptShape, type Level, memberViews, readsOf } from "./clusters.ts";
import { collapseDomain } from "./domain.ts";
import { blockSteps } from "./long-sum.ts";

/** Below these a kernel of its own costs nothing that shows; above `mostColumns` partial sums leave the cache. */
const limits = { elements: 16_384, parts: 4, leastColumns: 32, mostColumns: 16_384 };

/** Elements from which on rows are walked for sums alone: where values are stored on the way, and where none are. */
const walked = { stored: 65_536, read: 2 ** 21 };

/** Rows of one part: a power of the block, so that parts add up as blocks would, with enough parts for threads. */
export function rowsOfPart(rows: number): number | undefined {
  if (rows % blockSteps !== 0 || rows / blockSteps < limits.parts) return undefined;
  let part = blockSteps;
  while (rows % (part * blockSteps) === 0 && rows / (part * blockSteps) >= blockSteps) part *= blockSteps;
  return part;
}

/** The axes that a carrying cluster walks within a row: its reduced ones, or those of its columns. */
export function axesWithinRow({ domain, axes, carried }: Cluster): readonly number[] {
  if (axes !== undefined || carried === undefined) return axes ?? [];
  let [first, rows] = [0, 1];
  while (rows < carried.rows) rows *= domain[first++] as number;
  return domain.map((_, axis) => axis).slice(first);
}

/** A cluster that sums down columns, and nothing else that needs all of its rows at once. */
interface ColumnSums {
  readonly cluster: Cluster;
  readonly rows: number;
  readonly columns: number;
  readonly reductions: readonly Node[];
  /** What the sums are of. */
  readonly full: readonly Node[];
}

export function carrySums(fusion: Fusion, accesses: Accesses): void {
  const clusters = [...new Set(fusion.owner.values())];
  const sums = clusters.flatMap((cluster) => columnSumsOf(cluster, accesses) ?? []);
  if (sums.length === 0) return;
  const readers = readersOf(clusters, accesses);
  for (const sum of sums) {
    const candidates = carriersOf(sum, fusion, accesses, readers);
    if (walksRows(sum)) candidates.push(rowsOf(sum));
    const carrier = candidates.find((cluster) => carries(cluster, sum, fusion, accesses));
    if (carrier === undefined) continue;
    attach(sum, carrier, fusion);
    // Other sums of the same values may join.
    for (const member of [...sum.full, ...sum.reductions]) addReader(readers, member, carrier, accesses);
  }
}

/**
 * Whether rows are walked one after the other though nobody else walks them. Columns side by side keep their sums in
 * registers, but touch a line here and there: too slow where lines come from memory, and where values are stored on the way.
 */
function walksRows({ rows, columns, full }: ColumnSums): boolean {
  return rows * columns >= (full.length > 0 ? walked.stored : walked.read);
}

/** A cluster that makes nothing but the sums; what they are of moves there. */
const rowsOf = ({ cluster: { domain } }: ColumnSums): Cluster => ({
  kind: "loops",
  domain,
  axes: undefined,
  members: new Map(),
  isCommit: false,
});

function columnSumsOf(cluster: Cluster, accesses: Accesses): ColumnSums | undefined {
  const { domain, axes, members } = cluster;
  const isPlain = cluster.kind === "loops" && !cluster.isCommit && cluster.carried === undefined;
  if (!isPlain || axes === undefined || axes.some((axis, i) => axis !== i)) return undefined;
  const [rows, columns] = [productOf(domain.slice(0, axes.length)), productOf(keptShape(domain, axes))];
  if (rows === undefined || columns === undefined || rowsOfPart(rows) === undefined) return undefined;
  if (rows * columns < limits.elements || columns < limits.leastColumns || columns > limits.mostColumns)
    return undefined;
  const isReduction = (root: Node): boolean => root.op.kind === "reduce" && !accesses.copies.has(root);
  const reductions = [...members.keys()].filter(isReduction);
  const full = [...members.keys()].filter((root) => members.get(root) === "full");
  const needsSums = [...full, ...reductions].some((root) =>
    readsOf(root, accesses).some((read) => members.get(read.root) === "row"),
  );
  return needsSums ? undefined : { cluster, rows, columns, reductions, full };
}

/** The product of sizes that are all known. */
function productOf(shape: Cluster["domain"]): number | undefined {
  const count = elementCount(shape);
  return typeof count === "number" ? count : undefined;
}

type Readers = Map<Node, Set<Cluster>>;

function readersOf(clusters: readonly Cluster[], accesses: Accesses): Readers {
  const readers: Readers = new Map();
  for (const cluster of clusters) {
    if (cluster.kind !== "loops" || cluster.isCommit) continue;
    for (const member of cluster.members.keys()) addReader(readers, member, cluster, accesses);
  }
  return readers;
}

function addReader(readers: Readers, member: Node, cluster: Cluster, accesses: Accesses): void {
  for (const { root } of readsOf(member, accesses))
    readers.set(root, (readers.get(root) ?? new Set()).add(cluster));
}

/** Clusters that have in hand, element by element, something that the sums are of: those with rows of their own first. */
function carriersOf(
  { cluster, rows, columns, reductions, full }: ColumnSums,
  fusion: Fusion,
  accesses: Accesses,
  readers: Readers,
): Cluster[] {
  const found = new Set<Cluster>();
  for (const { root } of [...full, ...reductions].flatMap((member) => readsOf(member, accesses))) {
    if (elementCount(root.shape) !== rows * columns || !hasMemory(root)) continue;
    const owner = fusion.owner.get(root);
    if (owner !== undefined && owner.members.get(root) === "full") found.add(owner);
    for (const reader of readers.get(root) ?? []) found.add(reader);
  }
  found.delete(cluster);
  return [...found].sort((a, b) => Number(b.axes !== undefined) - Number(a.axes !== undefined));
}

function carries(carrier: Cluster, sum: ColumnSums, fusion: Fusion, accesses: Accesses): boolean {
  const { cluster, rows, columns, full, reductions } = sum;
  if (carrier.kind !== "loops" || carrier.isCommit || carrier.carriedBy !== undefined) return false;
  if (elementCount(carrier.domain) !== rows * columns) return false;
  const { carried = { rows, sums: [] } } = carrier;
  if (carried.rows !== rows || !hasRows(carrier, rows)) return false;
  const within = axesWithinRow({ ...carrier, carried });
  const views: View[] = [];
  const collect = (member: Node, level: Level | undefined): boolean => {
    const found = memberViews(member, level, carrier, accesses);
    if (found !== undefined) views.push(...found);
    return found !== undefined;
  };
  const fits =
    [...carrier.members].every(([member, level]) => collect(member, level)) &&
    full.every((member) => collect(member, "full")) &&
    [...carried.sums, ...reductions].every((member) => collect(member, undefined));
  if (!fits || collapseDomain(carrier.domain, within, views).sizes.length !== 2) return false;
  const levels = new Map(full.map((member) => [member, "full"] as const));
  if (!fusion.fits([...full, ...reductions], () => "full", carrier, carrier, levels)) return false;
  if (fusion.dependsOn(carrier, cluster)) return false;
  const producers = [...full, ...reductions].flatMap((member) =>
    readsOf(member, accesses).map(({ root }) => fusion.owner.get(root)),
  );
  return producers.every(
    (producer) =>
      producer === undefined ||
      producer === carrier ||
      producer === cluster ||
      !fusion.dependsOn(producer, carrier),
  );
}

/** Whether the leading axes make up `rows`, and just the others (if any) are reduced. */
function hasRows({ domain, axes }: Cluster, rows: number): boolean {
  let [first, product] = [0, 1];
  while (product < rows && first < domain.length) product *= domain[first++] as number;
  const isTrailing = (reduced: readonly number[]): boolean =>
    reduced.length === domain.length - first && reduced.every((axis, i) => axis === first + i);
  return product === rows && (axes === undefined || isTrailing(axes));
}

function attach({ cluster, rows, full, reductions }: ColumnSums, carrier: Cluster, fusion: Fusion): void {
  carrier.carried ??= { rows, sums: [] };
  carrier.carried.sums.push(...reductions);
  for (const member of full) {
    cluster.members.delete(member);
    carrier.members.set(member, "full");
    fusion.owner.set(member, carrier);
  }
  cluster.domain = [rows / rowsOfPart(rows)!, ...keptShape(cluster.domain, cluster.axes!)];
  cluster.axes = [0];
  cluster.carriedBy = carrier;
  fusion.forget();
}
