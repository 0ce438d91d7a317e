/** Images: files, sizes, colours, augmentation. */
export {
  type Augmentation,
  type AugmentedSample,
  augment,
  type ImageSample,
  type ReadOptions,
} from "./augment.ts";
export type { AugMixOptions, AutoAugmentOptions, RandAugmentOptions } from "./auto-augment.ts";
export {
  type DecodeOptions,
  decodeImage,
  type EncodeOptions,
  encodeImage,
  type ImageFormat,
  readImage,
  writeImage,
} from "./codec.ts";
export type { ColorJitterOptions, Jitter } from "./color.ts";
export type {
  RandomCropOptions,
  RandomFlipOptions,
  RandomResizedCropOptions,
  ResizeOptions,
} from "./crop.ts";
export type { ElasticOptions } from "./elastic.ts";
export type { RandomErasingOptions } from "./erase.ts";
export type { GaussianBlurOptions, GaussianNoiseOptions } from "./filters.ts";
export type {
  AffineOptions,
  Corners,
  RandomAffineOptions,
  RandomPerspectiveOptions,
  RandomRotationOptions,
  RotateOptions,
  WarpStyle,
} from "./geometry.ts";
export type { ByteImage, Image, Region, Size } from "./image.ts";
export { type ImageFolder, type ImageFolderOptions, imageFiles, imageFolder } from "./image-folder.ts";
export * from "./image-transforms.ts";
export { cutMix, type LabelledBatch, type MixedBatch, type MixOptions, mixup } from "./mix.ts";
export { type NormalizeOptions, normalize, toFloat } from "./normalize.ts";
export type { PolicyName } from "./policies.ts";
export { renderBatch, type ShowBatchOptions, type ShownBatch, showBatch } from "./show-batch.ts";
export type { Transform } from "./transform.ts";
export type { WarpInterpolation } from "./warp.ts";
export type { Interpolation } from "./weights.ts";
