/**
 * Calling a module: its path is pushed, so that errors and `summary()` know the layer; hooks and adapters run around the
 * class's own `forward`.
 */
import { ArgumentError } from "../base/errors.ts";
import { currentModulePath, enterModule, leaveModule } from "../graph/origin.ts";
import { touch } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";
import { type Listing, listingOf } from "./members.ts";
import type { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** The outermost module that is running, and what it lists. */
interface Call {
  readonly root: Module;
  readonly listing: Listing;
}

let current: Call | undefined;

/** Is told of every module's output while it watches. */
export type Watcher = (module: Module, path: string, output: unknown) => void;

let watcher: Watcher | undefined;

/** Runs `body` with `watch` told of each module's output, innermost first. */
export function watchCalls<R>(watch: Watcher, body: () => R): R {
  const outer = watcher;
  watcher = watch;
  try {
    return body();
  } finally {
    watcher = outer;
  }
}

/**
 * Calls `forward` as the forward of `module`, under its path. Written out in one function: each layer inside a layer costs
 * two frames of the stacks that errors show.
 */
export function callModule(
  module: Module,
  forward: (...inputs: never[]) => unknown,
  inputs: readonly unknown[],
): unknown {
  touch(module);
  const outer = current;
  const call = outer ?? { root: module, listing: listingOf(module) };
  const path = pathOf(module, call);
  enterModule(path);
  current = call;
  try {
    const output = forward.apply(module, inputs as never[]);
    watcher?.(module, path, output);
    return output;
  } finally {
    current = outer;
    leaveModule();
  }
}

/** Runs `body` under a path again, from inside another module. */
export function underPath<R>(path: string, body: () => R): R {
  enterModule(path);
  try {
    return body();
  } finally {
    leaveModule();
  }
}

/** The outermost module goes by its class, all others by their path from it. */
function pathOf(module: Module, { root, listing }: Call): string {
  if (module === root) return module.constructor.name;
  const known = listing.modules.get(module);
  if (known !== undefined) return known;
  const found = listingOf(module).states.size;
  if (found > 0) throw notListed(root, `calls a ${module.constructor.name}`, "its parameters");
  return `${currentModulePath()}.${module.constructor.name}`;
}

/** A parameter that is read while a module runs must be among those the module lists: else nothing would train or save it. */
export function checkListed(parameter: Parameter): void {
  if (current === undefined || current.listing.states.has(parameter)) return;
  throw notListed(current.root, `reads parameter "${parameter.name}"`, "it");
}

function notListed(root: Module, what: string, lost: string): unknown {
  const name = root.constructor.name;
  return withPlace(
    new ArgumentError(
      `${name}: its forward ${what} that ${name}.parameters() does not list, so ${lost} would be neither trained nor saved: ` +
        "keep it in a public field, or in an array, record or Map of one (#private fields cannot be searched)",
    ),
  );
}
