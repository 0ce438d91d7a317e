/** Sentences spoken by many voices: eSpeak NG's, each a person with a tempo and a pitch of its own. */
import { execFile } from "node:child_process";
import { compile, type Tensor, tensor } from "netwright";
import { decodeWav, melSpectrogram, resample, type Sound } from "netwright/audio";
import { draws } from "netwright/data";
import { MissingData } from "./example.ts";

export interface Utterance {
  /** Or `<speak>…</speak>`: SSML. */
  readonly text: string;
  /** eSpeak's name of a language or an accent: "de", "en-us". */
  readonly language: string;
  /** Who speaks: one of `voices`. */
  readonly voice: string;
  /** Words a minute, 80 … 450. */
  readonly tempo: number;
  /** 0 … 99. */
  readonly pitch: number;
}

/** Those of eSpeak's variants that sound like people. */
export const voices =
  "Alex Alicia Andrea Andy Annie Denis Diogo Gene Henrique Hugo Jacky Lee Marco Mario Michael Mike Nguyen RicishayMax Storm adam " +
  "anika announcer antonio aunty belinda benjamin boris caleb david ed edward f1 f2 f3 f4 f5 grandma grandpa gustave iven john " +
  "kaukovalta klatt linda m1 m2 m3 m4 m5 m6 m7 marcelo max michel miguel norbert pablo paul pedro quincy rob robert sandro shelby " +
  "steph travis victor zac";

/** Voices in an order drawn by the seed, the first for training, others for the test. */
export function drawVoices(seed: number, { train, test }: { readonly train: number; readonly test: number }) {
  const random = draws(seed + 7);
  const order = voices.split(" ").map((voice) => ({ voice, at: random.uniform() }));
  const names = order.sort((a, b) => a.at - b.at).map(({ voice }) => voice);
  return { train: names.slice(0, train), test: names.slice(train, train + test) };
}

export const sampleRate = 22_050;

/** Samples of each utterance, −1 … 1. @throws MissingData where eSpeak NG is not installed */
export async function speak(utterances: readonly Utterance[]): Promise<Float32Array[]> {
  const spoken: Float32Array[] = new Array(utterances.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < utterances.length; i = next++) spoken[i] = await speakOne(utterances[i]!);
  };
  await Promise.all(Array.from({ length: 4 }, work));
  return spoken;
}

function speakOne({ text, language, voice, tempo, pitch }: Utterance): Promise<Float32Array> {
  const settings = ["-v", `${language}+${voice}`, "-s", String(tempo), "-p", String(pitch), "-z"];
  if (text.startsWith("<speak>")) settings.push("-m");
  return new Promise((resolve, reject) => {
    const options = { encoding: "buffer", maxBuffer: 2 ** 26 } as const;
    execFile("espeak-ng", [...settings, "--stdout", text], options, (error, bytes) => {
      if (error === null) resolve(decodeWav(bytes).samples.data as Float32Array);
      else if (error.code !== "ENOENT") reject(error);
      else reject(new MissingData('the program espeak-ng is missing; on Debian "apt install espeak-ng"'));
    });
  });
}

export const bands = 32;
/** Samples from one frame to the next: 11.6 ms. */
const hop = 256;
/** How many frames sounds of a length have. */
export const framesOf = (length: number): number => Math.floor(length / hop) + 1;

const spectra = compile((x: Tensor) => {
  const mel = melSpectrogram(x, { sampleRate, fftSize: 512, hop, bands, low: 60, high: 8000 });
  return mel.add(1e-4).log().permute([0, 2, 1]); // (N, frames, bands)
});

/**
 * Logarithms of mel bands, (N, frames, bands), row by row: each band has a mean of 0 over the frames that count, and what follows them is 0.
 * Sounds are cut or filled up to `length` samples.
 */
export async function features(sounds: readonly Float32Array[], length: number) {
  const frames = framesOf(length);
  const data = new Float32Array(sounds.length * frames * bands);
  const lengths = Int32Array.from(sounds, (sound) => Math.min(frames, framesOf(sound.length)));
  const batchSize = 64;
  for (let from = 0; from < sounds.length; from += batchSize) {
    const batch = new Float32Array(batchSize * length);
    for (const [row, sound] of sounds.slice(from, from + batchSize).entries())
      batch.set(sound.subarray(0, length), row * length);
    const found = (await spectra(tensor(batch, { shape: [batchSize, length] })).data()) as Float32Array;
    for (let row = 0; row < Math.min(batchSize, sounds.length - from); row++) {
      const size = frames * bands;
      const own = found.subarray(row * size, (row + 1) * size);
      data.set(centred(own, lengths[from + row]!), (from + row) * size);
    }
  }
  return { data, shape: [sounds.length, frames, bands] as const, lengths };
}

function centred(spectrum: Float32Array, frames: number): Float32Array {
  const result = new Float32Array(spectrum.length);
  for (let band = 0; band < bands; band++) {
    let sum = 0;
    for (let frame = 0; frame < frames; frame++) sum += spectrum[frame * bands + band]!;
    const mean = sum / frames;
    for (let frame = 0; frame < frames; frame++)
      result[frame * bands + band] = (spectrum[frame * bands + band]! - mean) / 3;
  }
  return result;
}

/** As from a tape that runs faster or slower: another tempo, and another voice. Ko and others, "Audio augmentation for speech recognition", 2015. */
export function atSpeed(sound: Float32Array, factor: number): Float32Array {
  // Both rates are multiples of 50, so that few different places lie between samples.
  const samples: Sound["samples"] = { dtype: "f32", shape: [1, sound.length], data: sound };
  const played = resample({ sampleRate: 50 * Math.round((factor * sampleRate) / 50), samples }, sampleRate);
  return played.samples.data as Float32Array;
}

/** A sound with noise that is `decibels` weaker than it. */
export function withNoise(sound: Float32Array, noise: Float32Array, decibels: number): Float32Array {
  const power = (x: Float32Array) => x.reduce((sum, value) => sum + value * value, 0) / x.length;
  const part = noise.subarray(0, sound.length);
  const scale = Math.sqrt(power(sound) / (power(part) * 10 ** (decibels / 10)));
  return sound.map((value, i) => value + scale * part[i]!);
}
