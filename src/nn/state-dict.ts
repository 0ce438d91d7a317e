/** Setting a module's states from named values: everything is checked first, so either all are set or none. */
import { decode, encode } from "../base/dtype.ts";
import { ArgumentError, DTypeError, nearestName, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { MappedArray } from "../base/mapped-array.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { type StateTensor, Tensor } from "../tensor/index.ts";
import type { Listing } from "./members.ts";

/** States by name. */
export type NamedStates = Pick<Listing, "states" | "aliases">;

/** A value for a state: a tensor (another model's parameter, say), an array in host memory, or one in a mapped file. */
export type StateValue = Tensor | HostArray | MappedArray;

/** Values by name. */
export type StateSource = ReadonlyMap<string, StateValue> | { readonly [name: string]: StateValue };

export interface LoadOptions {
  /** Default true: a name that only one side has is an error. False leaves such names alone and reports them. */
  readonly strict?: boolean;
  /** Default false: another dtype is an error. True converts to the dtype the module has. */
  readonly cast?: boolean;
}

/** What a load left out; both are empty after a strict one. */
export interface LoadReport {
  /** States of the module for which there was no value. */
  readonly missing: readonly string[];
  /** Values for which the module has no state. */
  readonly unexpected: readonly string[];
}

/**
 * Checks all of `source` against the states of `listing`, then sets them. `owner` names the module in errors.
 *
 * @example
 * const model = new Linear(2, 1);
 * const states = new Map([...model.stateDict()].map(([name, state]) => [state, name]));
 * loadStates("Linear", { states, aliases: new Map() }, { weight: tensor([[1, 2]]), bias: tensor([0]) }, {}).missing; // []
 */
export function loadStates(
  owner: string,
  listing: NamedStates,
  source: StateSource,
  { strict = true, cast = false }: LoadOptions,
): LoadReport {
  const given = new Map(source instanceof Map ? source : Object.entries(source));
  const { values, unexpected } = matchNames(listing, given);
  const missing = [...listing.states].flatMap(([state, name]) => (values.has(state) ? [] : [name]));
  if (strict) requireNone(owner, missing, unexpected);
  const fitting = [...values].map(
    ([state, { name, value }]) => [state, fit(owner, name, state, value, cast)] as const,
  );
  for (const [state, value] of fitting) if (state !== value) state.assign(value);
  return { missing, unexpected };
}

interface Match {
  readonly name: string;
  readonly value: StateValue;
}

/** Pairs values with states, by first path or alias; a tied state that comes under several names must have one value. */
function matchNames(
  listing: NamedStates,
  given: ReadonlyMap<string, StateValue>,
): { values: Map<StateTensor, Match>; unexpected: string[] } {
  const byName = new Map([...listing.states].map(([state, name]) => [name, state]));
  const values = new Map<StateTensor, Match>();
  const unexpected: string[] = [];
  for (const [name, value] of given) {
    const state = byName.get(name) ?? listing.aliases.get(name);
    if (state === undefined) {
      unexpected.push(name);
      continue;
    }
    const before = values.get(state);
    if (before !== undefined && !sameValue(before.value, value)) {
      throw new ArgumentError(
        `"${before.name}" and "${name}" are one tied parameter here, but their values differ: load one of them`,
      );
    }
    values.set(state, before ?? { name, value });
  }
  return { values, unexpected };
}

/** Arrays are compared by their bits, tensors by identity. */
function sameValue(a: StateValue, b: StateValue): boolean {
  if (a instanceof Tensor || b instanceof Tensor) return a === b;
  if (a.dtype !== b.dtype || !sameShape(a.shape, b.shape)) return false;
  if (a instanceof MappedArray && b instanceof MappedArray && a.isSame(b)) return true;
  const [{ data }, { data: other }] = [hostArrayOf(a), hostArrayOf(b)];
  return data.every((bits, i) => Object.is(bits, other[i]));
}

const hostArrayOf = (value: HostArray | MappedArray): HostArray =>
  value instanceof MappedArray ? value.read() : value;

function requireNone(owner: string, missing: readonly string[], unexpected: readonly string[]): void {
  if (missing.length === 0 && unexpected.length === 0) return;
  const lines = [
    ...unexpected.map((name) => `nothing here is named "${name}"${suggestion(name, missing)}`),
    ...missing.map((name) => `no value for "${name}"`),
  ];
  const shown = lines.slice(0, mostShown).map((line) => `\n  ${line}`);
  const rest = lines.length > mostShown ? [`\n  … and ${lines.length - mostShown} more`] : [];
  throw new ArgumentError(
    `${owner}: the names do not match; rename them, or pass { strict: false } to leave these out:${[...shown, ...rest].join("")}`,
  );
}

const mostShown = 12;

function suggestion(name: string, missing: readonly string[]): string {
  const nearest = nearestName(name, missing);
  return nearest === undefined ? "" : `; did you mean "${nearest}"?`;
}

/** The value as the state takes it, or an error that names both. */
function fit(owner: string, name: string, state: StateTensor, value: StateValue, cast: boolean): StateValue {
  if (!sameShape(state.shape, value.shape)) {
    throw new ShapeError(
      `${owner}: "${name}" has shape ${shapeText(state.shape)}, its value ${shapeText(value.shape)}: ` +
        "the model was built with other sizes",
    );
  }
  if (state.dtype === value.dtype) return value;
  if (!cast) {
    throw new DTypeError(
      `${owner}: "${name}" is ${state.dtype}, its value ${value.dtype}: pass { cast: true } to convert it`,
    );
  }
  if (value instanceof Tensor) return value.cast(state.dtype);
  const { dtype, shape } = state;
  return { dtype, shape, data: encode(dtype, decode(value.dtype, hostArrayOf(value).data)) };
}
