/** Configs: a training as a file, for `netwright train` and for programs. */
export type { CsvDataOptions } from "./csv-data.ts";
export { defineConfig, type Named, type TrainConfig, type TrainingData } from "./define.ts";
export { type ConfigFile, readConfig } from "./read.ts";
export { type Replay, type ReplayedParameter, replayStep } from "./replay.ts";
export type { Setup } from "./resolve.ts";
export { type Trained, type TrainOptions, trainConfig } from "./train.ts";
export { writeConfig } from "./write.ts";
