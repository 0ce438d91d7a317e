/** Transforms: functions of images that also know how to change a whole frame. */
import { ArgumentError } from "../base/errors.ts";
import { type RandomKey, randomKey } from "../base/random.ts";
import { type Draws, draws } from "../data/index.ts";
import { type Frame, moveFrame } from "./frame.ts";
import { asImage, type Image } from "./image.ts";
import type { Move } from "./move.ts";

/**
 * One change of an image. Called with an image it gives the changed one; in `augment` it also moves what belongs to the image. One that
 * draws at random needs a key, or a seed: the same key gives the same image.
 */
export interface Transform {
  (image: Image, key?: RandomKey | number): Image;
  /** What it is called in messages. */
  readonly title: string;
  /** Whether it draws from the key. */
  readonly isRandom: boolean;
  /** Whether it also takes (channels, height, width). */
  readonly takesAnyLayout: boolean;
  readonly step: Step;
  /** Of a geometric one: where it takes the pixels of an image of some size. */
  readonly moveOf?: MoveOf;
}

type MoveOf = (height: number, width: number, key: RandomKey) => Move | undefined;

/** How a transform changes a frame. */
export type Step = (frame: Frame, key: RandomKey) => Frame;

interface Traits {
  readonly isRandom?: boolean;
  readonly takesAnyLayout?: boolean;
  readonly moveOf?: MoveOf;
}

const plainKey: RandomKey = [0, 0];

/** A transform from how it changes a frame. */
export function transformOf(title: string, step: Step, traits: Traits = {}): Transform {
  const { isRandom = false, takesAnyLayout = false, moveOf } = traits;
  const apply = (image: Image, key?: RandomKey | number): Image => {
    if (isRandom && key === undefined)
      throw new ArgumentError(
        `${title}: draws at random; give a key or a seed as well: ${title}(…)(image, seed)`,
      );
    const frame = { image: asImage(title, image), channelsFirst: false };
    return step(frame, typeof key === "number" ? randomKey(key) : (key ?? plainKey)).image;
  };
  return Object.assign(apply, { title, isRandom, takesAnyLayout, step, ...(moveOf && { moveOf }) });
}

/** A transform that changes pixels where they are. */
export const pixelTransform = (title: string, change: (image: Image) => Image): Transform =>
  transformOf(title, (frame) => ({ ...frame, image: change(frame.image) }));

/** One that draws what it does. */
export const randomPixelTransform = (
  title: string,
  change: (image: Image, random: Draws, key: RandomKey) => Image,
): Transform =>
  transformOf(title, (frame, key) => ({ ...frame, image: change(frame.image, draws(key), key) }), {
    isRandom: true,
  });

/** A transform that takes pixels elsewhere; undefined where it leaves the image as it is. */
export const geometricTransform = (
  title: string,
  moveOf: (height: number, width: number) => Move | undefined,
): Transform => moving(title, moveOf, false);

/** One that draws where to. */
export const randomGeometricTransform = (
  title: string,
  moveOf: (height: number, width: number, random: Draws, key: RandomKey) => Move | undefined,
): Transform => moving(title, (height, width, key) => moveOf(height, width, draws(key), key), true);

function moving(title: string, moveOf: MoveOf, isRandom: boolean): Transform {
  const step: Step = (frame, key) => {
    const [height, width] = frame.image.shape;
    const move = moveOf(height, width, key);
    return move === undefined ? frame : moveFrame(frame, move);
  };
  return transformOf(title, step, { isRandom, moveOf });
}
