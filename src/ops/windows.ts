/** Sliding windows and their transpose: convolution and pooling are `dot` and reductions over them. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { normalizeAxis, type Shape, shapeText } from "../base/shape.ts";
import { addSizes, multiplySizes, type Size, subtractSizes } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { MovementOp, PlacementOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import type { View } from "../graph/view.ts";
import { countOf, dense, forEachIndex, isAtMost, shapesAgree, typeText } from "./rules.ts";

/** Window sizes, strides and dilations of the sliding axes, entry by entry. */
type Windows = {
  axes: readonly number[];
  sizes: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
};

/** From the first to the last element of a window. */
const reachOf = (size: number, dilation: number): number => (size - 1) * dilation;

/** How many windows fit: ⌊(n − reach − 1)/stride⌋ + 1. */
function windowCount(size: Size, reach: number, stride: number): Size {
  if (!isAtMost("windows", reach + 1, size))
    throw new ShapeError(
      `windows: a window reaches over ${reach + 1} elements of an axis of ${size}; pad it first`,
    );
  const room = subtractSizes(size, reach + 1);
  if (typeof room === "number") return Math.floor(room / stride) + 1;
  if (stride === 1) return addSizes(room, 1);
  throw new ShapeError(
    `windows: stride ${stride} over a size known late (${size}) is not supported; use stride 1`,
  );
}

function windowedShape(shape: Shape, { axes, sizes, strides, dilations }: Windows): Shape {
  const counts = shape.map((size, axis): Size => {
    const i = axes.indexOf(axis);
    return i < 0 ? size : windowCount(size, reachOf(sizes[i]!, dilations[i]!), strides[i]!);
  });
  return [...counts, ...sizes];
}

/** Finds the place in the whole, row by row, of an element of a window: position · stride + offset · dilation along each sliding axis. */
function wholePosition(
  shape: readonly number[],
  { axes, strides, dilations }: Windows,
): (index: readonly number[]) => number {
  const steps = shape.map((_, axis) => countOf(shape.slice(axis + 1)));
  const factors = shape.map((_, axis) => steps[axis]! * (strides[axes.indexOf(axis)] ?? 1));
  factors.push(...axes.map((axis, i) => steps[axis]! * dilations[i]!));
  return (index) => {
    let position = 0;
    for (let i = 0; i < factors.length; i++) position += index[i]! * factors[i]!;
    return position;
  };
}

function windowsView(whole: View, windows: Windows, shape: Shape): View {
  const { axes, strides, dilations } = windows;
  const moves = whole.strides.map((stride, axis) => {
    const i = axes.indexOf(axis);
    return i < 0 ? stride : multiplySizes(stride, strides[i]!);
  });
  const within = axes.map((axis, i) => multiplySizes(whole.strides[axis]!, dilations[i]!));
  return { shape, strides: [...moves, ...within], offset: whole.offset };
}

export const windowsOp: MovementOp<Windows> = {
  name: "windows",
  kind: "movement",
  type: ([x], windows) => ({ shape: windowedShape(x!.shape, windows), dtype: x!.dtype }),
  reference([x], windows, { outputs: [out] }) {
    const positionOf = wholePosition(x!.shape, windows);
    return [dense(out!, (index) => x!.data[positionOf(index)]!)];
  },
  gradient: ({ inputs: [x], attributes }, [g]) => [
    makeNode(foldWindowsOp, [g!], { ...attributes, shape: x!.shape }),
  ],
  view: (input, windows, { shape }) => windowsView(input, windows, shape),
  map: ({ attributes }, { inputs: [x] }) => makeNode(windowsOp, [x!], moved(attributes)),
};

/** The same windows behind one more axis. */
const moved = <W extends Windows>(windows: W): W => ({
  ...windows,
  axes: windows.axes.map((axis) => axis + 1),
});

export const foldWindowsOp: PlacementOp<Windows & { shape: Shape }> = {
  name: "foldWindows",
  kind: "placement",
  accumulates: true,
  type([x], attributes) {
    const expected = windowedShape(attributes.shape, attributes);
    if (!shapesAgree(expected, x!.shape)) {
      const text = `windows over ${shapeText(attributes.shape)} have shape ${shapeText(expected)}`;
      throw new ShapeError(`foldWindows: ${text}, got ${typeText(x!)}`);
    }
    return { shape: attributes.shape, dtype: x!.dtype };
  },
  reference([x], attributes, { outputs: [out] }) {
    const sums = new Float64Array(countOf(out!.shape));
    const positionOf = wholePosition(out!.shape, attributes);
    forEachIndex(x!.shape, (index, position) => {
      sums[positionOf(index)]! += x!.data[position]!;
    });
    return [dense(out!, (_index, position) => sums[position]!)];
  },
  gradient: ({ attributes: { shape: _, ...attributes } }, [g]) => [makeNode(windowsOp, [g!], attributes)],
  fill: () => 0,
  destinations: (output, inputs, attributes) => [windowsView(output, attributes, inputs[0]!.shape)],
  map: ({ attributes }, { inputs: [x], size }) =>
    makeNode(foldWindowsOp, [x!], { ...moved(attributes), shape: [size, ...attributes.shape] }),
};

export interface WindowOptions {
  readonly axes: readonly number[];
  /** Elements of a window along each of the axes. */
  readonly sizes: readonly number[];
  /** From one window to the next; 1 when left out. */
  readonly strides?: readonly number[];
  /** From one element of a window to the next; 1 when left out. */
  readonly dilations?: readonly number[];
}

function windowsOf(rank: number, { axes, sizes, strides, dilations }: WindowOptions): Windows {
  const ones = axes.map(() => 1);
  const windows = {
    axes: axes.map((axis) => normalizeAxis(axis, rank, "windows")),
    sizes,
    strides: strides ?? ones,
    dilations: dilations ?? ones,
  };
  for (const [what, list] of Object.entries(windows)) {
    if (list.length === axes.length && (what === "axes" || list.every((n) => Number.isInteger(n) && n >= 1)))
      continue;
    const need = `${axes.length} integers of 1 or more, one for each axis`;
    throw new ArgumentError(`windows: ${what} are [${list.join(", ")}], need ${need}`);
  }
  if (new Set(windows.axes).size < axes.length)
    throw new ArgumentError(`windows: axes [${axes.join(", ")}] repeat one`);
  return windows;
}

/**
 * All windows of x: a sliding axis counts windows, and the window's own axes follow at the end, in the order of `axes`. Costs
 * nothing: it is a view.
 *
 * @example windows(x, { axes: [1, 2], sizes: [3, 3] }) // (C, 28, 28) → (C, 26, 26, 3, 3)
 */
export const windows = (x: Node, options: WindowOptions): Node =>
  makeNode(windowsOp, [x], windowsOf(x.shape.length, options));

/**
 * The transpose of `windows`: an array of `shape` in which each element is the sum over the windows that show it.
 *
 * @example foldWindows(y, [6], { axes: [0], sizes: [3] }) // (4, 3) → (6,)
 */
export const foldWindows = (x: Node, shape: Shape, options: WindowOptions): Node =>
  makeNode(foldWindowsOp, [x], { ...windowsOf(shape.length, options), shape });
