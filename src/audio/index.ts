/** Sounds: files, spectra, mel bands, sample rates, augmentation. */
export { addNoise, type SpecAugmentOptions, specAugment } from "./augment.ts";
export { type DecodeOptions, decodeFlac, decodeMp3, readSound } from "./codecs.ts";
export {
  type MelOptions,
  type MelSpectrogramOptions,
  type MfccOptions,
  melFilters,
  melSpectrogram,
  mfcc,
  powerToDecibels,
} from "./mel.ts";
export { type ResampleOptions, resample } from "./resample.ts";
export { istft, type StftOptions, stft, type WindowName, windowWeights } from "./stft.ts";
export { phaseVocoder, pitchShift, timeStretch } from "./stretch.ts";
export { type Segment, trimSilence, type VoiceOptions, voiceSegments } from "./voice.ts";
export { decodeWav, encodeWav, readWav, type Sound, type WavOptions, writeWav } from "./wav.ts";
