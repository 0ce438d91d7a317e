/** Kernels for few rows by a matrix: see `few-rows.ts`. */
import { hasMachineCode } from "#platform";
import { bytesOf } from "../../base/dtype.ts";
import type { Shape } from "../../base/shape.ts";
import type { Size } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import { addAffine, constantAffine, scaleAffine, viewAddress, zeroAffine } from "../../ir/affine.ts";
import { KernelBuilder } from "../../ir/builder.ts";
import type { Affine, KernelBuffer, Register, Statement, Value } from "../../ir/kernel.ts";
import type { TargetDescription } from "../../ir/target.ts";
import { type FewRows, piecesOf } from "./few-rows.ts";
import type { Epilogue } from "./kernel.ts";
import { type AxisSpan, forTiles } from "./loops.ts";
import { loadElement, placeOf, type Side, sideAddress } from "./problem.ts";
import { exchanged, type Product } from "./product.ts";
import { cutOf, slicesOf } from "./slices.ts";
import { balanced, type Tiling } from "./tiles.ts";

export interface FewRowsRequest {
  readonly name: string;
  readonly few: FewRows;
  readonly dtype: ScalarDType;
  readonly target: TargetDescription;
  readonly epilogue: Epilogue;
  readonly product: Product;
}

/** Kernels' bodies, each with the columns that it computes, and their scratch. */
export interface FewRowsPlan {
  readonly parts: readonly { readonly body: readonly Statement[]; readonly columns: number }[];
  readonly scratch: readonly KernelBuffer[];
}

export function lowerFewRows(request: FewRowsRequest): FewRowsPlan {
  const { few } = request;
  const { width, problem } = few;
  const { count, rest } = piecesOf(few);
  const make = hasMachineCode && few.adjacent !== "columns" ? inRegisters(request) : inMemory(request);
  const pieces = (segments: Extract<Tiling, { kind: "static" }>["segments"]): Tiling => ({
    kind: "static",
    segments,
  });
  const all = pieces([
    ...(count > 0 ? [{ start: 0, count, size: width }] : []),
    ...(rest > 0 ? [{ start: count * width, count: 1, size: rest }] : []),
  ]);
  if (few.shared.axis !== "columns" || count === 0)
    return {
      parts: [{ body: bodyOf(request, make, all, "serial"), columns: problem.columns }],
      scratch: make.scratch,
    };
  const even = pieces([{ start: 0, count, size: width }]);
  const parts = [{ body: bodyOf(request, make, even, "parallel"), columns: count * width }];
  const left = pieces([{ start: count * width, count: 1, size: rest }]);
  if (rest > 0) parts.push({ body: bodyOf(request, make, left, "serial"), columns: rest });
  return { parts, scratch: make.scratch };
}

/** How the results of one piece of the columns come about. */
interface Piece {
  readonly scratch: readonly KernelBuffer[];
  emit(b: KernelBuilder, batch: readonly Affine[], columns: AxisSpan): void;
}

function bodyOf(
  { few, target }: FewRowsRequest,
  piece: Piece,
  columns: Tiling,
  mode: "serial" | "parallel",
): readonly Statement[] {
  const b = new KernelBuilder(target);
  const { batch } = few.problem.whole;
  const { shared } = few;
  const first = shared.axis === "batch" ? shared.batchAxis : -1;
  const order = batch
    .map((_, axis) => axis)
    .sort((x, y) => Number(y === first) - Number(x === first) || x - y);
  const inBatch = (depth: number, at: readonly Affine[], body: (at: readonly Affine[]) => void): void => {
    const axis = order[depth];
    if (axis === undefined) return body(at);
    b.loop(axis === first ? "parallel" : "serial", `batch${axis}`, batch[axis]!, {
      body: (index) => inBatch(depth + 1, at.with(axis, index), body),
    });
  };
  const start = batch.map(() => zeroAffine);
  const tiles = (body: (columns: AxisSpan) => void): void =>
    forTiles(b, "piece", columns, { mode, offset: zeroAffine }, body);
  if (mode === "parallel") tiles((span) => inBatch(0, start, (at) => piece.emit(b, at, span)));
  else inBatch(0, start, (at) => tiles((span) => piece.emit(b, at, span)));
  return b.statements;
}

/** A step in depth: an index for each of its axes. */
type Step = readonly Affine[];

/** Calls `chain` for each slice of the depth (see `slices.ts`) with its part of the first axis, and `end` after each. */
function forSlices(
  b: KernelBuilder,
  depth: Shape,
  chain: (length: Size, start: Affine) => void,
  end: () => void,
): void {
  const { full, length, rest } = slicesOf(depth[0] as number, cutOf(depth)!.longest);
  b.serial("slice", full, (s) => {
    chain(length, scaleAffine(s, length));
    end();
  });
  if (rest === 0) return;
  chain(rest, constantAffine(full * length));
  end();
}

interface StepRange {
  readonly depth: Shape;
  /** Of the first axis. */
  readonly length: Size;
  readonly start: Affine;
  readonly together: number;
  readonly axesTogether: number;
}

