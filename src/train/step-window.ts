/** The batches of one step: where gradients of several are put together, what is told of them as one. */
import { RunningMean, type RunningMeanState } from "../metrics/index.ts";

/** A step in the middle of it, for a checkpoint. */
export interface WindowState {
  readonly batches: number;
  /** How many make a whole step. */
  readonly of: number;
  readonly samples: number;
  readonly loss: RunningMeanState;
}

export class StepWindow {
  batches = 0;
  samples = 0;
  /** Waiting for batches, and computing them. */
  milliseconds = { data: 0, compute: 0 };
  readonly #loss = new RunningMean();
  #lastLoss = Number.NaN;
  /** How many batches make a step; the last one of an epoch may have fewer. */
  readonly of: number;

  constructor(of: number) {
    this.of = of;
  }

  /** Counts a batch whose loss is the mean of `count` things. */
  add({ loss, count }: { loss: number; count: number }, samples: number): void {
    this.#lastLoss = loss;
    this.#loss.update(loss, count);
    this.samples += samples;
    this.batches++;
  }

  addTime(data: number, compute: number): void {
    const before = this.milliseconds;
    this.milliseconds = { data: before.data + data, compute: before.compute + compute };
  }

  /** The mean over its batches; of one batch its loss, unrounded. */
  get loss(): number {
    return this.batches === 1 ? this.#lastLoss : this.#loss.result();
  }

  /** Begins the next step. */
  reset(): void {
    this.batches = this.samples = 0;
    this.milliseconds = { data: 0, compute: 0 };
    this.#loss.reset();
  }

  state(): WindowState {
    return { batches: this.batches, of: this.of, samples: this.samples, loss: this.#loss.state() };
  }

  restore({ batches, samples, loss }: WindowState): void {
    [this.batches, this.samples] = [batches, samples];
    this.#loss.restore(loss);
    this.#lastLoss = this.#loss.result();
  }
}
