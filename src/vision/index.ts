/** Images: files, sizes, colours, augmentation. */
export { type Augmentation, type AugmentedSample, augment, type ImageSample } from "./augment.ts";
export {
  type AugMixOptions,
  type AutoAugmentOptions,
  augMix,
  autoAugment,
  type RandAugmentOptions,
  randAugment,
  trivialAugmentWide,
} from "./auto-augment.ts";
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
export { type ElasticOptions, elastic } from "./elastic.ts";
export { type RandomErasingOptions, randomErasing } from "./erase.ts";
export {
  type GaussianBlurOptions,
  type GaussianNoiseOptions,
  gaussianBlur,
  gaussianNoise,
  sharpness,
} from "./filters.ts";
export {
  type AffineOptions,
  affine,
  type Corners,
  perspective,
  type RandomAffineOptions,
  type RandomPerspectiveOptions,
  type RandomRotationOptions,
  type RotateOptions,
  randomAffine,
  randomPerspective,
  randomRotation,
  rotate,
  scale,
  shear,
  type WarpStyle,
} from "./geometry.ts";
export type { ByteImage, Image, Region, Size } from "./image.ts";
export { type ImageFolder, type ImageFolderOptions, imageFolder } from "./image-folder.ts";
export { cutMix, type LabelledBatch, type MixedBatch, type MixOptions, mixup } from "./mix.ts";
export { type NormalizeOptions, normalize, toFloat } from "./normalize.ts";
export type { PolicyName } from "./policies.ts";
export { renderBatch, type ShowBatchOptions, type ShownBatch, showBatch } from "./show-batch.ts";
export { autocontrast, equalize, invert, posterize, solarize } from "./tables.ts";
export type { Transform } from "./transform.ts";
export type { WarpInterpolation } from "./warp.ts";
export type { Interpolation } from "./weights.ts";
