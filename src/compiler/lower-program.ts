/**
 * Lowers a traced function to the steps of a Program: accesses → clusters → kernels, results and states to their places.
 *
 * Postcondition: every result and assigned state is written exactly once, `compute` writes no state but rows that `undo` puts back,
 * and `commit` reads no state that an earlier step of it has written.
 */
import { hasMachineCode } from "#platform";
import type { DType } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { elementCount, maxElementCount } from "../base/shape.ts";
import { sameSize } from "../base/size.ts";
import type { GraphFunction } from "../graph/function.ts";
import { type Node, type Region, topologicalOrder } from "../graph/node.ts";
import type { SourceOp } from "../graph/op.ts";
import type { State } from "../graph/state.ts";
import { contiguousView, type View } from "../graph/view.ts";
import { zeroAffine } from "../ir/affine.ts";
import type { ProgramBuffer, ProgramStep } from "../ir/program.ts";
import type { TargetDescription } from "../ir/target.ts";
import { type Access, Accesses, hasMemory } from "./access.ts";
import { carrySums, rowsOfPart } from "./carry-sums.ts";
import { type Cluster, embed, Fusion, positionView, readersIn, readsOf } from "./clusters.ts";
import { findCommitOnly } from "./commit.ts";
import { sharesBoth } from "./contraction/sharing.ts";
import { findInPlace, type InPlace, lowerInPlace, type Phases } from "./in-place.ts";
import { KernelContext, type KernelHost, type Location } from "./kernel-context.ts";
import { accumulatorDType } from "./long-sum.ts";
import { type CopySource, lowerCopy } from "./lower-copy.ts";
import { lowerDot } from "./lower-dot.ts";
import { lowerIndexed } from "./lower-indexed.ts";
import { lowerLoops } from "./lower-loops.ts";
import { lowerOrder } from "./lower-order.ts";
import { lowerPlacement } from "./lower-placement.ts";
import { lowerRegion } from "./lower-region.ts";
import { moveToRows } from "./move-to-rows.ts";
import { takeProducers } from "./operand-producers.ts";
import { findProductChains } from "./product-chains.ts";
import { type LoopOfProgram, type LowerOptions, type ProgramDraft, ProgramParts } from "./program-parts.ts";

/** Where a block's value must end up; undefined lets the block choose. */
export interface Wanted {
  readonly node: Node;
  readonly destination: Location;
  /** Assigned states may be written only in the commit. */
  readonly state?: State;
  /** The carry that this is the next value of: it may be computed in the carry's place, where nobody can tell. */
  readonly replaces?: { readonly parameter: Node; readonly location: Location };
}

/** Lowers a function: results and new values of states go where they belong. */
export function lowerProgram(fn: GraphFunction, options: LowerOptions): ProgramDraft {
  const parts = new ProgramParts(options);
  const locations = new Map<Node, Location>();
  const inputs = fn.parameters.map((node, position) => {
    const buffer = parts.bufferOf(node, `input${position}`, { kind: "input", position });
    locations.set(node, { buffer, base: zeroAffine });
    return buffer;
  });
  const results = fn.results.map((node, position) => {
    const buffer = parts.bufferOf(node, `result${position}`, { kind: "result", position });
    return { shape: node.shape, dtype: node.dtype, buffer };
  });
  const compute: ProgramStep[] = [];
  const commit: ProgramStep[] = [];
  const undo: ProgramStep[] = [];
  const block = new BlockLowering(parts, locations, [], { compute, commit, undo });
  block.lower([
    ...fn.results.map((node, i) => ({ node, destination: { buffer: results[i]!.buffer, base: zeroAffine } })),
    ...fn.assignments.map(([state, node]) => ({
      node,
      destination: { buffer: parts.stateBuffer(state), base: zeroAffine },
      state,
    })),
  ]);
  const { buffers, arrays, stateBuffers, checks } = parts;
  return {
    buffers,
    inputs,
    arrays,
    states: [...stateBuffers.keys()],
    results,
    compute,
    commit,
    undo,
    checks,
  };
}

/** Lowers one block: the function itself, or the body of a region. */
export class BlockLowering {
  readonly program: ProgramParts;
  readonly locations: Map<Node, Location>;
  readonly loops: readonly LoopOfProgram[];
  /** Whether one of the loops is parallel: then each thread has memory of its own, and kernels are not shared. */
  readonly isInParallel: boolean;
  readonly target: TargetDescription;
  private readonly phases: Phases;
  private readonly accesses = new Accesses();
  /** Next values of carries that were computed in the carries' places. */
  readonly inPlace = new Set<Wanted>();
  /** Scatters that write a state's own rows. */
  private readonly scatters = new Map<Node, InPlace>();
  /** Who reads each root. */
  private readonly readers = new Map<Node, Set<Node>>();

