/// <reference lib="esnext.disposable" preserve="true" />
/** The base of every layer and model: a class with parameters and a `forward`. */
import { ArgumentError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { currentModulePath } from "../graph/origin.ts";
import type { StateTensor, Tensor } from "../tensor/index.ts";
import { callModule, underPath } from "./call.ts";
import { type Listing, listingOf, type Member, membersOf, moduleBrand } from "./members.ts";
import { Parameter } from "./parameter.ts";
import { RandomStream } from "./random-stream.ts";
import { type LoadOptions, type LoadReport, loadStates, type StateSource } from "./state-dict.ts";
import { type ModuleSummary, summarize } from "./summary.ts";

/** Sees the inputs before `forward` runs; what it returns, if anything, replaces them. */
export type ForwardPreHook = (inputs: readonly any[], module: Module) => readonly any[] | undefined;

/** Sees the output after `forward` ran; what it returns, if anything, replaces it. */
export type ForwardHook = (output: any, inputs: readonly any[], module: Module) => any;

/** Ends what it was returned for. */
export interface Registration extends Disposable {
  remove(): void;
}

/**
 * A layer or model: public fields hold parameters, buffers and further modules (in arrays, plain records and Maps too),
 * `forward` computes.
 *
 * The constructor replaces `forward` by a function that pushes the module's path, runs hooks and adapters, then calls the
 * class's: so call `layer.forward(x)`, and write it as a method, not as a field. Mode, freezing, hooks and adapters take
 * part in what a compiled function was traced for: changing one traces again.
 *
 * @example
 * class Classifier extends Module {
 *   readonly hidden = new Linear(784, 64);
 *   readonly output = new Linear(64, 10);
 *   forward(images: Tensor): Tensor {
 *     return this.output.forward(this.hidden.forward(images).relu());
 *   }
 * }
 * new Classifier().namedParameters().size; // 4
 */
export abstract class Module {
  #training = true;
  readonly #preHooks = new Map<number, ForwardPreHook>();
  readonly #hooks = new Map<number, ForwardHook>();
  readonly #adapters = new Map<string, Adapter>();
  readonly #versions = new Map<string, number>();
  #held: readonly unknown[] = [];
  #structure = 0;
  /** Undefined where it must be computed anew. */
  #version: number | undefined;

  constructor() {
    const { forward } = this;
    if (typeof forward !== "function") {
      throw new ArgumentError(
        `${this.constructor.name}: a Module needs forward(…), as a method of its class`,
      );
    }
    const value = (...inputs: unknown[]): unknown =>
      callModule(this, this.#isPlain() ? forward : (...args) => this.#around(forward, args), inputs);
    Object.defineProperty(this, "forward", { value, configurable: true, writable: true });
  }

  /** What the module computes. Types are the subclass's own: a `Module` of unknown class takes and gives anything. */
  abstract forward(...inputs: any[]): any;

  /** Marks modules for the search of fields. */
  get [moduleBrand](): true {
    return true;
  }

  // ---- what it holds ------------------------------------------------------------------------------------------------

  /** The modules and states this one holds directly, with their names. */
  members(): Member[] {
    if (Object.prototype.propertyIsEnumerable.call(this, "forward")) {
      throw new ArgumentError(
        `${this.constructor.name}: forward is a field; write it as a method, forward(x) { … }, so that hooks and adapters work`,
      );
    }
    return membersOf([...this.fields(), ...this.#adapters]);
  }

  /** Name and value of each field that is searched: the public ones. Override to name children otherwise. */
  protected fields(): Iterable<readonly [string, unknown]> {
    return Object.entries(this);
  }

  /** Modules held directly, by name. */
  children(): Map<string, Module> {
    return new Map(
      this.members().flatMap(({ path, value }) => (value instanceof Module ? [[path, value] as const] : [])),
    );
  }

  /** This module ("") and all below it, by path; a shared one once. */
  namedModules(): Map<string, Module> {
    return new Map([...listingOf(this).modules].map(([module, path]) => [path, module]));
  }

  /** All parameters, frozen ones too, by path; a tied one once, under its first path. */
  namedParameters(): Map<string, Parameter> {
    return this.#named((state) => state instanceof Parameter);
  }

  /** All parameters in the order of fields, those that are not frozen only with `trainable`: what `grad` and optimizers take. */
  parameters({ trainable = false }: { trainable?: boolean } = {}): Parameter[] {
    const all = [...this.namedParameters().values()];
    return trainable ? all.filter((parameter) => parameter.trainable) : all;
  }

  /** States that are neither parameters nor random streams (running statistics), by path: they are saved with the weights. */
  namedBuffers(): Map<string, StateTensor> {
    return this.#named((state) => !(state instanceof Parameter || state instanceof RandomStream));
  }

  /** Where layers draw their randomness from, by path: part of a training state, not of the weights. */
  namedRandomStreams(): Map<string, RandomStream> {
    return this.#named((state) => state instanceof RandomStream);
  }

  // ---- saving and loading ---------------------------------------------------------------------------------------------

  /**
   * Parameters and buffers by path: what is saved. The values are the live states, not copies.
   *
   * @example
   * [...new Linear(3, 2).stateDict().keys()]; // ["weight", "bias"]
   */
  stateDict(): Map<string, StateTensor> {
    return this.#named((state) => !(state instanceof RandomStream));
  }

  /**
   * Sets parameters and buffers to the values of the same name. Either all are set or, when something does not match, none.
   *
   * @param source values by path: the `stateDict()` of a like module, tensors, or host arrays from a file
   * @param options `strict: false` leaves out names of one side only, and reports them; `cast` converts other dtypes
   * @throws ArgumentError for a name of one side only (with the nearest), ShapeError and DTypeError for what does not fit
   */
  loadStateDict(source: StateSource, options: LoadOptions = {}): LoadReport {
    const states = new Map([...this.stateDict()].map(([path, state]) => [state, path]));
    return loadStates(this.constructor.name, { states, aliases: this.#listing().aliases }, source, options);
  }

  // ---- mode, freezing -------------------------------------------------------------------------------------------------

  /** Whether the module behaves as in training (Dropout drops): true from the start, as in PyTorch. */
  get training(): boolean {
    return this.#training;
  }

  /** Puts this module and all below it in training mode. */
  train(mode = true): this {
    for (const module of listingOf(this).modules.keys()) {
      module.#training = mode;
      module.#version = undefined;
    }
    return this;
  }

  /** Puts this module and all below it in evaluation mode. */
  eval(): this {
    return this.train(false);
  }

  /** Makes optimizers leave all parameters of this module and below as they are. */
  freeze(): this {
    for (const parameter of this.parameters()) parameter.trainable = false;
    return this;
  }

  /** Undoes `freeze()`. */
  unfreeze(): this {
    for (const parameter of this.parameters()) parameter.trainable = true;
    return this;
  }

  // ---- hooks and adapters -----------------------------------------------------------------------------------------------

  /** Runs `hook` before each call of this module; hooks run in the order of registration. */
  registerForwardPreHook(hook: ForwardPreHook): Registration {
    return this.#register(this.#preHooks, hook);
  }

  /** Runs `hook` after each call of this module; hooks run in the order of registration. */
  registerForwardHook(hook: ForwardHook): Registration {
    return this.#register(this.#hooks, hook);
  }

  /**
   * Lets `adapter` run in place of this module's forward, which it is given to call. It counts as a child of that name;
   * of several, the last one added is the outermost.
   */
  addAdapter(name: string, adapter: Adapter): Registration {
    if (this.#adapters.has(name) || this.members().some(({ path }) => path === name)) {
      throw new ArgumentError(`${this.constructor.name}: "${name}" is taken; give the adapter another name`);
    }
    this.#adapters.set(name, adapter);
    this.#version = undefined;
    return registration(() => this.removeAdapter(name));
  }

  /** Takes an adapter off again. */
  removeAdapter(name: string): void {
    this.#version = undefined;
    if (!this.#adapters.delete(name)) {
      const known = [...this.#adapters.keys()].join(", ") || "none";
      throw new ArgumentError(`${this.constructor.name}: no adapter "${name}"; there are: ${known}`);
    }
  }

  /**
   * A number for how the module behaves now: it changes with mode, hooks, adapters and what the fields hold, and returns
   * when mode does. A compiled function that called the module is traced again when it meets a number it does not know.
   */
  get version(): number {
    if (!holds(this, this.#held)) {
      this.#held = heldBy(this);
      this.#structure++;
      this.#version = undefined;
    }
    return (this.#version ??= this.#numberOfBehaviour());
  }

  /** The same number for the same behaviour as before. */
  #numberOfBehaviour(): number {
    const hooks = [...this.#preHooks.keys(), "|", ...this.#hooks.keys()];
    const adapters = [...this.#adapters.values()].map(adapterId);
    const key = [this.#structure, this.#training, ...hooks, "|", ...adapters].join();
    const known = this.#versions.get(key) ?? this.#versions.size;
    this.#versions.set(key, known);
    return known;
  }

  // ---- showing ------------------------------------------------------------------------------------------------------------

  /**
   * A table of layers, output shapes, parameters, bytes and FLOP for inputs like these; nothing is computed. What an optimizer keeps
   * is added by `.withOptimizer(optimizer)`.
   *
   * @example new Linear(4, 2).summary([8, 4]).flop; // 144
   */
  summary(...inputs: readonly (Tensor | Shape)[]): ModuleSummary {
    return summarize(this, inputs);
  }

  /** What stands in the brackets of `toString()`: a layer's sizes. */
  protected describe(): string {
    return "";
  }

  /** The tree of modules, as PyTorch prints it. */
  toString(): string {
    const head = `${this.constructor.name}(${this.describe()}`;
    const children = [...this.children()].map(
      ([name, child]) => `  (${name}): ${String(child).replaceAll("\n", "\n  ")}`,
    );
    return children.length === 0 ? `${head})` : `${[head, ...children].join("\n")}\n)`;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  #listing(): Listing {
    const listing = listingOf(this);
    for (const [state, path] of listing.states) state.rename(path);
    return listing;
  }

  /** Those of all states that pass, by path. */
  #named<T extends StateTensor>(isWanted: (state: StateTensor) => state is T): Map<string, T>;
  #named(isWanted: (state: StateTensor) => boolean): Map<string, StateTensor>;
  #named(isWanted: (state: StateTensor) => boolean): Map<string, StateTensor> {
    const found = [...this.#listing().states].filter(([state]) => isWanted(state));
    return new Map(found.map(([state, path]) => [path, state]));
  }

  #register<Hook>(hooks: Map<number, Hook>, hook: Hook): Registration {
    const id = registered++;
    hooks.set(id, hook);
    this.#version = undefined;
    return registration(() => {
      hooks.delete(id);
      this.#version = undefined;
    });
  }

  /** Nothing stands around the class's forward. */
  #isPlain(): boolean {
    return this.#preHooks.size + this.#hooks.size + this.#adapters.size === 0;
  }

  /** Hooks, then adapters from the outside in, then the class's forward, then hooks. */
  #around(forward: (...inputs: never[]) => unknown, given: readonly unknown[]): unknown {
    let inputs = given;
    for (const hook of this.#preHooks.values()) inputs = hook(inputs, this) ?? inputs;
    const path = currentModulePath();
    let run = (...args: unknown[]): unknown => underPath(path, () => forward.apply(this, args as never[]));
    for (const adapter of this.#adapters.values()) {
      const inner = run;
      run = (...args) => adapter.forward(inner, ...args);
    }
    let output = run(...inputs);
    for (const hook of this.#hooks.values()) output = hook(output, inputs, this) ?? output;
    return output;
  }
}

/**
 * Runs in place of a module's forward, and may call it: low-rank adaptation, soft prompts, quantisation. A Module itself,
 * so its parameters are listed, saved and trained under the adapted module.
 *
 * @example
 * class Doubled extends Adapter {
 *   forward(inner: (x: Tensor) => Tensor, x: Tensor): Tensor {
 *     return inner(x).mul(2);
 *   }
 * }
 * const layer = new Linear(2, 1, { weightInit: initializers.ones() });
 * layer.addAdapter("doubled", new Doubled());
 * layer.forward(tensor([[1, 2]])); // [[6]]
 */
export abstract class Adapter extends Module {
  /** @param inner the adapted module's own forward (or the next adapter's) */
  abstract override forward(inner: (...inputs: any[]) => any, ...inputs: any[]): any;
}

let registered = 0;

const registration = (remove: () => void): Registration => ({ remove, [Symbol.dispose]: remove });

const adapterIds = new WeakMap<Adapter, number>();

function adapterId(adapter: Adapter): number {
  let id = adapterIds.get(adapter);
  if (id === undefined) adapterIds.set(adapter, (id = registered++));
  return id;
}

const isHeld = (value: unknown): boolean => typeof value === "object" && value !== null;

/** Objects in fields and in arrays of fields, by identity: replacing one must be noticed. */
function heldBy(module: Module): unknown[] {
  const held: unknown[] = [];
  for (const value of Object.values(module)) {
    if (Array.isArray(value)) held.push(...value.filter(isHeld));
    else if (isHeld(value)) held.push(value);
  }
  return held;
}

/** Whether `heldBy` would still give `held`; asked before each run of a compiled function, so it allocates nothing. */
function holds(module: Module, held: readonly unknown[]): boolean {
  let at = 0;
  for (const name in module) {
    if (!Object.hasOwn(module, name)) continue;
    const value: unknown = module[name as keyof Module];
    if (Array.isArray(value)) {
      for (const item of value) if (isHeld(item) && item !== held[at++]) return false;
    } else if (isHeld(value) && value !== held[at++]) return false;
  }
  return at === held.length;
}
