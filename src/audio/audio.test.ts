/** Sounds: against PyTorch and torchaudio, and files there and back. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  decodeArray,
  type EncodedArray,
  hashedUniform,
  hashedUnit,
  readFixture,
} from "../../test/fixtures.ts";
import { grad, ones, random, type Tensor, tensor } from "../tensor/index.ts";
import {
  addNoise,
  decodeWav,
  encodeWav,
  istft,
  melFilters,
  melSpectrogram,
  mfcc,
  pitchShift,
  powerToDecibels,
  readWav,
  resample,
  type Sound,
  type StftOptions,
  specAugment,
  stft,
  voiceSegments,
  windowWeights,
  writeWav,
} from "./index.ts";

const fixture = readFixture<{
  seed: number;
  spectra: {
    note: string;
    length: number;
    options: StftOptions;
    real: EncodedArray;
    imaginary: EncodedArray;
  }[];
  mel: EncodedArray;
  slaney: EncodedArray;
  mfcc: EncodedArray;
  decibels: EncodedArray;
  resampled: { from: number; to: number; samples: EncodedArray }[];
  noisy: EncodedArray;
}>("audio.json");

/** `signal` of the fixture's script. */
function signal(length: number): Float32Array {
  const noise = hashedUniform(fixture.seed, length, 1);
  return noise.map((n, t) => 0.5 * Math.sin(0.05 * t) + 0.3 * Math.sin(0.4 * t + 1) + 0.1 * n);
}
const signalTensor = (length: number): Tensor => tensor(signal(length), { shape: [1, length] }) as Tensor;

async function expectNear(found: Tensor, wanted: EncodedArray, tolerance = 1e-5): Promise<void> {
  expect(found.shape).toEqual(wanted.shape);
  const [got, want] = [await found.data(), decodeArray(wanted)];
  const largest = Array.from(want).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  want.forEach((x, i) => {
    if (!(Math.abs(Number(got[i]) - x) <= tolerance * largest))
      expect.fail(`element ${i}: ${got[i]}, not ${x}`);
  });
}

describe("short-time transforms", () => {
  test.each(fixture.spectra)("torch.stft: $note", async ({ length, options, real, imaginary }) => {
    const spectrum = stft(signalTensor(length), options);
    await expectNear(spectrum.real, real);
    await expectNear(spectrum.imaginary, imaginary);
  });
  test.each([
    { fftSize: 64, hop: 16 },
    { fftSize: 64, hop: 32, window: "hamming", windowSize: 48 },
    { fftSize: 30, hop: 10, center: false, window: "rectangular" },
    { fftSize: 45, hop: 9 },
  ] as const)("the inverse gives the signal back: %j", async (options) => {
    const x = signalTensor(450);
    const back = istft(stft(x, options), { ...options, length: 420 });
    const error = await back
      .sub(x.slice(1, 0, 420))
      .abs()
      .max()
      .item();
    expect(error).toBeLessThan(1e-5);
  });
  test("gradients flow through both", async () => {
    const x = signalTensor(200);
    const options = { fftSize: 32, hop: 8 };
    const loss = istft(stft(x, options), { ...options, length: 200 })
      .square()
      .sum();
    const gradient = await (grad(loss as Tensor, x) as Tensor).data();
    signal(200).forEach((value, i) => {
      expect(gradient[i]).toBeCloseTo(2 * value, 4);
    });
  });
  test("what cannot be is refused", () => {
    expect(() => stft(ones([10]) as Tensor, { fftSize: 64 })).toThrow("10 samples are less than 33");
    expect(() => stft(ones([99]) as Tensor, { fftSize: 8, windowSize: 9 })).toThrow("does not fit");
    const spectrum = stft(ones([99]) as Tensor, { fftSize: 8, hop: 4 });
    expect(() => istft(spectrum, { fftSize: 16 })).toThrow("5 bins, transforms of 16 have 9");
    expect(() => istft(spectrum, { fftSize: 8, hop: 9 })).toThrow("lies in no window");
    expect(() => windowWeights("kaiser" as never, 4)).toThrow('window "kaiser" is unknown');
  });
});

