/** Where a tile finds its operand's elements: in the operand's own memory, or packed into panels of a tile's size. */
import { bytesOf, computeDType } from "../../base/dtype.ts";
import type { Shape } from "../../base/shape.ts";
import { maxOf, multiplySizes, productOf, type Size, sameSize } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import { addAffine, constantAffine, scaleAffine, viewAddress, zeroAffine } from "../../ir/affine.ts";
import type { KernelBuilder } from "../../ir/builder.ts";
import type { Affine, KernelBuffer } from "../../ir/kernel.ts";
import type { TargetDescription } from "../../ir/target.ts";
import { loadElement, type Side, sideAddress, sourcesOf } from "./problem.ts";

/** A tile's extent along each axis of its side. */
export interface Span {
  readonly start: readonly Affine[];
  readonly sizes: readonly number[];
}

export const elementsOf = ({ sizes }: Span): number => sizes.reduce((n, size) => n * size, 1);

/** Loads the element `lane` places into a tile at depth 0; the steps of each axis of the depth lie `depthStrides` apart. */
export interface Panels {
  readonly buffer: KernelBuffer;
  address(batch: readonly Affine[], tile: Span, lane: readonly Affine[]): Affine;
  depthStrides(tile: Span): readonly Size[];
}

export const inPlace = (side: Side): Panels => ({
  buffer: side.buffer,
  address: (batch, { start }, lane) =>
    sideAddress(
      side,
      batch,
      start.map((from, axis) => addAffine(from, lane[axis]!)),
    ),
  depthStrides: () => side.depthStrides,
});

/**
 * Packed: tile after tile, in each all its elements of depth 0, then of depth 1, and so on. What lies before a tile of
 * several axes is the product of its sizes along earlier axes, its start, and the extents of later ones. Batch axes along
 * which the operand repeats are packed once.
 */
export function packedPanels(
  buffer: KernelBuffer,
  about: { readonly own: Shape; readonly depth: Shape; readonly batchStrides: readonly Size[] },
): Panels {
  const steps = productOf(about.depth);
  const before = ({ start, sizes }: Span): Affine => {
    const factors = start.map((_, axis) =>
      multiplySizes(productOf(sizes.slice(0, axis)), productOf(about.own.slice(axis + 1))),
    );
    return scaleAffine(viewAddress({ strides: factors, offset: 0 }, start), steps);
  };
  return {
    buffer,
    address: (batch, tile, lane) => {
      const matrix = viewAddress({ strides: about.batchStrides, offset: 0 }, batch);
      return addAffine(addAffine(matrix, before(tile)), linear(lane, tile.sizes));
    },
    depthStrides: (tile) =>
      about.depth.map((_, axis) => multiplySizes(elementsOf(tile), productOf(about.depth.slice(axis + 1)))),
  };
}

/** One tile at a time, whichever it is, packed like those. */
export function onePanel(buffer: KernelBuffer, depth: Shape): Panels {
  const { depthStrides } = packedPanels(buffer, { own: [], depth, batchStrides: [] });
  return { buffer, address: (_, { sizes }, lane) => linear(lane, sizes), depthStrides };
}

/** The place of an element in row-major order. */
export function linear(at: readonly Affine[], sizes: Shape): Affine {
  return at.reduce((sum, index, axis) => addAffine(scaleAffine(sum, sizes[axis]!), index), zeroAffine);
}

/** Strides of packed matrices along the batch axes, 0 where the operand's is, and the number of matrices. */
export function packedBatch(
  batch: readonly Size[],
  side: Side,
  matrixElements: Size,
): { strides: readonly Size[]; matrices: Size } {
  const sizes = batch.map((size, axis) => (side.batchStrides[axis] === 0 ? 1 : size));
  const strides = sizes.map((_, axis) =>
    side.batchStrides[axis] === 0 ? 0 : multiplySizes(matrixElements, productOf(sizes.slice(axis + 1))),
  );
  return { strides, matrices: productOf(sizes) };
}

export interface Packing {
  readonly from: Side;
  readonly to: Panels;
  readonly depth: Shape;
  readonly dtype: ScalarDType;
  /** Steps in depth that are copied together: a target turns square blocks in registers. */
  readonly together: number;
}

