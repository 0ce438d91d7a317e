/** The kernel of one part: batch loops around tiles, each tile a chain of multiply-adds in registers and an epilogue. */
import { hasMachineCode } from "#platform";
import { bytesOf } from "../../base/dtype.ts";
import type { Shape } from "../../base/shape.ts";
import { maxOf, type Size } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import { addAffine, constantAffine, scaleAffine, viewAddress, zeroAffine } from "../../ir/affine.ts";
import { KernelBuilder } from "../../ir/builder.ts";
import type { Affine, KernelBuffer, Register, Statement, Value } from "../../ir/kernel.ts";
import type { TargetDescription } from "../../ir/target.ts";
import { forBatch, forBoxes, forTiles } from "./loops.ts";
import {
  alongBox,
  elementsOf,
  forBox,
  forSteps,
  linear,
  mergedLoops,
  type Panels,
  type Span,
} from "./panels.ts";
import { type Problem, placeOf, zeros } from "./problem.ts";
import { exchanged, type Product } from "./product.ts";
import type { Part } from "./sharing.ts";
import { cutOf, slicesOf } from "./slices.ts";
import type { TileModel, Tiling } from "./tiles.ts";

/** Called where a result is complete: loads what it needs, stores outputs. `at`: one index per axis of the result. */
export type Epilogue = (builder: KernelBuilder, accumulated: Value, at: readonly Affine[]) => void;

export interface KernelRequest {
  readonly problem: Problem;
  readonly part: Part;
  readonly left: Panels;
  readonly right: Panels;
  readonly dtype: ScalarDType;
  readonly target: TargetDescription;
  readonly model: TileModel;
  readonly product: Product;
  readonly epilogue: Epilogue;
  /** Sums of slices, one a result of a matrix; needed where the depth is cut. */
  readonly sums: KernelBuffer | undefined;
  /** Packs the columns of a tile; called by the thread that needs them, before all matrices. */
  readonly packColumns: ((b: KernelBuilder, columns: Span) => void) | undefined;
  /** Run for each matrix of the batch before its tiles. */
  prepare(b: KernelBuilder, batch: readonly Affine[]): void;
}

export function contractionBody(request: KernelRequest): readonly Statement[] {
  const emitter = new ContractionEmitter(request);
  emitter.emit();
  return emitter.b.statements;
}

/** Steps in depth: `sizes` along its axes, from `start` on. */
interface DepthBox {
  readonly start: readonly Affine[];
  readonly sizes: Shape;
}

/** Where the rows of a part begin along one axis. */
interface From {
  readonly axis: number;
  readonly start: Affine;
}

type Cut = NonNullable<ReturnType<typeof cutOf>>;

interface Tile {
  readonly batch: readonly Affine[];
  readonly rows: Span;
  readonly columns: Span;
  readonly accumulators: Register;
}

const lineBytes = 64;
/** What is no larger than such a part of a second-level cache lies in it. */
const nearPart = 1 / 4;
/** A tile takes 12 to 28 cycles a step: so many steps are what memory takes. */
const stepsAhead = 12;

class ContractionEmitter {
  readonly b: KernelBuilder;
  private readonly request: KernelRequest;
  private readonly registers = new Map<string, Register>();

  constructor(request: KernelRequest) {
    this.b = new KernelBuilder(request.target);
    this.request = request;
  }

