/**
 * Lowers a cluster of maps and reductions to one kernel.
 *
 * - *map*: nothing reduced; the collapsed domain's last axis is the vector loop.
 * - *row*: the last axis is reduced; the vector loop runs along the row, sums are 16 lanes folded by a tree.
 * - *column*: the last axis is kept; the vector loop runs over 16 to 64 columns at a time, each lane one chain down its column.
 *
 * A cluster runs in stages: stage 0 computes what needs no reduced value, its reductions are finished at its end, stage 1
 * may use them, and so on. A full value needed in a later stage is computed again when cheap, else kept in scratch.
 * A row kernel may carry sums down its columns along (`carry-sums.ts`).
 */
import { bytesOf, computeDType, type DType } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { elementCount } from "../base/shape.ts";
import { maxOf } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import { contiguousView, type View } from "../graph/view.ts";
import { addAffine, constantAffine, scaleAffine, viewAddress, zeroAffine } from "../ir/affine.ts";
import { KernelBuilder } from "../ir/builder.ts";
import type { Affine, Kernel, KernelBuffer, Register, Value } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import type { Accesses } from "./access.ts";
import { CarriedSums } from "./carried-sums.ts";
import { axesWithinRow } from "./carry-sums.ts";
import { type Cluster, embed, type Level, memberViews, positionView, readsOf } from "./clusters.ts";
import { type CollapsedDomain, collapseDomain, splitLongAxis } from "./domain.ts";
import { MemberEvaluator } from "./evaluate-member.ts";
import type { KernelContext, Location } from "./kernel-context.ts";
import { accumulatorDType, blockSteps, LongSum } from "./long-sum.ts";
import { nest, outerLoops } from "./nest.ts";

/** Lanes of every sum along a row: one AVX-512 register, two of AVX2, four of WebAssembly. */
const lanes = 16;
/** Most columns that a column kernel takes at once: so many chains run side by side, each down its own column. */
const mostColumns = 64;
/** A value dearer than this many multiply-adds is kept for later stages rather than computed again. */
const recomputeLimit = 6;

export interface LoopsRequest {
  readonly cluster: Cluster;
  readonly accesses: Accesses;
  /** Members that others need, with the memory they go to. */
  readonly outputs: ReadonlyMap<Node, Location>;
  /** Memory for the partial sums of carried reductions. */
  readonly partials: ReadonlyMap<Node, ProgramBuffer>;
  readonly context: KernelContext;
}

export function lowerLoops(request: LoopsRequest): { kernel: Kernel; buffers: readonly ProgramBuffer[] } {
  return new LoopsLowering(request).lower();
}

class LoopsLowering {
  private readonly builder: KernelBuilder;
  private readonly cluster: Cluster;
  private readonly accesses: Accesses;
  private readonly context: KernelContext;
  private readonly outputs: ReadonlyMap<Node, Location>;
  /** Members in dependency order. */
  private readonly members: readonly Node[];
  private readonly domain: CollapsedDomain;
  private readonly stages = new Map<Node, number>();
  private readonly rowRegisters = new Map<Node, Register>();
  private readonly scratch = new Map<Node, KernelBuffer>();
  private readonly evaluator: MemberEvaluator;
  /** Sums down the columns of a row kernel. */
  private readonly carried: CarriedSums | undefined;
  private readonly partials: ReadonlyMap<Node, ProgramBuffer>;
  /** Lanes of a row value: 1 in row kernels, the columns of a tile in column kernels. */
  private readonly rowLanes: number;

