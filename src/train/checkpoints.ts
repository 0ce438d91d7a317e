/** Checkpoints of a run: writing them, the best weights, and going on. */
import { fileSize, monotonicMs, removeFile } from "#platform";
import { ArgumentError, FileError, FormatError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { type Loaded, load, save, stateDigests } from "../checkpoint/index.ts";
import type { StateTensor } from "../tensor/index.ts";
import { BestScore } from "./best-score.ts";
import { notify } from "./callback.ts";
import { callbackArrays, callbackData, restoreCallbacks } from "./callback-state.ts";
import { type CheckpointPlan, checkpointPlan, filesOf, pathOf } from "./checkpoint-options.ts";
import { isFull } from "./full-disk.ts";
import { describeResumption, type Progress, progressOf, type Unfinished } from "./resumption.ts";
import type { RunFilesParts } from "./run-files.ts";

/** A disk that is full may be emptied meanwhile: it is tried again after this long. */
const retryMs = 60_000;

export class Checkpoints {
  readonly #parts: RunFilesParts;
  readonly #plan: CheckpointPlan | undefined;
  readonly #best: BestScore | undefined;
  /** Of what is left out: it does not change, so once is enough. */
  #leftOut: ReadonlyMap<string, string> | undefined;
  #writtenMs = monotonicMs();
  /** The last checkpoint that was due could not be written. */
  #failure: { readonly error: FileError; readonly ms: number } | undefined;

  constructor(parts: RunFilesParts) {
    this.#parts = parts;
    const { checkpoint } = parts.run.options;
    this.#plan = checkpoint === undefined ? undefined : checkpointPlan(checkpoint);
    this.#best = this.#plan?.best && new BestScore(this.#plan.best);
  }

  /** Writes what is due after a step. */
  async afterStep(): Promise<void> {
    if (this.#isDueAfterStep()) await this.#writeState();
  }

  /** The same of an epoch that has ended. */
  async afterEpoch(): Promise<void> {
    const { run } = this.#parts;
    await this.#keepBest();
    const isDue = this.#plan !== undefined && run.epoch % this.#plan.everyEpochs === 0;
    if (isDue || run.isStopped || run.epoch === run.epochs) await this.#writeState();
  }

  /** Training is over; in the middle of an epoch, that is where it goes on. Gives the error, where nothing could be written. */
  async finish({ isUnfinished }: { readonly isUnfinished: boolean }): Promise<FileError | undefined> {
    if (isUnfinished || this.#failure !== undefined) await this.#writeState();
    if (this.#failure === undefined) return undefined;
    const { error } = this.#failure;
    return new FileError(
      `${error.message}. Training has ended and its last state is in no file; the model in memory has it: free some space and save() it`,
      { cause: error },
    );
  }

  /** The weights of the best epoch, where they are asked for. */
  async restoreBest(): Promise<void> {
    const { run } = this.#parts;
    const best = this.#best;
    if (!this.#plan?.restoreBest || best === undefined || best.epoch === 0) return;
    const isNow = best.epoch === run.history.epochs.length && best.epoch === run.epoch;
    if (!isNow) await load(run.model, this.#plan.best!.path);
  }

  #isDueAfterStep(): boolean {
    const plan = this.#plan;
    if (plan === undefined) return false;
    const { step } = this.#parts.run;
    const now = monotonicMs();
    if (this.#failure !== undefined && now - this.#failure.ms > retryMs) return true;
    return step % plan.everySteps === 0 || now - this.#writtenMs > plan.everyMinutes * 60_000;
  }

  /** Before the state: a run that is ended between the two makes the same best epoch again. */
  async #keepBest(): Promise<void> {
    const { run } = this.#parts;
    const record = run.history.epochs.at(-1);
    if (this.#best === undefined || record === undefined) return;
    const error = await this.#best.keep(record.scores, record.epoch, async () =>
      save(run.model, this.#plan!.best!.path, { leftOut: await this.#digests() }),
    );
    if (error !== undefined)
      await run.warn(`${error.message}; training goes on, and the best weights are those of an epoch before`);
  }

  /** The state where the plan says. A full disk is told and does not end training: the file before is whole. */
  async #writeState(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    const { run } = this.#parts;
    try {
      await this.write(pathOf(plan.path, run));
      this.#failure = undefined;
      this.#writtenMs = monotonicMs();
      for (const old of plan.keepLast === Infinity ? [] : (await filesOf(plan.path)).slice(plan.keepLast))
        await removeFile(old);
    } catch (error) {
      if (!(error instanceof FileError && isFull(error))) throw error;
      this.#failure = { error, ms: monotonicMs() };
      await run.warn(`${error.message}; training goes on, and tries again`);
    }
  }

  /** One that a callback asks for: without room for it, training goes on too. */
  async writeAsked(path: string): Promise<void> {
    try {
      await this.write(path);
    } catch (error) {
      if (!(error instanceof FileError && isFull(error))) throw error;
      await this.#parts.run.warn(`${error.message}; training goes on without this checkpoint`);
    }
  }

  /** A checkpoint of this moment. */
  async write(path: string): Promise<void> {
    const { run, batches, callbacks, unfinished } = this.#parts;
    await notify(callbacks, "onCheckpointBegin", run);
    const progress: Progress = {
      ...{ step: run.step, epochs: run.history.epochs, unfinished: unfinished() },
      callbacks: callbackData(callbacks),
    };
    const started = monotonicMs();
    const scaling = await read(this.#parts.scaler?.stateDict());
    const arrays = new Map([...(await this.#sums(progress)), ...scaling, ...callbackArrays(callbacks)]);
    const leftOut = await this.#digests();
    await save(run.model, path, { optimizer: run.optimizer, loader: batches, progress, arrays, leftOut });
    const seconds = (monotonicMs() - started) / 1000;
    const record = { path, sizeBytes: (await fileSize(path)) ?? 0, seconds };
    await notify(callbacks, "onCheckpoint", record, run);
  }

  async #digests(): Promise<ReadonlyMap<string, string>> {
    const isAll = this.#plan?.trainedOnly !== true;
    this.#leftOut ??= isAll ? new Map() : await stateDigests(this.#parts.run.fixedStates());
    return this.#leftOut;
  }

  /** Sums of gradients, in the middle of a step. */
  async #sums({ unfinished }: Progress): Promise<readonly (readonly [string, HostArray])[]> {
    const { accumulator } = this.#parts;
    if (accumulator === undefined || !unfinished?.window?.batches) return [];
    return read(accumulator.stateDict());
  }

  /** Goes on from the checkpoint, where there is one; gives the epoch it was taken in the middle of. */
  async resume(): Promise<Unfinished | undefined> {
    const { run, callbacks } = this.#parts;
    if (!run.options.resume || this.#plan === undefined) return undefined;
    const found = await this.#newest(this.#plan.path);
    if (found === undefined) return undefined;
    const { path, loaded } = found;
    const { step, epochs, unfinished, callbacks: data } = progressOf(path, loaded);
    this.#restoreSums(path, unfinished, loaded.arrays);
    for (const [name, state] of this.#parts.scaler?.stateDict() ?? []) {
      const saved = loaded.arrays.get(name);
      if (saved !== undefined) state.assign(saved);
    }
    run.step = step;
    run.epoch = epochs.length;
    run.history.epochs.push(...epochs);
    for (const { epoch, scores } of epochs) this.#best?.judge(scores, epoch);
    restoreCallbacks(callbacks, data ?? {}, loaded.arrays);
    run.resumedFrom = describeResumption(path, loaded, step);
    return unfinished;
  }

  /** The newest file that is whole; of several, one that is not is told. */
  async #newest(plan: string): Promise<{ path: string; loaded: Loaded } | undefined> {
    const { run, batches } = this.#parts;
    const paths = await filesOf(plan);
    for (const [i, path] of paths.entries()) {
      if ((await fileSize(path)) === undefined) continue;
      try {
        return { path, loaded: await load(run.model, path, { optimizer: run.optimizer, loader: batches }) };
      } catch (error) {
        if (!(error instanceof FormatError) || i === paths.length - 1) throw error;
        await run.warn(`${error.message}; going on from the one before`);
      }
    }
    return undefined;
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

const read = (
  states: ReadonlyMap<string, StateTensor> = new Map(),
): Promise<(readonly [string, HostArray])[]> =>
  Promise.all([...states].map(async ([name, state]) => [name, await state.toHost()] as const));
