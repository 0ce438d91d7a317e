/**
 * Fusion: groups roots into clusters that become one kernel each.
 *
 * A cluster iterates over one `domain`. With reduced `axes` it has two levels: `full` members have a value at every point
 * of the domain, `row` members one for each point of the axes that are kept. A value passes from member to member without
 * memory when producer and consumer stand at the same position; everything else goes through a buffer.
 *
 * Precondition: accesses resolved. Postcondition: every root that computes is in exactly one cluster, the clusters'
 * dependencies have no cycle, and every access of a member can be embedded in its cluster's domain.
 */
import { elementCount, type Shape, stridesOf } from "../base/shape.ts";
import { maxOf, type Size, sameSize } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import { contiguousView, reshapeView, type View } from "../graph/view.ts";
import { type Access, type Accesses, hasMemory } from "./access.ts";

export type Level = "full" | "row";

export interface Cluster {
  readonly kind: "loops" | "dot" | "single";
  /** Without axes of size 1. */
  domain: Shape;
  /** Reduced axes of the domain, sorted; undefined while nothing is reduced. */
  axes: readonly number[] | undefined;
  readonly members: Map<Node, Level>;
  /** Members that only new values of states need: they become the commit. */
  readonly isCommit: boolean;
  /** Sums down the columns of this cluster's rows that it carries along: their own clusters add its partial sums. */
  carried?: { readonly rows: number; readonly sums: Node[] };
  /** Of a contraction: what computes its operands as they are loaded (`operand-producers.ts`). */
  operands?: readonly OperandProducer[];
  /** Of a contraction: one in a row that go on with each other's rows (`product-chains.ts`). */
  keepsRows?: boolean;
  /** The cluster that leaves partial sums of all of this one's reductions: the domain is (parts, columns). */
  carriedBy?: Cluster;
}

/** Members of no cluster that compute an operand of a contraction, and the one whose value it is. */
export interface OperandProducer {
  readonly root: Node;
  readonly members: readonly Node[];
}

/** From so many results on, a contraction's tail may have this cost and read so many arrays of the results' size. */
const tailLimits = { elements: 64 * 1024, cost: 16, streams: 1 };

const withoutOnes = (shape: Shape): Shape => shape.filter((size) => size !== 1);

/** What a root reads. */
export function readsOf(root: Node, accesses: Accesses): readonly Access[] {
  let reads = accesses.reads.get(root);
  if (reads === undefined) accesses.reads.set(root, (reads = findReads(root, accesses)));
  return reads;
}

function findReads(root: Node, accesses: Accesses): readonly Access[] {
  if (accesses.copies.has(root)) return [accesses.of(root)];
  const { kind } = root.op;
  const fuses = kind === "elementwise" || kind === "reduce";
  return root.inputs.map((input) => (fuses ? accesses.of(input) : accesses.inMemory(input)));
}

/** The axes a row member's value varies over. */
export const keptShape = (domain: Shape, axes: readonly number[]): Shape =>
  domain.filter((_, i) => !axes.includes(i));

/** A view of a member's shape as strides over the domain (0 on reduced axes for row members), or undefined. */
export function embed(
  view: View,
  level: Level,
  domain: Shape,
  axes: readonly number[] | undefined,
): View | undefined {
  if (level === "full") return reshapeView(view, domain);
  const kept = reshapeView(view, keptShape(domain, axes!));
  return kept && spreadOverDomain(kept, domain, axes!);
}

function spreadOverDomain(kept: View, domain: Shape, axes: readonly number[]): View {
  let next = 0;
  const strides = domain.map((_, i): Size => (axes.includes(i) ? 0 : kept.strides[next++]!));
  return { shape: domain, strides, offset: kept.offset };
}

/** Where a member's own value lies, as a view over the domain: its position. */
export function positionView(level: Level, domain: Shape, axes: readonly number[] | undefined): View {
  if (level === "full") return contiguousView(domain);
  const kept = keptShape(domain, axes!);
  return spreadOverDomain({ shape: kept, strides: stridesOf(kept), offset: 0 }, domain, axes!);
}