  constructor({ cluster, accesses, outputs, partials, context }: LoopsRequest) {
    this.builder = new KernelBuilder(context.host.target);
    this.cluster = cluster;
    this.accesses = accesses;
    this.context = context;
    this.outputs = outputs;
    this.members = [...cluster.members.keys()].sort((a, b) => a.id - b.id);
    this.partials = partials;
    const views = this.computed.flatMap((member) => this.viewsOf(member));
    const collapsed = collapseDomain(cluster.domain, axesWithinRow(cluster), views);
    this.domain = this.isMap ? splitLongAxis(collapsed) : collapsed;
    this.carried = cluster.carried && new CarriedSums(this.builder, context, cluster, partials);
    this.findStages();
    this.rowLanes = this.isColumn ? this.tileColumns() : 1;
    this.evaluator = new MemberEvaluator({
      builder: this.builder,
      context,
      accesses,
      levelOf: (root) => cluster.members.get(root),
      viewOf: (view, reader) =>
        this.domain.collapse(embed(view, this.readLevel(reader), cluster.domain, cluster.axes)!),
      positionOf: (member) => this.domain.collapse(this.position(member)),
      stored: (root, stage) => this.stored(root, stage),
      rowValue: (root) => this.builder.read(this.rowRegisters.get(root)!),
    });
  }

  lower(): { kernel: Kernel; buffers: readonly ProgramBuffer[] } {
    if (this.isMap) this.lowerMap();
    else this.lowerReductions();
    return this.context.finish(this.name(), this.builder.statements, this.cost());
  }

  // ---- facts --------------------------------------------------------------------------------------------------

  /** The members, and the sums that are carried along. */
  private get computed(): readonly Node[] {
    return [...this.members, ...(this.cluster.carried?.sums ?? [])];
  }
  private get isMap(): boolean {
    return this.cluster.axes === undefined && this.cluster.carried === undefined;
  }
  private get isColumn(): boolean {
    const { axes, sizes } = this.domain;
    return !this.isMap && sizes.length > 0 && !axes.includes(sizes.length - 1);
  }
  /** Four registers, where the row fills them. */
  private lanesOfExtremes(): number {
    const wanted = Math.max(lanes, 4 * this.context.host.target.lanes);
    const length = this.domain.sizes[this.domain.axes.at(-1)!]!;
    return maxOf(length) >= 2 * wanted ? wanted : lanes;
  }
  /** As many columns as leave each row value few enough registers that all stay in them; with threads, equal tiles. */
  private tileColumns(): number {
    const { lanes: vector, vectorRegisters, threads } = this.context.host.target;
    const values = [...this.cluster.members.values()].filter((level) => level === "row").length;
    const width = this.domain.sizes.at(-1)!;
    const isUneven = (columns: number): boolean =>
      threads > 1 && typeof width === "number" && width % columns > 0;
    let columns = mostColumns;
    while (columns > lanes && ((values * columns) / vector > vectorRegisters / 4 || isUneven(columns)))
      columns /= 2;
    return columns;
  }
  private level(member: Node): Level {
    return this.cluster.members.get(member)!;
  }
  private isReduction(member: Node): boolean {
    return member.op.kind === "reduce" && !this.accesses.copies.has(member);
  }
  /** Reductions read at full level though their value is a row's. */
  private readLevel(member: Node): Level {
    return this.isReduction(member) ? "full" : this.level(member);
  }
  private position(member: Node): View {
    return positionView(this.level(member), this.cluster.domain, this.cluster.axes);
  }
  private viewsOf(member: Node): View[] {
    if (this.isFinishing(member)) return [contiguousView(this.cluster.domain), this.position(member)];
    const views = memberViews(member, this.cluster.members.get(member), this.cluster, this.accesses);
    if (views === undefined) throw new InternalError(`a view of ${member.op.name} does not fit its cluster`);
    return views;
  }
  /** Whether another kernel left partial sums, which are added here. */
  private isFinishing(member: Node): boolean {
    return this.cluster.carriedBy !== undefined && this.isReduction(member);
  }
  /** One row of partial sums for each part. */
  private partialOf(reduction: Node, at: readonly Affine[]): Value {
    const view = this.domain.collapse(contiguousView(this.cluster.domain));
    const buffer = this.context.bufferFor(this.partials.get(reduction)!, "load");
    return this.builder.load(buffer, viewAddress(view, at));
  }

