/** Policies that choose what to do with each image: AutoAugment, RandAugment, TrivialAugment, AugMix. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { RandomKey } from "../base/random.ts";
import { draws } from "../data/index.ts";
import { dirichlet } from "./beta.ts";
import type { Frame } from "./frame.ts";
import { styleOf, type WarpStyle } from "./geometry.ts";
import { bytesOf, checkNumber, emptyBytes, type Image } from "./image.ts";
import {
  drawnOperation,
  mixSpace,
  noMagnitude,
  operations,
  type Space,
  usualSpace,
  wideSpace,
} from "./operations.ts";
import { type PolicyName, policyNames, policyOf } from "./policies.ts";
import { randomPixelTransform, type Transform, transformOf } from "./transform.ts";

/** These policies take nearest pixels, as published ones did. */
const styled = (what: string, options: WarpStyle): Required<WarpStyle> =>
  styleOf(what, { interpolation: "nearest", ...options });

/** A transform that draws other transforms one after the other, for the size an image then has. */
function drawing(
  title: string,
  next: (frame: Frame, key: RandomKey) => readonly ((frame: Frame) => Transform)[],
): Transform {
  const plain: RandomKey = [0, 0];
  const step = (frame: Frame, key: RandomKey): Frame =>
    next(frame, key).reduce((current, choose) => choose(current).step(current, plain), frame);
  return transformOf(title, step, { isRandom: true });
}

const sizeIn = ({ image }: Frame): readonly [number, number] => [image.shape[0], image.shape[1]];

export interface AutoAugmentOptions extends WarpStyle {
  /** For which data it was learnt; default "imagenet". */
  readonly policy?: PolicyName;
}

/**
 * One of 25 learnt pairs of operations, each done with its probability. Cubuk and others, "AutoAugment: learning augmentation policies from
 * data", 2019; figures are torchvision's. Works on bytes; what turns or shifts moves boxes, key points and masks.
 *
 * @throws ArgumentError for an unknown policy
 * @example autoAugment({ policy: "cifar10" })(photo, 7).shape // [4, 4, 3]
 */
export function autoAugment(options: AutoAugmentOptions = {}): Transform {
  checkOptions("autoAugment", options, ["policy", "interpolation", "fill"]);
  const { policy = "imagenet", ...rest } = options;
  if (!policyNames.includes(policy))
    throw new ArgumentError(`autoAugment: policy must be one of ${policyNames.join(", ")}, got ${policy}`);
  const style = styled("autoAugment", rest);
  const pairs = policyOf(policy);
  const space: Space = { ...usualSpace, Invert: noMagnitude };
  return drawing("autoAugment", (_, key) => {
    const random = draws(key);
    return pairs[random.integer(pairs.length)]!.flatMap(({ name, probability, level = 0 }) => {
      const isDone = random.boolean(probability);
      const sign = space[name]!.isSigned && random.boolean() ? -1 : 1;
      if (!isDone) return [];
      return [(frame: Frame) => operations[name](sign * space[name]!.at(level / 9, ...sizeIn(frame)), style)];
    });
  });
}

export interface RandAugmentOptions extends WarpStyle {
  /** Operations one after the other; default 2. */
  readonly operations?: number;
  /** How strong each is, from 0 to 30; default 9. */
  readonly magnitude?: number;
}

/**
 * Operations drawn from fourteen, all of one strength. Cubuk and others, "RandAugment: practical automated data augmentation with a reduced
 * search space", 2019; figures are torchvision's. Works on bytes; what turns or shifts moves boxes, key points and masks.
 *
 * @throws ArgumentError for a magnitude outside 0 … 30
 * @example randAugment({ operations: 2, magnitude: 9 })(photo, 7).shape // [4, 4, 3]
 */
export function randAugment(options: RandAugmentOptions = {}): Transform {
  checkOptions("randAugment", options, ["operations", "magnitude", "interpolation", "fill"]);
  const { operations: count = 2, magnitude = 9, ...rest } = options;
  checkNumber("randAugment: operations", count, 0);
  checkNumber("randAugment: magnitude", magnitude, 0, 30);
  const style = styled("randAugment", rest);
  const space: Space = { Identity: noMagnitude, ...usualSpace };
  return drawing("randAugment", (_, key) => {
    const random = draws(key);
    const choose = (frame: Frame): Transform =>
      drawnOperation(space, () => magnitude / 30, sizeIn(frame), random, style);
    return Array.from({ length: count }, () => choose);
  });
}

/**
 * One operation drawn from fourteen, of a strength drawn from a wide range. Müller and Hutter, "TrivialAugment: tuning-free yet
 * state-of-the-art data augmentation", 2021; figures are torchvision's. Works on bytes; what turns or shifts moves boxes, key points and masks.
 *
 * @example trivialAugmentWide()(photo, 7).shape // [4, 4, 3]
 */
export function trivialAugmentWide(options: WarpStyle = {}): Transform {
  checkOptions("trivialAugmentWide", options, ["interpolation", "fill"]);
  const style = styled("trivialAugmentWide", options);
  return drawing("trivialAugmentWide", (_, key) => [
    (frame) =>
      drawnOperation(wideSpace, (random) => random.integer(31) / 30, sizeIn(frame), draws(key), style),
  ]);
}

export interface AugMixOptions extends WarpStyle {
  /** How strong operations are at most, from 1 to 10; default 3. */
  readonly severity?: number;
  /** Chains that are mixed; default 3. */
  readonly width?: number;
  /** Operations of a chain; default 1 to 3, drawn for each chain. */
  readonly depth?: number;
  /** Of the beta and Dirichlet distributions of the shares; default 1. */
  readonly alpha?: number;
}

/**
 * The image mixed with itself after several chains of operations. Hendrycks and others, "AugMix: a simple data processing method to improve
 * robustness and uncertainty", 2019; figures are torchvision's. Works on bytes. Boxes, key points and masks stay, as most of the image does.
 *
 * @throws ArgumentError for a severity outside 1 … 10
 * @example augMix()(photo, 7).shape // [4, 4, 3]
 */
export function augMix(options: AugMixOptions = {}): Transform {
  checkOptions("augMix", options, ["severity", "width", "depth", "alpha", "interpolation", "fill"]);
  const { severity = 3, width = 3, depth, alpha = 1, ...rest } = options;
  checkNumber("augMix: severity", severity, 1, 10);
  checkNumber("augMix: width", width, 1);
  checkNumber("augMix: alpha", alpha, 1e-3);
  const style = styleOf("augMix", rest);
  return randomPixelTransform("augMix", (image, random) => {
    bytesOf("augMix", image);
    const [own, others] = dirichlet(random, [alpha, alpha]) as [number, number];
    const shares = dirichlet(
      random,
      Array.from({ length: width }, () => alpha),
    );
    const size = [image.shape[0], image.shape[1]] as const;
    const sums = Float32Array.from(image.data, (value) => own * value);
    for (const share of shares) {
      let chain: Image = image;
      const count = depth ?? 1 + random.integer(3);
      for (let i = 0; i < count; i++) {
        const strength = (): number => random.integer(severity) / 9;
        chain = drawnOperation(mixSpace, strength, size, random, style)(chain);
      }
      for (let i = 0; i < sums.length; i++) sums[i]! += others * share * chain.data[i]!;
    }
    const out = emptyBytes(...image.shape);
    new Uint8ClampedArray(out.data.buffer).set(sums);
    return out;
  });
}
