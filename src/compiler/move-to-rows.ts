/**
 * Values that a row kernel reads move into it, where the kernel that could compute them first had to put them into memory beside
 * what they are computed from: (x − mean) · scale, which layer norm has in hand and its gradient needs, or g · weight in the tail
 * of the product that makes g. The row kernel then reads x and g, and the others store less.
 *
 * Precondition: all roots are placed. Postcondition: as that of `clusters.ts`.
 */
import { elementCount } from "../base/shape.ts";
import { sameSize } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import { type Access, type Accesses, hasMemory } from "./access.ts";
import { type Cluster, type Fusion, type Level, readsOf } from "./clusters.ts";

export function moveToRows(fusion: Fusion, accesses: Accesses, wanted: ReadonlySet<Node>): void {
  const readers = new Map<Node, Node[]>();
  for (const reader of fusion.owner.keys()) {
    for (const { root } of readsOf(reader, accesses)) {
      const known = readers.get(root);
      if (known === undefined) readers.set(root, [reader]);
      else known.push(reader);
    }
  }
  for (const rows of new Set(fusion.owner.values()))
    if (walksRows(rows)) new RowKernel(rows, { fusion, accesses, wanted, readers }).fill();
}

/** A kernel that reduces its last axes, and nothing else. */
const walksRows = ({ kind, axes = [], domain, isCommit }: Cluster): boolean =>
  kind === "loops" &&
  !isCommit &&
  axes.length > 0 &&
  axes.every((axis, i) => axis === domain.length - axes.length + i);

interface Surroundings {
  readonly fusion: Fusion;
  readonly accesses: Accesses;
  readonly wanted: ReadonlySet<Node>;
  readonly readers: ReadonlyMap<Node, readonly Node[]>;
}

class RowKernel {
  private readonly rows: Cluster;
  private readonly surroundings: Surroundings;

  constructor(rows: Cluster, surroundings: Surroundings) {
    this.rows = rows;
    this.surroundings = surroundings;
  }

  /** Asks the clusters that it reads from, and those that it reads from then. */
  fill(): void {
    const { fusion } = this.surroundings;
    const asked = new Set([this.rows]);
    for (let from = this.producer(asked); from !== undefined; from = this.producer(asked)) {
      asked.add(from);
      const members = this.movable(from);
      if (!this.pays(members, from) || !this.fits(members)) continue;
      for (const member of members) {
        from.members.delete(member);
        this.rows.members.set(member, "full");
        fusion.owner.set(member, this.rows);
      }
      fusion.forget();
    }
  }

  private producer(asked: ReadonlySet<Cluster>): Cluster | undefined {
    for (const { root } of this.reads(this.rows.members.keys())) {
      const owner = this.surroundings.fusion.owner.get(root);
      if (owner !== undefined && !asked.has(owner) && owner.kind !== "single" && !owner.isCommit)
        return owner;
    }
    return undefined;
  }

  private reads(members: Iterable<Node>): readonly Access[] {
    return [...members].flatMap((member) => readsOf(member, this.surroundings.accesses));
  }

  /** Members of `from` that only the rows need, and sums down their columns. */
  private movable({ members }: Cluster): ReadonlySet<Node> {
    const { fusion, accesses, wanted, readers } = this.surroundings;
    const found = new Set<Node>();
    const isForRows = (reader: Node): boolean => {
      const owner = fusion.owner.get(reader)!;
      if (owner === this.rows || found.has(reader)) return true;
      return reader.op.kind === "reduce" && !members.has(reader) && !fusion.dependsOn(this.rows, owner);
    };
    for (const member of [...members.keys()].sort((a, b) => b.id - a.id)) {
      const isMap = member.op.kind === "elementwise" && !accesses.copies.has(member);
      if (!isMap || members.get(member) !== "full" || wanted.has(member)) continue;
      if (readers.get(member)?.every(isForRows)) found.add(member);
    }
    return found;
  }

  /** Whether fewer values go through memory then, and no more are read. */
  private pays(found: ReadonlySet<Node>, from: Cluster): boolean {
    const { fusion, wanted, readers } = this.surroundings;
    const leaves = (root: Node): boolean =>
      wanted.has(root) || readers.get(root)!.some((reader) => fusion.owner.get(reader) !== from);
    const sources = new Set(this.reads(found).map(({ root }) => root));
    const begin = [...sources].filter(
      (root) => from.members.get(root) === "full" && !found.has(root) && !leaves(root),
    );
    if (begin.length >= [...found].filter(leaves).length) return false;
    const own = [...this.rows.members.keys()];
    return this.streams([...own, ...found]) <= this.streams(own);
  }

  /** How many arrays as large as all rows are read by some members, beside what they make themselves. */
  private streams(members: readonly Node[]): number {
    const count = elementCount(this.rows.domain);
    const inside = new Set(members);
    const roots = this.reads(members).map(({ root }) => root);
    const isLarge = (root: Node): boolean => hasMemory(root) && sameSize(elementCount(root.shape), count);
    return new Set(roots.filter((root) => !inside.has(root) && isLarge(root))).size;
  }

  private fits(found: ReadonlySet<Node>): boolean {
    const { rows } = this;
    if (this.reads(found).some(({ root, isAgain }) => isAgain && rows.members.has(root))) return false;
    const levels = new Map<Node, Level>(rows.members);
    for (const member of found) levels.set(member, "full");
    return this.surroundings.fusion.fits([...levels.keys()], (root) => levels.get(root), rows, rows, levels);
  }
}
