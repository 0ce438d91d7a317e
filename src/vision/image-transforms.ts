/** Every function that makes a change of bytes of an image: what users import, and what configs name. */
export { augMix, autoAugment, randAugment, trivialAugmentWide } from "./auto-augment.ts";
export { brightness, colorJitter, contrast, grayscale, hue, randomGrayscale, saturation } from "./color.ts";
export {
  centerCrop,
  crop,
  horizontalFlip,
  randomCrop,
  randomFlip,
  randomResizedCrop,
  resize,
  verticalFlip,
} from "./crop.ts";
export { elastic } from "./elastic.ts";
export { randomErasing } from "./erase.ts";
export { gaussianBlur, gaussianNoise, sharpness } from "./filters.ts";
export {
  affine,
  perspective,
  randomAffine,
  randomPerspective,
  randomRotation,
  rotate,
  scale,
  shear,
} from "./geometry.ts";
export { autocontrast, equalize, invert, posterize, solarize } from "./tables.ts";
