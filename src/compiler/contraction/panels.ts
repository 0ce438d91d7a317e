/** Where a tile finds its operand's elements: in the operand's own memory, or packed into panels of a tile's size. */
import { multiplySizes, productOf, type Size } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import { addAffine, scaleAffine } from "../../ir/affine.ts";
import type { KernelBuilder } from "../../ir/builder.ts";
import type { Affine, KernelBuffer } from "../../ir/kernel.ts";
import { type Side, sideAddress } from "./problem.ts";

/** A tile's extent along one axis. */
export interface Span {
  readonly start: Affine;
  readonly size: number;
}

/** Loads the element `lane` places into a tile at `depth`. */
export interface Panels {
  readonly buffer: KernelBuffer;
  address(batch: readonly Affine[], tile: Span, lane: Affine, depth: Affine): Affine;
}

export const inPlace = (side: Side): Panels => ({
  buffer: side.buffer,
  address: (batch, { start }, lane, depth) => sideAddress(side, batch, addAffine(start, lane), depth),
});

/**
 * Packed: tile after tile, in each all `size` elements of depth 0, then of depth 1, and so on. What lies before a tile is
 * depth × its start. Batch axes along which the operand repeats are packed once.
 */
export function packedPanels(
  buffer: KernelBuffer,
  about: { readonly depth: Size; readonly batchStrides: readonly Size[] },
): Panels {
  return {
    buffer,
    address: (batch, { start, size }, lane, depth) => {
      let address = addAffine(scaleAffine(start, about.depth), addAffine(scaleAffine(depth, size), lane));
      batch.forEach((index, axis) => {
        address = addAffine(address, scaleAffine(index, about.batchStrides[axis]!));
      });
      return address;
    },
  };
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

/** Copies one tile of one matrix into its panel. */
export function packTile(
  b: KernelBuilder,
  { from, to, depth, dtype }: { from: Panels; to: Panels; depth: Size; dtype: ScalarDType },
  tile: Span,
  batch: readonly Affine[],
): void {
  b.serial("k", depth, (k) => {
    b.vector("lane", tile.size, (lane) => {
      const x = b.load(from.buffer, from.address(batch, tile, lane, k));
      b.store(to.buffer, to.address(batch, tile, lane, k), b.convert(dtype, x));
    });
  });
}