/**
 * A member's position and what it reads, as views over the domain; undefined where one does not fit. A sum that is only
 * carried has no level, and no position.
 */
export function memberViews(
  member: Node,
  level: Level | undefined,
  { domain, axes }: Pick<Cluster, "domain" | "axes">,
  accesses: Accesses,
): View[] | undefined {
  const isReduction = member.op.kind === "reduce" && !accesses.copies.has(member);
  const views = readsOf(member, accesses).map(({ view }) =>
    embed(view, isReduction ? "full" : level!, domain, axes),
  );
  if (views.some((view) => view === undefined)) return undefined;
  const own = level === undefined ? [] : [positionView(level, domain, axes)];
  return [...own, ...(views as View[])];
}

const sameView = (a: View, b: View): boolean =>
  sameSize(a.offset, b.offset) && a.strides.every((stride, i) => sameSize(stride, b.strides[i]!));

export class Fusion {
  private readonly accesses: Accesses;
  private readonly commitOnly: ReadonlySet<Node>;
  readonly owner = new Map<Node, Cluster>();
  private readonly knownProducers = new Map<Cluster, Set<Cluster>>();

  constructor(accesses: Accesses, commitOnly: ReadonlySet<Node>) {
    this.accesses = accesses;
    this.commitOnly = commitOnly;
  }

  /** A cluster of its own. */
  placeAlone(root: Node): void {
    const kind = this.fusible(root);
    if (kind === "single" || kind === "dot") this.start(root, kind, withoutOnes(root.shape), undefined);
    else this.startLoops(root);
  }

  /** Puts `root` (all of whose inputs have been placed) where it fuses best. */
  place(root: Node): void {
    const kind = this.fusible(root);
    if (kind === "single" || kind === "dot") return this.placeAlone(root);
    const reads = readsOf(root, this.accesses);
    const near = reads.filter(({ isAgain }) => !isAgain);
    const candidates = [...new Set(near.map((read) => this.owner.get(read.root)))].filter(
      (c) => c !== undefined,
    );
    // A reduction is wanted where its row is; among equals the youngest cluster, whose values are warm.
    candidates.sort((a, b) => Number(b.axes !== undefined) - Number(a.axes !== undefined));
    if (!candidates.some((cluster) => this.join(root, cluster))) this.startLoops(root);
    for (const other of candidates) {
      const current = this.owner.get(root)!;
      if (other !== current && this.owner.get([...other.members.keys()][0]!) === other)
        this.merge(current, other);
    }
  }

  /**
   * Takes long tails off large contractions: as a map of its own such a tail walks memory in order, and has all registers.
   * In the store of each tile it would touch many lines far apart, which nothing fetches ahead.
   */
  splitTails(): void {
    for (const cluster of new Set(this.owner.values())) {
      if (cluster.kind !== "dot") continue;
      const tail = [...cluster.members.keys()].filter((root) => root.op.kind !== "dot");
      if (!this.isLongTail(cluster, tail)) continue;
      const own: Cluster = { ...cluster, kind: "loops", members: new Map() };
      for (const root of tail) {
        cluster.members.delete(root);
        own.members.set(root, "full");
        this.owner.set(root, own);
      }
      this.knownProducers.clear();
    }
  }

  private isLongTail({ domain, members }: Cluster, tail: readonly Node[]): boolean {
    const count = elementCount(domain);
    if (maxOf(count) < tailLimits.elements) return false;
    const cost = tail.reduce((sum, { op }) => sum + (op.kind === "elementwise" ? op.cost : 0), 0);
    const reads = tail.flatMap((root) => readsOf(root, this.accesses).map((read) => read.root));
    const streams = new Set(
      reads.filter(
        (root) => !members.has(root) && hasMemory(root) && sameSize(elementCount(root.shape), count),
      ),
    );
    return cost > tailLimits.cost || streams.size > tailLimits.streams;
  }

