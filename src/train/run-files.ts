/** The files of a run: checkpoints to go on from, and going on. */
import { fileSize, monotonicMs } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { load, save } from "../checkpoint/index.ts";
import type { Loader } from "../data/index.ts";
import type { GradientAccumulator } from "../optim/index.ts";
import { type Callback, notify } from "./callback.ts";
import { describeResumption, type Progress, progressOf, type Unfinished } from "./resumption.ts";
import type { Run } from "./run.ts";

export interface RunFilesParts {
  readonly run: Run;
  readonly batches: Loader<any>;
  readonly accumulator: GradientAccumulator | undefined;
  readonly callbacks: readonly Callback[];
  /** The epoch that goes on, if one does. */
  readonly unfinished: () => Unfinished | undefined;
}

export class RunFiles {
  readonly #parts: RunFilesParts;
  /** Asked for while callbacks run: what they all have done is in the file. */
  #asked: string[] | undefined;

  constructor(parts: RunFilesParts) {
    this.#parts = parts;
  }

  get #path(): string | undefined {
    return this.#parts.run.options.checkpoint;
  }

  /** Runs callbacks, then writes what they asked for, and what is due. */
  async after(body: () => Promise<void>, { isEpochEnd = false } = {}): Promise<void> {
    const asked: string[] = [];
    this.#asked = asked;
    try {
      await body();
    } finally {
      this.#asked = undefined;
    }
    if (isEpochEnd && this.#path !== undefined) asked.unshift(this.#path);
    for (const path of asked) await this.#write(path);
  }

  /** Training was stopped in the middle of an epoch. */
  async saveStopped(): Promise<void> {
    if (this.#path !== undefined) await this.#write(this.#path);
  }

  /** A checkpoint that a callback asks for. */
  async save(path: string): Promise<void> {
    if (this.#asked !== undefined) this.#asked.push(path);
    else await this.#write(path);
  }

  async #write(path: string): Promise<void> {
    const { run, batches, callbacks, unfinished } = this.#parts;
    const progress: Progress = { step: run.step, epochs: run.history.epochs, unfinished: unfinished() };
    const started = monotonicMs();
    const arrays = await this.#arrays(progress);
    await save(run.model, path, { optimizer: run.optimizer, loader: batches, progress, arrays });
    const seconds = (monotonicMs() - started) / 1000;
    const record = { path, sizeBytes: (await fileSize(path)) ?? 0, seconds };
    await notify(callbacks, "onCheckpoint", record, run);
  }

  /** Sums of gradients, in the middle of a step. */
  async #arrays({ unfinished }: Progress): Promise<Map<string, HostArray>> {
    const { accumulator } = this.#parts;
    if (accumulator === undefined || !unfinished?.window?.batches) return new Map();
    const reads = [...accumulator.stateDict()].map(
      async ([name, state]) => [name, await state.toHost()] as const,
    );
    return new Map(await Promise.all(reads));
  }

  /** Goes on from the checkpoint, where there is one; gives the epoch it was taken in the middle of. */
  async resume(): Promise<Unfinished | undefined> {
    const { run, batches } = this.#parts;
    const path = this.#path;
    if (!run.options.resume || path === undefined || (await fileSize(path)) === undefined) return undefined;
    const loaded = await load(run.model, path, { optimizer: run.optimizer, loader: batches });
    const { step, epochs, unfinished } = progressOf(path, loaded);
    this.#restoreSums(path, unfinished, loaded.arrays);
    run.step = step;
    run.epoch = epochs.length;
    run.history.epochs.push(...epochs);
    run.resumedFrom = describeResumption(path, loaded, step);
    return unfinished;
  }

  #restoreSums(
    path: string,
    unfinished: Unfinished | undefined,
    arrays: ReadonlyMap<string, HostArray>,
  ): void {
    if (!unfinished?.window?.batches) return;
    const { accumulator, run } = this.#parts;
    const states = [...(accumulator?.stateDict() ?? [])];
    const { gradientAccumulationSteps = 1 } = run.options;
    if (unfinished.window.of !== gradientAccumulationSteps || states.some(([name]) => !arrays.has(name))) {
      throw new ArgumentError(
        `fit: "${path}" was taken after ${unfinished.window.batches} of the ${unfinished.window.of} batches of a step; ` +
          `gradientAccumulationSteps is ${gradientAccumulationSteps} now: go on with what it was`,
      );
    }
    for (const [name, state] of states) state.assign(arrays.get(name)!);
  }
}
