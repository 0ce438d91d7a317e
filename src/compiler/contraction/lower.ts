/**
 * (batch…, rows…, depth…) × (batch…, depth…, columns…) → (batch…, rows…, columns…) as kernels: packing where it pays, then tiles whose accumulators stay
 * in registers, with whatever follows elementwise fused into the store of each tile.
 */
import { hasMachineCode } from "#platform";
import { bytesOf } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { maxElementCount, type Shape } from "../../base/shape.ts";
import { maxOf, multiplySizes, productOf, type Size } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import { addAffine, constantAffine, scaleAffine, zeroAffine } from "../../ir/affine.ts";
import { KernelBuilder } from "../../ir/builder.ts";
import type { Affine, Index, Kernel, KernelBuffer, Statement } from "../../ir/kernel.ts";
import type { TargetDescription } from "../../ir/target.ts";
import { buffersOf } from "./buffers.ts";
import { lowerBytes, type WordAlias } from "./bytes.ts";
import { type FewRows, fewRowsOf } from "./few-rows.ts";
import { contractionBody, type Epilogue } from "./kernel.ts";
import { forBatch, forBoxes, forTileRuns } from "./loops.ts";
import { lowerFewRows } from "./lower-few-rows.ts";
import { type Packing, packTile, packTiles, stepsTogether, tilesTogether } from "./packing.ts";
import { inPlace, onePanel, type Panels, packedBatch, packedPanels, type Span } from "./panels.ts";
import { type Plan, planContraction } from "./plan.ts";
import {
  batchCount,
  type ContractionAxes,
  type ContractionOperand,
  depthOf,
  flopOf,
  operandBytes,
  type Problem,
  problemsOf,
  type Side,
  zeros,
} from "./problem.ts";
import { numberProduct, type Product } from "./product.ts";
import { type Part, packsOwnColumns, partsOf, rowGroupsOf, sharedPackBytes } from "./sharing.ts";
import { cutOf } from "./slices.ts";
import { largestTile, sumOver, sumOverBoxes, TileModel, type Tiling } from "./tiles.ts";

export interface ContractionRequest {
  /** Of the kernels: `dot 32×784×64 + bias`. */
  readonly name: string;
  /** (batch…, rows…, depth…) */
  readonly a: ContractionOperand;
  /** (batch…, depth…, columns…) */
  readonly b: ContractionOperand;
  /** (batch…, rows…, columns…) */
  readonly shape: Shape;
  readonly axes: ContractionAxes;
  /** Of the sums; operands are converted to it as they are loaded. */
  readonly dtype: ScalarDType;
  readonly target: TargetDescription;
  /** Counters of the program's loops around the call, with their extents. */
  readonly parameters?: readonly { readonly index: Index; readonly extent: Size }[];
  /**
   * Called once for each place where results are complete, inside a vector loop, so for one lane; `at` holds one index
   * per axis of `shape`. It loads what it needs (bias, residual) and stores the outputs.
   */
  readonly epilogue: Epilogue;
  /** What a step in depth adds; left out: the product of two numbers, or of bytes where operands are bytes. */
  readonly product?: Product;
}

export interface ContractionPlan {
  /** To run in order. Their buffers are the operands', the epilogue's, those of `scratch`, and words of `aliases`. */
  readonly kernels: readonly Kernel[];
  readonly scratch: readonly KernelBuffer[];
  readonly aliases?: readonly WordAlias[];
}

/** Lowers a contraction. Postcondition: every kernel verifies; each result is one chain in rising k (see `slices.ts`). */
export function lowerContraction(request: ContractionRequest): ContractionPlan {
  const { a, b, shape, axes, dtype, target, product } = request;
  const orientations = problemsOf(a, b, shape, axes);
  if (shape.some((size) => size === 0)) return { kernels: [], scratch: [] };
  const bytes = product === undefined ? lowerBytes(request, lowerContraction) : undefined;
  if (bytes !== undefined) return bytes;
  const few = fewRowsOf(orientations, dtype, target);
  if (few !== undefined) return fewRowsPlan(request, few);
  return new ContractionLowering(request, planContraction(orientations, dtype, target, product)).run();
}

function fewRowsPlan(request: ContractionRequest, few: FewRows): ContractionPlan {
  const { name, dtype, target, epilogue, product = numberProduct, parameters = [] } = request;
  const { parts, scratch } = lowerFewRows({ name, few, dtype, target, epilogue, product });
  const kernels = parts.map(({ body, columns }): Kernel => {
    const cost = costOf(request, few.problem.whole, columns / few.problem.columns);
    return { name, buffers: [...buffersOf(body)], parameters, body, cost };
  });
  return { kernels, scratch };
}