/** Copies one tile of one matrix into its panel. */
export function packTile(
  b: KernelBuilder,
  { from, to, depth, dtype, together }: Packing,
  tile: Span,
  batch: readonly Affine[],
): void {
  const target = to.depthStrides(tile);
  const sources = sourcesOf(from).map(inPlace);
  const source = from.depthStrides;
  const copy = (lane: readonly Affine[], [place, ...at]: readonly Affine[]): void => {
    const x = loadElement(b, from, (_, i) => addAffine(sources[i]!.address(batch, tile, lane), at[i]!));
    b.store(to.buffer, addAffine(to.address(batch, tile, lane), place!), b.convert(dtype, x));
  };
  // Nearest elements of the source last: a line that was fetched is used up. An axis that repeats stays where it is.
  const reach = source.map((stride, axis) =>
    stride === 0 ? (source.slice(axis + 1).find((s) => s !== 0) ?? 0) : stride,
  );
  const order = depth.map((_, axis) => axis).sort((i, j) => byStride(reach[j]!, reach[i]!) || i - j);
  const pick = <Item>(list: readonly Item[]): Item[] => order.map((axis) => list[axis]!);
  const loops = mergedLoops(pick(depth), [
    pick(target),
    ...sources.map((panels) => pick(panels.depthStrides(tile))),
  ]);
  const lanesFrom = (first: Affine, size: number): void =>
    forSteps(b, loops, together, (at, { count, strides }) =>
      alongBox(b, tile.sizes.slice(0, -1), (outer) =>
        b.vector("lane", size, (index) => {
          const lane = [...outer, addAffine(first, index)];
          if (count === 1) copy(lane, at);
          else b.unrolled("i", count, (i) => copy(lane, advanced(at, strides, i)));
        }),
      ),
    );
  const across = tile.sizes.at(-1)!;
  if (together === 1) return lanesFrom(zeroAffine, across);
  // What is turned lies along the depth: few streams of memory at a time, each in a long run.
  const [groups, rest] = [Math.floor(across / together), across % together];
  b.serial("group", groups, (group) => lanesFrom(scaleAffine(group, together), together));
  if (rest > 0) lanesFrom(constantAffine(groups * together), rest);
}

const byStride = (a: Size, b: Size): number =>
  typeof a === "number" && typeof b === "number" ? Math.abs(a) - Math.abs(b) : 0;

/** Calls `body` in loops over a box that are written out, with an index for each axis. */
export function alongBox(
  b: KernelBuilder,
  sizes: readonly number[],
  body: (at: readonly Affine[]) => void,
  at: readonly Affine[] = [],
): void {
  const size = sizes[at.length];
  if (size === undefined) return body(at);
  if (size === 1) return alongBox(b, sizes, body, [...at, zeroAffine]);
  b.unrolled(`i${at.length}`, size, (i) => alongBox(b, sizes, body, [...at, i]));
}

/** Calls `body` for each place of a box. */
export function forBox(
  sizes: readonly number[],
  body: (at: readonly Affine[]) => void,
  at: readonly Affine[] = [],
): void {
  const size = sizes[at.length];
  if (size === undefined) return body(at);
  for (let i = 0; i < size; i++) forBox(sizes, body, [...at, constantAffine(i)]);
}

/** One loop of a walk through the depth: how far each operand goes with a step. */
export interface DepthLoop {
  readonly size: Size;
  readonly strides: readonly Size[];
}

/** As few loops as walk the axes of the depth in order: neighbours become one where each operand walks them as one. */
export function mergedLoops(sizes: Shape, strides: readonly (readonly Size[])[]): DepthLoop[] {
  const loops: DepthLoop[] = [];
  sizes.forEach((size, axis) => {
    const own = strides.map((list) => list[axis]!);
    const outer = loops.at(-1);
    if (size === 1) return;
    const isOne = outer?.strides.every((stride, i) => sameSize(stride, multiplySizes(size, own[i]!)));
    if (outer !== undefined && isOne)
      loops[loops.length - 1] = { size: multiplySizes(outer.size, size), strides: own };
    else loops.push({ size, strides: own });
  });
  return loops.length > 0 ? loops : [{ size: 1, strides: strides.map(() => 0) }];
}

/**
 * Runs `body` at each step, with each operand's distance from the first one; with `together` > 1 for so many steps of the
 * innermost loop at a time while they last.
 */
export function forSteps(
  b: KernelBuilder,
  loops: readonly DepthLoop[],
  together: number,
  body: (at: readonly Affine[], steps: { count: number; strides: readonly Size[] }) => void,
): void {
  const open = (depth: number, at: readonly Affine[]): void => {
    const { size, strides } = loops[depth]!;
    if (depth < loops.length - 1)
      return b.serial(`k${depth}`, size, (index) => open(depth + 1, advanced(at, strides, index)));
    b.loop("serial", "k", size, {
      step: together,
      body: (index) => body(advanced(at, strides, index), { count: together, strides }),
      ...(together > 1 && {
        remainder: (index: Affine) => body(advanced(at, strides, index), { count: 1, strides }),
      }),
    });
  };
  open(
    0,
    loops[0]!.strides.map(() => zeroAffine),
  );
}

const advanced = (at: readonly Affine[], strides: readonly Size[], index: Affine): readonly Affine[] =>
  at.map((address, i) => addAffine(address, scaleAffine(index, strides[i]!)));

/** How many steps in depth to copy together: as many as lanes where they lie side by side and the tile's lanes apart. */
export function stepsTogether(
  { buffer, depthStrides, ownStrides }: Side,
  depth: Shape,
  dtype: ScalarDType,
  target: TargetDescription,
): number {
  const across = ownStrides.at(-1)!;
  const isAlong = depthStrides.some((stride, axis) => stride === 1 && maxOf(depth[axis]!) >= target.lanes);
  const isTurned = isAlong && typeof across === "number" && Math.abs(across) > 1;
  const isPlain = bytesOf(computeDType(buffer.dtype)) === 4 && bytesOf(dtype) === 4;
  return target.arithmetic === "x64" && isTurned && isPlain ? target.lanes : 1;
}
