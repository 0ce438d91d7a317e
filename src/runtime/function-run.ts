/** One run of a compiled function that takes its turn in the queue: its arguments and results have places of their own. */
import type { StepError } from "../base/errors.ts";
import type { CheckFailure } from "../ir/evaluate.ts";
import type { MemoryExecutable, RunArguments } from "./memory-device.ts";
import type { Job, RunningJob } from "./run-queue.ts";
import type { ValueRun } from "./storage.ts";

export interface FunctionRunParts {
  readonly executable: MemoryExecutable;
  readonly args: RunArguments;
  readonly isLong: boolean;
  /** What its arguments lie in: it must be there until the end. */
  readonly holds: readonly object[];
  /** Puts arguments in their places that other runs had to make first. */
  prepare(): void;
  /** The run has ended: takes its results over, unless it failed, and gives back what it held. */
  finish(failure: CheckFailure | undefined, milliseconds: number): StepError | undefined;
  /** It did not run. */
  discard(): void;
  now(): number;
}

export class FunctionRun implements Job, ValueRun {
  isPending = true;
  error: StepError | undefined;
  private readonly parts: Omit<FunctionRunParts, "holds">;
  holds: readonly object[];
  private readonly listeners: (() => void)[] = [];

  constructor({ holds, ...parts }: FunctionRunParts) {
    this.parts = parts;
    this.holds = holds;
  }

  get isLong(): boolean {
    return this.parts.isLong && this.parts.executable.canStart === true;
  }

  ended(): Promise<void> {
    if (!this.isPending) return Promise.resolve();
    return new Promise((resolve) => this.listeners.push(resolve));
  }

  run(): StepError | undefined {
    const { executable, args, now } = this.parts;
    this.parts.prepare();
    const began = now();
    const failure = executable.run(args);
    return this.end(this.parts.finish(failure, now() - began));
  }

  start(onEnd: () => void): RunningJob {
    const { executable, args } = this.parts;
    this.parts.prepare();
    const running = executable.start!(args, onEnd);
    return {
      finish: () => {
        const { failure, milliseconds } = running.finish();
        return this.end(this.parts.finish(failure, milliseconds));
      },
    };
  }

  fail(error: StepError): void {
    this.parts.discard();
    this.end(error);
  }

  private end(error: StepError | undefined): StepError | undefined {
    this.error = error;
    this.isPending = false;
    // Results hold their run, and would hold its arguments with it.
    this.holds = [];
    for (const listener of this.listeners.splice(0)) listener();
    return error;
  }
}

/** What a running program on another thread gives its caller. */
export interface RunningProgram {
  /** Sleeps until it has ended. Gives the check that failed, and how long the program itself took. */
  finish(): { readonly failure: CheckFailure | undefined; readonly milliseconds: number };
}
