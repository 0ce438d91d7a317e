/** The kernel of one part: batch loops around tiles, each tile a chain of multiply-adds in registers and an epilogue. */
import type { Size } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import { addAffine, constantAffine, scaleAffine, zeroAffine } from "../../ir/affine.ts";
import { KernelBuilder } from "../../ir/builder.ts";
import type { Affine, KernelBuffer, Register, Statement, Value } from "../../ir/kernel.ts";
import type { TargetDescription } from "../../ir/target.ts";
import { forTiles } from "./loops.ts";
import type { Panels, Span } from "./panels.ts";
import type { Problem } from "./problem.ts";
import type { Part } from "./sharing.ts";
import { isCut, longestChain, slicesOf } from "./slices.ts";
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
  readonly epilogue: Epilogue;
  /** Sums of slices, one a result of a matrix; needed where the depth is cut. */
  readonly sums: KernelBuffer | undefined;
  /** Packs the columns of a tile; called by the thread that needs them, before all matrices. */
  readonly packColumns: ((b: KernelBuilder, tile: Span) => void) | undefined;
  /** Run for each matrix of the batch before its tiles. */
  prepare(b: KernelBuilder, batch: readonly Affine[]): void;
}

export function contractionBody(request: KernelRequest): readonly Statement[] {
  const emitter = new ContractionEmitter(request);
  emitter.emit();
  return emitter.b.statements;
}

