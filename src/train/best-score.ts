/** The best value of one score so far: what several callbacks watch. */
import { FileError } from "../base/errors.ts";
import { isFull } from "./full-disk.ts";
import { isLowerBetter, type Scores, scoreOf } from "./history.ts";

export interface WatchOptions {
  /** The score watched, `validationLoss` unless told otherwise. Losses and errors should fall, others rise. */
  readonly monitor?: string;
  /** A smaller change is no improvement; 0 unless told otherwise. */
  readonly minDelta?: number;
}

export class BestScore {
  readonly monitor: string;
  readonly #minDelta: number;
  readonly #sign: number;
  value = Number.NaN;
  /** 0 before the first. */
  epoch = 0;

  constructor({ monitor = "validationLoss", minDelta = 0 }: WatchOptions) {
    this.monitor = monitor;
    this.#minDelta = minDelta;
    this.#sign = isLowerBetter(monitor) ? 1 : -1;
  }

  /** Whether the epoch's score is the best so far; it is then kept. @throws ArgumentError when it is not recorded */
  judge(scores: Scores, epoch: number): boolean {
    const value = scoreOf(scores, this.monitor);
    const isBest = this.epoch === 0 || this.#sign * (this.value - value) > this.#minDelta;
    if (isBest) [this.value, this.epoch] = [value, epoch];
    return isBest;
  }

  /**
   * `judge`, and keeps the epoch where it is the best. Where the disk is full, the best is the one before again, whose file is
   * whole.
   *
   * @returns why it could not be kept
   */
  async keep(scores: Scores, epoch: number, write: () => Promise<void>): Promise<FileError | undefined> {
    const before = [this.value, this.epoch] as const;
    if (!this.judge(scores, epoch)) return undefined;
    try {
      await write();
      return undefined;
    } catch (error) {
      [this.value, this.epoch] = before;
      if (!(error instanceof FileError && isFull(error))) throw error;
      return error;
    }
  }
}