  constructor(
    program: ProgramParts,
    locations: Map<Node, Location>,
    loops: readonly LoopOfProgram[],
    phases: Phases,
    isInParallel = false,
  ) {
    this.program = program;
    this.isInParallel = isInParallel;
    this.target = isInParallel ? { ...program.target, threads: 1 } : program.target;
    this.locations = locations;
    this.loops = loops;
    this.phases = phases;
  }

  lower(wanted: readonly Wanted[]): void {
    const order = topologicalOrder(wanted.map(({ node }) => node));
    const fusion = this.fuse(order, wanted);
    const clusters = fusion.schedule();
    if (hasMachineCode && sharesBoth(this.target)) findProductChains(clusters, this.accesses);
    const outputs = this.findOutputs(clusters, wanted);
    const direct = this.findDirect(clusters, outputs, wanted);
    const committing = new Set(direct.keys());
    const { accesses, readers } = this;
    for (const [root, place] of findInPlace({ clusters, wanted, accesses, readers, committing }))
      this.scatters.set(root, place);
    this.placeCarries(clusters, outputs, wanted);
    this.locateOutputs(outputs, wanted, direct);
    for (const cluster of clusters) {
      const steps = direct.has(cluster) ? this.phases.commit : this.phases.compute;
      const own = [...cluster.members.keys()].filter((root) => outputs.has(root) && ownsMemory(root));
      const inCluster = new Map(own.map((root) => [root, this.locate(root)]));
      this.lowerCluster(cluster, inCluster, steps);
    }
    this.deliver(wanted);
  }

  // ---- fusing -------------------------------------------------------------------------------------------------

  private fuse(order: readonly Node[], wanted: readonly Wanted[]): Fusion {
    const computing = order.filter((node) => node.op.kind !== "movement" && node.op.kind !== "source");
    for (const node of computing) readsOf(node, this.accesses);
    for (const { node } of wanted) this.accesses.of(node);
    const roots = [...new Set([...computing, ...this.accesses.copies])].sort((a, b) => a.id - b.id);
    const fusion = new Fusion(this.accesses, findCommitOnly(order, wanted));
    if (!this.program.isFused) {
      for (const root of roots) fusion.placeAlone(root);
      return fusion;
    }
    for (const root of roots) fusion.place(root);
    fusion.splitTails();
    const kept = new Set(wanted.map(({ node }) => this.accesses.of(node).root));
    if (hasMachineCode) moveToRows(fusion, this.accesses, kept);
    carrySums(fusion, this.accesses);
    takeProducers(fusion, this.accesses, kept);
    return fusion;
  }

  /** Members whose values leave their cluster. */
  private findOutputs(clusters: readonly Cluster[], wanted: readonly Wanted[]): Set<Node> {
    const outputs = new Set<Node>();
    const owner = new Map<Node, Cluster>();
    for (const cluster of clusters) for (const root of cluster.members.keys()) owner.set(root, cluster);
    for (const cluster of clusters) {
      for (const member of readersIn(cluster)) {
        for (const { root } of readsOf(member, this.accesses)) {
          if (owner.get(root) !== cluster) outputs.add(root);
          this.readers.set(root, (this.readers.get(root) ?? new Set()).add(member));
        }
      }
    }
    for (const { node } of wanted) outputs.add(this.accesses.of(node).root);
    for (const root of outputs) if (!owner.has(root)) outputs.delete(root);
    return outputs;
  }

  /** Whether `node` is its root, element for element. */
  private isWhole(node: Node): boolean {
    const { root, view } = this.accesses.of(node);
    if (!hasMemory(root) || root.op.kind === "source") return false;
    const whole = contiguousView(node.shape);
    return (
      sameSize(view.offset, 0) &&
      node.shape.every((size, i) => size === 1 || sameSize(view.strides[i]!, whole.strides[i]!)) &&
      sameSize(maxElementCount(node.shape), maxElementCount(root.shape))
    );
  }

  // ---- commit -------------------------------------------------------------------------------------------------

