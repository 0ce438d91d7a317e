/** The files of a run. What writes and reads them is loaded for a run that has any: a page that keeps none fetches nothing of it. */
import type { FileError } from "../base/errors.ts";
import type { Loader } from "../data/index.ts";
import type { GradientAccumulator, LossScaler } from "../optim/index.ts";
import type { Callback } from "./callback.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { Unfinished } from "./resumption.ts";
import type { Run } from "./run.ts";

export interface RunFilesParts {
  readonly run: Run;
  readonly batches: Loader<any>;
  readonly accumulator: GradientAccumulator | undefined;
  readonly scaler: LossScaler | undefined;
  readonly callbacks: readonly Callback[];
  /** The epoch that goes on, if one does. */
  readonly unfinished: () => Unfinished | undefined;
}

export class RunFiles {
  readonly #parts: RunFilesParts;
  #loaded: Promise<Checkpoints> | undefined;
  /** Asked for while callbacks run: what they all have done is in the file. */
  #asked: string[] | undefined;

  constructor(parts: RunFilesParts) {
    this.#parts = parts;
  }

  /** Goes on from the checkpoint, where there is one; gives the epoch it was taken in the middle of. */
  async resume(): Promise<Unfinished | undefined> {
    return (await this.#planned())?.resume();
  }

  /** Runs the callbacks of a step, then writes what is due, and what they asked for. */
  async afterStep(callbacks: () => Promise<void>): Promise<void> {
    const asked = await this.#whileAsking(callbacks);
    await (await this.#planned())?.afterStep();
    await this.#writeAsked(asked);
  }

  /** The same of an epoch that has ended. */
  async afterEpoch(callbacks: () => Promise<void>): Promise<void> {
    const asked = await this.#whileAsking(callbacks);
    await (await this.#planned())?.afterEpoch();
    await this.#writeAsked(asked);
  }

  /** Training is over; in the middle of an epoch, that is where it goes on. Gives the error, where nothing could be written. */
  async finish(at: { readonly isUnfinished: boolean }): Promise<FileError | undefined> {
    return (await this.#planned())?.finish(at);
  }

  /** The weights of the best epoch, where they are asked for. */
  async restoreBest(): Promise<void> {
    await (await this.#planned())?.restoreBest();
  }

  /** A checkpoint that a callback asks for. */
  async save(path: string): Promise<void> {
    if (this.#asked !== undefined) this.#asked.push(path);
    else await (await this.#checkpoints()).write(path);
  }

  async #whileAsking(callbacks: () => Promise<void>): Promise<readonly string[]> {
    const asked: string[] = [];
    this.#asked = asked;
    try {
      await callbacks();
    } finally {
      this.#asked = undefined;
    }
    return asked;
  }

  async #writeAsked(paths: readonly string[]): Promise<void> {
    for (const path of paths) await (await this.#checkpoints()).writeAsked(path);
  }

  /** Undefined for a run that was not asked for checkpoints. */
  #planned(): Promise<Checkpoints> | undefined {
    return this.#parts.run.options.checkpoint === undefined ? undefined : this.#checkpoints();
  }

  #checkpoints(): Promise<Checkpoints> {
    this.#loaded ??= import("./checkpoints.ts").then(({ Checkpoints }) => new Checkpoints(this.#parts));
    return this.#loaded;
  }
}
