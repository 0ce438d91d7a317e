/** Lists and records of modules, for who wants them with methods: arrays and plain records in fields do as well. */
import { ArgumentError, nearestName } from "../base/errors.ts";
import { touch } from "../tensor/index.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** Holds modules and is never called: who looks into it while a function is traced depends on what it holds. */
abstract class Container extends Module {
  override forward(): never {
    const { name } = this.constructor;
    throw new ArgumentError(
      `${name}: holds layers and computes nothing; call its layers one by one, or use Sequential for a chain`,
    );
  }
}

/**
 * Modules by number: the children `0`, `1`, … of wherever it is a field, as in PyTorch.
 *
 * @example
 * const layers = new ModuleList([new Linear(4, 4), new Linear(4, 2)]);
 * let y: Tensor = zeros([1, 4]);
 * for (const layer of layers) y = layer.forward(y);
 * y.shape; // [1, 2]
 * [...layers.stateDict().keys()]; // ["0.weight", "0.bias", "1.weight", "1.bias"]
 */
export class ModuleList<M extends Module = Module> extends Container implements Iterable<M> {
  private readonly modules: M[];

  constructor(modules: Iterable<M> = []) {
    super();
    this.modules = [...modules];
  }

  get length(): number {
    touch(this);
    return this.modules.length;
  }

  /** The module at an index; negative ones count from the end. @throws ArgumentError where there is none */
  at(index: number): M {
    touch(this);
    const found = this.modules.at(index);
    if (found !== undefined) return found;
    throw new ArgumentError(`ModuleList: index ${index} is out of range for ${this.length} modules`);
  }

  /** Adds a module at the end. */
  append(module: M): this {
    this.modules.push(module);
    return this;
  }

  /** Adds modules at the end. */
  extend(modules: Iterable<M>): this {
    this.modules.push(...modules);
    return this;
  }

  /** Adds a module before the one at `index`. */
  insert(index: number, module: M): this {
    this.modules.splice(index, 0, module);
    return this;
  }

  /** Takes the module at an index out. @throws ArgumentError where there is none */
  remove(index: number): M {
    const found = this.at(index);
    this.modules.splice(index, 1);
    return found;
  }

  [Symbol.iterator](): IterableIterator<M> {
    touch(this);
    return this.modules[Symbol.iterator]();
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.modules.map((module, index) => [String(index), module] as const);
  }
}

/**
 * Modules by name: the children of wherever it is a field.
 *
 * @example
 * const heads = new ModuleDict({ digit: new Linear(8, 10), parity: new Linear(8, 2) });
 * heads.get("parity").forward(zeros([1, 8])).shape; // [1, 2]
 * heads.has("colour"); // false
 */
export class ModuleDict<const R extends Readonly<Record<string, Module>> = Record<string, Module>>
  extends Container
  implements Iterable<[string, Module]>
{
  private readonly names: string[];
  private readonly modules: Module[];

  constructor(modules: R = {} as R) {
    super();
    this.names = Object.keys(modules);
    this.modules = Object.values(modules);
  }

  get size(): number {
    touch(this);
    return this.names.length;
  }

  /** @throws ArgumentError where there is none of this name */
  get<K extends string & keyof R>(name: K): R[K] {
    touch(this);
    const at = this.names.indexOf(name);
    if (at >= 0) return this.modules[at] as R[K];
    const nearest = nearestName(name, this.names);
    const hint =
      nearest === undefined ? `there are ${this.names.join(", ") || "none"}` : `did you mean "${nearest}"?`;
    throw new ArgumentError(`ModuleDict: nothing is named "${name}"; ${hint}`);
  }

  has(name: string): boolean {
    touch(this);
    return this.names.includes(name);
  }

  /** Adds a module, or replaces the one of that name. */
  set(name: string, module: Module): this {
    const at = this.names.indexOf(name);
    if (at >= 0) this.modules[at] = module;
    else {
      this.names.push(name);
      this.modules.push(module);
    }
    return this;
  }

  keys(): readonly string[] {
    touch(this);
    return this.names;
  }

  *[Symbol.iterator](): IterableIterator<[string, Module]> {
    touch(this);
    for (const [at, name] of this.names.entries()) yield [name, this.modules[at]!];
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.names.map((name, at) => [name, this.modules[at]] as const);
  }
}

/**
 * Parameters by number: `0`, `1`, … of wherever it is a field, as in PyTorch. An array in a field does as well.
 *
 * @example
 * const scales = new ParameterList([new Parameter([1, 2]), new Parameter([3])]);
 * [...scales.stateDict().keys()]; // ["0", "1"]
 */
export class ParameterList extends Container implements Iterable<Parameter> {
  private readonly values: Parameter[];

  constructor(parameters: Iterable<Parameter> = []) {
    super();
    this.values = [...parameters];
  }

  get length(): number {
    touch(this);
    return this.values.length;
  }

  /** The parameter at an index; negative ones count from the end. @throws ArgumentError where there is none */
  at(index: number): Parameter {
    touch(this);
    const found = this.values.at(index);
    if (found !== undefined) return found;
    throw new ArgumentError(`ParameterList: index ${index} is out of range for ${this.length} parameters`);
  }

  /** Adds a parameter at the end. */
  append(parameter: Parameter): this {
    this.values.push(parameter);
    return this;
  }

  [Symbol.iterator](): IterableIterator<Parameter> {
    touch(this);
    return this.values[Symbol.iterator]();
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.values.map((parameter, index) => [String(index), parameter] as const);
  }
}

/**
 * Parameters by name: those of wherever it is a field. A plain record in a field does as well.
 *
 * @example
 * const bounds = new ParameterDict({ low: new Parameter(0), high: new Parameter(1) });
 * await bounds.get("high").item(); // 1
 */
export class ParameterDict extends Container implements Iterable<[string, Parameter]> {
  private readonly values: Map<string, Parameter>;

  constructor(parameters: Readonly<Record<string, Parameter>> = {}) {
    super();
    this.values = new Map(Object.entries(parameters));
  }

  get size(): number {
    touch(this);
    return this.values.size;
  }

  /** @throws ArgumentError where there is none of this name */
  get(name: string): Parameter {
    touch(this);
    const found = this.values.get(name);
    if (found !== undefined) return found;
    const nearest = nearestName(name, [...this.values.keys()]);
    const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
    throw new ArgumentError(`ParameterDict: nothing is named "${name}"${hint}`);
  }

  has(name: string): boolean {
    touch(this);
    return this.values.has(name);
  }

  /** Adds a parameter, or replaces the one of that name. */
  set(name: string, parameter: Parameter): this {
    this.values.set(name, parameter);
    return this;
  }

  [Symbol.iterator](): IterableIterator<[string, Parameter]> {
    touch(this);
    return this.values.entries();
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.values;
  }
}
