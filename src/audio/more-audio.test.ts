/** Compressed files, stretched time, shifted pitch, voice: against libsndfile and torchaudio. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, hashedUniform, readFixture } from "../../test/fixtures.ts";
import { normal, randomKey } from "../base/random.ts";
import { grad, type Tensor, tensor } from "../tensor/index.ts";
import {
  decodeFlac,
  decodeMp3,
  encodeWav,
  phaseVocoder,
  pitchShift,
  readSound,
  resample,
  type Sound,
  stft,
  timeStretch,
  trimSilence,
  voiceSegments,
} from "./index.ts";

interface SoundFile {
  readonly format: "FLAC" | "MP3";
  readonly subtype: string;
  readonly rate: number;
  readonly bytes: string;
  readonly samples: EncodedArray;
}
const { files } = readFixture<{ files: SoundFile[] }>("audio-files.json");
const fixture = readFixture<{
  seed: number;
  stretched: {
    rate: number;
    length: number;
    fftSize: number;
    hop: number;
    shape: number[];
    samples: EncodedArray;
  }[];
  shifted: { steps: number; samples: EncodedArray }[];
}>("audio.json");

const folder = mkdtempSync(join(tmpdir(), "netwright-audio-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytesOf = ({ bytes }: SoundFile): Uint8Array => new Uint8Array(Buffer.from(bytes, "base64"));
const mono = (data: Float32Array, sampleRate: number): Sound => ({
  sampleRate,
  samples: { dtype: "f32", shape: [1, data.length], data },
});

/** `signal` of the fixture's script. */
const signal = (length: number): Float32Array =>
  hashedUniform(fixture.seed, length, 1).map(
    (n, t) => 0.5 * Math.sin(0.05 * t) + 0.3 * Math.sin(0.4 * t + 1) + 0.1 * n,
  );

function largestDifference(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(found.length).toBe(wanted.length);
  return Array.from(found).reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i]!)), 0);
}

describe("compressed files", () => {
  test.each(files.map((file) => [`${file.format} ${file.subtype} ${file.rate}`, file] as const))(
    "%s",
    async (name, file) => {
      const path = join(folder, `${name}.bin`);
      writeFileSync(path, bytesOf(file));
      const { sampleRate, samples } = await readSound(path);
      expect(sampleRate).toBe(file.rate);
      expect(samples.shape).toEqual(file.samples.shape);
      expect(largestDifference(samples.data, decodeArray(file.samples))).toBeLessThan(
        file.format === "FLAC" ? 1e-7 : 1e-5,
      );
    },
  );

  test("what is cut short, changed, too long or something else is refused with its name", async () => {
    const flac = bytesOf(files[0]!);
    const mp3 = bytesOf(files[2]!);
    await expect(decodeFlac(mp3)).rejects.toThrow("the given bytes is no FLAC file");
    await expect(decodeMp3(flac)).rejects.toThrow("is no MP3 file");
    await expect(decodeFlac(flac, { maxSamples: 100 })).rejects.toThrow("holds more than 100 samples");
    await expect(decodeMp3(mp3, { maxSamples: 100 })).rejects.toThrow("holds more than 100 samples");
    await expect(decodeFlac(flac, { maxSample: 1 } as never)).rejects.toThrow('did you mean "maxSamples"?');
    const changed = flac.map((byte, i) => (i > flac.length - 200 ? byte ^ 0x55 : byte));
    await expect(decodeFlac(changed, {}, "tone.flac")).rejects.toThrow(/tone\.flac/);
    await expect(decodeFlac(flac.subarray(0, 60))).rejects.toThrow(
      /holds no samples|is damaged|cannot be decoded/,
    );
    await expect(decodeMp3(mp3.subarray(0, 30))).rejects.toThrow(
      /holds no samples|is damaged|cannot be decoded/,
    );
    // Any bytes: an error of ours, or some sound.
    for (let round = 0; round < 12; round++) {
      const noise = Uint8Array.from(hashedUniform(round, 600, 128), (x) => x + 128);
      noise.set(round % 2 ? [0xff, 0xfb, 0x90] : [0x66, 0x4c, 0x61, 0x43]);
      const decoded = round % 2 ? decodeMp3(noise) : decodeFlac(noise);
      await decoded.catch((error) => expect(error.name).toBe("FormatError"));
    }
    writeFileSync(join(folder, "text.txt"), "no sound");
    await expect(readSound(join(folder, "text.txt"))).rejects.toThrow(
      "is no sound that is read here: WAV, FLAC and MP3",
    );
    writeFileSync(join(folder, "a.wav"), encodeWav(mono(Float32Array.of(0, 0.5), 8000)));
    expect((await readSound(join(folder, "a.wav"))).samples.data[1]).toBe(0.5);
  });
});

