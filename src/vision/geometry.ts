/** Turned, shifted, sheared, seen from elsewhere. Matrices and defaults are torchvision's. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { checkInterpolation, drawn } from "./crop.ts";
import { checkNumber, checkRange } from "./image.ts";
import { inverse, type Matrix, type Move, moved } from "./move.ts";
import { geometricTransform, randomGeometricTransform, type Transform } from "./transform.ts";
import { nearestPlacesOf, placesOf, type WarpInterpolation, warped, warpedMask } from "./warp.ts";

export interface WarpStyle {
  /** Default "bilinear". Masks take the nearest element whatever it is. */
  readonly interpolation?: WarpInterpolation;
  /** What stands where the result shows nothing of the image; default 0. */
  readonly fill?: number;
}

const styleNames = ["interpolation", "fill"] as const;

export function styleOf(
  what: string,
  { interpolation = "bilinear", fill = 0 }: WarpStyle,
): Required<WarpStyle> {
  checkInterpolation(what, interpolation, ["nearest", "bilinear", "bicubic"]);
  return { interpolation, fill };
}

/** A homography, given from the result to the image. */
export function warp(back: Matrix, height: number, width: number, style: Required<WarpStyle>): Move {
  const forth = inverse(back);
  const nearest = nearestPlacesOf(back);
  const places = style.interpolation === "nearest" ? nearest : placesOf(back);
  return {
    height,
    width,
    image: (image) => warped(image, places, { height, width, ...style }),
    mask: (mask) => warpedMask(mask, nearest, height, width),
    point: (x, y) => moved(forth, x, y),
  };
}