  /** Clusters that may write states themselves, as part of the commit. */
  private findDirect(
    clusters: readonly Cluster[],
    outputs: ReadonlySet<Node>,
    wanted: readonly Wanted[],
  ): Map<Cluster, Map<Node, State>> {
    const direct = new Map<Cluster, Map<Node, State>>();
    const usesOf = new Map<Node, Wanted[]>();
    for (const use of wanted) {
      const { root } = this.accesses.of(use.node);
      const uses = usesOf.get(root);
      if (uses === undefined) usesOf.set(root, [use]);
      else uses.push(use);
    }
    for (const cluster of clusters) {
      const states = this.statesWritten(cluster, outputs, usesOf);
      if (states !== undefined) direct.set(cluster, states);
    }
    // A state that another committing cluster still reads must not be overwritten before it.
    const readers = new Map<State, Set<Cluster>>();
    for (const cluster of direct.keys())
      for (const { state } of statesRead(cluster, this.accesses))
        readers.set(state, (readers.get(state) ?? new Set()).add(cluster));
    for (const [cluster, states] of [...direct]) {
      const isRead = [...states.values()].some((state) =>
        [...(readers.get(state) ?? [])].some((other) => other !== cluster && direct.has(other)),
      );
      if (isRead) direct.delete(cluster);
    }
    return direct;
  }

  private statesWritten(
    cluster: Cluster,
    outputs: ReadonlySet<Node>,
    usesOf: ReadonlyMap<Node, readonly Wanted[]>,
  ): Map<Node, State> | undefined {
    if (!cluster.isCommit || cluster.kind !== "loops" || cluster.axes !== undefined) return undefined;
    const members = [...cluster.members.keys()];
    if (members.some((root) => root.op.kind === "elementwise" && root.op.reports)) return undefined;
    const written = new Map<Node, State>();
    for (const root of members.filter((member) => outputs.has(member))) {
      const uses = usesOf.get(root) ?? [];
      const [use] = uses;
      if (uses.length !== 1 || use!.state === undefined || !this.isWhole(use!.node)) return undefined;
      if (this.isReadElsewhere(root, cluster)) return undefined;
      written.set(root, use!.state);
    }
    const states = new Set(written.values());
    const position = positionView("full", cluster.domain, undefined);
    const safe = statesRead(cluster, this.accesses).every(({ state, view }) => {
      if (!states.has(state)) return true;
      const at = embed(view, "full", cluster.domain, undefined)!;
      return (
        sameSize(at.offset, 0) && at.strides.every((stride, i) => sameSize(stride, position.strides[i]!))
      );
    });
    return safe ? written : undefined;
  }

  private isReadElsewhere(root: Node, cluster: Cluster): boolean {
    return [...(this.readers.get(root) ?? [])].some((reader) => !cluster.members.has(reader));
  }

  /** Next values whose cluster alone reads the carry, each element where it writes the next: they need no place beside it. */
  private placeCarries(
    clusters: readonly Cluster[],
    outputs: ReadonlySet<Node>,
    wanted: readonly Wanted[],
  ): void {
    for (const to of wanted) {
      if (to.replaces === undefined) continue;
      const { parameter, location } = to.replaces;
      const { root } = this.accesses.of(to.node);
      const cluster = clusters.find(({ members }) => members.has(root));
      const isWanted = wanted.some(
        (w) => w !== to && [parameter, root].includes(this.accesses.of(w.node).root),
      );
      if (cluster === undefined || isWanted || !outputs.has(root) || !this.isWhole(to.node)) continue;
      if (!this.isReadInPlace(parameter, cluster)) continue;
      this.locations.set(root, location);
      this.inPlace.add(to);
    }
  }

  /** Whether a cluster is all that reads `source`, and each element only for the result at its own place. */
  private isReadInPlace(source: Node, cluster: Cluster): boolean {
    if (cluster.kind === "single" || cluster.axes !== undefined || cluster.carried !== undefined)
      return false;
    if (this.isReadElsewhere(source, cluster)) return false;
    const position = positionView("full", cluster.domain, undefined);
    return [...cluster.members.keys()].every((member) =>
      readsOf(member, this.accesses).every(({ root, view, isCopy }) => {
        if (root !== source) return true;
        if (isCopy || member.op.kind === "dot") return false;
        const at = embed(view, "full", cluster.domain, undefined);
        return (
          at !== undefined &&
          sameSize(at.offset, 0) &&
          at.strides.every((stride, i) => sameSize(stride, position.strides[i]!))
        );
      }),
    );
  }