  emit(): void {
    const { b } = this;
    const { packColumns } = this.request;
    const { shared, rows, columns } = this.request.part;
    if (shared.axis === "columns") {
      forBoxes(
        b,
        "panel",
        [columns],
        (tile) => {
          packColumns?.(b, tile);
          this.matrices([], (batch) =>
            this.matrix(batch, (body) => this.rowTiles(rows, (r) => body(r, tile))),
          );
        },
        () => ({ mode: "parallel", offset: zeroAffine }),
      );
    } else if (hasMachineCode && shared.axis === "both") {
      const walk = (): { mode: "parallel"; offset: Affine } => ({ mode: "parallel", offset: zeroAffine });
      const panel = (tile: Span): void => {
        packColumns?.(b, tile);
        b.parallel("group", shared.count, (index) => {
          const start = addAffine(constantAffine(shared.start), scaleAffine(index, shared.size));
          const from: From = { axis: shared.rowAxis, start };
          this.matrices([], (batch) =>
            this.matrix(batch, (body) => this.rowTiles(rows, (r) => body(r, tile), from)),
          );
        });
      };
      forBoxes(b, "panel", [columns], panel, walk);
    } else if (shared.axis === "late rows") {
      forTiles(
        b,
        "row",
        rows[shared.rowAxis]!,
        { mode: "parallel", offset: zeroAffine },
        ({ start, size }) => {
          const single: Tiling = { kind: "static", segments: [{ start: 0, count: 1, size }] };
          const own = rows.map((tiling, axis) => (axis === shared.rowAxis ? single : tiling));
          this.matrices([], (batch) =>
            this.matrix(batch, (body) => this.tiles(own, columns, body, { axis: shared.rowAxis, start })),
          );
        },
      );
    } else if (shared.axis === "rows") {
      b.parallel("group", shared.count, (index) => {
        const start = addAffine(constantAffine(shared.start), scaleAffine(index, shared.size));
        this.panels(rows, columns, { axis: shared.rowAxis, start });
      });
    } else this.panels(rows, columns);
  }

  /** All tiles, by one thread. */
  private panels(rows: readonly Tiling[], columns: Tiling, from?: From): void {
    const { packColumns } = this.request;
    if (packColumns === undefined)
      return this.matrices([], (batch) =>
        this.matrix(batch, (body) => this.tiles(rows, columns, body, from)),
      );
    this.columnTiles(columns, (tile) => {
      packColumns(this.b, tile);
      this.matrices([], (batch) =>
        this.matrix(batch, (body) => this.rowTiles(rows, (r) => body(r, tile), from)),
      );
    });
  }

  /** Loops over the batch; the shared axis, if any, is outermost. */
  private matrices(at: readonly Affine[], body: (batch: readonly Affine[]) => void): void {
    const { batch } = this.request.problem;
    const { shared } = this.request.part;
    const first = shared.axis === "batch" ? shared.batchAxis : -1;
    const order = batch
      .map((_, axis) => axis)
      .sort((a, c) => Number(c === first) - Number(a === first) || a - c);
    const open = (depth: number, found: readonly Affine[]): void => {
      const axis = order[depth];
      if (axis === undefined) return body(batch.map((_, i) => found[order.indexOf(i)]!));
      const mode = axis === first ? "parallel" : "serial";
      this.b.loop(mode, `batch${axis}`, batch[axis]!, {
        body: (index) => open(depth + 1, [...found, index]),
      });
    };
    open(0, at);
  }

  /** Everything of one matrix: `tiles` calls what it is given for each tile of the part. */
  private matrix(batch: readonly Affine[], tiles: (body: (rows: Span, columns: Span) => void) => void): void {
    this.request.prepare(this.b, batch);
    const { depth } = this.request.problem;
    const each = (body: (tile: Tile) => void): void =>
      tiles((rows, columns) =>
        body({ batch, rows, columns, accumulators: this.accumulators(rows, columns) }),
      );
    const cut = cutOf(depth);
    if (cut === undefined) {
      each((tile) => {
        this.clear(tile);
        this.chain(tile, { start: zeros(depth), sizes: depth });
        this.finish(tile, (element) => this.b.read(tile.accumulators, element.row));
      });
    } else if (typeof depth[cut.axis] === "number") this.inSlices(cut, each);
    else each((tile) => this.inLateSlices(tile, cut));
  }

  private tiles(
    rows: readonly Tiling[],
    columns: Tiling,
    body: (rows: Span, columns: Span) => void,
    from?: From,
  ): void {
    this.columnTiles(columns, (c) => this.rowTiles(rows, (r) => body(r, c), from));
  }
  private columnTiles(columns: Tiling, body: (tile: Span) => void): void {
    forBoxes(this.b, "panel", [columns], body);
  }
  private rowTiles(rows: readonly Tiling[], body: (tile: Span) => void, from?: From): void {
    forBoxes(this.b, "row", rows, body, (axis) => ({
      mode: "serial",
      offset: axis === from?.axis ? from.start : zeroAffine,
    }));
  }

