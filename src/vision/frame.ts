/** What an augmentation works on: an image, and the boxes, key points and masks that move with it. */
import type { DType } from "../base/dtype.ts";
import type { Image } from "./image.ts";
import type { Move, Plane } from "./move.ts";

export interface Frame {
  readonly image: Image;
  /** Whether the image is (channels, height, width), as networks take it: only what works on any layout comes after that. */
  readonly channelsFirst: boolean;
  /** Rows of left, top, right, bottom. A box that is gone is four zeros. */
  readonly boxes?: Float32Array;
  /** Rows of x, y, and of a visibility where there are three numbers to a point. */
  readonly points?: { readonly data: Float32Array; readonly rowLength: 2 | 3 };
  readonly masks?: { readonly dtype: DType; readonly planes: readonly Plane[] };
}

/** Of a box's area after the move, what has to be inside the image for it to stay. */
const leastArea = 0.1;

/** Everything moved. */
export function moveFrame(frame: Frame, move: Move): Frame {
  const { boxes, points, masks } = frame;
  return {
    ...frame,
    image: move.image(frame.image),
    ...(boxes && { boxes: movedBoxes(boxes, move) }),
    ...(points && { points: { ...points, data: movedPoints(points.data, points.rowLength, move) } }),
    ...(masks && { masks: { ...masks, planes: masks.planes.map((plane) => move.mask(plane)) } }),
  };
}

/** The boxes around the moved corners, clipped; zeros where less than a tenth of one, or than a pixel, is left. */
function movedBoxes(boxes: Float32Array, move: Move): Float32Array {
  const out = new Float32Array(boxes.length);
  for (let i = 0; i < boxes.length; i += 4) {
    const [left, top, right, bottom] = boxes.subarray(i, i + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    if (!(right > left && bottom > top)) continue;
    const corners = [move.point(left, top), move.point(right, top), move.point(left, bottom), move.point(right, bottom)]; // biome-ignore format: four corners
    const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
    const [x0, y0, x1, y1] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    const inside = [
      clip(x0, move.width),
      clip(y0, move.height),
      clip(x1, move.width),
      clip(y1, move.height),
    ] as const;
    const [width, height] = [inside[2] - inside[0], inside[3] - inside[1]];
    const isLeft = width * height >= leastArea * (x1 - x0) * (y1 - y0);
    if (width >= 1 && height >= 1 && isLeft) out.set(inside, i);
  }
  return out;
}

const clip = (value: number, high: number): number => Math.min(high, Math.max(0, value));

/** Points outside keep their place there; their visibility, where there is one, becomes 0. */
function movedPoints(points: Float32Array, rowLength: 2 | 3, move: Move): Float32Array {
  const out = points.slice();
  for (let i = 0; i < points.length; i += rowLength) {
    const [x, y] = move.point(points[i]!, points[i + 1]!);
    out[i] = x;
    out[i + 1] = y;
    const isInside = x >= 0 && x <= move.width && y >= 0 && y <= move.height;
    if (rowLength === 3 && !isInside) out[i + 2] = 0;
  }
  return out;
}