  private locateOutputs(
    outputs: ReadonlySet<Node>,
    wanted: readonly Wanted[],
    direct: Map<Cluster, Map<Node, State>>,
  ): void {
    for (const states of direct.values()) {
      for (const [root, state] of states) this.locations.set(root, this.locateState(state));
    }
    for (const [root, { state }] of this.scatters) this.locations.set(root, this.locateState(state));
    for (const { node, destination, state } of wanted) {
      const { root } = this.accesses.of(node);
      if (
        state === undefined &&
        !this.locations.has(root) &&
        outputs.has(root) &&
        ownsMemory(root) &&
        this.isWhole(node)
      ) {
        this.locations.set(root, destination);
      }
      if (state === undefined && root.op.kind === "output" && outputs.has(root) && this.isWhole(node))
        this.wantRegionOutput(root, destination);
    }
    for (const root of outputs) {
      if (this.locations.has(root) || !ownsMemory(root)) continue;
      const name = `${this.accesses.copies.has(root) ? "copy" : root.op.name}${root.id}`;
      this.locations.set(root, { buffer: this.bufferOf(root, name), base: zeroAffine });
    }
  }

  /** A region writes what it gives where that is wanted first. */
  private wantRegionOutput(root: Node, destination: Location): void {
    const [region] = root.inputs;
    const { index } = root.attributes as { index: number };
    const places = this.regionPlaces.get(region!) ?? new Map<number, Location>();
    if (!places.has(index)) places.set(index, destination);
    this.regionPlaces.set(region!, places);
  }

  /** Copies results and new states that are not where they belong. */
  private deliver(wanted: readonly Wanted[]): void {
    const staged: { from: Access; location: Location | undefined; to: Wanted }[] = [];
    for (const to of wanted) {
      const from = this.accesses.of(to.node);
      const location = hasMemory(from.root) ? this.locate(from.root) : undefined;
      if (this.inPlace.has(to)) continue;
      if (location !== undefined && isSameLocation(location, to.destination) && this.isWhole(to.node))
        continue;
      if (to.state === undefined) {
        this.copy(from, to.node, to.destination, this.phases.compute);
        continue;
      }
      // What comes from another state is read before any state changes.
      if (from.root.op.kind === "source" && hasMemory(from.root)) {
        const temporary = {
          buffer: this.bufferOf(to.node, `new ${to.state.name}`),
          base: zeroAffine,
        };
        this.copy(from, to.node, temporary, this.phases.compute);
        this.copyLocation(temporary, to.node, to.destination, this.phases.commit);
      } else staged.push({ from, location, to });
    }
    for (const { from, to } of staged) this.copy(from, to.node, to.destination, this.phases.commit);
  }

  /** Copies contiguous memory of `node`'s type. */
  copyLocation(from: Location, node: Node, to: Location, steps: ProgramStep[]): void {
    this.copyView({ location: from, view: contiguousView(node.shape) }, node, to, steps);
  }

  copyView(from: CopySource, node: Pick<Node, "shape" | "dtype">, to: Location, steps: ProgramStep[]): void {
    steps.push(this.program.callOf(lowerCopy({ context: this.context(), from, node, to }), this.loops));
  }

  private copy({ root, view }: Access, node: Node, to: Location, steps: ProgramStep[]): void {
    this.copyView(hasMemory(root) ? { location: this.locate(root), view } : { root, view }, node, to, steps);
  }

  // ---- regions ------------------------------------------------------------------------------------------------

  /** Where outputs of region nodes are wanted, by their index. */
  readonly regionPlaces = new Map<Node, Map<number, Location>>();
  /** Where the outputs of region nodes lie. */
  readonly regionOutputs = new Map<Node, readonly Location[]>();

  /** A block for a region's body: it begins with no memory but what its parameters are given. */
  enter(
    loops: readonly LoopOfProgram[],
    steps: ProgramStep[],
    isInParallel = this.isInParallel,
  ): BlockLowering {
    return new BlockLowering(
      this.program,
      new Map(),
      loops,
      { ...this.phases, compute: steps },
      isInParallel,
    );
  }

  lowerRegionBody(region: Region, given: readonly Location[], wanted: readonly Wanted[]): void {
    region.parameters.forEach((parameter, i) => {
      this.locations.set(parameter, given[i]!);
    });
    this.lower(wanted);
  }

  // ---- kernels ------------------------------------------------------------------------------------------------

  /** Where kernels leave what they carry of a sum: one row for each part. */
  private readonly partials = new Map<Node, ProgramBuffer>();