interface Tile {
  readonly batch: readonly Affine[];
  readonly rows: Span;
  readonly columns: Span;
  readonly accumulators: Register;
}

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
      forTiles(b, "panel", columns, { mode: "parallel", offset: zeroAffine }, (tile) => {
        packColumns?.(b, tile);
        this.matrices([], (batch) =>
          this.matrix(batch, (body) => this.rowTiles(rows, zeroAffine, (r) => body(r, tile))),
        );
      });
    } else if (shared.axis === "late rows") {
      forTiles(b, "row", rows, { mode: "parallel", offset: zeroAffine }, (tile) => {
        this.matrices([], (batch) =>
          this.matrix(batch, (body) => this.columnTiles(columns, (c) => body(tile, c))),
        );
      });
    } else if (shared.axis === "rows") {
      b.parallel("group", shared.count, (index) => {
        const offset = addAffine(constantAffine(shared.start), scaleAffine(index, shared.size));
        this.matrices([], (batch) => this.matrix(batch, (body) => this.tiles(rows, columns, offset, body)));
      });
    } else {
      if (packColumns) this.columnTiles(columns, (tile) => packColumns(b, tile));
      this.matrices([], (batch) => this.matrix(batch, (body) => this.tiles(rows, columns, zeroAffine, body)));
    }
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
    if (!isCut(depth)) {
      each((tile) => {
        this.clear(tile);
        this.chain(tile, depth, zeroAffine);
        this.finish(tile, (element) => this.b.read(tile.accumulators, element.row));
      });
    } else if (typeof depth === "number") this.inSlices(depth, each);
    else each((tile) => this.inLateSlices(tile, depth));
  }

  private tiles(
    rows: Tiling,
    columns: Tiling,
    offset: Affine,
    body: (rows: Span, columns: Span) => void,
  ): void {
    this.columnTiles(columns, (c) => this.rowTiles(rows, offset, (r) => body(r, c)));
  }
  private columnTiles(columns: Tiling, body: (tile: Span) => void): void {
    forTiles(this.b, "panel", columns, { mode: "serial", offset: zeroAffine }, body);
  }
  private rowTiles(rows: Tiling, offset: Affine, body: (tile: Span) => void): void {
    forTiles(this.b, "row", rows, { mode: "serial", offset }, body);
  }

  // ---- one tile -----------------------------------------------------------------------------------------------

  private accumulators(rows: Span, columns: Span): Register {
    const { model, dtype } = this.request;
    const key = `${rows.size}x${columns.size}`;
    let register = this.registers.get(key);
    if (register === undefined) {
      const lanes = model.groups(columns.size) * model.lanes;
      this.registers.set(key, (register = { name: `acc${key}`, dtype, count: rows.size, lanes }));
    }
    return register;
  }

  private clear({ accumulators, rows }: Tile): void {
    const zero = this.b.constant(accumulators.dtype, 0);
    this.b.unrolled("i", rows.size, (i) => this.b.set(accumulators, zero, i));
  }

  /** acc ← left × right + acc for `length` steps in depth, from `start` on. */
  private chain(tile: Tile, length: Size, start: Affine): void {
    this.b.serial("k", length, (k) => this.step(tile, addAffine(start, k)));
  }

  private step({ batch, rows, columns, accumulators }: Tile, k: Affine): void {
    const { b } = this;
    const { left, right, dtype, model } = this.request;
    const load = (panels: Panels, tile: Span, lane: Affine): Value =>
      b.convert(dtype, b.load(panels.buffer, panels.address(batch, tile, lane, k)));
    const add = (x: Value, y: Value, i: Affine): void =>
      b.set(accumulators, b.mulAdd(x, y, b.read(accumulators, i)), i);
    b.vector(
      "j",
      columns.size,
      (j) => {
        const y = load(right, columns, j);
        if (model.loadsComeFirst) {
          const places = Array.from({ length: rows.size }, (_, i) => constantAffine(i));
          const elements = places.map((i) => load(left, rows, i));
          places.forEach((i, row) => {
            add(elements[row]!, y, i);
          });
        } else b.unrolled("i", rows.size, (i) => add(load(left, rows, i), y, i));
      },
      true,
    );
  }

  /** For each element of the tile: its place, then the epilogue with `value`. */
  private finish(tile: Tile, value: (element: Element) => Value): void {
    const { b } = this;
    const { problem, epilogue } = this.request;
    this.elements(tile, (element) => {
      const { rowIndex, columnIndex } = element;
      const place = problem.isSwapped ? [columnIndex, rowIndex] : [rowIndex, columnIndex];
      epilogue(b, value(element), [...tile.batch, ...place]);
    });
  }

  private elements(tile: Tile, body: (element: Element) => void): void {
    const { rows, columns } = tile;
    this.b.vector("j", columns.size, (j) => {
      this.b.unrolled("i", rows.size, (i) => {
        body({ row: i, rowIndex: addAffine(rows.start, i), columnIndex: addAffine(columns.start, j) });
      });
    });
  }

  // ---- beyond one chain ---------------------------------------------------------------------------------------

  /** Slice after slice over all tiles, so that a slice of both operands stays in the caches. */
  private inSlices(depth: number, each: (body: (tile: Tile) => void) => void): void {
    const { b } = this;
    const { full, length, rest } = slicesOf(depth);
    each((tile) => this.elements(tile, (element) => this.putSum(element, b.constant(this.request.dtype, 0))));
    const slice = (size: number, start: Affine): void =>
      each((tile) => {
        this.clear(tile);
        this.chain(tile, size, start);
        this.addChain(tile);
      });
    b.serial("slice", full, (s) => slice(length, scaleAffine(s, length)));
    if (rest > 0) slice(rest, constantAffine(full * length));
    each((tile) => this.finish(tile, (element) => this.sum(element)));
  }

  /** A depth known late is cut into slices of the longest chain and a rest. */
  private inLateSlices(tile: Tile, depth: Size): void {
    const { b } = this;
    this.elements(tile, (element) => this.putSum(element, b.constant(this.request.dtype, 0)));
    this.clear(tile);
    b.loop("serial", "slice", depth, {
      step: longestChain,
      body: (start) => {
        this.chain(tile, longestChain, start);
        this.addChain(tile);
        this.clear(tile);
      },
      remainder: (k) => this.step(tile, k),
    });
    this.addChain(tile);
    this.finish(tile, (element) => this.sum(element));
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
    return addAffine(scaleAffine(rowIndex, this.request.problem.columns), columnIndex);
  }
}

interface Element {
  /** In the tile: the accumulators' subscript. */
  readonly row: Affine;
  /** In the matrix. */
  readonly rowIndex: Affine;
  readonly columnIndex: Affine;
}