export interface AffineOptions extends WarpStyle {
  /** Degrees, clockwise; default 0. */
  readonly rotate?: number;
  /** Pixels to the right and down; default [0, 0]. */
  readonly translate?: readonly [x: number, y: number];
  /** Default 1. */
  readonly scale?: number;
  /** Degrees along x, or [x, y]; default 0. */
  readonly shear?: number | readonly [x: number, y: number];
  /** What stays in place, [x, y] in pixels; default the middle. */
  readonly center?: readonly [x: number, y: number];
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** From the result to the image: the inverse of translate · center · rotate · shear · scale · center⁻¹. */
export function affineMatrix(
  { rotate = 0, translate = [0, 0], scale = 1, shear = 0 }: AffineOptions,
  [cx, cy]: readonly [number, number],
): Matrix {
  const [rotation, [sx, sy]] = [radians(rotate), (typeof shear === "number" ? [shear, 0] : shear).map(radians) as [number, number]]; // biome-ignore format: angles
  const a = Math.cos(rotation - sy) / Math.cos(sy);
  const b = (-Math.cos(rotation - sy) * Math.tan(sx)) / Math.cos(sy) - Math.sin(rotation);
  const c = Math.sin(rotation - sy) / Math.cos(sy);
  const d = (-Math.sin(rotation - sy) * Math.tan(sx)) / Math.cos(sy) + Math.cos(rotation);
  const [m0, m1, m3, m4] = [d / scale, -b / scale, -c / scale, a / scale];
  const [x, y] = [cx + translate[0], cy + translate[1]];
  return Float64Array.of(m0, m1, cx - m0 * x - m1 * y, m3, m4, cy - m3 * x - m4 * y, 0, 0, 1);
}

/**
 * Turned, sheared, scaled about a point, then shifted; the size stays.
 *
 * @throws ArgumentError for a scale that is not positive, an unknown interpolation
 * @example affine({ rotate: 90, translate: [1, 0] })(photo).shape // [4, 4, 3]
 */
export function affine(options: AffineOptions): Transform {
  checkOptions("affine", options, ["rotate", "translate", "scale", "shear", "center", ...styleNames]);
  const style = styleOf("affine", options);
  checkNumber("affine: scale", options.scale ?? 1, 1e-6);
  return geometricTransform("affine", (height, width) =>
    warp(affineMatrix(options, options.center ?? [width / 2, height / 2]), height, width, style),
  );
}

export interface RotateOptions extends WarpStyle {
  /** Whether the result is as large as the turned image needs; the size stays unless asked for. */
  readonly expand?: boolean;
}

/**
 * Turned about the middle by degrees, counter-clockwise. Quarter turns of what then has the same size are exact.
 *
 * @throws ArgumentError for an unknown interpolation
 * @example rotate(90)(photo).shape // [4, 4, 3]
 */
export function rotate(degrees: number, options: RotateOptions = {}): Transform {
  checkOptions("rotate", options, ["expand", ...styleNames]);
  if (!Number.isFinite(degrees)) throw new ArgumentError(`rotate: degrees must be a number, got ${degrees}`);
  const style = styleOf("rotate", options);
  return geometricTransform("rotate", (height, width) =>
    rotation(degrees, height, width, { ...style, expand: options.expand ?? false }),
  );
}

export function rotation(
  degrees: number,
  height: number,
  width: number,
  { expand, ...style }: Required<RotateOptions>,
): Move | undefined {
  const turn = ((degrees % 360) + 360) % 360;
  if (turn === 0) return undefined;
  // Fifteen digits, as Pillow rounds: quarter turns are exact.
  const [cos, sin] = [Math.cos, Math.sin].map((f) => Number(f(-radians(turn)).toFixed(15))) as [
    number,
    number,
  ];
  const [cx, cy] = [width / 2, height / 2];
  if (!expand) return warp(about([cos, sin], [cx, cy], [cx, cy]), height, width, style);
  const corners = [[-cx, -cy], [cx, -cy], [-cx, cy], [cx, cy]] as const; // biome-ignore format: four corners
  const forth = corners.map(([x, y]) => [cos * x - sin * y + cx, sin * x + cos * y + cy] as const);
  const span = (axis: 0 | 1): number => {
    const along = forth.map((corner) => corner[axis]);
    return Math.ceil(Math.max(...along)) - Math.floor(Math.min(...along));
  };
  const [w, h] = [span(0), span(1)];
  return warp(about([cos, sin], [cx, cy], [w / 2, h / 2]), h, w, style);
}

/** From the result, turned about `middle`, to the image about `center`. */
function about(
  [cos, sin]: readonly [number, number],
  [cx, cy]: readonly [number, number],
  [mx, my]: readonly [number, number],
): Matrix {
  return Float64Array.of(cos, sin, cx - cos * mx - sin * my, -sin, cos, cy + sin * mx - cos * my, 0, 0, 1);
}

/**
 * Scaled about the middle; the size stays. (`resize` changes the size.)
 *
 * @throws ArgumentError for a factor that is not positive
 * @example scale(0.5)(photo).shape // [4, 4, 3]
 */
export const scale = (factor: number, options: WarpStyle = {}): Transform =>
  affine({ ...options, scale: factor });

/**
 * Sheared about the middle, in degrees along x and y.
 *
 * @example shear([10, 0])(photo).shape // [4, 4, 3]
 */
export const shear = (
  degrees: number | readonly [x: number, y: number],
  options: WarpStyle = {},
): Transform => affine({ ...options, shear: degrees });

/** Four points [x, y]: top left, top right, bottom right, bottom left. */
export type Corners = readonly [Corner, Corner, Corner, Corner];
type Corner = readonly [x: number, y: number];

/**
 * Seen from elsewhere: what is at four points of the image comes to four others.
 *
 * @throws ArgumentError for three points in a line
 * @example
 * const corners = [[0, 0], [4, 0], [4, 4], [0, 4]] as const;
 * perspective(corners, [[0, 1], [4, 0], [4, 4], [0, 3]])(photo).shape; // [4, 4, 3]
 */
export function perspective(from: Corners, to: Corners, options: WarpStyle = {}): Transform {
  checkOptions("perspective", options, styleNames);
  const style = styleOf("perspective", options);
  const back = homography(to, from);
  return geometricTransform("perspective", (height, width) => warp(back, height, width, style));
}

/** The homography that takes four points to four others: eight equations, by elimination. */
function homography(from: Corners, to: Corners): Matrix {
  const rows = from.flatMap(([x, y], i) => {
    const [u, v] = to[i]!;
    return [
      [x, y, 1, 0, 0, 0, -u * x, -u * y, u],
      [0, 0, 0, x, y, 1, -v * x, -v * y, v],
    ];
  });
  for (let column = 0; column < 8; column++) {
    const pivot = rows.slice(column).reduce((best, row) => (Math.abs(row[column]!) > Math.abs(best[column]!) ? row : best)); // biome-ignore format: one idea
    if (!(Math.abs(pivot[column]!) > 1e-9))
      throw new ArgumentError("perspective: three of the points are in a line; no view shows that");
    rows[rows.indexOf(pivot)] = rows[column]!;
    rows[column] = pivot.map((value) => value / pivot[column]!);
    for (const [i, row] of rows.entries())
      if (i !== column) rows[i] = row.map((value, j) => value - row[column]! * rows[column]![j]!);
  }
  return Float64Array.of(...rows.map((row) => row[8]!), 1);
}

export interface RandomPerspectiveOptions extends WarpStyle {
  /** How far corners move at most, as a share of half the image; default 0.5. */
  readonly distortion?: number;
  /** Default 0.5. */
  readonly probability?: number;
}

/**
 * Seen from elsewhere, at random: each corner moves inwards.
 *
 * @throws ArgumentError for numbers outside 0 … 1
 * @example randomPerspective({ probability: 1 })(photo, 7).shape // [4, 4, 3]
 */
export function randomPerspective(options: RandomPerspectiveOptions = {}): Transform {
  checkOptions("randomPerspective", options, ["distortion", "probability", ...styleNames]);
  const { distortion = 0.5, probability = 0.5 } = options;
  checkNumber("randomPerspective: distortion", distortion, 0, 0.95);
  checkNumber("randomPerspective: probability", probability, 0, 1);
  const style = styleOf("randomPerspective", options);
  return randomGeometricTransform("randomPerspective", (height, width, random) => {
    if (!random.boolean(probability)) return undefined;
    const inwards = (size: number): number => drawn(random, [0, (distortion * size) / 2]);
    const corner = (x: number, y: number): Corner => [
      x + (x === 0 ? inwards(width) : -inwards(width)),
      y + (y === 0 ? inwards(height) : -inwards(height)),
    ];
    const corners: Corners = [[0, 0], [width, 0], [width, height], [0, height]]; // biome-ignore format: four corners
    const moved = corners.map(([x, y]) => corner(x, y)) as unknown as Corners;
    return warp(homography(moved, corners), height, width, style);
  });
}

export interface RandomRotationOptions extends RotateOptions {}

/**
 * Turned at random: by at most so many degrees either way, or within a range, counter-clockwise.
 *
 * @throws ArgumentError for a range that is none
 * @example randomRotation(15)(photo, 7).shape // [4, 4, 3]
 */
export function randomRotation(
  degrees: number | readonly [from: number, to: number],
  options: RandomRotationOptions = {},
): Transform {
  checkOptions("randomRotation", options, ["expand", ...styleNames]);
  const range = aroundZero("randomRotation: degrees", degrees);
  const style = { ...styleOf("randomRotation", options), expand: options.expand ?? false };
  return randomGeometricTransform("randomRotation", (height, width, random) =>
    rotation(drawn(random, range), height, width, style),
  );
}

function aroundZero(what: string, range: number | readonly [number, number]): readonly [number, number] {
  if (typeof range !== "number") return checkRange(what, range);
  checkNumber(what, range, 0);
  return [-range, range];
}

export interface RandomAffineOptions extends WarpStyle {
  /** Degrees, at most either way or a range; default 0. */
  readonly rotate?: number | readonly [from: number, to: number];
  /** Shifts at most, as shares of width and height; default [0, 0]. */
  readonly translate?: readonly [x: number, y: number];
  /** Default [1, 1]. */
  readonly scale?: readonly [from: number, to: number];
  /** Degrees along x, at most either way or a range; default 0. */
  readonly shear?: number | readonly [from: number, to: number];
}

/**
 * Turned, sheared, scaled and shifted at random, about the middle.
 *
 * @throws ArgumentError for ranges that are none
 * @example randomAffine({ rotate: 10, translate: [0.1, 0.1], scale: [0.9, 1.1] })(photo, 7).shape // [4, 4, 3]
 */
export function randomAffine(options: RandomAffineOptions): Transform {
  checkOptions("randomAffine", options, ["rotate", "translate", "scale", "shear", ...styleNames]);
  const { translate = [0, 0], scale = [1, 1] } = options;
  const style = styleOf("randomAffine", options);
  const turns = aroundZero("randomAffine: rotate", options.rotate ?? 0);
  const shears = aroundZero("randomAffine: shear", options.shear ?? 0);
  for (const share of translate) checkNumber("randomAffine: translate", share, 0, 1);
  checkRange("randomAffine: scale", scale, 1e-6);
  return randomGeometricTransform("randomAffine", (height, width, random) => {
    const shift = (share: number, size: number): number =>
      Math.round(drawn(random, [-share * size, share * size]));
    const matrix = affineMatrix(
      {
        rotate: drawn(random, turns),
        translate: [shift(translate[0], width), shift(translate[1], height)],
        scale: drawn(random, scale),
        shear: drawn(random, shears),
      },
      [width / 2, height / 2],
    );
    return warp(matrix, height, width, style);
  });
}