  /** The stage in which a member can be computed; a reduction's value exists from its stage + 1 on. */
  private findStages(): void {
    for (const member of this.members) {
      let stage = 0;
      if (this.isFinishing(member)) {
        this.stages.set(member, stage);
        continue;
      }
      for (const { root } of readsOf(member, this.accesses)) {
        // The copy of a constant or counter reads what it copies: itself.
        if (root === member || !this.cluster.members.has(root)) continue;
        stage = Math.max(stage, this.stages.get(root)! + (this.isReduction(root) ? 1 : 0));
      }
      this.stages.set(member, stage);
    }
  }
  private get lastStage(): number {
    return Math.max(0, ...this.stages.values());
  }
  private stage(member: Node): number {
    return this.stages.get(member)!;
  }

  /** Memory in which an earlier stage left a full value, if it did. */
  private stored(
    root: Node,
    stage: number,
  ): { buffer: KernelBuffer; address(at: readonly Affine[]): Affine } | undefined {
    if (this.level(root) !== "full" || this.stage(root) >= stage) return undefined;
    const scratch = this.scratch.get(root);
    if (scratch !== undefined) return { buffer: scratch, address: (at) => this.scratchAddress(at) };
    const output = this.outputs.get(root);
    if (output === undefined) return undefined;
    const view = this.domain.collapse(this.position(root));
    const { buffer } = this.context.elementOf(output, zeroAffine, "load");
    return { buffer, address: (at) => addAffine(output.base, viewAddress(view, at)) };
  }

  private name(): string {
    const kind = this.cluster.axes === undefined ? "map" : this.isColumn ? "column" : "row";
    const names = [
      ...new Set(this.computed.map((member) => (this.accesses.copies.has(member) ? "copy" : member.op.name))),
    ];
    const shown = names.length > 5 ? [...names.slice(0, 4), `… ${names.length} ops`] : names;
    return `${kind} ${shown.join(",")} ${this.cluster.domain.map(String).join("×") || "1"}`;
  }

  private cost(): Kernel["cost"] {
    const count = (member: Node): number => {
      const full = this.readLevel(member) === "full";
      const sizes = full
        ? this.domain.sizes
        : this.domain.sizes.filter((_, i) => !this.domain.axes.includes(i));
      return sizes.reduce<number>((n, size) => n * maxOf(size), 1);
    };
    let [flop, bytes] = [0, 0];
    const seen = new Set<Node>();
    for (const member of this.computed) {
      flop +=
        count(member) *
        (this.accesses.copies.has(member)
          ? 0
          : this.isReduction(member)
            ? 1
            : (member.op as ElementwiseOp).cost);
      for (const { root } of this.isFinishing(member) ? [] : readsOf(member, this.accesses)) {
        if (this.cluster.members.has(root) || seen.has(root)) continue;
        seen.add(root);
        bytes += Math.min(count(member), maxOf(elementCount(root.shape))) * bytesOf(root.dtype);
      }
      if (this.outputs.has(member)) bytes += maxOf(elementCount(member.shape)) * bytesOf(member.dtype);
    }
    return { flop, bytes };
  }

  // ---- map ----------------------------------------------------------------------------------------------------

  private lowerMap(): void {
    nest(this.builder, this.domain.sizes, "parallel", (at) =>
      this.storeOutputs([...this.outputs.keys()], at, 0),
    );
  }

  /** All values are computed before any is stored: an output may lie where an input is read. */
  private storeOutputs(members: readonly Node[], at: readonly Affine[], stage: number): void {
    const scope = this.evaluator.scope(at, stage);
    const values = members.map((member) => scope.value(member));
    members.forEach((member, i) => {
      const view = this.domain.collapse(this.position(member));
      const target = this.context.elementOf(this.outputs.get(member)!, viewAddress(view, at), "store");
      this.builder.store(target.buffer, target.address, values[i]!);
    });
  }

  // ---- rows and columns ---------------------------------------------------------------------------------------

