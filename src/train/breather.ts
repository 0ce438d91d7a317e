/** Breathing between steps: timers, input and Ctrl-C get their turn every few milliseconds. */
import { monotonicMs, yieldToEventLoop } from "#platform";

const yieldEveryMs = 8;

/** Gives the event loop a turn when the last one is long enough ago; costs a look at the clock otherwise. */
export class Breather {
  #last = monotonicMs();

  /** A promise to await when a turn is due. */
  pause(): Promise<void> | undefined {
    if (monotonicMs() - this.#last < yieldEveryMs) return undefined;
    return yieldToEventLoop().then(() => {
      this.#last = monotonicMs();
    });
  }
}
