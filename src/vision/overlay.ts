/** Labels, boxes and key points over the images of `showBatch`, as SVG. */
import type { HostArray } from "../base/host-array.ts";

/** Where an image stands on the canvas, and how much it is enlarged. */
export interface Drawing {
  readonly left: number;
  readonly top: number;
  readonly scale: number;
  /** Of the image itself. */
  readonly height: number;
  readonly width: number;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]!);

/** A line of text under the image, cut to its width. */
export function caption(text: string, { left, top, scale, height, width }: Drawing): string {
  if (text === "") return "";
  const room = Math.max(4, Math.floor((width * scale) / 7));
  const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text;
  return `<text x="${left}" y="${top + height * scale + 13}" font-family="sans-serif" font-size="12" fill="#222">${escaped(shown)}</text>`;
}

/** Boxes and key points of one sample; boxes of no size are not there. */
export function overlay(
  { boxes, keypoints }: Readonly<Record<string, HostArray>>,
  sample: number,
  drawing: Drawing,
): string {
  const rows = (array: HostArray | undefined): ArrayLike<number>[] => {
    if (array === undefined) return [];
    const [length, count] = [array.shape.at(-1)!, array.data.length / array.shape[0]! / array.shape.at(-1)!];
    return Array.from({ length: count }, (_, i) => {
      const start = (sample * count + i) * length;
      return array.data.subarray(start, start + length);
    });
  };
  const x = (value: number): string => (drawing.left + value * drawing.scale).toFixed(1);
  const y = (value: number): string => (drawing.top + value * drawing.scale).toFixed(1);
  const length = (value: number): string => (value * drawing.scale).toFixed(1);
  const rectangles = rows(boxes)
    .filter((box) => box[2]! > box[0]! && box[3]! > box[1]!)
    .map((box) => {
      const place = `x="${x(box[0]!)}" y="${y(box[1]!)}" width="${length(box[2]! - box[0]!)}" height="${length(box[3]! - box[1]!)}"`;
      return `<rect ${place} fill="none" stroke="#000" stroke-width="3"/><rect ${place} fill="none" stroke="#ffd400" stroke-width="1.5"/>`;
    });
  const isInside = (point: ArrayLike<number>): boolean =>
    point[0]! >= 0 && point[0]! <= drawing.width && point[1]! >= 0 && point[1]! <= drawing.height;
  const dots = rows(keypoints)
    .filter((point) => isInside(point) && point[2] !== 0)
    .map((point) => `<circle cx="${x(point[0]!)}" cy="${y(point[1]!)}" r="3" fill="#e6007e" stroke="#fff"/>`);
  return [...rectangles, ...dots].join("");
}