/** All steps of a range, so many of the last axis (or all of the last axes) together, given as a list, and then those that are left. */
function inSteps(
  b: KernelBuilder,
  { depth, length, start, together, axesTogether }: StepRange,
  body: (steps: readonly Step[]) => void,
  outer: Step = [],
): void {
  const axis = outer.length;
  if (axis > 0 && axis === depth.length - axesTogether) return body(stepsFrom(outer, depth.slice(axis)));
  const [size, from] = axis === 0 ? [length, start] : [depth[axis]!, zeroAffine];
  const at = (index: Affine): Step => [...outer, addAffine(from, index)];
  if (axis < depth.length - 1) {
    const range = { depth, length, start, together, axesTogether };
    b.serial(`k${axis}`, size, (index) => inSteps(b, range, body, at(index)));
    return;
  }
  b.loop("serial", "k", size, {
    step: together,
    body: (index) => body(range(together).map((i) => at(addAffine(index, constantAffine(i))))),
    ...(together > 1 && { remainder: (index: Affine) => body([at(index)]) }),
  });
}

/** All steps along axes of these sizes, from a place along the outer ones. */
function stepsFrom(outer: Step, sizes: Shape): readonly Step[] {
  const [size, ...inner] = sizes;
  if (size === undefined) return [outer];
  return range(size as number).flatMap((i) => stepsFrom([...outer, constantAffine(i)], inner));
}

/** Loads of both sides, converted. */
function loadsOf({ few, dtype }: FewRowsRequest, b: KernelBuilder, batch: readonly Affine[]) {
  const { left, right } = few.problem.whole;
  const load = (side: Side, own: Affine, step: Step): Value =>
    b.convert(
      dtype,
      loadElement(b, side, (source) =>
        addAffine(
          sideAddress(source, batch, [own]),
          viewAddress({ strides: source.depthStrides, offset: 0 }, step),
        ),
      ),
    );
  return {
    left: (row: Affine, step: Step) => load(left, row, step),
    right: (column: Affine, step: Step) => load(right, column, step),
  };
}

/** Of what is left by what is right. */
const productOf = ({ few, product }: FewRowsRequest): Product =>
  few.problem.whole.isExchanged ? exchanged(product) : product;

const range = (count: number): number[] => [...Array(count).keys()];

// ---- columns side by side: accumulators in the first cache --------------------------------------------------------

function inMemory(request: FewRowsRequest): Piece {
  const { few, dtype } = request;
  const { rows, whole } = few.problem;
  const { depth } = whole;
  const product = productOf(request);
  const newScratch = (what: string): KernelBuffer => ({
    name: `${what} of ${request.name}`,
    dtype,
    elements: rows * few.width,
    access: "readwrite",
    scope: "thread",
  });
  const chains = newScratch("chains");
  const sums = cutOf(depth) !== undefined ? newScratch("sums") : undefined;
  const at = (row: Affine, j: Affine): Affine => addAffine(scaleAffine(row, few.width), j);

  const emit = (b: KernelBuilder, batch: readonly Affine[], columns: AxisSpan): void => {
    const { left, right } = loadsOf(request, b, batch);
    const each = (body: (row: Affine, j: Affine) => void): void =>
      b.vector("j", columns.size, (j) => b.unrolled("i", rows, (row) => body(row, j)));
    const clear = (buffer: KernelBuffer): void =>
      each((row, j) => b.store(buffer, at(row, j), b.constant(dtype, 0)));
    const chain = (length: Size, start: Affine): void =>
      inSteps(b, { depth, length, start, ...few }, (steps) =>
        b.vector("j", columns.size, (j) => {
          const column = addAffine(columns.start, j);
          const loaded = steps.map((step) => product.partsOf(b, "b", right(column, step)));
          b.unrolled("i", rows, (row) => {
            const before = b.load(chains, at(row, j));
            const after = loaded.reduce(
              (sum, y, i) => product.add(b, product.partsOf(b, "a", left(row, steps[i]!)), y, sum),
              before,
            );
            b.store(chains, at(row, j), after);
          });
        }),
      );
    clear(chains);
    if (sums === undefined) chain(depth[0]!, zeroAffine);
    else {
      clear(sums);
      forSlices(b, depth, chain, () =>
        each((row, j) => {
          const sum = b.binary("add", b.load(sums, at(row, j)), b.load(chains, at(row, j)));
          b.store(sums, at(row, j), sum);
          b.store(chains, at(row, j), b.constant(dtype, 0));
        }),
      );
    }
    each((row, j) => {
      const place = placeOf(few.problem.whole, batch, [row], addAffine(columns.start, j));
      request.epilogue(b, b.load(sums ?? chains, at(row, j)), place);
    });
  };
  return { scratch: sums === undefined ? [chains] : [chains, sums], emit };
}

// ---- in registers: depth side by side, blocks turned; panels ------------------------------------------------------

