/**
 * Things in images as points: where a centre is, how large it is. No anchors. Zhou, Wang and Krähenbühl, "Objects as points", 2019; the
 * loss of the map of centres is that of Law and Deng, "CornerNet", 2018.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type Box, type Detection, nonMaximumSuppression } from "../metrics/index.ts";
import { Conv2d, ConvTranspose2d, initializers, Module, ReLU, Sequential } from "../nn/index.ts";
import { type HostArray, type Tensor, where } from "../tensor/index.ts";
import { BasicBlock, ResNet } from "./resnet.ts";

export interface CenterDetectorOptions {
  readonly numClasses: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Channels of the body's first stage; default 64. */
  readonly width?: number;
  /** Blocks of the body's four stages; default [2, 2, 2, 2], ResNet-18. */
  readonly blocks?: readonly number[];
  /** Channels of the map that is read; default 64. */
  readonly features?: number;
}

/** For each place of a map a quarter as large as the image. */
export interface CenterMaps {
  /** Logits of a centre of each class here, (N, classes, H/4, W/4). */
  readonly centers: Tensor;
  /** Width and height of what is centred here, in places, (N, 2, H/4, W/4). */
  readonly sizes: Tensor;
  /** From the place's corner to the centre itself, (N, 2, H/4, W/4). */
  readonly offsets: Tensor;
}

/** What `CenterMaps` should be; `isCenter` says where sizes and offsets count, (N, 1, H/4, W/4). */
export interface CenterTargets {
  readonly centers: HostArray;
  readonly sizes: HostArray;
  readonly offsets: HostArray;
  readonly isCenter: HostArray;
}

/** Places of a map lie so many pixels apart. */
const stride = 4;

/**
 * A detector of boxes: a residual network, whose four maps are brought back to a quarter of the image's size and added, and three small
 * heads.
 *
 * Shapes: (N, inChannels, H, W), H and W multiples of 32 → `CenterMaps`.
 *
 * @throws ShapeError for other images
 * @example
 * const model = new CenterDetector({ numClasses: 2, width: 4, features: 8, blocks: [1, 1, 1, 1] });
 * model.forward(zeros([1, 3, 64, 64])).centers.shape; // [1, 2, 16, 16]
 */
export class CenterDetector extends Module {
  readonly numClasses: number;
  readonly body: ResNet;
  /** The stages' maps to the same channels. */
  readonly lateral: Conv2d[];
  readonly widen: ConvTranspose2d[];
  readonly centers: Sequential;
  readonly sizes: Sequential;
  readonly offsets: Sequential;

  constructor(options: CenterDetectorOptions) {
    super();
    checkOptions("CenterDetector", options, ["numClasses", "inChannels", "width", "blocks", "features"]);
    const { numClasses, inChannels = 3, width = 64, blocks = [2, 2, 2, 2], features = 64 } = options;
    this.numClasses = numClasses;
    this.body = new ResNet(BasicBlock, blocks, { inChannels, width, numClasses: 1 });
    this.lateral = [1, 2, 4, 8].map((times) => new Conv2d(times * width, features, 1));
    this.widen = [0, 1, 2].map(() => new ConvTranspose2d(features, features, 2, { stride: 2 }));
    // A centre is rare: at first each place believes in one with probability 0.1.
    const rare = initializers.constant(-Math.log((1 - 0.1) / 0.1));
    const head = (channels: number, biasInit = initializers.zeros()): Sequential =>
      new Sequential(
        new Conv2d(features, features, 3, { padding: 1 }),
        new ReLU(),
        new Conv2d(features, channels, 1, { biasInit }),
      );
    this.centers = head(numClasses, rare);
    this.sizes = head(2);
    this.offsets = head(2);
  }

  /** The body's classifier is not part of a detector. */
  protected override *fields(): Iterable<readonly [string, unknown]> {
    for (const [name, value] of super.fields()) {
      if (name !== "body") yield [name, value];
      else for (const [part, inner] of this.body.children()) if (part !== "fc") yield [`body.${part}`, inner];
    }
  }

  forward(images: Tensor): CenterMaps {
    const shape = images.shape as readonly number[];
    if (shape.length !== 4 || shape[2]! % 32 !== 0 || shape[3]! % 32 !== 0)
      throw new ShapeError(
        `CenterDetector: expects (N, C, H, W) with H and W multiples of 32, got (${shape.join(", ")}); pad or resize the images`,
      );
    const maps = this.body.stages(images).map((map, level) => this.lateral[level]!.forward(map));
    const seen = maps.reduceRight(
      (coarse, map, level) => map.add(this.widen[level]!.forward(coarse)) as Tensor,
    );
    const active = seen.relu() as Tensor; // (N, features, H/4, W/4)
    return {
      centers: this.centers.forward(active),
      sizes: this.sizes.forward(active),
      offsets: this.offsets.forward(active),
    };
  }

