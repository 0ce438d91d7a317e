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
  /** Of each axis: what `groupOf` says of those that became it. */
  readonly groups: readonly number[];
  /** The same view over the collapsed axes. */
  collapse(view: View): View;
}

/** Merges axes i and i + 1 where both are reduced or both kept, of one group, and all `views` (over `sizes`) allow it. */
export function collapseDomain(
  sizes: Shape,
  axes: readonly number[],
  views: readonly View[],
  groupOf: (axis: number) => number = () => 0,
): CollapsedDomain {
  const groups: number[][] = [];
  sizes.forEach((_, i) => {
    const last = groups[groups.length - 1];
    if (
      last !== undefined &&
      axes.includes(i) === axes.includes(i - 1) &&
      groupOf(i) === groupOf(i - 1) &&
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
    groups: groups.map((group) => groupOf(group[0]!)),
    collapse: (view) => ({
      shape: merged,
      strides: innermost.map((i) => view.strides[i]!),
      offset: view.offset,
    }),
  };
}

const mergeable = (view: View, outer: number, inner: number): boolean =>
  sameSize(view.strides[outer]!, multiplySizes(view.shape[inner]!, view.strides[inner]!));

/** Blocks of a long map that threads share: not so small that handing them out shows, not so large that few remain. */
const blockSizes = { least: 4096, wanted: 16_384, most: 65_536 };

/**
 * A domain of one long axis as (blocks, block), so that threads can share the blocks. The block divides the axis; where
 * no size in range does, the domain stays as it is.
 */
export function splitLongAxis(domain: CollapsedDomain): CollapsedDomain {
  const [size] = domain.sizes;
  if (domain.sizes.length !== 1 || typeof size !== "number" || size < 2 * blockSizes.most) return domain;
  const block = blockThatDivides(size);
  if (block === undefined) return domain;
  const sizes = [size / block, block];
  return {
    sizes,
    axes: domain.axes.length === 0 ? [] : [0, 1],
    groups: [0, 0],
    collapse: (view) => {
      const { strides, offset } = domain.collapse(view);
      return { shape: sizes, strides: [multiplySizes(strides[0]!, block), strides[0]!], offset };
    },
  };
}

function blockThatDivides(size: number): number | undefined {
  const { least, wanted, most } = blockSizes;
  for (let distance = 0; distance <= most - wanted; distance += 16) {
    for (const block of [wanted - distance, wanted + distance]) {
      if (block >= least && size % block === 0) return block;
    }
  }
  return undefined;
}
