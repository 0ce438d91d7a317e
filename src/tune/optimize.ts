/** The loop over trials: how many at once, what each may look at, when it ends. */
import { monotonicMs, onInterrupt } from "#platform";
import { ArgumentError, NetwrightError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type ObjectiveModule, ProcessPool } from "./processes.ts";
import type { Parameters } from "./space.ts";
import { type Ending, endingOf, type TrialStore } from "./storage/storage.ts";
import type { Study } from "./study.ts";
import { type LocalTrial, type Trial, TrialPruned, valueOrReason } from "./trial.ts";
import { isEnded, type TrialRecord } from "./trial-record.ts";

/** Takes the parameters of a space, gives the value to be made small or large. */
export type Objective<T> = (parameters: T, trial: Trial) => number | Promise<number>;

export interface OptimizeOptions<T = Parameters> {
  /** How many the study shall have in all: those that were there, failed ones and those of other processes count. */
  readonly trials?: number;
  /** No trial begins after so long; those that run are waited for. */
  readonly timeoutSeconds?: number;
  /** Trials at once; 1 unless told otherwise. */
  readonly parallel?: number;
  /** `repeatable` unless told otherwise: see `Study.optimize`. */
  readonly order?: "repeatable" | "free";
  /** So many failures one after the other end the study with an error; 5 unless told otherwise. */
  readonly failuresInARow?: number;
  /** Told of each trial that this call has ended. */
  readonly onTrialEnd?: (trial: TrialRecord, study: Study<T>) => void;
}

export interface OptimizeResult {
  /** Trials that this call has run. */
  readonly ran: number;
  /** Why it ended: as many trials as asked for, no time left, nothing left to try, Ctrl-C. */
  readonly reason: "trials" | "timeout" | "exhausted" | "interrupted";
}

function checkedOptions<T>(options: OptimizeOptions<T>): Required<Omit<OptimizeOptions<T>, "onTrialEnd">> {
  checkOptions("optimize", options, [
    "trials",
    "timeoutSeconds",
    "parallel",
    "order",
    "failuresInARow",
    "onTrialEnd",
  ]);
  const { trials = Number.POSITIVE_INFINITY, timeoutSeconds = Number.POSITIVE_INFINITY } = options;
  const { parallel = 1, order = "repeatable", failuresInARow = 5 } = options;
  if (trials === Number.POSITIVE_INFINITY && timeoutSeconds === Number.POSITIVE_INFINITY) {
    throw new ArgumentError("optimize: say when to end: { trials: 100 } or { timeoutSeconds: 600 }");
  }
  for (const [name, value, least] of [
    ["trials", trials, 0],
    ["parallel", parallel, 1],
    ["failuresInARow", failuresInARow, 1],
  ] as const) {
    if ((Number.isInteger(value) || value === Number.POSITIVE_INFINITY) && value >= least) continue;
    throw new ArgumentError(`optimize: ${name} must be a whole number of at least ${least}, got ${value}`);
  }
  if (!(timeoutSeconds >= 0))
    throw new ArgumentError(`optimize: timeoutSeconds must be at least 0, got ${timeoutSeconds}`);
  if (order !== "repeatable" && order !== "free") {
    throw new ArgumentError(`optimize: order is "repeatable" or "free", got ${JSON.stringify(order)}`);
  }
  return { trials, timeoutSeconds, parallel, order, failuresInARow };
}

export async function optimize<T>(
  study: Study<T>,
  store: TrialStore,
  objective: Objective<T> | ObjectiveModule,
  options: OptimizeOptions<T>,
): Promise<OptimizeResult> {
  const checked = checkedOptions(options);
  if (typeof objective !== "function" && study.space === undefined) {
    throw new ArgumentError(
      "optimize: a module's objective needs a declared space: study({ space: space({ … }) })",
    );
  }
  store.endLost();
  const pool = typeof objective === "function" ? undefined : new ProcessPool(objective);
  const loop = new Loop(study, store, checked, options.onTrialEnd, async (parameters, trial) =>
    pool === undefined
      ? await runHere(objective as Objective<T>, parameters, trial)
      : pool.run(parameters as Parameters, trial),
  );
  const forget = onInterrupt(() => loop.interrupt(() => pool?.close()));
  try {
    return await loop.run();
  } finally {
    forget();
    pool?.close();
  }
}