  /** `centerLoss` of this model's maps. */
  loss(images: Tensor, targets: CenterTensors): Tensor {
    return centerLoss(this.forward(images), targets);
  }

  /**
   * Boxes of a batch: places that are surer than those around them, and sure enough, then non-maximum suppression.
   *
   * @example
   * const model = new CenterDetector({ numClasses: 2, width: 4, features: 8, blocks: [1, 1, 1, 1] }).eval();
   * (await model.detect(zeros([3, 3, 64, 64]), { threshold: 0.99 })).length; // 3 lists, one for each image
   */
  async detect(
    images: Tensor,
    {
      threshold = 0.3,
      iouThreshold = 0.5,
      most = 100,
    }: { readonly threshold?: number; readonly iouThreshold?: number; readonly most?: number } = {},
  ): Promise<Detection[][]> {
    const { centers, sizes, offsets } = this.forward(images);
    const hosts = await Promise.all([centers.sigmoid(), sizes, offsets].map((map) => map.toHost()));
    const found = decodeCenters(hosts as [HostArray, HostArray, HostArray], threshold);
    return found.map((boxes) => nonMaximumSuppression(boxes, { iouThreshold }).slice(0, most));
  }
}

/** `CenterTargets` inside a step. */
export type CenterTensors = { readonly [Name in keyof CenterTargets]: Tensor };

/**
 * The map of centres by a focal loss that forgives places near a centre, sizes (× 0.1) and offsets by absolute errors at the centres; each
 * divided by how many centres there are.
 *
 * @example
 * const places = { isCenter: zeros([1, 1, 4, 4]), centers: zeros([1, 1, 4, 4]), sizes: zeros([1, 2, 4, 4]), offsets: zeros([1, 2, 4, 4]) };
 * centerLoss({ centers: zeros([1, 1, 4, 4]), sizes: zeros([1, 2, 4, 4]), offsets: zeros([1, 2, 4, 4]) }, places).shape; // []
 */
export function centerLoss(maps: CenterMaps, targets: CenterTensors): Tensor {
  const count = targets.isCenter.sum().maximum(1) as Tensor;
  const { centers: logits } = maps;
  const probability = logits.sigmoid() as Tensor;
  // ln σ(z) = −softplus(−z), ln(1 − σ(z)) = −softplus(z)
  const atCenter = logits.neg().softplus().mul(probability.neg().add(1).square());
  const elsewhere = logits
    .softplus()
    .mul(probability.square())
    .mul((targets.centers.neg().add(1) as Tensor).pow(4));
  const focal = where(targets.centers.equal(1), atCenter, elsewhere).sum();
  const errors = (found: Tensor, wanted: Tensor): Tensor =>
    found.sub(wanted).abs().mul(targets.isCenter).sum() as Tensor;
  const sizes = errors(maps.sizes, targets.sizes).mul(0.1);
  return focal.add(sizes).add(errors(maps.offsets, targets.offsets)).div(count) as Tensor;
}

/**
 * What a detector's maps should be for a batch of images. Around each centre the map falls like a Gaussian whose width is that of boxes
 * which still overlap by 0.7.
 *
 * @throws ArgumentError for a box outside of the image, inside out, or of an unknown class
 * @example
 * const boxes = [[{ box: [8, 8, 24, 40], label: 1 }]] as const;
 * const targets = centerTargets(boxes, { numClasses: 2, height: 64, width: 64 });
 * targets.centers.data[1 * 16 * 16 + 6 * 16 + 4]; // 1: the centre of class 1 is at place (4, 6)
 */
