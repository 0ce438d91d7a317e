/** Trials in this process's memory. */
import type { ChoiceValue, Distribution } from "../distribution.ts";
import { isEnded, type TrialRecord } from "../trial-record.ts";
import type { TrialStore } from "./storage.ts";

type Mutable = {
  -readonly [K in keyof TrialRecord]: TrialRecord[K] extends ReadonlyMap<infer A, infer B>
    ? Map<A, B>
    : TrialRecord[K];
};

export function memoryStore(): TrialStore {
  const trials: Mutable[] = [];
  return {
    place: "memory",
    trials: () => trials as readonly TrialRecord[],
    begin(limit) {
      if (trials.length >= limit) return undefined;
      const number = trials.length;
      trials.push({
        number,
        state: "running",
        value: undefined,
        parameters: new Map<string, ChoiceValue>(),
        distributions: new Map<string, Distribution>(),
        reports: new Map<number, number>(),
        attributes: new Map<string, string>(),
        reason: undefined,
        startedMs: Date.now(),
        endedMs: undefined,
      });
      return number;
    },
    setParameter(number, name, value, distribution) {
      trials[number]!.parameters.set(name, value);
      trials[number]!.distributions.set(name, distribution);
    },
    setAttribute: (number, name, value) => void trials[number]!.attributes.set(name, value),
    report: (number, step, value) => void trials[number]!.reports.set(step, value),
    end(number, { state, value, reason }) {
      const trial = trials[number]!;
      if (isEnded(trial as TrialRecord)) return;
      Object.assign(trial, { state, value, reason, endedMs: Date.now() });
    },
    endLost: () => [],
    close: () => {},
  };
}
