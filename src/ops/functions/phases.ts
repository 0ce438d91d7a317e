/**
 * The transpose of windows without spreading them over memory: each place of an image gathers from the windows that show it. Arrays
 * are (N, …spatial, C), channels last.
 *
 * Place h is element k of window p where h + low = p·stride + k. So k ≡ h + low (mod stride): of each phase of the strides, the
 * places see some k only, and see them through windows of the windows' values, backwards. Phases are computed each for itself and
 * put together.
 */
import type { Shape } from "../../base/shape.ts";
import { addSizes, boundsOf, type Size, subtractSizes } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { reshape } from "../broadcast.ts";
import { concat } from "../concat.ts";
import { full } from "../constants.ts";
import { pad, slice } from "../slice.ts";

/** Entry by entry for the spatial axes. */
export interface WindowGeometry {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Elements put before and after. */
  readonly padding: readonly (readonly [low: number, high: number])[];
}

/** Of a window's elements, those that a phase's places see: along axis i, `counts[i]` of them from `firsts[i]`, `steps[i]` apart. */
export interface Seen {
  readonly firsts: readonly number[];
  readonly steps: readonly number[];
  readonly counts: readonly number[];
  /** How far apart they lie in the arrays that are gathered from. */
  readonly dilations: readonly number[];
}

export const range = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from + i);

export const spatialOf = (x: Node): Shape => x.shape.slice(1, -1);

/** What is put around each image, `value`; where a number is negative, elements are cut off. */
export function framed(x: Node, frame: readonly (readonly [low: Size, high: Size])[], value = 0): Node {
  const around = (choose: (pair: readonly [Size, Size]) => Size): Size[] => [0, ...frame.map(choose), 0];
  const wide = pad(x, {
    low: around(([low]) => atLeastZero(low)),
    high: around(([, high]) => atLeastZero(high)),
    value,
  });
  const start = around(([low]) => cutOff(low));
  const end = around(([, high]) => cutOff(high));
  const shape = wide.shape.map((size, axis) => subtractSizes(size, addSizes(start[axis]!, end[axis]!)));
  return slice(wide, { start, shape });
}

const atLeastZero = (size: Size): Size => (boundsOf(size).min >= 0 ? size : 0);
const cutOff = (size: Size): Size => (boundsOf(size).min >= 0 ? 0 : subtractSizes(0, size));

export interface Gathering {
  readonly geometry: WindowGeometry;
  /** Elements of a window along each axis. */
  readonly sizes: readonly number[];
  /** Of the image that is wanted, without its padding. */
  readonly spatial: Shape;
  /** Of the result. */
  readonly channels: Size;
  /**
   * What the places see, from windows of `parts` (the arrays, framed and cut): element j of such a window belongs to step
   * counts − 1 − j of those seen. The result is (N, …places, channels).
   */
  gather(parts: readonly Node[], seen: Seen): Node;
}

/** Gathers from `arrays` over the windows, (N, …windows, C) each with what lies around it, into an image. */
export function gatherWindows(
  arrays: readonly { readonly x: Node; readonly around: number }[],
  gathering: Gathering,
): Node {
  const { geometry } = gathering;
  const isDilated = geometry.dilations.some((dilation) => dilation > 1);
  return isDilated ? gatherDilated(arrays, gathering) : gatherInPhases(arrays, gathering);
}

type Arrays = Parameters<typeof gatherWindows>[0];

/** Of one axis and phase. */
interface Phase {
  readonly first: number;
  readonly count: number;
  /** Before and after the windows; negative: cut off. */
  readonly low: number;
  readonly high: Size;
}

function phasesOf(
  { stride, low, size }: { readonly stride: number; readonly low: number; readonly size: number },
  places: Size,
  windowCount: Size,
): Phase[] {
  return range(0, stride).map((phase) => {
    const first = (phase + low) % stride;
    const ahead = Math.floor((phase + low) / stride);
    const count = Math.max(0, Math.ceil((size - first) / stride));
    return {
      first,
      count,
      low: count - 1 - ahead,
      high: addSizes(subtractSizes(places, windowCount), ahead),
    };
  });
}

function gatherInPhases(arrays: Arrays, { geometry, sizes, spatial, channels, gather }: Gathering): Node {
  const { strides, padding } = geometry;
  const { shape, dtype } = arrays[0]!.x;
  const places = spatial.map((size, i) =>
    strides[i] === 1 ? size : Math.ceil((size as number) / strides[i]!),
  );
  const phases = strides.map((stride, i) =>
    phasesOf({ stride, low: padding[i]![0], size: sizes[i]! }, places[i]!, shape[i + 1]!),
  );
  // One frame serves all phases.
  const low = phases.map((list) => Math.max(0, ...list.map((phase) => (phase.count > 0 ? phase.low : 0))));
  const high = phases.map((list) => list.map((phase) => phase.high).reduce(larger));
  const whole = arrays.map(({ x, around }) =>
    framed(
      x,
      low.map((before, i) => [before, atLeastZero(high[i]!)]),
      around,
    ),
  );
  const gathered = (chosen: readonly Phase[]): Node => {
    const counts = chosen.map(({ count }) => count);
    if (counts.includes(0)) return full([shape[0]!, ...places, channels], 0, dtype);
    const parts = whole.map((x) =>
      slice(x, {
        start: [0, ...chosen.map((phase, i) => low[i]! - phase.low), 0],
        shape: [shape[0]!, ...counts.map((count, i) => addSizes(places[i]!, count - 1)), x.shape.at(-1)!],
      }),
    );
    const firsts = chosen.map(({ first }) => first);
    return gather(parts, { firsts, steps: strides, counts, dilations: strides.map(() => 1) });
  };
  const assembled = (chosen: readonly Phase[]): Node => {
    const axis = chosen.length;
    if (axis === phases.length) return gathered(chosen);
    return interleaved(
      phases[axis]!.map((phase) => assembled([...chosen, phase])),
      axis + 1,
    );
  };
  const result = assembled([]);
  return slice(result, { start: result.shape.map(() => 0), shape: [shape[0]!, ...spatial, channels] });
}

/** Element i of part j becomes element i · parts + j along the axis. */
function interleaved(parts: readonly Node[], axis: number): Node {
  if (parts.length === 1) return parts[0]!;
  const { shape } = parts[0]!;
  const single = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
  const stacked = concat(
    parts.map((part) => reshape(part, single)),
    axis + 1,
  );
  const joined = (shape[axis] as number) * parts.length;
  return reshape(stacked, [...shape.slice(0, axis), joined, ...shape.slice(axis + 1)]);
}

const larger = (a: Size, b: Size): Size => (boundsOf(subtractSizes(a, b)).min >= 0 ? a : b);

/** With dilation: the arrays' elements as far apart as the strides, and all elements of a window at once. */
function gatherDilated(arrays: Arrays, { geometry, sizes, spatial, gather }: Gathering): Node {
  const { strides, dilations, padding } = geometry;
  const parts = arrays.map(({ x, around }) => {
    const none = x.shape.map(() => 0);
    const interior = [0, ...strides.map((stride) => stride - 1), 0];
    const apart = pad(x, { low: none, high: none, interior, value: around });
    const frame = spatial.map((size, i): [Size, Size] => {
      const low = padding[i]![0];
      const reach = (sizes[i]! - 1) * dilations[i]!;
      return [reach - low, addSizes(subtractSizes(size, apart.shape[i + 1]!), low)];
    });
    return framed(apart, frame, around);
  });
  return gather(parts, { firsts: sizes.map(() => 0), steps: sizes.map(() => 1), counts: sizes, dilations });
}
