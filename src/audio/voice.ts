/** Where somebody speaks. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { checkSound, type Sound } from "./wav.ts";

export interface VoiceOptions {
  /** How far above the noise a frame must be, in decibels; 9 unless told otherwise. */
  readonly decibels?: number;
  /** Shorter sounds are clicks; 0.1 seconds unless told otherwise. */
  readonly minSpeechSeconds?: number;
  /** Shorter pauses belong to the speech; 0.2 seconds unless told otherwise. */
  readonly minPauseSeconds?: number;
  /** Kept before and after the speech; 0.03 seconds unless told otherwise. */
  readonly paddingSeconds?: number;
}

/** Of samples, from `start` up to and without `end`. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

/** Frames of 25 ms, 10 ms apart, as recognisers take them. */
const frameSeconds = 0.025;
const hopSeconds = 0.01;
/** Of the frames, the part that is taken for noise. */
const quietPart = 0.1;

/**
 * The parts of a sound in which somebody speaks, or anything else is louder than the noise.
 *
 * The energy of each frame (25 ms, every 10 ms, differences of neighbours against hum, the mean of the channels) is compared with two levels over the
 * noise, as Rabiner and Sambur do ("An algorithm for determining the endpoints of isolated utterances", 1975): a part begins and ends where
 * a frame passes half of `decibels`, and counts where one in it passes all of it. The noise is the level that a tenth of the frames stay below.
 * Gaps shorter than `minPauseSeconds` are closed, parts shorter than `minSpeechSeconds` dropped. Where a tenth of the frames are no
 * noise, or all is silence, there is nothing to tell speech from: nothing is found.
 *
 * @throws ArgumentError for options below 0
 * @example
 * const data = Float32Array.from({ length: 16000 }, (_, i) => (i >= 6000 && i < 12000 ? Math.sin(i / 3) : 0.001 * Math.sin(i * i)));
 * const sound = { sampleRate: 16000, samples: { dtype: "f32", shape: [1, 16000], data } } as const;
 * voiceSegments(sound as never).length; // 1
 */
export function voiceSegments(sound: Sound, options: VoiceOptions = {}): Segment[] {
  checkSound("voiceSegments", sound);
  checkOptions("voiceSegments", options, [
    "decibels",
    "minSpeechSeconds",
    "minPauseSeconds",
    "paddingSeconds",
  ]);
  const { decibels = 9, minSpeechSeconds = 0.1, minPauseSeconds = 0.2, paddingSeconds = 0.03 } = options;
  for (const [name, value] of Object.entries({
    decibels,
    minSpeechSeconds,
    minPauseSeconds,
    paddingSeconds,
  })) {
    if (!(value >= 0)) throw new ArgumentError(`voiceSegments: ${name} must be at least 0, got ${value}`);
  }
  const { sampleRate } = sound;
  const [, length] = sound.samples.shape;
  const hop = Math.max(1, Math.round(hopSeconds * sampleRate));
  const frame = Math.max(1, Math.round(frameSeconds * sampleRate));
  const levels = frameLevels(sound, frame, hop);
  const sorted = Float64Array.from(levels).sort();
  const noise = sorted[Math.floor(quietPart * (sorted.length - 1))] ?? 0;
  const found = partsAbove(levels, noise + decibels / 2, noise + decibels);
  const samples = found.map(({ start, end }) => ({
    start: start * hop,
    end: Math.min(length, (end - 1) * hop + frame),
  }));
  const joined = joinNear(samples, minPauseSeconds * sampleRate);
  const padding = Math.round(paddingSeconds * sampleRate);
  const spoken = joined.filter(({ start, end }) => end - start >= minSpeechSeconds * sampleRate);
  return joinNear(
    spoken.map(({ start, end }) => ({
      start: Math.max(0, start - padding),
      end: Math.min(length, end + padding),
    })),
    0,
  );
}

/** Decibels of each frame, digital silence at −120. */
function frameLevels({ samples }: Sound, frame: number, hop: number): Float64Array {
  const [channels, length] = samples.shape;
  const frames = length < frame ? (length > 0 ? 1 : 0) : Math.floor((length - frame) / hop) + 1;
  return Float64Array.from({ length: frames }, (_, t) => {
    let power = 0;
    const end = Math.min(length, t * hop + frame);
    for (let channel = 0; channel < channels; channel++) {
      for (let i = Math.max(1, t * hop); i < end; i++) {
        const at = channel * length + i;
        power += (samples.data[at]! - 0.97 * samples.data[at - 1]!) ** 2;
      }
    }
    return 10 * Math.log10(power / (channels * frame) + 1e-12);
  });
}

/** Runs of frames above the lower level, in which one is above the higher. */
function partsAbove(levels: Float64Array, low: number, high: number): Segment[] {
  const parts: Segment[] = [];
  for (let at = 0; at < levels.length; at++) {
    if (!(levels[at]! > low)) continue;
    const start = at;
    let isLoud = false;
    for (; at < levels.length && levels[at]! > low; at++) isLoud ||= levels[at]! > high;
    if (isLoud) parts.push({ start, end: at });
  }
  return parts;
}

function joinNear(parts: readonly Segment[], gap: number): Segment[] {
  const joined: Segment[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (last !== undefined && part.start - last.end < gap + 1)
      joined[joined.length - 1] = { start: last.start, end: part.end };
    else joined.push(part);
  }
  return joined;
}

/**
 * The parts of a sound in which somebody speaks, one after the other, without the pauses.
 *
 * @throws ArgumentError as `voiceSegments`
 * @example
 * const silence = { sampleRate: 8000, samples: { dtype: "f32", shape: [1, 800], data: new Float32Array(800) } } as const;
 * trimSilence(silence as never).samples.shape; // [1, 0]
 */
export function trimSilence(sound: Sound, options: VoiceOptions = {}): Sound {
  const segments = voiceSegments(sound, options);
  const [channels, length] = sound.samples.shape;
  const total = segments.reduce((sum, { start, end }) => sum + end - start, 0);
  const data = new Float32Array(channels * total);
  for (let channel = 0; channel < channels; channel++) {
    let at = channel * total;
    for (const { start, end } of segments) {
      data.set(sound.samples.data.subarray(channel * length + start, channel * length + end), at);
      at += end - start;
    }
  }
  return { sampleRate: sound.sampleRate, samples: { dtype: "f32", shape: [channels, total], data } };
}
