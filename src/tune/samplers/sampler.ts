/** What a sampler is told, and what it answers. */
import { fold, type RandomKey } from "../../base/random.ts";
import type { ChoiceValue, Distribution } from "../distribution.ts";
import type { Space } from "../space.ts";
import { Stream } from "../stream.ts";
import type { Direction, TrialRecord } from "../trial-record.ts";

/** What a suggestion may depend on, and nothing else: the same context, the same values. */
export interface SamplerContext {
  /** Of the trial that values are chosen for. */
  readonly number: number;
  readonly direction: Direction;
  /** Trials that have ended, in order of their numbers. */
  readonly trials: readonly TrialRecord[];
  /** As declared; undefined where the objective asks for its parameters as it runs. */
  readonly space: Space<any> | undefined;
  /** Parameters that every trial has, as far as that is known: what can be chosen together. */
  readonly joint: ReadonlyMap<string, Distribution>;
}

/** Values of parameters that were chosen together, and what the sampler wants kept with the trial. */
export interface JointSuggestion {
  readonly values: ReadonlyMap<string, ChoiceValue>;
  readonly attributes?: ReadonlyMap<string, string>;
}

/** Chooses parameters. Its state is the trials: a study that is resumed goes on as if it had not stopped. */
export interface Sampler {
  readonly name: string;
  /** How many trials it has in all, where that is known: a grid ends. */
  trialLimit?(space: Space<any> | undefined): number;
  /** What it chooses together when a trial begins. */
  together?(context: SamplerContext): JointSuggestion | undefined;
  /** One parameter that was not chosen together with others. */
  alone(name: string, distribution: Distribution, context: SamplerContext): ChoiceValue;
}

export interface SeedOptions {
  /** 0 unless told otherwise. The same seed and results give the same trials. */
  readonly seed?: number;
}

/** Random numbers for one purpose in one trial. */
export const streamFor = (key: RandomKey, number: number, purpose: number): Stream =>
  new Stream(fold(fold(key, number), purpose));

/** A number for a parameter's name (FNV-1a), so that its random numbers do not depend on the order of asking. */
export function purposeOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash >>> 0) + 1;
}

/** Parameters that all ended trials share; none before the first has ended. */
export function intersection(trials: readonly TrialRecord[]): ReadonlyMap<string, Distribution> {
  let shared: Map<string, Distribution> | undefined;
  for (const { state, distributions } of trials) {
    if (state === "failed") continue;
    if (shared === undefined) shared = new Map(distributions);
    else for (const name of shared.keys()) if (!distributions.has(name)) shared.delete(name);
  }
  return shared ?? new Map();
}
