/** Where a tile finds its operand's elements: in the operand's own memory, or packed into panels of a tile's size. */
import { multiplySizes, productOf, type Size } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import { addAffine, scaleAffine } from "../../ir/affine.ts";
import type { KernelBuilder } from "../../ir/builder.ts";
import type { Affine, KernelBuffer } from "../../ir/kernel.ts";
import type { TargetDescription } from "../../ir/target.ts";
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

export interface Packing {
  readonly from: Panels;
  readonly to: Panels;
  readonly depth: Size;
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
  const copy = (lane: Affine, k: Affine): void => {
    const x = b.load(from.buffer, from.address(batch, tile, lane, k));
    b.store(to.buffer, to.address(batch, tile, lane, k), b.convert(dtype, x));
  };
  b.loop("serial", "k", depth, {
    step: together,
    body: (k) =>
      b.vector("lane", tile.size, (lane) => {
        if (together === 1) copy(lane, k);
        else b.unrolled("i", together, (i) => copy(lane, addAffine(k, i)));
      }),
    ...(together > 1 && {
      remainder: (k: Affine) => b.vector("lane", tile.size, (lane) => copy(lane, k)),
    }),
  });
}

/** How many steps in depth to copy together: as many as lanes where they lie side by side and the tile's lanes apart. */
export function stepsTogether(
  { buffer, depthStride, ownStride }: Side,
  dtype: ScalarDType,
  target: TargetDescription,
): number {
  const isTurned = depthStride === 1 && typeof ownStride === "number" && Math.abs(ownStride) > 1;
  const isPlain = buffer.dtype === "f32" && dtype === "f32";
  return target.arithmetic === "x64" && isTurned && isPlain ? target.lanes : 1;
}