/** Of a share of the results. */
function costOf(request: ContractionRequest, problem: Problem, share: number): Kernel["cost"] {
  const results = maxElementCount(request.shape) * bytesOf(request.dtype);
  const bytes = operandBytes(request.a) + operandBytes(request.b) + results;
  const { count } = request.product ?? numberProduct;
  return { flop: Math.round(flopOf(problem) * count * share), bytes: Math.round(bytes * share) };
}

class ContractionLowering {
  private readonly request: ContractionRequest;
  private readonly plan: Plan;
  private readonly problem: Problem;
  private readonly parts: readonly Part[];
  private readonly kernels: Kernel[] = [];
  private readonly scratch: KernelBuffer[] = [];
  /** Packing done by each thread for the matrix it works on. */
  private packColumns: ((b: KernelBuilder, tile: Span) => void) | undefined;
  private readonly prepares: ((b: KernelBuilder, batch: readonly Affine[]) => void)[] = [];

  constructor(request: ContractionRequest, plan: Plan) {
    this.request = request;
    this.plan = plan;
    this.problem = plan.problem;
    this.parts = partsOf(plan, request.target);
  }

  run(): ContractionPlan {
    const { problem, plan, request } = this;
    const { dtype, target, epilogue, product = numberProduct } = request;
    const left = plan.packsLeft ? this.packed("left", problem.left, plan.rows) : inPlace(problem.left);
    const right = plan.packsRight
      ? this.packed("right", problem.right, [plan.columns])
      : inPlace(problem.right);
    const sums = cutOf(problem.depth) !== undefined ? this.sums() : undefined;
    const model = new TileModel(target, dtype, product);
    const prepare = (b: KernelBuilder, batch: readonly Affine[]): void => {
      for (const each of this.prepares) each(b, batch);
    };
    for (const part of this.parts) {
      const body = contractionBody({
        problem,
        part,
        left,
        right,
        dtype,
        target,
        model,
        product,
        epilogue,
        sums,
        packColumns: this.packColumns,
        prepare,
      });
      this.kernel(request.name, body, this.cost(part));
    }
    return { kernels: this.kernels, scratch: this.scratch };
  }

  /** How the threads share the work; of several parts, the first. */
  private get shared(): Part["shared"]["axis"] {
    return this.parts[0]!.shared.axis;
  }

  private sums(): KernelBuffer {
    const { rows, columns } = this.problem;
    return this.newScratch("sums", multiplySizes(productOf(rows), columns), this.matrixScope);
  }

  /** Of scratch for one matrix at a time. */
  private get matrixScope(): KernelBuffer["scope"] {
    return this.shared === "batch" ? "thread" : "program";
  }

  private newScratch(name: string, elements: Size, scope: KernelBuffer["scope"]): KernelBuffer {
    const { dtype, name: kernel } = this.request;
    const buffer: KernelBuffer = {
      name: `${name} of ${kernel}`,
      dtype,
      elements,
      access: "readwrite",
      scope,
    };
    this.scratch.push(buffer);
    return buffer;
  }

  // ---- packing ------------------------------------------------------------------------------------------------

  /**
   * The panels of one side: filled matrix by matrix where one thread does a whole matrix and each has its own operand, so
   * that panels stay in its cache; else by kernels before.
   */
  private packed(name: string, side: Side, tilings: readonly Tiling[]): Panels {
    const { problem } = this;
    const { batch, depth } = problem;
    const own = name === "left" ? problem.rows : [problem.columns];
    const matrix = multiplySizes(productOf(own), productOf(depth));
    const { dtype, target } = this.request;
    const about = { from: side, depth, dtype, together: stepsTogether(side, depth, dtype, target) };
    const isAlone = this.shared === "batch" || (this.shared === "none" && this.parts.length === 1);
    const isOwn =
      batchCount(problem) > 1 && side.batchStrides.every((s, axis) => s !== 0 || batch[axis] === 1);
    if (isAlone && isOwn) {
      const buffer = this.newScratch(`packed ${name}`, matrix, this.matrixScope);
      const to = packedPanels(buffer, { own, depth, batchStrides: batch.map(() => 0) });
      this.prepares.push((b, at) => this.packInRuns(b, { ...about, to }, at, tilings));
      return to;
    }
    if (side === problem.right && packsOwnColumns(this.plan, this.parts)) {
      const width = largestTile(this.plan.columns);
      const buffer = this.newScratch(`packed ${name}`, multiplySizes(width, productOf(depth)), "thread");
      const to = onePanel(buffer, depth);
      const first = zeros(batch);
      this.packColumns = (b, tile) => packTile(b, { ...about, to }, tile, first);
      return to;
    }
    const { strides, matrices } = packedBatch(batch, side, matrix);
    const buffer = this.newScratch(`packed ${name}`, multiplySizes(matrix, matrices), "program");
    const to = packedPanels(buffer, { own, depth, batchStrides: strides });
    if (hasMachineCode && side === problem.left && this.shared === "both")
      this.packGroups(side, { ...about, to });
    else this.packKernels(name, side, tilings, { ...about, to });
    return to;
  }

