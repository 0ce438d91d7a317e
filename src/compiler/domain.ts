/**
 * Collapsing of a loop nest: neighbouring axes that every view walks as one become one axis, so that a contiguous
 * (32, 64) map is a single loop of 2,048.
 */
import type { Shape } from "../base/shape.ts";
import { multiplySizes, type Size, sameSize } from "../base/size.ts";
import type { View } from "../graph/view.ts";

export interface CollapsedDomain {
  readonly sizes: Shape;
  readonly axes: readonly number[];
  /** The same view over the collapsed axes. */
  collapse(view: View): View;
}

/** Merges axes i and i + 1 where both are reduced or both kept and all `views` (over `sizes`) allow it. */
export function collapseDomain(
  sizes: Shape,
  axes: readonly number[],
  views: readonly View[],
): CollapsedDomain {
  const groups: number[][] = [];
  sizes.forEach((_, i) => {
    const last = groups[groups.length - 1];
    if (
      last !== undefined &&
      axes.includes(i) === axes.includes(i - 1) &&
      views.every((v) => mergeable(v, i - 1, i))
    )
      last.push(i);
    else groups.push([i]);
  });
  const merged = groups.map((group) =>
    group.reduce<Size>((product, i) => multiplySizes(product, sizes[i]!), 1),
  );
  const innermost = groups.map((group) => group[group.length - 1]!);
  return {
    sizes: merged,
    axes: groups.flatMap((group, g) => (axes.includes(group[0]!) ? [g] : [])),
    collapse: (view) => ({
      shape: merged,
      strides: innermost.map((i) => view.strides[i]!),
      offset: view.offset,
    }),
  };
}

const mergeable = (view: View, outer: number, inner: number): boolean =>
  sameSize(view.strides[outer]!, multiplySizes(view.shape[inner]!, view.strides[inner]!));