  /**
   * Clusters, each after those it reads from. What reads sources alone (a weight that is computed from few bits) stands right before its
   * first reader: sources stay, so waiting costs no memory, and its result lies there for less of the program.
   */
  schedule(): Cluster[] {
    const order: Cluster[] = [];
    const seen = new Set<Cluster>();
    const waits = (cluster: Cluster): boolean => this.producers(cluster).size === 0;
    const visit = (cluster: Cluster): void => {
      if (seen.has(cluster)) return;
      seen.add(cluster);
      const producers = [...this.producers(cluster)];
      for (const producer of producers) if (!waits(producer)) visit(producer);
      for (const producer of producers) visit(producer);
      order.push(cluster);
    };
    const clusters = [...new Set(this.owner.values())];
    clusters.sort((a, b) => lastId(a) - lastId(b));
    for (const cluster of clusters) if (!waits(cluster)) visit(cluster);
    for (const cluster of clusters) visit(cluster);
    return order;
  }

  private fusible(root: Node): Cluster["kind"] {
    if (this.accesses.copies.has(root)) return "loops";
    const { kind } = root.op;
    if (kind === "dot") return "dot";
    return kind === "elementwise" || kind === "reduce" ? "loops" : "single";
  }

  private start(
    root: Node,
    kind: Cluster["kind"],
    domain: Shape,
    axes: readonly number[] | undefined,
  ): Cluster {
    const isCommit = this.commitOnly.has(root);
    const level: Level = axes === undefined ? "full" : "row";
    const cluster: Cluster = { kind, domain, axes, members: new Map([[root, level]]), isCommit };
    this.owner.set(root, cluster);
    return cluster;
  }

  private startLoops(root: Node): Cluster {
    if (root.op.kind !== "reduce" || this.accesses.copies.has(root)) {
      return this.start(root, "loops", withoutOnes(root.shape), undefined);
    }
    const { domain, axes } = reductionDomain(root);
    return this.start(root, "loops", domain, axes);
  }

  /** Adds `root` to `cluster` if it fits there; says whether it did. */
  private join(root: Node, cluster: Cluster): boolean {
    if (cluster.kind === "single" || cluster.isCommit !== this.commitOnly.has(root)) return false;
    if (this.readsAgain(root, cluster)) return false;
    if (root.op.kind === "reduce" && !this.accesses.copies.has(root)) {
      if (!this.joinReduction(root, cluster)) return false;
    } else {
      const level = this.levelFor(root, cluster);
      if (level === undefined) return false;
      cluster.members.set(root, level);
    }
    this.owner.set(root, cluster);
    const known = this.knownProducers.get(cluster);
    if (known !== undefined) this.addProducers(cluster, root, known);
    return true;
  }

  private joinReduction(root: Node, cluster: Cluster): boolean {
    if (cluster.kind !== "loops") return false;
    const { domain, axes } = reductionDomain(root);
    const reads = readsOf(root, this.accesses);
    if (!this.isAcyclicWith(reads, cluster)) return false;
    const next: Pick<Cluster, "domain" | "axes"> = { domain, axes };
    if (cluster.axes !== undefined) {
      if (!sameDomain(cluster, next)) return false;
    } else if (!this.fits([...cluster.members.keys()], () => "full", next, cluster)) return false;
    if (!this.readsFit(reads, "full", next, cluster)) return false;
    cluster.domain = domain;
    cluster.axes = axes;
    cluster.members.set(root, "row");
    return true;
  }

  /** The level at which an elementwise root fits into a cluster, or undefined. */
  private levelFor(root: Node, cluster: Cluster): Level | undefined {
    const reads = readsOf(root, this.accesses);
    if (!this.isAcyclicWith(reads, cluster)) return undefined;
    return levelsOf(cluster, root.shape).find((level) => this.readsFit(reads, level, cluster, cluster));
  }

