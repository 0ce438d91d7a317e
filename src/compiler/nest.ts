/** Loop nests over a list of sizes: the last axis is the vector loop, the others are serial or shared by threads. */
import type { Size } from "../base/size.ts";
import type { KernelBuilder } from "../ir/builder.ts";
import type { Affine } from "../ir/kernel.ts";

/** Calls `body` once, inside the loops, with one affine index an axis. */
export function nest(
  builder: KernelBuilder,
  sizes: readonly Size[],
  outermost: "serial" | "parallel",
  body: (at: readonly Affine[]) => void,
): void {
  if (sizes.length === 0) return builder.vector("i", 1, () => body([]));
  outerLoops(builder, sizes.slice(0, -1), outermost, (at) => {
    builder.vector("i", sizes[sizes.length - 1]!, (i) => body([...at, i]));
  });
}

/** Loops over all of `sizes`, none of them a vector loop. */
export function outerLoops(
  builder: KernelBuilder,
  sizes: readonly Size[],
  outermost: "serial" | "parallel",
  body: (at: readonly Affine[]) => void,
  at: readonly Affine[] = [],
): void {
  const [size, ...rest] = sizes;
  if (size === undefined) return body(at);
  const mode = at.length === 0 ? outermost : "serial";
  builder.loop(mode, `o${at.length}`, size, {
    body: (index) => outerLoops(builder, rest, outermost, body, [...at, index]),
  });
}