describe("mel bands are torchaudio's", () => {
  const x = signalTensor(1200);
  const frames = { fftSize: 128, hop: 64, sampleRate: 8000 };
  test("htk, slaney, decibels, cepstra", async () => {
    const mel = melSpectrogram(x, { ...frames, bands: 20 });
    await expectNear(mel, fixture.mel, 2e-5);
    await expectNear(powerToDecibels(mel, { range: 80 }), fixture.decibels, 2e-5);
    await expectNear(mfcc(x, { ...frames, bands: 20, coefficients: 10 }), fixture.mfcc, 2e-5);
    const bands = { bands: 12, low: 100, high: 3000, scale: "slaney", norm: "slaney" } as const;
    await expectNear(melSpectrogram(x, { ...frames, ...bands }), fixture.slaney, 2e-5);
  });
  test("ranges that are none are refused", () => {
    expect(() => melFilters(65, { sampleRate: 8000, high: 5000 })).toThrow("0 … 4000 Hz");
    expect(() => mfcc(x, { ...frames, bands: 20, coefficients: 21 })).toThrow("1 … 20, the bands; got 21");
  });
});

describe("resampling is torchaudio's", () => {
  test.each(fixture.resampled)("$from → $to", ({ from, to, samples }) => {
    const sound: Sound = { sampleRate: from, samples: { dtype: "f32", shape: [1, 160], data: signal(160) } };
    const { sampleRate, samples: found } = resample(sound, to);
    expect(sampleRate).toBe(to);
    expect(found.shape).toEqual(samples.shape);
    decodeArray(samples).forEach((x, i) => {
      expect(found.data[i]).toBeCloseTo(x, 5);
    });
  });
});

describe("augmentation", () => {
  test("noise at a level is torchaudio's", async () => {
    const noise = tensor(hashedUniform(fixture.seed + 1, 50, 1), { shape: [1, 50] }) as Tensor;
    await expectNear(addNoise(signalTensor(50), noise, 7), fixture.noisy);
  });
  test("hides whole bands and frames, within the widths, others for each", async () => {
    const shape = [40, 30, 50] as const;
    const options = { key: 3, frequencyMasks: 1, frequencyWidth: 8, timeMasks: 1, timeWidth: 12 };
    const data = await specAugment(ones(shape) as Tensor, options).data();
    const hidden = new Set<string>();
    for (let n = 0; n < 40; n++) {
      const at = (band: number, frame: number): number => Number(data[(n * 30 + band) * 50 + frame]);
      const bands = Array.from({ length: 30 }, (_, band) => band).filter((band) =>
        Array.from({ length: 50 }, (_, frame) => at(band, frame)).every((x) => x === 0),
      );
      const frames = Array.from({ length: 50 }, (_, frame) => frame).filter((frame) =>
        Array.from({ length: 30 }, (_, band) => at(band, frame)).every((x) => x === 0),
      );
      expect(bands.length).toBeLessThanOrEqual(8);
      expect(frames.length).toBeLessThanOrEqual(12);
      const shown = (30 - bands.length) * (50 - frames.length);
      let sum = 0;
      for (let i = 0; i < 1500; i++) sum += Number(data[n * 1500 + i]);
      expect(sum).toBe(shown);
      hidden.add(`${bands}|${frames}`);
    }
    expect(hidden.size).toBeGreaterThan(30);
    expect(await specAugment(ones(shape) as Tensor, options).data()).toEqual(data);
  });
});

