/** Loops over the tiles of an axis. */
import type { Shape } from "../../base/shape.ts";
import { addAffine, constantAffine, scaleAffine, zeroAffine } from "../../ir/affine.ts";
import type { KernelBuilder } from "../../ir/builder.ts";
import type { Affine } from "../../ir/kernel.ts";
import type { Span } from "./panels.ts";
import type { Tiling } from "./tiles.ts";

/** What a loop over tiles shares among threads, and where it begins. */
interface Walk {
  readonly mode: "serial" | "parallel";
  readonly offset: Affine;
}

/** A tile's extent along one axis. */
export interface AxisSpan {
  readonly start: Affine;
  readonly size: number;
}

/** Calls `body` for each tile of one axis; with mode `parallel` the tiling is one segment or late, and its loop is shared. */
export function forTiles(
  b: KernelBuilder,
  name: string,
  tiling: Tiling,
  { mode, offset }: Walk,
  body: (tile: AxisSpan) => void,
): void {
  if (tiling.kind === "late") {
    b.loop(mode, name, tiling.extent, {
      step: tiling.size,
      body: (index) => body({ start: addAffine(offset, index), size: tiling.size }),
      ...(tiling.size > 1 && {
        remainder: (index: Affine) => body({ start: addAffine(offset, index), size: 1 }),
      }),
    });
    return;
  }
  for (const { start, count, size } of tiling.segments) {
    const first = addAffine(offset, constantAffine(start));
    if (count === 1 && mode === "serial") body({ start: first, size });
    else
      b.loop(mode, name, count, {
        body: (index) => body({ start: addAffine(first, scaleAffine(index, size)), size }),
      });
  }
}

/** The same, serially, `most` tiles of a size at a time. */
export function forTileRuns(
  b: KernelBuilder,
  name: string,
  tiling: Tiling,
  { offset, most }: { readonly offset: Affine; readonly most: (size: number) => number },
  body: (tiles: readonly AxisSpan[]) => void,
): void {
  if (tiling.kind === "late")
    return forTiles(b, name, tiling, { mode: "serial", offset }, (tile) => body([tile]));
  for (const { start, count, size } of tiling.segments) {
    const length = Math.min(count, most(size));
    const first = addAffine(offset, constantAffine(start));
    const run = (from: Affine, tiles: number): void =>
      body(
        Array.from({ length: tiles }, (_, i) => ({ start: addAffine(from, constantAffine(i * size)), size })),
      );
    const whole = Math.floor(count / length);
    if (whole === 1) run(first, length);
    else b.serial(name, whole, (index) => run(addAffine(first, scaleAffine(index, length * size)), length));
    const done = whole * length;
    if (done < count) run(addAffine(first, constantAffine(done * size)), count - done);
  }
}

/** Calls `body` for each tile of several axes; `walkOf` says how the loop of an axis runs, by default serially from 0 on. */
export function forBoxes(
  b: KernelBuilder,
  name: string,
  tilings: readonly Tiling[],
  body: (tile: Span) => void,
  walkOf: (axis: number) => Walk = () => ({ mode: "serial", offset: zeroAffine }),
  { start, sizes }: Span = { start: [], sizes: [] },
): void {
  const axis = start.length;
  const tiling = tilings[axis];
  if (tiling === undefined) return body({ start, sizes });
  forTiles(b, `${name}${tilings.length > 1 ? axis : ""}`, tiling, walkOf(axis), (tile) =>
    forBoxes(b, name, tilings, body, walkOf, {
      start: [...start, tile.start],
      sizes: [...sizes, tile.size],
    }),
  );
}

/** Serial loops over the batch axes that `isLooped` holds for; the others stay at 0. */
export function forBatch(
  b: KernelBuilder,
  batch: Shape,
  isLooped: (axis: number) => boolean,
  body: (at: readonly Affine[]) => void,
  at: readonly Affine[] = [],
): void {
  const axis = at.length;
  if (axis === batch.length) return body(at);
  if (!isLooped(axis)) return forBatch(b, batch, isLooped, body, [...at, zeroAffine]);
  b.serial(`batch${axis}`, batch[axis]!, (index) => forBatch(b, batch, isLooped, body, [...at, index]));
}