  private lowerReductions(): void {
    const { sizes, axes } = this.domain;
    const kept = sizes.map((_, i) => i).filter((i) => !axes.includes(i));
    for (const member of this.members) {
      if (this.level(member) !== "row") continue;
      const dtype = accumulatorDType(member);
      this.rowRegisters.set(member, {
        name: `${member.op.name}${member.id}`,
        dtype,
        count: 1,
        lanes: this.rowLanes,
      });
    }
    this.chooseScratch();
    if (this.carried !== undefined) {
      this.carried.overRows(sizes as readonly number[], (row) =>
        this.runStages([row, zeroAffine], undefined),
      );
      return;
    }
    const outer = this.isColumn ? kept.slice(0, -1) : kept;
    outerLoops(
      this.builder,
      outer.map((axis) => sizes[axis]!),
      "parallel",
      (indices) => {
        const at: Affine[] = sizes.map(() => zeroAffine);
        outer.forEach((axis, i) => {
          at[axis] = indices[i]!;
        });
        if (this.isColumn) this.columnTiles(at);
        else this.runStages(at, undefined);
      },
    );
  }

  /** Column kernels walk the last axis a tile of columns at a time, then what is left. */
  private columnTiles(at: readonly Affine[]): void {
    const { sizes } = this.domain;
    const last = sizes.length - 1;
    const width = sizes[last]!;
    const columnsAtOnce = this.rowLanes;
    const tile = (start: Affine, columns: number): void => {
      const tiled = [...at];
      tiled[last] = start;
      this.runStages(tiled, columns);
    };
    if (typeof width !== "number") {
      this.builder.loop("serial", "columns", width, {
        step: columnsAtOnce,
        body: (i) => tile(i, columnsAtOnce),
        remainder: (i) => tile(i, 1),
      });
      return;
    }
    const whole = Math.floor(width / columnsAtOnce);
    // Threads share the tiles where nothing else is shared and no narrower tile is left.
    const isShared = at.length === this.domain.axes.length + 1 && width % columnsAtOnce === 0;
    const body = (i: Affine): void => tile(scaleAffine(i, columnsAtOnce), columnsAtOnce);
    if (whole > 0) this.builder.loop(isShared ? "parallel" : "serial", "columns", whole, { body });
    if (width % columnsAtOnce > 0) tile(constantAffine(whole * columnsAtOnce), width % columnsAtOnce);
  }

  /** All stages at one row (columns undefined), or at `columns` neighbouring columns. */
  private runStages(at: readonly Affine[], columns: number | undefined): void {
    this.finishRows(at, columns, 0);
    for (let stage = 0; stage <= this.lastStage; stage++) {
      this.runStage(at, columns, stage);
      this.finishRows(at, columns, stage + 1);
    }
  }

  private runStage(at: readonly Affine[], columns: number | undefined, stage: number): void {
    const inStage = this.members.filter((member) => this.stage(member) === stage);
    const reductions = inStage.filter((member) => this.isReduction(member));
    const stores = inStage.filter((member) => this.level(member) === "full" && this.outputs.has(member));
    const kept = inStage.filter((member) => this.scratch.has(member));
    // The last pass carries sums: what it stores is mostly what they are of.
    const carried = stage === this.lastStage ? this.carried : undefined;
    if (reductions.length + stores.length + kept.length === 0 && carried === undefined) return;
    const sums = new LongSum(this.builder, reductions, {
      columns,
      lanes: columns === undefined ? lanes : this.rowLanes,
      lanesOfExtremes: columns === undefined ? this.lanesOfExtremes() : this.rowLanes,
    });
    sums.reset(0);
    const { sizes, axes } = this.domain;
    const body = (full: readonly Affine[], level: number): void => {
      const scope = this.evaluator.scope(full, stage);
      for (const member of kept)
        this.builder.store(this.scratch.get(member)!, this.scratchAddress(full), scope.value(member));
      for (const reduction of reductions) {
        const value = this.isFinishing(reduction)
          ? this.partialOf(reduction, full)
          : scope.operand(reduction, 0);
        sums.add(reduction, value, level);
      }
      carried?.add(full[full.length - 1]!, (sum) => scope.operand(sum, 0));
      this.storeOutputs(stores, full, stage);
    };
    const walk = (remaining: readonly number[], full: readonly Affine[]): void => {
      const [axis, ...rest] = remaining;
      const place = (index: Affine): Affine[] => full.map((a, i) => (i === axis ? addAffine(a, index) : a));
      if (axis === undefined) this.overColumns(full, columns, (columnAt) => body(columnAt, 0));
      else if (rest.length > 0) this.builder.serial("r", sizes[axis]!, (index) => walk(rest, place(index)));
      else if (columns === undefined) {
        sums.inBlocks(sizes[axis]!, lanes * blockSteps, axes.length === 1, (start, length, level) =>
          this.builder.vector("v", length, (v) => body(place(addAffine(start, v)), level)),
        );
      } else {
        sums.inBlocks(sizes[axis]!, blockSteps, axes.length === 1, (start, length, level) =>
          this.builder.serial("r", length, (r) =>
            this.overColumns(place(addAffine(start, r)), columns, (columnAt) => body(columnAt, level)),
          ),
        );
      }
    };
    walk(axes, at);
    for (const reduction of reductions) sums.finish(reduction, this.rowRegisters.get(reduction)!);
  }