  // ---- one tile -----------------------------------------------------------------------------------------------

  private accumulators(rows: Span, columns: Span): Register {
    const { model, dtype } = this.request;
    const [height, width] = [elementsOf(rows), elementsOf(columns)];
    const key = `${height}x${width}`;
    let register = this.registers.get(key);
    if (register === undefined) {
      const lanes = model.groups(width) * model.lanes;
      this.registers.set(key, (register = { name: `acc${key}`, dtype, count: height, lanes }));
    }
    return register;
  }

  private clear({ accumulators, rows }: Tile): void {
    const zero = this.b.constant(accumulators.dtype, 0);
    this.b.unrolled("i", elementsOf(rows), (i) => this.b.set(accumulators, zero, i));
  }

  /** acc ← left × right + acc for all steps of a box of the depth, in order. */
  private chain(tile: Tile, { start, sizes }: DepthBox): void {
    const { left, right } = this.request;
    const strides = [left.depthStrides(tile.rows), right.depthStrides(tile.columns)];
    const first = strides.map((list) => viewAddress({ strides: list, offset: 0 }, start));
    forSteps(this.b, mergedLoops(sizes, strides), 1, (at, { strides: [stride] }) => {
      const here = at.map((address, i) => addAffine(first[i]!, address));
      if (hasMachineCode) this.prefetch(tile, here[0]!, stride!);
      this.step(tile, here);
    });
  }

  /**
   * Rows whose elements lie a line or more further each step in depth (the gradient of a weight reads the layer's input so) are fetched
   * ahead by no processor: each step asks for what a later one reads, unless the caches near the processor may hold it.
   */
  private prefetch({ batch, rows }: Tile, down: Affine, stride: Size): void {
    const { left, problem, target } = this.request;
    const { buffer } = left;
    const bytes = bytesOf(buffer.dtype);
    const isApart = typeof stride === "number" && stride * bytes >= lineBytes;
    const isInPlace = buffer === problem.left.buffer;
    if (
      target.arithmetic !== "x64" ||
      !isApart ||
      !isInPlace ||
      maxOf(buffer.elements) * bytes <= nearPart * target.caches.l2.bytes
    )
      return;
    const first = left.address(batch, rows, zeros(rows.sizes));
    this.b.prefetch(buffer, addAffine(addAffine(first, down), constantAffine(stepsAhead * stride)));
  }

  private step({ batch, rows, columns, accumulators }: Tile, [down, across]: readonly Affine[]): void {
    const { b } = this;
    const { left, right, dtype, model } = this.request;
    const load = (panels: Panels, tile: Span, lane: readonly Affine[], depth: Affine): Value =>
      b.convert(dtype, b.load(panels.buffer, addAffine(panels.address(batch, tile, lane), depth)));
    const product = this.request.problem.isExchanged ? exchanged(this.request.product) : this.request.product;
    const add = (x: Value, ys: readonly Value[], i: Affine): void => {
      const xs = product.partsOf(b, "a", x);
      b.set(accumulators, product.add(b, xs, ys, b.read(accumulators, i)), i);
    };
    b.vector(
      "j",
      columns.sizes[0]!,
      (j) => {
        const y = product.partsOf(b, "b", load(right, columns, [j], across!));
        if (model.loadsComeFirst) {
          const elements: Value[] = [];
          forBox(rows.sizes, (i) => void elements.push(load(left, rows, i, down!)));
          elements.forEach((x, row) => {
            add(x, y, constantAffine(row));
          });
        } else alongBox(b, rows.sizes, (i) => add(load(left, rows, i, down!), y, linear(i, rows.sizes)));
      },
      true,
    );
  }

