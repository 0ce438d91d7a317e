/** A study: trials of one objective, what chooses their parameters, and what gives them up. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import {
  type ChoiceValue,
  contains,
  type Distribution,
  distributionText,
  sameDistribution,
} from "./distribution.ts";
import { type Objective, type OptimizeOptions, type OptimizeResult, optimize } from "./optimize.ts";
import type { ObjectiveModule } from "./processes.ts";
import type { Pruner } from "./pruners/pruner.ts";
import { intersection, type JointSuggestion, type Sampler, type SamplerContext } from "./samplers/sampler.ts";
import { tpe } from "./samplers/tpe.ts";
import type { Parameters, Space } from "./space.ts";
import { memoryStore } from "./storage/memory.ts";
import { sqliteStore } from "./storage/sqlite.ts";
import { endingOf, type TrialStore } from "./storage/storage.ts";
import { LocalTrial, type Trial, valueOrReason } from "./trial.ts";
import { bestOf, type Direction, isEnded, type TrialRecord } from "./trial-record.ts";

export interface StudyOptions<T = Parameters> {
  /** Parameters that the objective takes. Without one it asks for them: `trial.suggest`. */
  readonly space?: Space<T>;
  /** Whether low or high values are better; `minimize` unless told otherwise. */
  readonly direction?: Direction;
  /** `tpe()` unless told otherwise. */
  readonly sampler?: Sampler;
  /** None unless told otherwise: every trial runs to its end. */
  readonly pruner?: Pruner;
  /** A SQLite file that keeps the trials, and that other processes may share. In memory unless told otherwise. */
  readonly storage?: string;
  /** Of the study in the file; `study` unless told otherwise. */
  readonly name?: string;
  /** Goes on with the study where there is one; it is an error otherwise. */
  readonly resume?: boolean;
}

/** The best trial, its parameters as the space types them. */
export interface BestTrial<T> {
  readonly number: number;
  readonly value: number;
  readonly parameters: T;
  readonly trial: TrialRecord;
}

/** A trial that `ask` began. */
export interface AskedTrial<T> extends Trial {
  readonly parameters: T;
}

/**
 * Opens or begins a study.
 *
 * @throws ArgumentError for options that mean nothing, and for a study that is there already without `resume`; FormatError for a file that
 * is no study; PlatformError where SQLite is missing
 * @example
 * const search = await study({
 *   space: space({ learningRate: logUniform(1e-4, 1), layers: integer(1, 4) }),
 *   sampler: tpe({ seed: 1 }),
 * });
 * await search.optimize(({ learningRate, layers }) => Math.log10(learningRate / 0.03) ** 2 + layers, { trials: 30 });
 * search.best!.parameters.layers; // 1
 */
export async function study<T = Parameters>(options: StudyOptions<T> = {}): Promise<Study<T>> {
  checkOptions("study", options, ["space", "direction", "sampler", "pruner", "storage", "name", "resume"]);
  const { direction = "minimize", storage, name = "study", resume = false } = options;
  if (direction !== "minimize" && direction !== "maximize") {
    throw new ArgumentError(`study: direction is "minimize" or "maximize", got ${JSON.stringify(direction)}`);
  }
  if (storage === undefined && resume)
    throw new ArgumentError("study: resume needs the file to go on from: { storage: path }");
  const store =
    storage === undefined ? memoryStore() : await sqliteStore(storage, { name, direction, resume });
  return new Study(store, { ...options, direction, name });
}

/**
 * Trials, and what is known from them. Made by `study`.
 *
 * @example
 * const search: Study<{ readonly x: number }> = await study({ space: space({ x: uniform(0, 1) }) });
 * search.trials.length; // 0
 */
export class Study<T = Parameters> {
  readonly name: string;
  readonly direction: Direction;
  readonly space: Space<T> | undefined;
  readonly sampler: Sampler;
  readonly pruner: Pruner | undefined;
  readonly #store: TrialStore;

  /** @internal */
  constructor(
    store: TrialStore,
    options: StudyOptions<T> & { readonly direction: Direction; readonly name: string },
  ) {
    this.#store = store;
    this.name = options.name;
    this.direction = options.direction;
    this.space = options.space;
    this.sampler = options.sampler ?? tpe();
    this.pruner = options.pruner;
  }

  /** All trials so far, those of other processes too, by number. */
  get trials(): readonly TrialRecord[] {
    return this.#store.trials();
  }

  /** The complete trial with the best value; undefined before the first. */
  get best(): BestTrial<T> | undefined {
    const trial = bestOf(this.trials, this.direction);
    return trial && { number: trial.number, value: trial.value, parameters: this.parametersOf(trial), trial };
  }

