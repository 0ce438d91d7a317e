/** The operations that automatic policies choose from, and how strong each can be. Names and figures are torchvision's. */
import type { Draws } from "../data/index.ts";
import { brightness, contrast, saturation } from "./color.ts";
import { sharpness } from "./filters.ts";
import { affine, rotate, type WarpStyle } from "./geometry.ts";
import { autocontrast, equalize, invert, posterize, solarize } from "./tables.ts";
import { pixelTransform, type Transform } from "./transform.ts";

type Operation = (magnitude: number, style: WarpStyle) => Transform;

/** Shears are given as tangents, and keep the top left corner. */
const sheared = (x: number, y: number, style: WarpStyle): Transform =>
  affine({ shear: [degrees(Math.atan(x)), degrees(Math.atan(y))], center: [0, 0], ...style });
const degrees = (radians: number): number => (radians * 180) / Math.PI;

export const operations = {
  Identity: () => pixelTransform("identity", (image) => image),
  ShearX: (magnitude, style) => sheared(magnitude, 0, style),
  ShearY: (magnitude, style) => sheared(0, magnitude, style),
  TranslateX: (magnitude, style) => affine({ translate: [Math.trunc(magnitude), 0], ...style }),
  TranslateY: (magnitude, style) => affine({ translate: [0, Math.trunc(magnitude)], ...style }),
  Rotate: (magnitude, style) => rotate(magnitude, style),
  Brightness: (magnitude) => brightness(1 + magnitude),
  Color: (magnitude) => saturation(1 + magnitude),
  Contrast: (magnitude) => contrast(1 + magnitude),
  Sharpness: (magnitude) => sharpness(1 + magnitude),
  Posterize: (magnitude) => posterize(Math.trunc(magnitude)),
  Solarize: (magnitude) => solarize(magnitude),
  AutoContrast: () => autocontrast(),
  Equalize: () => equalize(),
  Invert: () => invert(),
} satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;

/** How strong an operation is at a strength from 0 to 1, for an image of some size; one with a sign goes either way. */
export interface Magnitude {
  readonly isSigned: boolean;
  at(strength: number, height: number, width: number): number;
}

/** Operations to choose from, with their magnitudes. */
export type Space = Readonly<Partial<Record<OperationName, Magnitude>>>;

const upTo = (largest: number): Magnitude => ({ isSigned: true, at: (strength) => strength * largest });
const none: Magnitude = { isSigned: false, at: () => 0 };

/** Halves go to the even number, as in PyTorch. */
const halfToEven = (value: number): number => {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
};

const fewerBits = (most: number, range: number): Magnitude => ({
  isSigned: false,
  at: (strength) => most - halfToEven(strength * range),
});
const solarizing: Magnitude = { isSigned: false, at: (strength) => 255 * (1 - strength) };

/** Shifts by so much of the image: 150 pixels of the 331 that the paper's images had. */
const shifts = (share: number): Pick<Space, "TranslateX" | "TranslateY"> => ({
  TranslateX: { isSigned: true, at: (strength, _, width) => strength * share * width },
  TranslateY: { isSigned: true, at: (strength, height) => strength * share * height },
});

const colors = (largest: number): Space => ({
  Brightness: upTo(largest),
  Color: upTo(largest),
  Contrast: upTo(largest),
  Sharpness: upTo(largest),
});

/** AutoAugment's; RandAugment has no Invert and an Identity. */
export const usualSpace: Space = {
  ShearX: upTo(0.3),
  ShearY: upTo(0.3),
  ...shifts(150 / 331),
  Rotate: upTo(30),
  ...colors(0.9),
  Posterize: fewerBits(8, 4),
  Solarize: solarizing,
  AutoContrast: none,
  Equalize: none,
};

export const wideSpace: Space = {
  Identity: none,
  ShearX: upTo(0.99),
  ShearY: upTo(0.99),
  TranslateX: upTo(32),
  TranslateY: upTo(32),
  Rotate: upTo(135),
  ...colors(0.99),
  Posterize: fewerBits(8, 6),
  Solarize: solarizing,
  AutoContrast: none,
  Equalize: none,
};

export const mixSpace: Space = {
  ShearX: upTo(0.3),
  ShearY: upTo(0.3),
  ...shifts(1 / 3),
  Rotate: upTo(30),
  Posterize: fewerBits(4, 4),
  Solarize: solarizing,
  AutoContrast: none,
  Equalize: none,
  ...colors(0.9),
};

export { none as noMagnitude };

/** One of a space's operations at a strength, its sign at random. */
export function drawnOperation(
  space: Space,
  strength: (random: Draws) => number,
  [height, width]: readonly [number, number],
  random: Draws,
  style: WarpStyle,
): Transform {
  const entries = Object.entries(space) as [OperationName, Magnitude][];
  const [name, { isSigned, at }] = entries[random.integer(entries.length)]!;
  const magnitude = at(strength(random), height, width);
  const signed = isSigned && random.boolean() ? -magnitude : magnitude;
  return (operations[name] as Operation)(signed, style);
}