  private newPartials(sum: Node, { domain, carried }: Cluster): ProgramBuffer {
    const count = elementCount(domain) as number;
    const elements = count / rowsOfPart(carried!.rows)!;
    return this.newBuffer(`parts${sum.id}`, accumulatorDType(sum), elements, "program");
  }

  private lowerCluster(cluster: Cluster, outputs: ReadonlyMap<Node, Location>, steps: ProgramStep[]): void {
    const { accesses, partials } = this;
    if (cluster.kind === "loops") {
      for (const sum of cluster.carried?.sums ?? []) partials.set(sum, this.newPartials(sum, cluster));
      if (outputs.size === 0 && cluster.carried === undefined) return;
    }
    if (cluster.kind !== "single") {
      const calls = this.program.clusters.lower({ cluster, accesses, outputs, host: this.host() }, (host) =>
        cluster.kind === "dot"
          ? lowerDot({ cluster, accesses, outputs, host })
          : [lowerLoops({ cluster, accesses, outputs, partials, context: new KernelContext(host) })],
      );
      for (const call of calls) steps.push(this.program.callOf(call, this.loops));
      return;
    }
    const [root] = cluster.members.keys();
    const { kind } = root!.op;
    if (kind === "output") return;
    if (kind === "region") return lowerRegion(this, root!, this.accesses, steps);
    const inPlace = this.scatters.get(root!);
    if (inPlace !== undefined) {
      const given = { root: root!, accesses, table: this.locate(root!) };
      return lowerInPlace(this, given, inPlace.phase, this.phases);
    }
    const lowerSingle = singles[kind as keyof typeof singles];
    if (lowerSingle === undefined) throw new InternalError(`no lowering for ${root!.op.name}`);
    steps.push(
      this.program.callOf(
        lowerSingle({
          root: root!,
          accesses: this.accesses,
          output: this.locate(root!),
          context: this.context(),
        }),
        this.loops,
      ),
    );
  }

  /** A root's memory; sources get theirs at their first use. */
  locate(root: Node): Location {
    let location = this.locations.get(root);
    if (location === undefined) this.locations.set(root, (location = this.locateSource(root)));
    return location;
  }

  private locateState(state: State): Location {
    return { buffer: this.program.stateBuffer(state), base: zeroAffine };
  }

  private locateSource(root: Node): Location {
    if (root.op.kind === "output") {
      const { index } = root.attributes as { index: number };
      return this.regionOutputs.get(root.inputs[0]!)![index]!;
    }
    const op = root.op as SourceOp;
    if (root.op.kind === "source" && op.source === "state") {
      return this.locateState((root.attributes as { state: State }).state);
    }
    if (root.op.kind === "source" && op.source === "array") {
      return {
        buffer: this.program.arrayBuffer((root.attributes as { array: object }).array, root),
        base: zeroAffine,
      };
    }
    throw new InternalError(`${root.op.name} ${root.id} has no memory`);
  }

  /** Memory for this block. */
  newBuffer(name: string, dtype: DType, elements: number, scope: "program" | "thread"): ProgramBuffer {
    const own = scope === "program" && this.isInParallel ? "iteration" : scope;
    return this.program.newBuffer(name, dtype, elements, own);
  }
  bufferOf({ dtype, shape }: Node, name: string): ProgramBuffer {
    return this.newBuffer(name, dtype, maxElementCount(shape), "program");
  }

  host(): KernelHost {
    return {
      locate: (root) => this.locate(root),
      newBuffer: (name, dtype, elements, scope) => this.newBuffer(name, dtype, elements, scope),
      checkNumber: (node) => this.program.checkNumber(node),
      loops: this.loops,
      target: this.target,
    };
  }

  context(): KernelContext {
    return new KernelContext(this.host());
  }
}

/** Kinds of ops that never fuse. */
const singles = { indexed: lowerIndexed, placement: lowerPlacement, order: lowerOrder } as const;

/** A region's outputs get their memory when it is lowered. */
const ownsMemory = ({ op }: Node): boolean => op.kind !== "output" && op.kind !== "region";

const isSameLocation = (a: Location, b: Location): boolean => a.buffer === b.buffer && a.base === b.base;

/** The states a cluster reads, with the views it reads them through. */
function statesRead(cluster: Cluster, accesses: Accesses): { state: State; view: View }[] {
  return [...cluster.members.keys()].flatMap((member) =>
    readsOf(member, accesses).flatMap(({ root, view, isCopy }) => {
      const { op } = root;
      if (isCopy || op.kind !== "source" || op.source !== "state") return [];
      return [{ state: (root.attributes as { state: State }).state, view }];
    }),
  );
}