describe("WAV files", () => {
  const samples = Float32Array.from({ length: 2 * 500 }, (_, i) => hashedUnit(4, i) * 2 - 1);
  const sound: Sound = { sampleRate: 22_050, samples: { dtype: "f32", shape: [2, 500], data: samples } };
  test.each([8, 16, 24, 32, "float"] as const)("%s bits there and back", (bits) => {
    const bytes = encodeWav(sound, { bits });
    const back = decodeWav(bytes);
    expect(back.sampleRate).toBe(22_050);
    expect(back.samples.shape).toEqual([2, 500]);
    const step = bits === "float" ? 0 : 1 / 2 ** (bits - 1);
    back.samples.data.forEach((x, i) => {
      expect(Math.abs(x - samples[i]!)).toBeLessThanOrEqual(step + 1e-7);
    });
    // What was read once is written the same.
    expect(encodeWav(back, { bits })).toEqual(bytes);
  });
  test("extremes are clipped; a file is written and read", async () => {
    const loud: Sound = {
      sampleRate: 8000,
      samples: { dtype: "f32", shape: [1, 3], data: Float32Array.of(2, -2, 1) },
    };
    expect([...decodeWav(encodeWav(loud)).samples.data]).toEqual([32767 / 32768, -1, 32767 / 32768]);
    const folder = mkdtempSync(join(tmpdir(), "netwright-wav-"));
    await writeWav(join(folder, "a.wav"), sound, { bits: "float" });
    expect(await readWav(join(folder, "a.wav"))).toEqual(sound);
    rmSync(folder, { recursive: true });
  });
  test("other chunks are passed over, a cut file ends early", () => {
    const plain = encodeWav(sound);
    const extra = new Uint8Array(plain.length + 12);
    extra.set(plain.subarray(0, 12));
    extra.set(new TextEncoder().encode("LIST"), 12);
    extra[16] = 3;
    extra.set(plain.subarray(12), 24);
    expect(decodeWav(extra)).toEqual(decodeWav(plain));
    expect(decodeWav(plain.subarray(0, 44 + 400)).samples.shape).toEqual([2, 100]);
  });
  test("damaged files are refused, never read out of bounds", () => {
    const plain = encodeWav(sound);
    expect(() => decodeWav(plain.subarray(0, 11))).toThrow("is no WAV file");
    expect(() => decodeWav(plain.subarray(0, 40))).toThrow("holds no samples");
    for (let i = 0; i < 2000; i++) {
      const broken = plain.slice(0, Math.floor(hashedUnit(9, 3 * i) * plain.length));
      for (let k = 0; k < 4; k++)
        broken[Math.floor(hashedUnit(9, 3 * i + k) * 48)] = 255 * hashedUnit(8, 4 * i + k);
      try {
        decodeWav(broken);
      } catch (error) {
        expect((error as Error).name).toBe("FormatError");
      }
    }
    const nan: Sound = {
      sampleRate: 1,
      samples: { dtype: "f32", shape: [1, 1], data: Float32Array.of(Number.NaN) },
    };
    expect(() => encodeWav(nan)).toThrow("sample 0 of channel 0 is NaN");
  });

  test("samples without channels are refused", async () => {
    const flat = { sampleRate: 8, samples: { dtype: "f32", shape: [2], data: new Float32Array(2) } } as never;
    const message = "samples of shape (channels, length), (1, length) for one channel; got 2 of shape (2,)";
    expect(() => encodeWav(flat)).toThrow(`encodeWav: a sound is { sampleRate, samples } with ${message}`);
    expect(() => resample(flat, 4)).toThrow(message);
    expect(() => voiceSegments(flat)).toThrow(message);
    await expect(pitchShift(flat, 1)).rejects.toThrow(message);
    await expect(pitchShift(tensor([1, 2]) as never, 1)).rejects.toThrow("for one channel; got none");
  });
});

test("random keys of the tensor room are taken", () => {
  expect(specAugment(ones([1, 4, 4]) as Tensor, { key: random.key(1) }).shape).toEqual([1, 4, 4]);
});