describe("stretching", () => {
  test.each(fixture.stretched)(
    "by $rate as torchaudio does",
    async ({ rate, length, fftSize, hop, shape, samples }) => {
      const x = tensor(signal(length), { shape: [1, length] }) as Tensor;
      const options = { fftSize, hop };
      expect(phaseVocoder(stft(x, options), rate, hop).real.shape).toEqual(shape);
      const found = timeStretch(x, rate, options);
      expect(found.shape).toEqual(samples.shape);
      expect(largestDifference(await found.data(), decodeArray(samples))).toBeLessThan(2e-4);
    },
  );

  test("gradients flow, a rate of 1 changes nothing, nonsense is refused", async () => {
    const x = tensor(signal(400), { shape: [400] }) as Tensor;
    const [gradient] = grad(
      timeStretch(x, 1.5, { fftSize: 64 }).square().sum() as never,
      [x] as never,
    ) as Tensor[];
    expect((await gradient!.data()).every(Number.isFinite)).toBe(true);
    expect(largestDifference(await timeStretch(x, 1, { fftSize: 64 }).data(), await x.data())).toBeLessThan(
      1e-5,
    );
    expect(() => timeStretch(x, 0)).toThrow("a rate is a number above 0");
  });

  test.each(fixture.shifted)("pitch by $steps steps as torchaudio does", async ({ steps, samples }) => {
    const found = await pitchShift(mono(signal(600), 8000), steps, { fftSize: 128 });
    expect(largestDifference(found.samples.data, decodeArray(samples))).toBeLessThan(2e-4);
  });

  test("rates without a common divisor need no more memory than others", () => {
    const sound = mono(
      Float32Array.from({ length: 2000 }, (_, i) => Math.sin(i / 5)),
      23783,
    );
    const there = resample(sound, 16001);
    expect(there.samples.shape[1]).toBe(Math.ceil((2000 * 16001) / 23783));
    expect(there.samples.data[700]).toBeCloseTo(Math.sin((700 * 23783) / 16001 / 5), 3);
  });
});

describe("voice", () => {
  const rate = 16000;
  /** Two words of a second and half a second in noise, a click, a pause within the first word. */
  function recording(loudness: number, noise: number): Sound {
    const hiss = normal(randomKey(4), 4 * rate);
    const speaks = (t: number): boolean =>
      (t >= 0.5 && t < 0.9) || (t >= 1 && t < 1.5) || (t >= 2.5 && t < 3) || (t >= 3.5 && t < 3.53);
    return mono(
      hiss.map((e, i) => {
        const voice = speaks(i / rate) ? Math.sin(i * 0.12) + 0.5 * Math.sin(i * 0.5) : 0;
        return loudness * voice + noise * e;
      }),
      rate,
    );
  }

  test.each([
    [0.3, 0.003],
    [0.003, 0.0001],
  ])("loudness %f in noise %f: two parts as far from the truth as padding and a frame", (loudness, noise) => {
    const found = voiceSegments(recording(loudness, noise)).map(({ start, end }) => [
      start / rate,
      end / rate,
    ]);
    expect(found).toHaveLength(2);
    const truth = [0.5, 1.5, 2.5, 3];
    for (const [i, time] of found.flat().entries()) expect(Math.abs(time - truth[i]!)).toBeLessThan(0.06);
    const kept = trimSilence(recording(loudness, noise)).samples.shape[1] / rate;
    expect(kept).toBeGreaterThan(1.5);
    expect(kept).toBeLessThan(1.75);
  });

  test("noise alone, silence, nothing: no voice", () => {
    expect(voiceSegments(mono(normal(randomKey(1), 2 * rate), rate))).toEqual([]);
    expect(voiceSegments(mono(new Float32Array(rate), rate))).toEqual([]);
    expect(voiceSegments(mono(new Float32Array(0), rate))).toEqual([]);
    expect(() => voiceSegments(recording(1, 0.01), { decibels: -1 })).toThrow("decibels must be at least 0");
  });
});
