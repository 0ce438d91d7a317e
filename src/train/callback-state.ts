/** What callbacks keep in a checkpoint: plain data and arrays, under their names. */
import type { HostArray } from "../base/host-array.ts";
import type { Callback } from "./callback.ts";

/** What a callback needs to go on as if it had never stopped. */
export interface CallbackState {
  /** Anything that JSON can hold. */
  readonly data?: unknown;
  /** Arrays by name: weights, sums. */
  readonly arrays?: ReadonlyMap<string, HostArray>;
}

/** Callbacks with a state, each under its name and its place among those of the same name. */
function named(callbacks: readonly Callback[]): [string, Callback][] {
  const counts = new Map<string, number>();
  return callbacks.flatMap((callback): [string, Callback][] => {
    const { stateName } = callback;
    if (stateName === undefined) return [];
    const count = counts.get(stateName) ?? 0;
    counts.set(stateName, count + 1);
    return [[count === 0 ? stateName : `${stateName}.${count}`, callback]];
  });
}

const prefixOf = (name: string): string => `callback/${name}/`;

export function callbackData(callbacks: readonly Callback[]): Record<string, unknown> {
  return Object.fromEntries(
    named(callbacks).map(([name, callback]) => [name, callback.saveState?.().data ?? null]),
  );
}

export function callbackArrays(callbacks: readonly Callback[]): [string, HostArray][] {
  return named(callbacks).flatMap(([name, callback]) =>
    [...(callback.saveState?.().arrays ?? [])].map(([key, array]): [string, HostArray] => [
      prefixOf(name) + key,
      array,
    ]),
  );
}

export function restoreCallbacks(
  callbacks: readonly Callback[],
  data: Readonly<Record<string, unknown>>,
  arrays: ReadonlyMap<string, HostArray>,
): void {
  for (const [name, callback] of named(callbacks)) {
    const prefix = prefixOf(name);
    const own = [...arrays].filter(([key]) => key.startsWith(prefix));
    const state = {
      data: data[name],
      arrays: new Map(own.map(([key, array]) => [key.slice(prefix.length), array])),
    };
    callback.restoreState?.(state);
  }
}
