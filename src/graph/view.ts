/**
 * A strided view of a buffer: element (i0, i1, …) lives at offset + Σ i·stride. Strides may be 0 (broadcast) or negative
 * (flip); several axes may walk the same memory (windows). Movement ops compose views, so they cost nothing.
 */
import { type Shape, stridesOf } from "../base/shape.ts";
import { addSizes, divideSizes, multiplySizes, type Size, sameSize, subtractSizes } from "../base/size.ts";

export interface View {
  readonly shape: Shape;
  readonly strides: readonly Size[];
  readonly offset: Size;
}

export const contiguousView = (shape: Shape): View => ({ shape, strides: stridesOf(shape), offset: 0 });

export const permuteView = (view: View, order: readonly number[]): View => ({
  shape: order.map((axis) => view.shape[axis]!),
  strides: order.map((axis) => view.strides[axis]!),
  offset: view.offset,
});

/** Right-aligned broadcast to `shape` (NumPy's rule): new and size-1 axes get stride 0. */
export function broadcastView(view: View, shape: Shape): View {
  const added = shape.length - view.shape.length;
  const strides = shape.map((size, axis): Size => {
    const from = axis - added;
    return from < 0 || (view.shape[from] === 1 && size !== 1) ? 0 : view.strides[from]!;
  });
  return { shape, strides, offset: view.offset };
}

/** Elements start, start + step, … along each axis; a negative step walks backwards. */
export function sliceView(view: View, start: readonly Size[], step: readonly number[], shape: Shape): View {
  const offset = start.reduce<Size>(
    (sum, s, axis) => addSizes(sum, multiplySizes(s, view.strides[axis]!)),
    view.offset,
  );
  return { shape, strides: view.strides.map((stride, axis) => multiplySizes(stride, step[axis]!)), offset };
}

/** Axes walked backwards. */
export function flipView(view: View, axes: readonly number[]): View {
  const offset = axes.reduce<Size>(
    (sum, axis) => addSizes(sum, multiplySizes(subtractSizes(view.shape[axis]!, 1), view.strides[axis]!)),
    view.offset,
  );
  const strides = view.strides.map((stride, axis) =>
    axes.includes(axis) ? multiplySizes(stride, -1) : stride,
  );
  return { shape: view.shape, strides, offset };
}

/**
 * The same elements in the same order under another shape, if strides can say it: size-1 axes come and go, axes split,
 * and neighbours merge where they are contiguous to each other. Otherwise undefined.
 */
export function reshapeView(view: View, shape: Shape): View | undefined {
  // No element, no constraint.
  if (shape.some((size) => size === 0)) return { shape, strides: stridesOf(shape), offset: view.offset };
  const groups = groupAxes(mergeAxes(view), shape);
  if (groups === undefined) return undefined;
  return { shape, strides: groups, offset: view.offset };
}

interface Axis {
  readonly size: Size;
  readonly stride: Size;
}

/** Axes of size 1 dropped, neighbours merged where the outer stride is the inner size × the inner stride. */
function mergeAxes(view: View): Axis[] {
  const merged: Axis[] = [];
  view.shape.forEach((size, i) => {
    if (size === 1) return;
    const stride = view.strides[i]!;
    const last = merged[merged.length - 1];
    if (last && sameSize(last.stride, multiplySizes(size, stride))) {
      merged[merged.length - 1] = { size: multiplySizes(last.size, size), stride };
    } else merged.push({ size, stride });
  });
  return merged;
}

/** Splits each merged axis into the wanted sizes, from the inside out. */
function groupAxes(axes: readonly Axis[], shape: Shape): Size[] | undefined {
  const strides: Size[] = new Array(shape.length).fill(0);
  let at = axes.length - 1;
  let left: Size = at >= 0 ? axes[at]!.size : 1;
  let stride: Size = at >= 0 ? axes[at]!.stride : 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 1) continue;
    if (left === 1 && at > 0) {
      at--;
      left = axes[at]!.size;
      stride = axes[at]!.stride;
    }
    const rest = divideSizes(left, shape[i]!);
    if (rest === undefined) return undefined;
    strides[i] = stride;
    stride = multiplySizes(stride, shape[i]!);
    left = rest;
  }
  return left === 1 && at <= 0 ? strides : undefined;
}
