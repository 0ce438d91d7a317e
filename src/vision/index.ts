/** Images: files, sizes, colours, augmentation. */
export { type Augmentation, type AugmentedSample, augment, type ImageSample } from "./augment.ts";
export {
  type DecodeOptions,
  decodeImage,
  type EncodeOptions,
  encodeImage,
  type ImageFormat,
  readImage,
  writeImage,
} from "./codec.ts";
export {
  brightness,
  type ColorJitterOptions,
  colorJitter,
  contrast,
  grayscale,
  hue,
  type Jitter,
  randomGrayscale,
  saturation,
} from "./color.ts";
export {
  centerCrop,
  crop,
  horizontalFlip,
  type RandomCropOptions,
  type RandomFlipOptions,
  type RandomResizedCropOptions,
  type ResizeOptions,
  randomCrop,
  randomFlip,
  randomResizedCrop,
  resize,
  verticalFlip,
} from "./crop.ts";
export {
  type GaussianBlurOptions,
  type GaussianNoiseOptions,
  gaussianBlur,
  gaussianNoise,
  sharpness,
} from "./filters.ts";
export type { ByteImage, Image, Size } from "./image.ts";
export { type NormalizeOptions, normalize, toFloat } from "./normalize.ts";
export type { Interpolation, Region } from "./resample.ts";
export { autocontrast, equalize, invert, posterize, solarize } from "./tables.ts";
export type { Transform } from "./transform.ts";
