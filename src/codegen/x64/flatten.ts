/**
 * The body of a vector loop as a list: unrolled loops written out, what nothing uses left out, and each value marked as
 * uniform (the same in all lanes) or not.
 */

import { InternalError } from "../../base/errors.ts";
import { type Size, sameSize, sizeKey } from "../../base/size.ts";
import { strideOf } from "../../ir/affine.ts";
import type {
  Affine,
  KernelBuffer,
  Loop,
  Register as LoopRegister,
  Statement,
  Value,
} from "../../ir/kernel.ts";
import type { Register } from "./assembler/operands.ts";
import type { Vectors } from "./lanes.ts";
import type { Scopes } from "./scopes.ts";
import { gatherStoreRuns, type StoringShape } from "./store-runs.ts";
import type { TurnedElements } from "./turned-block.ts";

export interface FlatValue {
  readonly value: Value;
  readonly operands: readonly FlatValue[];
  /** Address, position or value of an index, with unrolled indices put in. */
  readonly affine: Affine | undefined;
  /** Element of a register. */
  readonly element: number;
  readonly uniform: boolean;
  /** May be computed at its first use: nothing here stores to where it loads from. */
  isLazy: boolean;
  /** Of a register that is set between this read and its last use, so that it must be copied. */
  copy: boolean;
  lastUse: number;
  uses: number;
  needsVector: boolean;
  /** Where a `set` that is its only use puts it: it may be computed there. */
  target: { readonly register: LoopRegister; readonly element: number } | undefined;
  /** Of a uniform value: where it is, once computed. */
  scalar: Register | undefined;
  splat: Vectors | undefined;
  /** Of a load: the loads beside it, when together they read each lane's elements side by side. */
  run: LoadRun | undefined;
  /** Of a number that is some bits of a load of a run. */
  masked: { readonly load: FlatValue; readonly mask: number } | undefined;
  /** Of the others, by the number of the group of lanes. */
  readonly groups: (Vectors | undefined)[];
}

/** As many loads as there are lanes, or 16 bytes of them: load i reads element i of what lane l has at `stride` × l. */
export interface LoadRun {
  readonly loads: readonly FlatValue[];
  /** Of lane 0 and load 0. */
  readonly address: Affine;
  readonly buffer: KernelBuffer;
  readonly stride: number;
  /** What was read, by the number of the group of lanes. */
  readonly blocks: (TurnedElements | undefined)[];
}

export interface DynamicOperand {
  readonly index: FlatValue;
  readonly stride: Size;
}

export interface StoreItem {
  readonly kind: "store";
  readonly buffer: KernelBuffer;
  readonly address: Affine;
  readonly dynamic: readonly DynamicOperand[];
  readonly value: FlatValue;
  /** The stores beside it in the list that go to the elements beside its own in each lane, itself among them. */
  run: readonly StoreItem[] | undefined;
}

export type FlatItem =
  | { readonly kind: "define"; readonly value: FlatValue }
  | StoreItem
  | {
      readonly kind: "set";
      readonly register: LoopRegister;
      readonly element: number;
      readonly value: FlatValue;
    };

export interface FlatBody {
  readonly items: readonly FlatItem[];
  /** Most lanes of a register in it; 1 if there is none with several. */
  readonly lanes: number;
  /** Fewest lanes of a register that is set: more may not be in flight at once. */
  readonly fewestLanes: number;
}

export function flatten(
  loop: Loop,
  scopes: Scopes,
  outside: ReadonlyMap<Value, Register>,
  shape: StoringShape,
): FlatBody {
  const flattener = new Flattener(loop, scopes, outside);
  flattener.statements(loop.body);
  const items = gatherStoreRuns(withoutUnused(flattener.items), loop.index, shape);
  markUses(items);
  findTargets(items);
  return { items, lanes: flattener.lanes, fewestLanes: flattener.fewestLanes };
}

class Flattener {
  readonly items: FlatItem[] = [];
  lanes = 1;
  fewestLanes = Infinity;
  private readonly loop: Loop;
  private readonly scopes: Scopes;
  private readonly outside: ReadonlyMap<Value, Register>;
  private readonly known = new Map<Value, FlatValue>();
  private readonly listed = new Set<FlatValue>();
  /** By buffer and constant of the address. */
  private readonly loads = new Map<KernelBuffer, Map<number | string, FlatValue[]>>();
  private readonly stored: ReadonlySet<KernelBuffer>;

  constructor(loop: Loop, scopes: Scopes, outside: ReadonlyMap<Value, Register>) {
    this.loop = loop;
    this.scopes = scopes;
    this.outside = outside;
    this.stored = storedIn(loop.body);
  }

  statements(list: readonly Statement[]): void {
    for (const statement of list) this.statement(statement);
  }

