/** Resize and Upsample: each axis on its own, an output element being a sum of a few of the input. */
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { known, type Request, type Row, type Rows } from "../request.ts";

/** What the elements of a resized axis are made of: taps, each an index and a weight for every element. */
interface Taps {
  readonly indices: readonly Int32Array[];
  readonly weights: readonly Float32Array[];
}

const resize: Row = (request) => {
  const x = request.input(0);
  const rank = x.shape.length;
  const axes = request.integers("axes")?.map((axis) => request.axis(axis, rank)) ?? x.shape.map((_, i) => i);
  const isOld = request.opset < 11;
  const scales = isOld ? (request.numbers(1) ?? request.floats("scales")) : request.numbers(2);
  const sizes = isOld ? undefined : request.numbers(3);
  return axes.reduce((image, axis, i) => {
    const scale = scales?.[i];
    const isEmpty = scales === undefined || scales.length === 0;
    if (!isEmpty && scale === 1) return image;
    const size = known(request, [image.shape[axis]!])[0]!;
    const wanted = isEmpty ? sizes![i]! : Math.floor(size * scale!);
    return wanted === size
      ? image
      : resized(request, image, axis, { size, wanted, scale: isEmpty ? wanted / size : scale! });
  }, x);
};

interface Axis {
  readonly size: number;
  readonly wanted: number;
  readonly scale: number;
}

function resized(request: Request, x: Node, axis: number, sizes: Axis): Node {
  const { indices, weights } = tapsOf(request, sizes);
  const parts = indices.map((index, i) => {
    const taken = ops.gather(x, ops.array({ dtype: "i32", shape: [index.length], data: index }), axis);
    const weight = weights[i]!;
    if (weight.every((w) => w === 1)) return taken;
    const shape = x.shape.map((_, at) => (at === axis ? weight.length : 1));
    const factor = ops.cast(ops.array({ dtype: "f32", shape, data: weight }), x.dtype);
    return ops.mul(taken, ops.broadcastTo(factor, taken.shape));
  });
  return parts.reduce(ops.add);
}

/** Where an output element lies on the input's axis. */
function placeOf(request: Request, { size, wanted, scale }: Axis): (i: number) => number {
  const mode = request.string(
    "coordinate_transformation_mode",
    request.opset < 11 ? "asymmetric" : "half_pixel",
  );
  switch (mode) {
    case "half_pixel":
      return (i) => (i + 0.5) / scale - 0.5;
    case "pytorch_half_pixel":
      return (i) => (wanted > 1 ? (i + 0.5) / scale - 0.5 : 0);
    case "half_pixel_symmetric": {
      const centre = (size / 2) * (1 - wanted / (scale * size));
      return (i) => centre + (i + 0.5) / scale - 0.5;
    }
    case "align_corners":
      return (i) => (wanted > 1 ? (i * (size - 1)) / (wanted - 1) : 0);
    case "asymmetric":
      return (i) => i / scale;
    default:
      throw request.fail(`coordinate_transformation_mode "${mode}" is not supported`);
  }
}

function tapsOf(request: Request, axis: Axis): Taps {
  const mode = request.string("mode", "nearest");
  const place = placeOf(request, axis);
  if (request.flag("antialias") && axis.wanted < axis.size) throw request.fail("antialias is not supported");
  const places = Array.from({ length: axis.wanted }, (_, i) => place(i));
  const inside = (i: number): number => Math.min(Math.max(i, 0), axis.size - 1);
  const taps = (
    offsets: readonly number[],
    weightOf: (fraction: number, offset: number) => number,
  ): Taps => ({
    indices: offsets.map((offset) => Int32Array.from(places, (at) => inside(Math.floor(at) + offset))),
    weights: offsets.map((offset) =>
      Float32Array.from(places, (at) => weightOf(at - Math.floor(at), offset)),
    ),
  });
  if (mode === "nearest") {
    const index = Int32Array.from(places, (at) => inside(nearest(request, at)));
    return { indices: [index], weights: [new Float32Array(index.length).fill(1)] };
  }
  if (mode === "linear") return taps([0, 1], (fraction, offset) => (offset === 0 ? 1 - fraction : fraction));
  if (mode !== "cubic") throw request.fail(`mode "${mode}" is not supported; nearest, linear and cubic are`);
  if (request.flag("exclude_outside")) throw request.fail("exclude_outside is not supported");
  const a = request.float("cubic_coeff_a", -0.75);
  return taps([-1, 0, 1, 2], (fraction, offset) => cubic(Math.abs(fraction - offset), a));
}

function nearest(request: Request, at: number): number {
  const mode = request.string("nearest_mode", request.opset < 11 ? "floor" : "round_prefer_floor");
  if (mode === "round_prefer_floor") return Math.ceil(at - 0.5);
  if (mode === "round_prefer_ceil") return Math.floor(at + 0.5);
  return mode === "floor" ? Math.floor(at) : Math.ceil(at);
}

/** Keys, "Cubic convolution interpolation", 1981. */
function cubic(distance: number, a: number): number {
  if (distance <= 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  return distance < 2 ? ((distance - 5) * distance + 8) * distance * a - 4 * a : 0;
}

export const resizing: Rows = { Resize: resize, Upsample: resize };
