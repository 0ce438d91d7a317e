/**
 * The runs of a device, one after the other. Short ones happen in the call; long ones on another thread, while the caller's
 * timers and connections stay live. What comes after a run that is not done waits behind it, so that order is the order of
 * calls; whoever needs a value at once drains the queue.
 */
import type { StepError } from "../base/errors.ts";

/** Something that happens in its turn. */
export interface Job {
  /** Expected to take long enough to leave the caller's thread. */
  readonly isLong: boolean;
  /** Does it in the call. Gives the error of a run that failed. */
  run(): StepError | undefined;
  /** Begins elsewhere; `onEnd` is called from the event loop some time after the end. */
  start?(onEnd: () => void): RunningJob;
  /** Instead of either: a run before it failed, and nobody had looked at that. */
  fail(error: StepError): void;
}

export interface RunningJob {
  /** Sleeps until the end and takes over what came of it. Called once. */
  finish(): StepError | undefined;
}

export class RunQueue {
  private readonly waiting: Job[] = [];
  private current: { readonly job: Job; running?: RunningJob } | undefined;

  /** Nothing runs, nothing waits. */
  get isIdle(): boolean {
    return this.current === undefined;
  }

  add(job: Job): void {
    this.waiting.push(job);
    if (this.isIdle) this.advance(false);
  }

  /** Does `action` once every run that was asked for so far has ended: at once when there is none. */
  afterPending(action: () => void): void {
    if (this.isIdle) return action();
    const act = (): undefined => void action();
    this.waiting.push({ isLong: false, run: act, fail: act });
  }

  /** Sleeps until everything is done. */
  drain(): void {
    if (this.isIdle) return;
    this.finishCurrent();
    this.advance(true);
  }

  /** Runs what waits, until one leaves for another thread. */
  private advance(inTheCall: boolean): void {
    for (let job = this.waiting.shift(); job !== undefined; job = this.waiting.shift()) {
      this.current = { job };
      if (job.isLong && !inTheCall && job.start !== undefined) {
        this.current.running = job.start(() => this.ended(job));
        return;
      }
      this.settle(job.run());
    }
  }

  /** Whoever drained the queue was faster than the event loop. */
  private ended(job: Job): void {
    if (this.current?.job !== job) return;
    this.finishCurrent();
    this.advance(false);
  }

  private finishCurrent(): void {
    this.settle(this.current!.running!.finish());
  }

  /** What was asked for before anybody could know of the failure must not run on what the failed run left. */
  private settle(error: StepError | undefined): void {
    this.current = undefined;
    if (error !== undefined) for (const job of this.waiting.splice(0)) job.fail(error);
  }
}