  /** For each element of the tile: its place, then the epilogue with `value`. */
  private finish(tile: Tile, value: (element: Element) => Value): void {
    const { b } = this;
    const { problem, epilogue } = this.request;
    this.elements(tile, (element) => {
      epilogue(b, value(element), placeOf(problem, tile.batch, element.rowIndex, element.columnIndex));
    });
  }

  private elements(tile: Tile, body: (element: Element) => void): void {
    const { rows, columns } = tile;
    this.b.vector("j", columns.sizes[0]!, (j) => {
      alongBox(this.b, rows.sizes, (i) => {
        const rowIndex = i.map((lane, axis) => addAffine(rows.start[axis]!, lane));
        body({
          row: linear(i, rows.sizes),
          rowIndex,
          columnIndex: addAffine(columns.start[0]!, j),
        });
      });
    });
  }

  // ---- beyond one chain ---------------------------------------------------------------------------------------

  /** Slice after slice over all tiles, so that a slice of both operands stays in the caches. */
  private inSlices({ axis, longest }: Cut, each: (body: (tile: Tile) => void) => void): void {
    const { b } = this;
    const { depth } = this.request.problem;
    const { full, length, rest } = slicesOf(depth[axis] as number, longest);
    each((tile) => this.elements(tile, (element) => this.putSum(element, b.constant(this.request.dtype, 0))));
    const slice = (outer: readonly Affine[], size: number, start: Affine): void =>
      each((tile) => {
        this.clear(tile);
        this.chain(tile, this.sliceAt(outer, start, size));
        this.addChain(tile);
      });
    this.outerDepth(axis, (outer) => {
      b.serial("slice", full, (s) => slice(outer, length, scaleAffine(s, length)));
      if (rest > 0) slice(outer, rest, constantAffine(full * length));
    });
    each((tile) => this.finish(tile, (element) => this.sum(element)));
  }

  /** An axis known late is cut into the longest slices and a rest. */
  private inLateSlices(tile: Tile, { axis, longest }: Cut): void {
    const { b } = this;
    const extent = this.request.problem.depth[axis]!;
    this.elements(tile, (element) => this.putSum(element, b.constant(this.request.dtype, 0)));
    this.outerDepth(axis, (outer) => {
      this.clear(tile);
      b.loop("serial", "slice", extent, {
        step: longest,
        body: (start) => {
          this.chain(tile, this.sliceAt(outer, start, longest));
          this.addChain(tile);
          this.clear(tile);
        },
        remainder: (k) => this.chain(tile, this.sliceAt(outer, k, 1)),
      });
      this.addChain(tile);
    });
    this.finish(tile, (element) => this.sum(element));
  }

  /** Loops over the axes of the depth before the one that is cut. */
  private outerDepth(axis: number, body: (at: readonly Affine[]) => void): void {
    forBatch(this.b, this.request.problem.depth.slice(0, axis), () => true, body);
  }

  private sliceAt(outer: readonly Affine[], start: Affine, size: number): DepthBox {
    const inner = this.request.problem.depth.slice(outer.length + 1);
    return {
      start: [...outer, start, ...zeros(inner)],
      sizes: [...outer.map(() => 1), size, ...inner],
    };
  }

  private addChain(tile: Tile): void {
    this.elements(tile, (element) => {
      const chain = this.b.read(tile.accumulators, element.row);
      this.putSum(element, this.b.binary("add", this.sum(element), chain));
    });
  }
  private sum(element: Element): Value {
    return this.b.load(this.request.sums!, this.sumAddress(element));
  }
  private putSum(element: Element, value: Value): void {
    this.b.store(this.request.sums!, this.sumAddress(element), value);
  }
  private sumAddress({ rowIndex, columnIndex }: Element): Affine {
    const { rows, columns } = this.request.problem;
    return addAffine(scaleAffine(linear(rowIndex, rows), columns), columnIndex);
  }
}

interface Element {
  /** In the tile: the accumulators' subscript. */
  readonly row: Affine;
  /** In the matrix. */
  readonly rowIndex: readonly Affine[];
  readonly columnIndex: Affine;
}
