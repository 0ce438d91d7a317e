/** Automatic policies: every operation at every strength, and the learnt pairs, against torchvision; batches mixed with themselves. */
import { describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import { hostArray } from "../base/host-array.ts";
import { randomKey } from "../base/random.ts";
import { draws } from "../data/index.ts";
import { beta, dirichlet } from "./beta.ts";
import { displacing } from "./elastic.ts";
import {
  augMix,
  augment,
  autoAugment,
  cutMix,
  elastic,
  type Image,
  mixup,
  normalize,
  randAugment,
  randomErasing,
  type Transform,
  trivialAugmentWide,
} from "./index.ts";
import {
  type Magnitude,
  mixSpace,
  noMagnitude,
  type OperationName,
  operations,
  usualSpace,
  wideSpace,
} from "./operations.ts";
import { type PolicyName, policyOf } from "./policies.ts";

const fixture = readFixture<{
  image: EncodedArray;
  elastic: { field: EncodedArray; output: EncodedArray };
  automatic: {
    magnitudes: Record<"usual" | "wide" | "mix", Record<string, { signed: boolean; values: number[] }>>;
    applied: { name: OperationName; magnitude: number; output: EncodedArray }[];
    policies: Record<PolicyName, [string, number, number | null][][]>;
  };
}>("vision.json");

const photo: Image = {
  dtype: "u8",
  shape: [16, 20, 3],
  data: decodeArray(fixture.image) as Uint8Array<ArrayBuffer>,
};

test.each(Object.entries({ usual: { ...usualSpace, Invert: noMagnitude }, wide: wideSpace, mix: mixSpace }))(
  "the operations of the %s space, and how strong they are",
  (name, space) => {
    const wanted = fixture.automatic.magnitudes[name as "usual"];
    expect(Object.keys(space).sort()).toEqual(Object.keys(wanted).sort());
    for (const [operation, { isSigned, at }] of Object.entries(space) as [string, Magnitude][]) {
      const { signed, values } = wanted[operation]!;
      expect(isSigned).toBe(signed);
      for (const [i, value] of values.entries())
        expect(at(i / (values.length - 1), 16, 20), `${operation} ${i}`).toBeCloseTo(value, 4);
    }
  },
);

test.each(fixture.automatic.applied.map((row) => [row.name, row.magnitude, row] as const))(
  "%s of %f",
  (name, magnitude, { output }) => {
    const make = operations[name] as (magnitude: number, style: object) => Transform;
    expect(make(magnitude, { interpolation: "nearest" })(photo).data).toEqual(decodeArray(output));
  },
);

test.each(["imagenet", "cifar10", "svhn"] as const)("AutoAugment's pairs for %s", (name) => {
  const pairs = policyOf(name).map((pair) =>
    pair.map(({ name, probability, level }) => [name, probability, level ?? null]),
  );
  expect(pairs).toEqual(fixture.automatic.policies[name]);
});

test("elastic: what is seen through a field, and where points go", () => {
  const field = decodeArray(fixture.elastic.field);
  // Shares of the image from −1 to 1.
  const along = (axis: number, size: number): Float32Array =>
    Float32Array.from({ length: 320 }, (_, i) => (field[2 * i + axis]! * size) / 2);
  const shifts = { height: 16, width: 20, dx: along(0, 20), dy: along(1, 16) };
  const found = displacing(shifts, { interpolation: "bilinear", fill: 0 }).image(photo);
  const wanted = decodeArray(fixture.elastic.output);
  // Pillow cuts fractions off, torchvision's tensors round and fade at the edge: only what lies inside is compared.
  for (let i = 0; i < 320; i++) {
    const [x, y] = [(i % 20) + 0.5 + shifts.dx[i]!, Math.floor(i / 20) + 0.5 + shifts.dy[i]!];
    if (x < 0.5 || x > 19.5 || y < 0.5 || y > 15.5) continue;
    for (let c = 0; c < 3; c++)
      expect(Math.abs(found.data[3 * i + c]! - wanted[3 * i + c]!)).toBeLessThanOrEqual(1);
  }
});

test("elastic moves a marked pixel, its mask and its point together", () => {
  const change = augment(elastic({ alpha: 70, sigma: 4 }));
  let furthest = 0;
  for (let key = 0; key < 10; key++) {
    const images = hostArray("u8", [40, 40, 1]);
    for (let y = 17; y < 22; y++) images.data.fill(255, y * 40 + 17, y * 40 + 22);
    const masks = hostArray("u8", [40, 40], images.data.slice());
    const out = change(
      { images, masks, keypoints: hostArray("f32", [1, 2], Float32Array.of(19.5, 19.5)) },
      key,
    );
    const [x, y] = out.keypoints.data as Float32Array;
    furthest = Math.max(furthest, Math.hypot(x! - 19.5, y! - 19.5));
    const at = Math.floor(y!) * 40 + Math.floor(x!);
    expect([out.images.data[at], out.masks.data[at]]).toEqual([255, 255]);
  }
  expect(furthest).toBeGreaterThan(1);
});

describe("a policy", () => {
  const policies = { autoAugment, randAugment, trivialAugmentWide, augMix };
  test.each(Object.entries(policies))("%s: of the key alone, now this, now that", (_, make) => {
    const images = [1, 2, 3, 4, 5, 6, 7, 8].map((key) => String(make()(photo, key).data));
    expect(new Set(images).size).toBeGreaterThan(4);
    expect(String(make()(photo, 3).data)).toBe(images[2]);
  });

  test("moves boxes where it turns or shifts", () => {
    const change = augment(trivialAugmentWide());
    const boxes = hostArray("f32", [1, 4], Float32Array.of(5, 5, 15, 11));
    const results = Array.from({ length: 40 }, (_, key) =>
      String(change({ images: photo, boxes }, key).boxes.data),
    );
    const still = results.filter((result) => result === String(boxes.data)).length;
    expect(still).toBeGreaterThan(15);
    expect(still).toBeLessThan(35);
  });

  test("augMix stays near the image", () => {
    const far = augMix({ severity: 1, alpha: 50 })(photo, 4);
    const mean =
      Array.from(far.data).reduce((sum, value, i) => sum + Math.abs(value - photo.data[i]!), 0) / 960;
    expect(mean).toBeLessThan(40);
  });
});

test("shares have the moments of their distributions", () => {
  const random = draws(randomKey(5));
  for (const alpha of [0.2, 1, 4]) {
    const shares = Array.from({ length: 4000 }, () => beta(random, alpha, alpha));
    const mean = shares.reduce((sum, x) => sum + x, 0) / 4000;
    const variance = shares.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 4000;
    expect(mean).toBeCloseTo(0.5, 1);
    expect(variance).toBeCloseTo(1 / (4 * (2 * alpha + 1)), 1.5);
  }
  expect(dirichlet(random, [1, 2, 3]).reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 12);
});

describe("batches", () => {
  const images = hostArray("f32", [3, 1, 8, 8]);
  for (let i = 0; i < 3; i++) images.data.fill(i, i * 64, (i + 1) * 64);
  const labels = hostArray("i32", [3], Int32Array.of(0, 1, 2));

  test("mixup: images and labels in one proportion", () => {
    const mixed = mixup({ images, labels }, { classes: 4, key: 3, alpha: 0.7 });
    const own = mixed.labels.data[0]!;
    expect(own).toBeGreaterThan(0);
    expect(own).toBeLessThan(1);
    const [first, second] = [Math.fround(own), Math.fround(1 - own)];
    expect(Array.from(mixed.labels.data, (x) => x.toFixed(5))).toEqual(
      [first, 0, second, 0, second, first, 0, 0, 0, second, first, 0].map((x) => x.toFixed(5)),
    );
    expect(mixed.images.data[0]).toBeCloseTo(2 * (1 - own), 5);
    expect(mixed.images.data[64]).toBeCloseTo(own, 5);
    expect(mixup({ images, labels }, { classes: 4, key: 4 }).labels.data).not.toEqual(mixed.labels.data);
    const again = mixup(mixed, { classes: 4, key: 3 });
    expect(again.labels.data.slice(0, 4).reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 5);
  });

  test("cutMix: labels in proportion to the areas", () => {
    const shares = new Set<number>();
    for (let key = 0; key < 20; key++) {
      const mixed = cutMix({ images, labels }, { classes: 3, key });
      const own = mixed.images.data.slice(64, 128).filter((x) => x === 1).length / 64;
      expect(mixed.labels.data[4]).toBeCloseTo(own, 6);
      expect(mixed.labels.data[3]).toBeCloseTo(1 - own, 6);
      shares.add(own);
    }
    expect(shares.size).toBeGreaterThan(5);
  });

  test("mistakes", () => {
    expect(() => mixup({ images, labels }, { classes: 2, key: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: mixup: label 2 of image 2 is no class from 0 to 1]`,
    );
    expect(() =>
      cutMix({ images: hostArray("u8", [3, 8, 8, 1]), labels }, { classes: 3, key: 0 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: cutMix: images must be f32 (N, channels, height, width), as normalize gives them, got u8 (3, 8, 8, 1)]`,
    );
    expect(() =>
      mixup({ images, labels: hostArray("i32", [2]) }, { classes: 3, key: 0 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: mixup: labels must be (3,) classes or (3, 3) shares of classes in f32, got i32 (2,)]`,
    );
    expect(() => autoAugment({ policy: "cifar" as never })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: autoAugment: policy must be one of imagenet, cifar10, svhn, got cifar]`,
    );
  });
});

test("randomErasing hides a part, before and after normalize", () => {
  const erase = randomErasing({ probability: 1, scale: [0.1, 0.3] });
  const white: Image = { dtype: "u8", shape: [20, 30, 3], data: new Uint8Array(1800).fill(255) };
  for (let key = 0; key < 10; key++) {
    const share = erase(white, key).data.filter((x: number) => x === 0).length / 1800;
    expect(share).toBeGreaterThan(0.07);
    expect(share).toBeLessThan(0.35);
    const { images } = augment(normalize(), erase)({ images: white }, key);
    const hidden = [0, 1, 2].map((channel) =>
      images.data.slice(channel * 600, (channel + 1) * 600).map((x) => Number(x === 0)),
    );
    expect(hidden[0]!.some((x) => x === 1)).toBe(true);
    expect(hidden[1]).toEqual(hidden[0]);
    expect(hidden[2]).toEqual(hidden[0]);
  }
  const noisy = randomErasing({ probability: 1, value: "random" })(white, 1).data;
  expect(new Set(noisy).size).toBeGreaterThan(50);
  expect(white.data.every((x: number) => x === 255)).toBe(true);
});
