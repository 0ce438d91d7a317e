/**
 * What a module holds: its own public fields, and what lies in arrays, plain records and Maps of them.
 *
 * Names are paths joined by dots, as in PyTorch and Hugging Face: `layers.0.weight`. Something that is reached twice (tied
 * weights, a shared layer) is listed once, under its first path; further paths are aliases of it.
 */
import { ArgumentError } from "../base/errors.ts";
import { StateTensor } from "../tensor/index.ts";
import type { Module } from "./module.ts";

/** Marks instances of Module, so that this file need not import the class. */
export const moduleBrand: unique symbol = Symbol.for("netwright.nn.Module") as never;

export const isModule = (value: unknown): value is Module =>
  typeof value === "object" && value !== null && moduleBrand in value;

/** Something a module holds directly: the path is relative to it. */
export interface Member {
  readonly path: string;
  readonly value: Module | StateTensor;
}

/** The modules and states among named values, in order. */
export function membersOf(fields: Iterable<readonly [string, unknown]>): Member[] {
  const members: Member[] = [];
  const containers = new Set<object>();
  const visit = (path: string, value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (isModule(value) || value instanceof StateTensor) {
      members.push({ path, value });
      return;
    }
    const entries = entriesOf(value, path);
    if (entries === undefined || containers.has(value)) return;
    containers.add(value);
    for (const [name, item] of entries) visit(join(path, name), item);
  };
  for (const [name, value] of fields) visit(name, value);
  return members;
}

export const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

/** What a container holds; undefined for everything that is no array, plain record or Map. */
function entriesOf(value: object, path: string): Iterable<readonly [string, unknown]> | undefined {
  if (Array.isArray(value)) return value.map((item, index) => [String(index), item] as const);
  if (value instanceof Map) return [...value].map(([key, item]) => [mapKey(key, item, path), item] as const);
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.entries(value) : undefined;
}

/** Keys that cannot be a name matter only where something is held under them. */
function mapKey(key: unknown, item: unknown, path: string): string {
  if (typeof key === "string" || typeof key === "number") return String(key);
  if (!isModule(item) && !(item instanceof StateTensor)) return "";
  throw new ArgumentError(
    `Map "${path}" holds a layer or parameter under a key of type ${typeof key}: use strings or numbers as keys`,
  );
}

/** Everything below a module. */
export interface Listing {
  /** Each module with its path, the root ("") first, parents before children. */
  readonly modules: ReadonlyMap<Module, string>;
  readonly states: ReadonlyMap<StateTensor, string>;
  /** Further paths of listed states. */
  readonly aliases: ReadonlyMap<string, StateTensor>;
}

/** Walks the tree of modules below `root`, depth first in the order of fields. */
export function listingOf(root: Module): Listing {
  const modules = new Map<Module, string>();
  const states = new Map<StateTensor, string>();
  const again: Member[] = [];
  const visit = (module: Module, path: string): void => {
    modules.set(module, path);
    for (const member of module.members()) {
      const at = join(path, member.path);
      const { value } = member;
      const isKnown = isModule(value) ? modules.has(value) : states.has(value);
      if (isKnown) again.push({ path: at, value });
      else if (isModule(value)) visit(value, at);
      else states.set(value, at);
    }
  };
  visit(root, "");
  return { modules, states, aliases: aliasesOf(again, modules, states) };
}

/** A module that is reached again gives a further path to every state below it. */
function aliasesOf(
  again: readonly Member[],
  modules: ReadonlyMap<Module, string>,
  states: ReadonlyMap<StateTensor, string>,
): Map<string, StateTensor> {
  const aliases = new Map<string, StateTensor>();
  for (const { path, value } of again) {
    if (!isModule(value)) {
      aliases.set(path, value);
      continue;
    }
    const first = modules.get(value)!;
    // A field that points back at a parent is no further name of what the parent holds.
    if (isBelow(path, first)) continue;
    for (const [state, name] of states) {
      if (isBelow(name, first)) aliases.set(join(path, name.slice(first.length + 1)), state);
    }
  }
  return aliases;
}

const isBelow = (path: string, ancestor: string): boolean =>
  ancestor === "" || path.startsWith(`${ancestor}.`);
