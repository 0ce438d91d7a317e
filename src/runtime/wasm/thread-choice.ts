/**
 * Whether a program runs faster on all threads or on one, found by trying: on a busy machine, or with kernels that are
 * too small, waiting for other threads costs more than they do. The bits are the same either way.
 */

/** Runs between two trials: soon at first, since code is optimized while it runs. */
const pauses = [8, 16, 32, 64, 128, 256, 512];
/** Runs of a trial; the first, which wakes sleeping threads or cools them down, does not count. */
const trialRuns = 6;
/** The other choice must be this much faster. */
const gain = 0.95;

export class ThreadChoice {
  private useAll = true;
  private isTrial = false;
  private runs = 0;
  private trials = 0;
  private recent: number[] = [];
  private usual = Number.POSITIVE_INFINITY;

  /** Whether the next run takes all threads. */
  get takesAll(): boolean {
    return this.useAll !== this.isTrial;
  }

  /** How long a run took with the threads that `takesAll` said. */
  record(milliseconds: number): void {
    this.recent.push(milliseconds);
    if (this.recent.length > trialRuns) this.recent.shift();
    this.runs++;
    if (this.isTrial) {
      if (this.runs < trialRuns) return;
      if (this.median() < this.usual * gain) this.useAll = !this.useAll;
      this.start(false);
    } else if (this.runs >= pauses[Math.min(this.trials, pauses.length - 1)]!) {
      this.usual = this.median();
      this.trials++;
      this.start(true);
    }
  }

  private start(isTrial: boolean): void {
    this.isTrial = isTrial;
    this.runs = 0;
    this.recent = [];
  }

  private median(): number {
    const sorted = this.recent.slice(1).sort((a, b) => a - b);
    return sorted[sorted.length >> 1]!;
  }
}