  private statement(statement: Statement): void {
    switch (statement.kind) {
      case "define": {
        const value = this.define(statement.value);
        this.known.set(statement.value, value);
        if (!this.listed.has(value)) this.items.push({ kind: "define", value });
        this.listed.add(value);
        return;
      }
      case "store": {
        const { buffer } = statement;
        const dynamic = statement.dynamic.map(({ index, stride }) => ({ index: this.use(index), stride }));
        const [address, value] = [this.scopes.resolve(statement.address), this.use(statement.value)];
        this.items.push({ kind: "store", buffer, address, dynamic, value, run: undefined });
        return;
      }
      case "set": {
        const { register } = statement;
        const [element, value] = [this.scopes.known(statement.subscript), this.use(statement.value)];
        if (register.lanes === 1)
          throw new InternalError(`register ${register.name} has one lane and is set in a vector loop`);
        this.lanes = Math.max(this.lanes, register.lanes);
        this.fewestLanes = Math.min(this.fewestLanes, register.lanes);
        this.items.push({ kind: "set", register, element, value });
        return;
      }
      case "prefetch":
        return;
      case "loop":
        return this.unroll(statement);
    }
  }

  private unroll({ mode, index, extent, step, body, remainder }: Loop): void {
    if (mode !== "unrolled" || typeof extent !== "number")
      throw new InternalError(`a ${mode} loop inside vector loop ${this.loop.index.name}`);
    let at = 0;
    for (; at + step <= extent; at += step) this.scopes.fix(index, at, () => this.statements(body));
    for (; at < extent; at++) this.scopes.fix(index, at, () => this.statements(remainder));
  }

  private use(value: Value): FlatValue {
    const known = this.known.get(value);
    if (known !== undefined) return known;
    const scalar = this.outside.get(value);
    if (scalar === undefined) throw new InternalError(`a ${value.kind} value is used before it is defined`);
    const flat = makeFlat({ value, uniform: true });
    flat.scalar = scalar;
    this.known.set(value, flat);
    return flat;
  }

  private define(value: Value): FlatValue {
    const { index } = this.loop;
    const varies = (affine: Affine): boolean => strideOf(affine, index) !== 0;
    switch (value.kind) {
      case "constant":
        return makeFlat({ value, uniform: true, isLazy: true });
      case "index": {
        const affine = this.scopes.resolve(value.affine);
        return makeFlat({ value, affine, uniform: !varies(affine), isLazy: true });
      }
      case "load": {
        const affine = this.scopes.resolve(value.address);
        const operands = value.dynamic.map((term) => this.use(term.index));
        const isLazy = !this.stored.has(value.buffer);
        const uniform = !varies(affine) && operands.every((x) => x.uniform) && isLazy;
        const make = (): FlatValue => makeFlat({ value, operands, affine, uniform, isLazy });
        return isLazy && operands.length === 0 ? this.loadedOnce(value.buffer, affine, make) : make();
      }
      case "register": {
        this.lanes = Math.max(this.lanes, value.register.lanes);
        const element = this.scopes.known(value.subscript);
        return makeFlat({ value, element, uniform: value.register.lanes === 1 });
      }
      case "combine":
        throw new InternalError(`lanes of ${value.register.name} are combined inside a vector loop`);
      case "check":
      case "checkIndex": {
        const affine = this.scopes.resolve(value.position);
        const operands = this.operandsOf(value);
        return makeFlat({
          value,
          operands,
          affine,
          uniform: !varies(affine) && operands.every((x) => x.uniform),
        });
      }
      default: {
        const operands = this.operandsOf(value);
        return makeFlat({ value, operands, uniform: operands.every((x) => x.uniform) });
      }
    }
  }

  /** What several turns of an unrolled loop load from one place is one value. */
  private loadedOnce(buffer: KernelBuffer, affine: Affine, make: () => FlatValue): FlatValue {
    let ofBuffer = this.loads.get(buffer);
    if (ofBuffer === undefined) this.loads.set(buffer, (ofBuffer = new Map()));
    const constant = typeof affine.constant === "number" ? affine.constant : sizeKey(affine.constant);
    const known = ofBuffer.get(constant);
    const found = known?.find((flat) => hasSameTerms(flat.affine!, affine));
    if (found !== undefined) return found;
    const made = make();
    if (known === undefined) ofBuffer.set(constant, [made]);
    else known.push(made);
    return made;
  }

  private operandsOf(value: Value): FlatValue[] {
    return operandsOf(value).map((operand) => this.use(operand));
  }
}

const hasSameTerms = (a: Affine, b: Affine): boolean =>
  a.terms.length === b.terms.length &&
  a.terms.every(({ index, stride }) => sameSize(stride, strideOf(b, index)));

/** What a value is computed from, loads excepted. */
export function operandsOf(value: Value): readonly Value[] {
  switch (value.kind) {
    case "unary":
    case "convert":
    case "bitcast":
    case "bytePairs":
    case "checkIndex":
      return [value.x];
    case "binary":
    case "compare":
      return [value.a, value.b];
    case "mulAdd":
    case "dotAdd":
      return [value.a, value.b, value.c];
    case "select":
      return [value.condition, value.a, value.b];
    case "check":
      return [value.condition, value.x];
    default:
      return [];
  }
}