  /**
   * Whether every read can be said over the domain, and every value from a member of `within` is at its position.
   * A row value read at full level is the same for the whole row.
   */
  private readsFit(
    reads: readonly Access[],
    level: Level,
    at: Pick<Cluster, "domain" | "axes">,
    within: Cluster,
    alsoWithin: ReadonlyMap<Node, Level> = new Map(),
  ): boolean {
    return reads.every(({ root, view }) => {
      const embedded = embed(view, level, at.domain, at.axes);
      if (embedded === undefined) return false;
      const producer = alsoWithin.get(root) ?? within.members.get(root);
      if (producer === undefined) return true;
      if (producer === "full" && level === "row") return false;
      return sameView(embedded, positionView(producer, at.domain, at.axes));
    });
  }

  /** Whether all `roots` (members of `within`) still fit when the domain becomes `at`. */
  fits(
    roots: readonly Node[],
    levelOf: (root: Node) => Level | undefined,
    at: Pick<Cluster, "domain" | "axes">,
    within: Cluster,
    alsoWithin?: ReadonlyMap<Node, Level>,
  ): boolean {
    return roots.every((root) => {
      const level = levelOf(root);
      if (level === undefined) return false;
      if (root.op.kind === "dot") return false;
      const readLevel = root.op.kind === "reduce" && !this.accesses.copies.has(root) ? "full" : level;
      return this.readsFit(readsOf(root, this.accesses), readLevel, at, within, alsoWithin);
    });
  }

  /** Makes one cluster of two that feed the same root, when domains agree and no path leads through a third. */
  private merge(a: Cluster, b: Cluster): void {
    const [into, from] = b.axes !== undefined && a.axes === undefined ? [b, a] : [a, b];
    if (into.kind === "single" || from.kind !== "loops" || into.isCommit !== from.isCommit) {
      if (from.kind === "dot" && into.kind === "loops" && into.axes === undefined)
        this.mergeIntoDot(from, into);
      return;
    }
    this.absorb(into, from);
  }

  private mergeIntoDot(dot: Cluster, loops: Cluster): void {
    if (dot.isCommit === loops.isCommit) this.absorb(dot, loops);
  }

  private absorb(into: Cluster, from: Cluster): void {
    if (from.axes !== undefined && !sameDomain(into, from)) return;
    const levels = new Map<Node, Level>();
    for (const [root, level] of from.members) {
      const next = from.axes !== undefined ? level : levelsOf(into, root.shape)[0];
      if (next === undefined) return;
      levels.set(root, next);
    }
    if (!this.fits([...levels.keys()], (root) => levels.get(root), into, into, levels)) return;
    // A dot needs its operands in memory, whole: what makes them cannot be part of its tail.
    const dots = [...into.members.keys()].filter((root) => root.op.kind === "dot");
    const isOperand = ({ root }: Access): boolean => levels.has(root);
    if (dots.some((dot) => readsOf(dot, this.accesses).some(isOperand))) return;
    // Members of `into` that read from `from` must find the value at its position, too.
    const all = new Map([...into.members, ...levels]);
    const readers = [...into.members.keys()].filter((root) => root.op.kind !== "dot");
    if (!this.fits(readers, (root) => into.members.get(root), into, into, all)) return;
    if (this.pathThroughThird(into, from) || this.pathThroughThird(from, into)) return;
    if (this.computesAgain(into, from) || this.computesAgain(from, into)) return;
    for (const [root, level] of levels) {
      into.members.set(root, level);
      this.owner.set(root, into);
    }
    this.knownProducers.delete(into);
    this.knownProducers.delete(from);
    for (const known of this.knownProducers.values()) if (known.delete(from)) known.add(into);
  }

  /** Whether a member of `later` computes again what was made from a value of `earlier`. */
  private computesAgain(earlier: Cluster, later: Cluster): boolean {
    return [...later.members.keys()].some((root) => this.readsAgain(root, earlier));
  }