  /** Rows in the tiles of their groups. */
  private packGroups(side: Side, packing: Packing): void {
    const { batch } = this.problem;
    for (const { rows, shared } of rowGroupsOf(this.parts)) {
      if (shared.axis !== "both") throw new InternalError("parts are shared in different ways");
      const b = new KernelBuilder(this.request.target);
      const isLooped = (axis: number) => side.batchStrides[axis] !== 0;
      const { rowAxis, start, count, size } = shared;
      b.parallel("group", count, (index) => {
        const offset = addAffine(constantAffine(start), scaleAffine(index, size));
        forBatch(b, batch, isLooped, (at) =>
          this.packInRuns(b, packing, at, rows, { axis: rowAxis, offset }),
        );
      });
      const elements = count * sumOverBoxes(rows, (n) => n) * depthOf(this.problem) * matricesOf(side, batch);
      this.kernel(`${this.request.name}, pack left`, b.statements, {
        flop: 0,
        bytes: 2 * elements * bytesOf(this.request.dtype),
      });
    }
  }

  /** All tiles of one matrix, of one axis from an offset on; such as lie side by side in the source a few at a time. */
  private packInRuns(
    b: KernelBuilder,
    packing: Packing,
    at: readonly Affine[],
    tilings: readonly Tiling[],
    { axis, offset }: { readonly axis: number; readonly offset: Affine } = { axis: 0, offset: zeroAffine },
  ): void {
    const [only] = tilings as [Tiling];
    if (tilings.length === 1) {
      const most = (size: number): number => tilesTogether(packing, size);
      return forTileRuns(b, "panel", only, { offset, most }, (tiles) =>
        packTiles(
          b,
          packing,
          tiles.map((tile) => ({ start: [tile.start], sizes: [tile.size] })),
          at,
        ),
      );
    }
    forBoxes(
      b,
      "panel",
      tilings,
      (tile) => packTile(b, packing, tile, at),
      (own) => ({ mode: "serial", offset: own === axis ? offset : zeroAffine }),
    );
  }

  private packKernels(name: string, side: Side, tilings: readonly Tiling[], packing: Packing): void {
    const { batch } = this.problem;
    const { dtype, target } = this.request;
    const bytes = maxOf(packing.to.buffer.elements) * bytesOf(dtype);
    const isShared = target.threads > 1 && bytes >= sharedPackBytes;
    const [first, ...rest] = tilings as [Tiling, ...Tiling[]];
    for (const { tiles, mode } of isShared
      ? sharedTiles(first)
      : [{ tiles: first, mode: "serial" as const }]) {
      const b = new KernelBuilder(target);
      const isLooped = (axis: number) => side.batchStrides[axis] !== 0;
      if (mode === "serial")
        forBatch(b, batch, isLooped, (at) => this.packInRuns(b, packing, at, [tiles, ...rest]));
      else
        forBoxes(
          b,
          "panel",
          [tiles, ...rest],
          (tile) => forBatch(b, batch, isLooped, (at) => packTile(b, packing, tile, at)),
          (axis) => ({ mode: axis === 0 ? mode : "serial", offset: zeroAffine }),
        );
      this.kernel(`${this.request.name}, pack ${name}`, b.statements, { flop: 0, bytes: 2 * bytes });
    }
  }

  // ---- kernels ------------------------------------------------------------------------------------------------

  private kernel(name: string, body: readonly Statement[], cost: Kernel["cost"]): void {
    const { parameters = [] } = this.request;
    this.kernels.push({ name, buffers: [...buffersOf(body)], parameters, body, cost });
  }

  private cost({ rows, columns, shared }: Part): Kernel["cost"] {
    const { problem, request } = this;
    const groups = shared.axis === "rows" || shared.axis === "both" ? shared.count : 1;
    const area = groups * sumOverBoxes(rows, (size) => size) * sumOver(columns, (size) => size);
    const share = area / Math.max(1, maxElementCount(problem.rows) * maxOf(problem.columns));
    return costOf(request, problem, share);
  }
}

/** Different matrices of a side in the batch. */
const matricesOf = (side: Side, batch: Shape): number =>
  maxElementCount(batch.filter((_, axis) => side.batchStrides[axis] !== 0));

/** A tiling as what threads share evenly, and the rest. */
function sharedTiles(tiling: Tiling): { tiles: Tiling; mode: "serial" | "parallel" }[] {
  if (tiling.kind === "late") return [{ tiles: tiling, mode: "parallel" }];
  return tiling.segments.map((segment) => ({
    tiles: { kind: "static", segments: [segment] },
    mode: segment.count > 1 ? "parallel" : "serial",
  }));
}