export function centerTargets(
  boxes: readonly (readonly { readonly box: Box; readonly label: number }[])[],
  {
    numClasses,
    height,
    width,
  }: { readonly numClasses: number; readonly height: number; readonly width: number },
): CenterTargets {
  const [rows, columns] = [height / stride, width / stride];
  const map = (channels: number): { dtype: "f32"; shape: number[]; data: Float32Array } => ({
    dtype: "f32",
    shape: [boxes.length, channels, rows, columns],
    data: new Float32Array(boxes.length * channels * rows * columns),
  });
  const targets = { centers: map(numClasses), sizes: map(2), offsets: map(2), isCenter: map(1) };
  const at = (image: number, channels: number, channel: number, row: number, column: number): number =>
    ((image * channels + channel) * rows + row) * columns + column;
  for (const [image, list] of boxes.entries())
    for (const { box, label } of list) {
      checkBox(box, label, { numClasses, height, width });
      const [w, h] = [(box[2] - box[0]) / stride, (box[3] - box[1]) / stride];
      const [x, y] = [(box[0] + box[2]) / 2 / stride, (box[1] + box[3]) / 2 / stride];
      const [column, row] = [Math.min(columns - 1, Math.floor(x)), Math.min(rows - 1, Math.floor(y))];
      const radius = gaussianRadius(w, h);
      const sigma = (2 * radius + 1) / 6;
      const reach = Math.ceil(radius);
      for (let r = Math.max(0, row - reach); r <= Math.min(rows - 1, row + reach); r++)
        for (let c = Math.max(0, column - reach); c <= Math.min(columns - 1, column + reach); c++) {
          const value = Math.exp(-((r - row) ** 2 + (c - column) ** 2) / (2 * sigma ** 2));
          const place = at(image, numClasses, label, r, c);
          targets.centers.data[place] = Math.max(targets.centers.data[place]!, value);
        }
      targets.isCenter.data[at(image, 1, 0, row, column)] = 1;
      for (const [axis, [size, offset]] of [
        [w, x - column],
        [h, y - row],
      ].entries()) {
        targets.sizes.data[at(image, 2, axis, row, column)] = size!;
        targets.offsets.data[at(image, 2, axis, row, column)] = offset!;
      }
    }
  return targets;
}

function checkBox(
  box: Box,
  label: number,
  { numClasses, height, width }: { numClasses: number; height: number; width: number },
): void {
  const [x1, y1, x2, y2] = box;
  if (!(x1 >= 0 && y1 >= 0 && x2 <= width && y2 <= height && x1 < x2 && y1 < y2))
    throw new ArgumentError(
      `centerTargets: box [${box.join(", ")}] is not within an image of ${width}×${height}; clip it, or leave it out`,
    );
  if (!(Number.isInteger(label) && label >= 0 && label < numClasses))
    throw new ArgumentError(`centerTargets: label ${label} is not one of ${numClasses} classes`);
}

/** How far a box of this size can move so that it still overlaps by 0.7: the least of three ways to move (CornerNet). */
function gaussianRadius(width: number, height: number, overlap = 0.7): number {
  const positiveRoot = (a: number, b: number, c: number): number =>
    (-b + Math.sqrt(Math.max(0, b * b - 4 * a * c))) / (2 * a);
  const [sum, area] = [width + height, width * height];
  // Both corners inward, both outward, and the whole box moved.
  const moved = (sum - Math.sqrt(Math.max(0, sum ** 2 - (4 * area * (1 - overlap)) / (1 + overlap)))) / 2;
  const inward = (sum - Math.sqrt(Math.max(0, sum ** 2 - 4 * area * (1 - overlap)))) / 4;
  const outward = positiveRoot(4 * overlap, 2 * overlap * sum, (overlap - 1) * area);
  return Math.min(moved, inward, outward);
}

/** Each place that is at least as sure as its eight neighbours, as a box in pixels. */
function decodeCenters(
  [centers, sizes, offsets]: readonly [HostArray, HostArray, HostArray],
  threshold: number,
): Detection[][] {
  const [images, classes, rows, columns] = centers.shape as [number, number, number, number];
  const area = rows * columns;
  return Array.from({ length: images }, (_, image) => {
    const found: Detection[] = [];
    for (let label = 0; label < classes; label++) {
      const map = (centers.data as Float32Array).subarray(
        (image * classes + label) * area,
        (image * classes + label + 1) * area,
      );
      for (let place = 0; place < area; place++) {
        const score = map[place]!;
        const [row, column] = [Math.floor(place / columns), place % columns];
        if (score < threshold || !isPeak(map, { row, column, rows, columns })) continue;
        const read = (host: HostArray, axis: number): number =>
          Number(host.data[(image * 2 + axis) * area + place]);
        const [x, y] = [column + read(offsets, 0), row + read(offsets, 1)];
        const [w, h] = [Math.max(0, read(sizes, 0)) / 2, Math.max(0, read(sizes, 1)) / 2];
        const box = [x - w, y - h, x + w, y + h].map((side) => side * stride) as never as Box;
        found.push({ box, label, score });
      }
    }
    return found;
  });
}

function isPeak(
  map: Float32Array,
  { row, column, rows, columns }: { row: number; column: number; rows: number; columns: number },
): boolean {
  const here = map[row * columns + column]!;
  for (let r = Math.max(0, row - 1); r <= Math.min(rows - 1, row + 1); r++)
    for (let c = Math.max(0, column - 1); c <= Math.min(columns - 1, column + 1); c++)
      if (map[r * columns + c]! > here) return false;
  return true;
}