  private readsAgain(root: Node, cluster: Cluster): boolean {
    return readsOf(root, this.accesses).some((read) => read.isAgain && cluster.members.has(read.root));
  }

  /** Clusters whose values `cluster` reads: kept while it grows. */
  private producers(cluster: Cluster): ReadonlySet<Cluster> {
    let found = this.knownProducers.get(cluster);
    if (found === undefined) this.knownProducers.set(cluster, (found = this.findProducers(cluster)));
    return found;
  }

  private findProducers(cluster: Cluster): Set<Cluster> {
    const found = new Set(cluster.carriedBy && [cluster.carriedBy]);
    for (const root of readersIn(cluster)) this.addProducers(cluster, root, found);
    return found;
  }

  private addProducers(cluster: Cluster, member: Node, found: Set<Cluster>): void {
    for (const { root } of readsOf(member, this.accesses)) {
      const producer = this.owner.get(root);
      if (producer !== undefined && producer !== cluster) found.add(producer);
    }
  }

  /** To be called when clusters were changed from outside. */
  forget(): void {
    this.knownProducers.clear();
  }

  /** Whether `cluster` needs, directly or through others, a value of `ancestor`. */
  dependsOn(cluster: Cluster, ancestor: Cluster, seen = new Set<Cluster>()): boolean {
    if (cluster === ancestor) return true;
    if (seen.has(cluster)) return false;
    seen.add(cluster);
    for (const producer of this.producers(cluster)) if (this.dependsOn(producer, ancestor, seen)) return true;
    return false;
  }

  /** Reads that come from other clusters must not themselves wait for this one. */
  private isAcyclicWith(reads: readonly Access[], cluster: Cluster): boolean {
    return reads.every(({ root }) => {
      const producer = this.owner.get(root);
      return producer === undefined || producer === cluster || !this.dependsOn(producer, cluster);
    });
  }

  private pathThroughThird(from: Cluster, to: Cluster): boolean {
    for (const producer of this.producers(to)) {
      if (producer !== from && this.dependsOn(producer, from)) return true;
    }
    return false;
  }
}

/** The roots whose inputs a cluster's kernel reads. */
export function readersIn({ members, carried, carriedBy, operands = [] }: Cluster): readonly Node[] {
  const isCarried = new Set(carriedBy?.carried?.sums);
  return [
    ...[...members.keys()].filter((root) => !isCarried.has(root)),
    ...(carried?.sums ?? []),
    ...operands.flatMap((operand) => operand.members),
  ];
}

const lastId = (cluster: Cluster): number => Math.max(...[...cluster.members.keys()].map((root) => root.id));

/** Domain and axes of a reduction, sizes of 1 dropped. */
function reductionDomain(root: Node): { domain: Shape; axes: number[] } {
  const input = root.inputs[0]!.shape;
  const reduced = (root.attributes as { axes: readonly number[] }).axes;
  const kept = input.map((_, axis) => axis).filter((axis) => input[axis] !== 1);
  const axes = kept.flatMap((axis, i) => (reduced.includes(axis) ? [i] : []));
  return { domain: kept.map((axis) => input[axis]!), axes };
}

function sameDomain(a: Pick<Cluster, "domain" | "axes">, b: Pick<Cluster, "domain" | "axes">): boolean {
  return (
    a.domain.length === b.domain.length &&
    a.domain.every((size, i) => sameSize(size, b.domain[i]!)) &&
    a.axes?.length === b.axes?.length &&
    (a.axes ?? []).every((axis, i) => axis === b.axes![i])
  );
}

/** Levels whose number of values is that of `shape`. */
function levelsOf(cluster: Cluster, shape: Shape): Level[] {
  const count = elementCount(shape);
  const levels: Level[] = sameSize(count, elementCount(cluster.domain)) ? ["full"] : [];
  if (cluster.axes !== undefined && sameSize(count, elementCount(keptShape(cluster.domain, cluster.axes))))
    levels.push("row");
  return levels;
}
