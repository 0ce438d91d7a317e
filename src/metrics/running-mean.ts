/** A mean that grows batch by batch. */

/** What a running mean is made of, as plain numbers. */
export interface RunningMeanState {
  readonly sum: number;
  readonly compensation: number;
  readonly weight: number;
}

/**
 * The mean of values that arrive with counts: a loss or an accuracy per batch becomes that of the whole pass, a smaller
 * last batch weighing less. The sum is compensated (Neumaier), so it does not depend on how long the pass is.
 *
 * @example
 * const mean = new RunningMean();
 * mean.update(0.5, 32);
 * mean.update(1, 16);
 * mean.result();   // 0.6666666666666666
 */
export class RunningMean {
  private sum = 0;
  private compensation = 0;
  private weight = 0;

  /** Adds a mean over `count` samples. */
  update(value: number, count = 1): this {
    const term = value * count;
    const sum = this.sum + term;
    const lost = Math.abs(this.sum) >= Math.abs(term) ? this.sum - sum + term : term - sum + this.sum;
    this.compensation += Number.isFinite(lost) ? lost : 0;
    this.sum = sum;
    this.weight += count;
    return this;
  }

  /** Samples so far. */
  get count(): number {
    return this.weight;
  }

  /** The mean so far; NaN before the first update. */
  result(): number {
    return (this.sum + this.compensation) / this.weight;
  }

  /** What `restore` needs to go on from here. */
  state(): RunningMeanState {
    return { sum: this.sum, compensation: this.compensation, weight: this.weight };
  }

  restore({ sum, compensation, weight }: RunningMeanState): void {
    [this.sum, this.compensation, this.weight] = [sum, compensation, weight];
  }

  reset(): void {
    this.sum = this.compensation = this.weight = 0;
  }
}