function makeFlat(
  parts: Pick<FlatValue, "value" | "uniform"> &
    Partial<Pick<FlatValue, "operands" | "affine" | "element" | "isLazy">>,
): FlatValue {
  const { value, uniform, operands = none, affine, element = 0, isLazy = false } = parts;
  return {
    value,
    operands,
    affine,
    element,
    uniform,
    isLazy,
    copy: false,
    lastUse: -1,
    uses: 0,
    needsVector: false,
    target: undefined,
    scalar: undefined,
    splat: undefined,
    run: undefined,
    masked: undefined,
    groups: [],
  };
}
const none: readonly FlatValue[] = [];

function storedIn(statements: readonly Statement[]): ReadonlySet<KernelBuffer> {
  const stored = new Set<KernelBuffer>();
  for (const statement of statements) {
    if (statement.kind === "store") stored.add(statement.buffer);
    if (statement.kind === "loop")
      for (const list of [statement.body, statement.remainder]) for (const b of storedIn(list)) stored.add(b);
  }
  return stored;
}

const usedBy = (item: FlatItem): readonly FlatValue[] =>
  item.kind === "define"
    ? item.value.operands
    : item.kind === "store"
      ? [item.value, ...item.dynamic.map(({ index }) => index)]
      : [item.value];

function withoutUnused(items: readonly FlatItem[]): FlatItem[] {
  const used = new Set<FlatValue>();
  const kept: FlatItem[] = [];
  for (const item of [...items].reverse()) {
    const reports = item.kind === "define" && /^check/.test(item.value.value.kind);
    if (item.kind === "define" && !used.has(item.value) && !reports) continue;
    for (const operand of usedBy(item)) used.add(operand);
    kept.push(item);
  }
  return kept.reverse();
}

class RegisterElements<T> {
  private readonly byRegister = new Map<LoopRegister, Map<number, T>>();
  get(register: LoopRegister, element: number): T | undefined {
    return this.byRegister.get(register)?.get(element);
  }
  set(register: LoopRegister, element: number, value: T): void {
    const elements = this.byRegister.get(register) ?? new Map<number, T>();
    this.byRegister.set(register, elements.set(element, value));
  }
}

/** Last uses, uniform values needed in every lane, and which register reads must be copies. */
function markUses(items: readonly FlatItem[]): void {
  items.forEach((item, at) => {
    for (const operand of usedBy(item)) {
      operand.lastUse = at;
      operand.uses++;
    }
    for (const flat of vectorsUsed(item)) flat.needsVector = true;
  });
  const reads = new RegisterElements<FlatValue[]>();
  items.forEach((item, at) => {
    if (item.kind === "define" && item.value.value.kind === "register") {
      const { register } = item.value.value;
      reads.set(register, item.value.element, [
        ...(reads.get(register, item.value.element) ?? []),
        item.value,
      ]);
    } else if (item.kind === "set") {
      for (const read of reads.get(item.register, item.element) ?? [])
        if (read.lastUse > at) read.copy = true;
    }
  });
}

/** A uniform operand is taken as a scalar by uniform values and in addresses; else in every lane. */
function vectorsUsed(item: FlatItem): readonly FlatValue[] {
  if (item.kind === "set") return [item.value];
  if (item.kind === "store")
    return [item.value, ...item.dynamic.map(({ index }) => index).filter((x) => !x.uniform)];
  const { value, operands, uniform } = item.value;
  if (uniform) return [];
  return value.kind === "load" ? operands.filter((x) => !x.uniform) : operands;
}

/**
 * A value whose only use is to be set may be computed in the register itself, when nobody reads the register's old value
 * after that.
 */
function findTargets(items: readonly FlatItem[]): void {
  const lastReads = new RegisterElements<number>();
  const definedAt = new Map<FlatValue, number>();
  const lastSets = new RegisterElements<number>();
  items.forEach((item, at) => {
    if (item.kind === "define") {
      definedAt.set(item.value, at);
      if (item.value.value.kind === "register") {
        const { register } = item.value.value;
        const last = item.value.copy ? at : item.value.lastUse;
        const before = lastReads.get(register, item.value.element) ?? -1;
        lastReads.set(register, item.value.element, Math.max(before, last));
      }
    } else if (item.kind === "set") {
      const { register, element, value } = item;
      const from = definedAt.get(value) ?? -1;
      const isFree =
        from >= 0 &&
        (lastReads.get(register, element) ?? -1) <= from &&
        (lastSets.get(register, element) ?? -1) < from;
      const computes = !["register", "constant", "index", "load"].includes(value.value.kind);
      if (isFree && computes && !value.uniform && value.uses === 1) value.target = { register, element };
      lastSets.set(register, element, at);
    }
  });
}