async function runHere<T>(
  objective: Objective<T>,
  parameters: T,
  trial: LocalTrial,
): Promise<number | string> {
  try {
    return valueOrReason(await objective(parameters, trial));
  } catch (error) {
    if (error instanceof TrialPruned) trial.pruned ??= error.message;
    return (error as Error | undefined)?.message ?? String(error);
  }
}

class Loop<T> {
  readonly #study: Study<T>;
  readonly #store: TrialStore;
  readonly #options: ReturnType<typeof checkedOptions<T>>;
  readonly #onTrialEnd: OptimizeOptions<T>["onTrialEnd"];
  readonly #runTrial: (parameters: T, trial: LocalTrial) => Promise<number | string>;
  readonly #running = new Map<number, Promise<void>>();
  #ran = 0;
  #failures = 0;
  #ended: OptimizeResult["reason"] | undefined;
  #error: unknown;
  #wake: () => void = () => {};

  constructor(
    study: Study<T>,
    store: TrialStore,
    options: ReturnType<typeof checkedOptions<T>>,
    onTrialEnd: OptimizeOptions<T>["onTrialEnd"],
    runTrial: (parameters: T, trial: LocalTrial) => Promise<number | string>,
  ) {
    this.#study = study;
    this.#store = store;
    this.#options = options;
    this.#onTrialEnd = onTrialEnd;
    this.#runTrial = runTrial;
  }

  async run(): Promise<OptimizeResult> {
    const { timeoutSeconds, trials } = this.#options;
    const deadline = monotonicMs() + 1000 * timeoutSeconds;
    const interrupted = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    while (this.#ended === undefined && this.#error === undefined) {
      if (monotonicMs() >= deadline) this.#ended = "timeout";
      else if (this.#mustWait()) await Promise.race([...this.#running.values(), interrupted]);
      else if (!this.#begin(trials))
        this.#ended = this.#store.trials().length >= trials ? "trials" : "exhausted";
    }
    if (this.#ended !== "interrupted") await Promise.all(this.#running.values());
    if (this.#error !== undefined) throw this.#error;
    return { ran: this.#ran, reason: this.#ended! };
  }

  /** Trials that run have failed: their results would be those of work that was cut short. */
  interrupt(stop: () => void): void {
    this.#ended = "interrupted";
    for (const number of this.#running.keys())
      this.#store.end(number, { state: "failed", reason: "interrupted" });
    stop();
    this.#wake();
  }

  /** Repeatable: trial k needs all of 0 … k − parallel. */
  #mustWait(): boolean {
    const { parallel, order } = this.#options;
    if (this.#running.size >= parallel) return true;
    if (order === "free") return false;
    const next = this.#store.trials().length;
    return [...this.#running.keys()].some((number) => number <= next - parallel);
  }

  #begin(limit: number): boolean {
    const { parallel, order } = this.#options;
    const sees = (own: number, other: TrialRecord): boolean =>
      order === "free" || (isEnded(other) && other.number <= own - parallel);
    const begun = this.#study.begin(limit, sees);
    if (begun === undefined) return false;
    const { number } = begun.trial;
    const done = this.#runTrial(begun.parameters, begun.trial)
      .then((outcome) => this.#end(number, endingOf(this.#store, number, outcome, begun.trial.pruned)))
      .catch((error) => {
        this.#error ??= error;
      })
      .finally(() => this.#running.delete(number));
    this.#running.set(number, done);
    return true;
  }

  #end(number: number, ending: Ending): void {
    this.#store.end(number, ending);
    this.#ran++;
    const trial = this.#store.trials()[number]!;
    this.#onTrialEnd?.(trial, this.#study);
    this.#failures = trial.state === "failed" ? this.#failures + 1 : 0;
    if (this.#failures < this.#options.failuresInARow || this.#ended !== undefined) return;
    const count = this.#failures === 1 ? "a trial" : `${this.#failures} trials in a row`;
    this.#error ??= new NetwrightError(
      `optimize: ${count} failed, the last (${number}) because: ${trial.reason}`,
    );
  }
}
