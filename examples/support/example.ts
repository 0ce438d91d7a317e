/** What every example is: a task with its data, and a function that trains on it and says how good the result is. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Dataset, draws } from "netwright/data";
import type { Chart } from "netwright/report";

export interface Example {
  /** What is learnt, in a few words. */
  readonly task: string;
  /** What from, and how much of it. */
  readonly data: string;
  /** The name of the score that counts; higher is better. */
  readonly metric: string;
  /** With shuffled training labels the score stays below this, in quick mode; with the right ones it is above. */
  readonly chance: number;
  /** Nothing is to be learnt here, and the example shows it: the score stays below `chance` with the right labels too. */
  readonly isUnpredictable?: boolean;
  /** What others reach, by the name of the score. */
  readonly reference: Readonly<Record<string, { readonly value: number; readonly from: string }>>;
  readonly run: (run: Run) => Promise<Result>;
}

/** What a run is asked for. */
export interface Run {
  /** A small part of the work, to see that all of it runs. */
  readonly quick: boolean;
  readonly seed: number;
  /** The folder of the data, where it is not the usual one. */
  readonly folder: string | undefined;
  readonly say: (text: unknown) => void;
  /** The labels to train on: these; in another order, when it is tested that nothing else tells them. */
  labels<T extends readonly unknown[] | Int32Array | Float32Array>(labels: T): T;
  /** Likewise a dataset, by its column `labels`. */
  training<D extends Dataset>(dataset: D): D;
}

export interface Result {
  readonly scores: Readonly<Record<string, number>>;
  /** What must not share a row: datasets (without their labels), or the rows themselves. */
  readonly splits: Readonly<Record<string, Dataset | readonly unknown[]>>;
  /** For the page: charts, and pictures as PNG. */
  readonly pictures?: readonly (Chart | Uint8Array)[];
}

/** Gives the example as it is: the types are checked. */
export const example = (content: Example): Example => content;

/** What a run is made of: `shuffleLabels` breaks the tie between samples and labels. */
export function runOf(options: {
  readonly quick: boolean;
  readonly seed: number;
  readonly folder?: string;
  readonly shuffleLabels: boolean;
  readonly say: (text: unknown) => void;
}): Run {
  const { shuffleLabels, ...rest } = options;
  return {
    folder: undefined,
    ...rest,
    labels: (labels) => (shuffleLabels ? draws(options.seed + 1_000_003).shuffled(labels) : labels),
    training(dataset) {
      if (!shuffleLabels) return dataset;
      const labels = draws(options.seed + 1_000_003).shuffled(dataset.column("labels").data as Int32Array);
      return dataset.map((sample, index) => ({ ...sample, labels: labels[index]! })) as typeof dataset;
    },
  };
}

/** Data that is not there: what to install. */
export class MissingData extends Error {}

/** A file of this project: `examples/data/penguins.csv`, `node_modules/…`. */
export function projectFile(...path: readonly string[]): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return join(folder, ...path);
}

/** A file of an installed package. @throws MissingData where it is not */
export function packageFile(name: string, ...path: readonly string[]): string {
  const file = projectFile("node_modules", name, ...path);
  if (existsSync(file)) return file;
  throw new MissingData(`"${file}" is missing; run "npm install" in the project's folder`);
}
