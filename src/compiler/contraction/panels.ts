import type { Shape } from "../../base/shape.ts";
import { multiplySizes, productOf, type Size, sameSize } from "../../base/size.ts";
import { addAffine, constantAffine, scaleAffine, viewAddress, zeroAffine } from "../../ir/affine.ts";
import type { KernelBuilder } from "../../ir/builder.ts";
import type { Affine, KernelBuffer } from "../../ir/kernel.ts";
import { type Side, sideAddress } from "./problem.ts";

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

export const advanced = (at: readonly Affine[], strides: readonly Size[], index: Affine): readonly Affine[] =>
  at.map((address, i) => addAffine(address, scaleAffine(index, strides[i]!)));