  /** Row members that became computable when `stage` began, and their stores. */
  private finishRows(at: readonly Affine[], columns: number | undefined, stage: number): void {
    const available = (member: Node): number => this.stage(member) + (this.isReduction(member) ? 1 : 0);
    const rows = this.members.filter((member) => this.level(member) === "row" && available(member) === stage);
    if (rows.length === 0) return;
    this.overColumns(at, columns, (rowAt) => {
      const scope = this.evaluator.scope(rowAt, stage);
      for (const member of rows) {
        const register = this.rowRegisters.get(member)!;
        if (!this.isReduction(member))
          this.builder.set(register, this.builder.convert(register.dtype, scope.compute(member)));
        const output = this.outputs.get(member);
        if (output === undefined) continue;
        const view = this.domain.collapse(this.position(member));
        const target = this.context.elementOf(output, viewAddress(view, rowAt), "store");
        this.builder.store(target.buffer, target.address, this.builder.read(register));
      }
    });
  }

  /** In column kernels: once for each of the tile's columns, in lanes. In row kernels: as it is. */
  private overColumns(
    at: readonly Affine[],
    columns: number | undefined,
    body: (at: readonly Affine[]) => void,
  ): void {
    if (columns === undefined) return body(at);
    const last = this.domain.sizes.length - 1;
    this.builder.vector("c", columns, (c) => body(at.map((a, i) => (i === last ? addAffine(a, c) : a))));
  }

  // ---- scratch ------------------------------------------------------------------------------------------------

  private chooseScratch(): void {
    const price = new Map<Node, number>();
    const laterReader = (member: Node): boolean =>
      this.computed.some(
        (reader) =>
          (this.stages.get(reader) ?? this.lastStage) > this.stage(member) &&
          readsOf(reader, this.accesses).some((read) => read.root === member),
      );
    for (const member of this.members) {
      if (this.level(member) !== "full") continue;
      const own = this.accesses.copies.has(member) ? 0 : (member.op as ElementwiseOp).cost;
      const inputs = readsOf(member, this.accesses).map(({ root }) => price.get(root) ?? 0);
      const total = own + inputs.reduce((sum, x) => sum + x, 0);
      const dear = total > recomputeLimit && laterReader(member);
      if (dear && !this.outputs.has(member)) {
        const elements = this.reducedCount() * this.rowLanes;
        this.scratch.set(
          member,
          this.context.scratch(`${member.op.name}${member.id}`, scratchDType(member), elements),
        );
      }
      price.set(member, dear ? 0 : total);
    }
  }

  private reducedCount(): number {
    return this.domain.axes.reduce((count, axis) => count * maxOf(this.domain.sizes[axis]!), 1);
  }

  /** Scratch holds one row, or the tile's columns side by side. */
  private scratchAddress(at: readonly Affine[]): Affine {
    const { sizes, axes } = this.domain;
    const row = viewAddress(
      contiguousView(axes.map((axis) => sizes[axis]!)),
      axes.map((axis) => at[axis]!),
    );
    if (!this.isColumn) return row;
    const column = at[sizes.length - 1]!;
    const laneTerm = column.terms[column.terms.length - 1]!;
    return addAffine(scaleAffine(row, this.rowLanes), { constant: 0, terms: [laneTerm] });
  }
}

/** Scratch keeps compute precision. */
const scratchDType = (member: Node): DType => computeDType(member.dtype);