  /** A trial's parameters as an object. */
  parametersOf(trial: TrialRecord): T {
    return Object.fromEntries(trial.parameters) as T;
  }

  /**
   * Runs trials until the study has so many.
   *
   * With `parallel` n, n trials run at once: in this process if the objective is a function (it helps where they wait for something), in n
   * processes if it is a module's. Trial k then chooses by the results of trials 0 … k − n, which it waits for: the same seed gives the
   * same trials however long each takes. `order: "free"` waits for none and uses all results there are.
   *
   * A trial whose objective throws, gives NaN, or whose process dies has failed, and the study goes on, unless many fail in a row.
   * Ctrl-C ends it: trials that were running have failed.
   *
   * @throws ArgumentError for options that mean nothing; NetwrightError when five trials in a row fail
   */
  optimize(objective: Objective<T> | ObjectiveModule, options: OptimizeOptions<T>): Promise<OptimizeResult> {
    return optimize(this, this.#store, objective, options);
  }

  /**
   * Begins a trial for a loop of your own; `tell` ends it.
   *
   * @throws ArgumentError when the sampler has nothing left
   */
  ask(): AskedTrial<T> {
    const begun = this.begin(Number.POSITIVE_INFINITY, () => true);
    if (begun === undefined)
      throw new ArgumentError(`study: the ${this.sampler.name} sampler has nothing left to try`);
    return Object.assign(begun.trial, { parameters: begun.parameters });
  }

  /** Ends a trial that `ask` began, with its value; it failed where there is none. */
  tell(trial: Trial, value: number | undefined): void {
    const checked = valueOrReason(value);
    const { pruned } = trial as LocalTrial;
    this.#store.end(trial.number, endingOf(this.#store, trial.number, checked, pruned));
  }

  /** Lets go of the file. */
  close(): void {
    this.#store.close();
  }

  /**
   * A new trial with its parameters; undefined when there are enough, or nothing is left to try. What it may look at are the trials that
   * `sees` accepts, by its own number and theirs.
   *
   * @internal
   */
  begin(
    limit: number,
    sees: (own: number, other: TrialRecord) => boolean,
  ): { readonly trial: LocalTrial; readonly parameters: T } | undefined {
    const most = this.sampler.trialLimit?.(this.space) ?? Number.POSITIVE_INFINITY;
    const number = this.#store.begin(Math.min(limit, most));
    if (number === undefined) return undefined;
    try {
      return this.#begin(number, sees);
    } catch (error) {
      this.#store.end(number, { state: "failed", reason: (error as Error).message });
      throw error;
    }
  }

  #begin(
    number: number,
    sees: (own: number, other: TrialRecord) => boolean,
  ): { readonly trial: LocalTrial; readonly parameters: T } {
    const store = this.#store;
    const visible = (): readonly TrialRecord[] =>
      store.trials().filter((other) => other.number !== number && sees(number, other));
    const ended = visible().filter(isEnded);
    const context: SamplerContext = {
      number,
      direction: this.direction,
      trials: ended,
      space: this.space,
      joint: this.space?.always ?? intersection(ended),
    };
    const joint = this.sampler.together?.(context);
    for (const [name, text] of joint?.attributes ?? []) store.setAttribute(number, name, text);
    const trial: LocalTrial = new LocalTrial(number, {
      chosen: joint?.values ?? new Map(),
      choose: (name, distribution) => {
        const value = this.#chosen(name, distribution, joint, context);
        store.setParameter(number, name, value, distribution);
        return value;
      },
      report: (step, value) => {
        store.report(number, step, value);
        if (this.pruner === undefined) return undefined;
        const all = store.trials();
        const trials = all.filter((other) => other.number !== number && sees(number, other));
        return this.pruner.verdict({
          trial: all[number]!,
          step,
          direction: this.direction,
          trials,
          studyName: this.name,
        });
      },
      note: (name, text) => store.setAttribute(number, name, text),
    });
    const parameters =
      this.space?.draw((name, distribution) => trial.suggest(name, distribution)) ?? ({} as T);
    return { trial, parameters };
  }

  #chosen(
    name: string,
    distribution: Distribution,
    joint: JointSuggestion | undefined,
    context: SamplerContext,
  ): ChoiceValue {
    const chosen = joint?.values.get(name);
    const known = context.space?.distributions.get(name) ?? context.joint.get(name);
    const fits = chosen !== undefined && (known === distribution || contains(distribution, chosen));
    if (fits && (known === undefined || known === distribution || sameDistribution(known, distribution)))
      return chosen;
    const value = this.sampler.alone(name, distribution, context);
    if (contains(distribution, value)) return value;
    throw new ArgumentError(
      `the ${this.sampler.name} sampler gave ${JSON.stringify(value)} for "${name}", which is ${distributionText(distribution)}`,
    );
  }
}