function inRegisters(request: FewRowsRequest): Piece {
  const { few } = request;
  const { rows } = few.problem;
  const tiles: Tiling = { kind: "static", segments: balanced(rows, few.rowsTogether) };
  return {
    scratch: [],
    emit: (b, batch, columns) =>
      forTiles(b, "row", tiles, { mode: "serial", offset: zeroAffine }, (tile) =>
        turnedTile(request, b, batch, { rows: tile, columns }),
      ),
  };
}

function turnedTile(
  request: FewRowsRequest,
  b: KernelBuilder,
  batch: readonly Affine[],
  { rows, columns }: { readonly rows: AxisSpan; readonly columns: AxisSpan },
): void {
  const { few, dtype } = request;
  const { depth } = few.problem.whole;
  const product = productOf(request);
  const { left, right } = loadsOf(request, b, batch);
  const newRegister = (name: string): Register => ({
    name: `${name}${rows.size}`,
    dtype,
    count: rows.size,
    lanes: few.width,
  });
  const chains = newRegister("chain");
  const sums = cutOf(depth) !== undefined ? newRegister("sum") : undefined;
  const clear = (register: Register): void =>
    b.unrolled("i", rows.size, (i) => b.set(register, b.constant(dtype, 0), i));
  const each = (body: (i: Affine, j: Affine) => void): void =>
    b.vector("j", columns.size, (j) => b.unrolled("i", rows.size, (i) => body(i, j)));
  const chain = (length: Size, start: Affine): void => {
    clear(chains);
    inSteps(b, { depth, length, start, ...few }, (steps) => {
      if (few.adjacent === "depth") prefetchPiece(b, few, batch, columns, steps);
      b.vector(
        "j",
        columns.size,
        (j) => {
          for (const step of steps) {
            const y = product.partsOf(b, "b", right(addAffine(columns.start, j), step));
            b.unrolled("i", rows.size, (i) => {
              const x = product.partsOf(b, "a", left(addAffine(rows.start, i), step));
              b.set(chains, product.add(b, x, y, b.read(chains, i)), i);
            });
          }
        },
        true,
      );
    });
  };
  if (sums === undefined) chain(depth[0]!, zeroAffine);
  else {
    clear(sums);
    forSlices(b, depth, chain, () =>
      each((i) => b.set(sums, b.binary("add", b.read(sums, i), b.read(chains, i)), i)),
    );
  }
  each((i, j) => {
    const place = placeOf(few.problem.whole, batch, [addAffine(rows.start, i)], addAffine(columns.start, j));
    request.epilogue(b, b.read(sums ?? chains, i), place);
  });
}

const lineBytes = 64;

/**
 * Asks for a part of the piece of columns that comes next: each piece begins at rows of the matrix that nobody has read yet. Where its
 * rows follow each other in memory, all of it is asked for in the order in which it lies there, else what stands beside these steps.
 */
function prefetchPiece(
  b: KernelBuilder,
  { problem: { whole }, axesTogether }: FewRows,
  batch: readonly Affine[],
  { start, size }: AxisSpan,
  steps: readonly Step[],
): void {
  const { depth, right } = whole;
  const [first] = steps as [Step, ...Step[]];
  const axis = depth.length - Math.max(axesTogether, 1) - (axesTogether > 0 ? 1 : 0);
  const stepsOfAxis = axesTogether > 0 ? 1 : steps.length;
  if (axesTogether === 0 && steps.length === 1) return;
  for (const source of sourcesApart(right, axis)) {
    const bytes = bytesOf(source.buffer.dtype);
    const [own, stride, length] = [source.ownStrides[0]!, source.depthStrides[axis]!, depth[axis]!];
    const next = (column: number): Affine =>
      sideAddress(source, batch, [addAffine(start, constantAffine(size + column))]);
    if (typeof own !== "number" || typeof stride !== "number") continue;
    if (axis === 0 && typeof length === "number" && own === stride * length) {
      const from = addAffine(next(0), scaleAffine(first[axis]!, size * stride));
      const lines = Math.ceil((size * stride * stepsOfAxis * bytes) / lineBytes);
      for (let line = 0; line < lines; line++)
        b.prefetch(source.buffer, addAffine(from, constantAffine(line * (lineBytes / bytes))));
    } else {
      const here = viewAddress({ strides: source.depthStrides, offset: 0 }, first);
      for (let column = 0; column < size; column++) b.prefetch(source.buffer, addAffine(next(column), here));
    }
  }
}

/** Of what an operand is read from, all that lies apart: scales that stand between the numbers come with them. */
function sourcesApart(side: Side, axis: number): readonly Side[] {
  const bytesApart = ({ buffer, depthStrides }: Side): number =>
    bytesOf(buffer.dtype) * Number(depthStrides[axis]);
  const sources: Side[] = [];
  for (const source of [side, ...(side.produced?.others ?? [])])
    if (!sources.some((known) => bytesApart(known) === bytesApart(source))) sources.push(source);
  return sources;
}
