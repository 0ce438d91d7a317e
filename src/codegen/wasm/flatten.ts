/**
 * The body of a vector loop as a list: unrolled loops written out, what nothing uses left out, and each value marked as
 * uniform (the same in all lanes) or not.
 */
import { InternalError } from "../../base/errors.ts";
import { strideOf } from "../../ir/affine.ts";
import type { Affine, KernelBuffer, Loop, Register, Statement, Value } from "../../ir/kernel.ts";
import type { Push } from "./emitter.ts";
import type { Scopes } from "./scopes.ts";
import type { Vectors } from "./vector.ts";

export interface FlatValue {
  readonly value: Value;
  readonly operands: readonly FlatValue[];
  /** Address, position or value of an index, with unrolled indices put in. */
  readonly affine: Affine | undefined;
  /** Element of a register. */
  readonly element: number;
  readonly uniform: boolean;
  /** Of a register that is set between this read and its last use, so that it must be copied. */
  copy: boolean;
  /** Where in the list it is used last; −1 if nowhere. */
  lastUse: number;
  needsVector: boolean;
  needsScalar: boolean;
  /** Of a uniform value: where it is, once written. */
  scalar: Push | undefined;
  splat: Push | undefined;
  /** Of the others: the vectors of each group of four lanes, while they live. */
  readonly groups: Map<number, Vectors>;
}

export type FlatItem =
  | { readonly kind: "define"; readonly value: FlatValue }
  | {
      readonly kind: "store";
      readonly buffer: KernelBuffer;
      readonly address: Affine;
      readonly dynamic: readonly DynamicOperand[];
      readonly value: FlatValue;
    }
  | {
      readonly kind: "set";
      readonly register: Register;
      readonly element: number;
      readonly value: FlatValue;
    };

export interface DynamicOperand {
  readonly index: FlatValue;
  readonly stride: import("../../base/size.ts").Size;
}

export interface FlatBody {
  readonly items: readonly FlatItem[];
  /** Most and fewest lanes of a register in it, of those with several; 1 and Infinity if there is none. */
  readonly lanes: number;
  readonly fewestLanes: number;
}

export function flatten(loop: Loop, scopes: Scopes, outside: ReadonlyMap<Value, Push>): FlatBody {
  const flattener = new Flattener(loop, scopes, outside);
  flattener.statements(loop.body);
  const items = withoutUnused(flattener.items);
  markUses(items);
  return { items, lanes: Math.max(1, ...flattener.lanes), fewestLanes: Math.min(...flattener.lanes) };
}

export const dynamicOf = (flat: FlatValue): readonly DynamicOperand[] =>
  flat.value.kind === "load"
    ? flat.value.dynamic.map(({ stride }, i) => ({ stride, index: flat.operands[i]! }))
    : [];

class Flattener {
  readonly items: FlatItem[] = [];
  readonly lanes = new Set<number>();
  private readonly loop: Loop;
  private readonly scopes: Scopes;
  private readonly outside: ReadonlyMap<Value, Push>;
  private readonly known = new Map<Value, FlatValue>();
  private readonly stored: ReadonlySet<KernelBuffer>;

  constructor(loop: Loop, scopes: Scopes, outside: ReadonlyMap<Value, Push>) {
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
        this.items.push({ kind: "define", value });
        return;
      }
      case "store": {
        const { buffer } = statement;
        const dynamic = statement.dynamic.map(({ index, stride }) => ({ index: this.use(index), stride }));
        const [address, value] = [this.scopes.resolve(statement.address), this.use(statement.value)];
        this.items.push({ kind: "store", buffer, address, dynamic, value });
        return;
      }
      case "set": {
        const { register } = statement;
        const [element, value] = [this.scopes.known(statement.subscript), this.use(statement.value)];
        if (register.lanes === 1)
          throw new InternalError(`register ${register.name} has one lane and is set in a vector loop`);
        this.lanes.add(register.lanes);
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
    const flat = makeFlat(value, [], undefined, 0, true);
    flat.scalar = scalar;
    this.known.set(value, flat);
    return flat;
  }

  private define(value: Value): FlatValue {
    const { index } = this.loop;
    const varies = (affine: Affine): boolean => strideOf(affine, index) !== 0;
    switch (value.kind) {
      case "constant":
        return makeFlat(value, [], undefined, 0, true);
      case "index": {
        const affine = this.scopes.resolve(value.affine);
        return makeFlat(value, [], affine, 0, !varies(affine));
      }
      case "load": {
        const affine = this.scopes.resolve(value.address);
        const operands = value.dynamic.map((term) => this.use(term.index));
        const uniform = !varies(affine) && operands.every((x) => x.uniform) && !this.stored.has(value.buffer);
        return makeFlat(value, operands, affine, 0, uniform);
      }
      case "register": {
        if (value.register.lanes > 1) this.lanes.add(value.register.lanes);
        const element = this.scopes.known(value.subscript);
        return makeFlat(value, [], undefined, element, value.register.lanes === 1);
      }
      case "combine":
        throw new InternalError(`lanes of ${value.register.name} are combined inside a vector loop`);
      case "check":
      case "checkIndex": {
        const affine = this.scopes.resolve(value.position);
        const operands = this.operandsOf(value);
        return makeFlat(value, operands, affine, 0, !varies(affine) && operands.every((x) => x.uniform));
      }
      default: {
        const operands = this.operandsOf(value);
        return makeFlat(
          value,
          operands,
          undefined,
          0,
          operands.every((x) => x.uniform),
        );
      }
    }
  }

  private operandsOf(value: Value): FlatValue[] {
    return operandsOf(value).map((operand) => this.use(operand));
  }
}

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
  value: Value,
  operands: readonly FlatValue[],
  affine: Affine | undefined,
  element: number,
  uniform: boolean,
): FlatValue {
  return {
    value,
    operands,
    affine,
    element,
    uniform,
    copy: false,
    lastUse: -1,
    needsVector: false,
    needsScalar: false,
    scalar: undefined,
    splat: undefined,
    groups: new Map(),
  };
}

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

/** Last uses, the forms in which uniform values are needed, and which register reads must be copies. */
function markUses(items: readonly FlatItem[]): void {
  items.forEach((item, at) => {
    for (const operand of usedBy(item)) operand.lastUse = at;
    for (const { flat, scalar } of formsUsed(item)) {
      if (scalar) flat.needsScalar = true;
      else flat.needsVector = true;
    }
  });
  const reads = new Map<string, FlatValue[]>();
  const keys = new Map<Register, number>();
  const keyOf = (register: Register, element: number): string => {
    if (!keys.has(register)) keys.set(register, keys.size);
    return `${keys.get(register)}:${element}`;
  };
  items.forEach((item, at) => {
    if (item.kind === "define" && item.value.value.kind === "register") {
      const key = keyOf(item.value.value.register, item.value.element);
      reads.set(key, [...(reads.get(key) ?? []), item.value]);
    } else if (item.kind === "set") {
      for (const read of reads.get(keyOf(item.register, item.element)) ?? [])
        if (read.lastUse > at) read.copy = true;
    }
  });
}

/** A uniform operand is taken as a scalar by uniform values, as a shift count and in addresses; else in every lane. */
function formsUsed(item: FlatItem): { flat: FlatValue; scalar: boolean }[] {
  if (item.kind === "set") return [{ flat: item.value, scalar: false }];
  if (item.kind === "store") {
    const terms = item.dynamic.map(({ index }) => ({ flat: index, scalar: index.uniform }));
    return [{ flat: item.value, scalar: false }, ...terms];
  }
  const { value, operands, uniform } = item.value;
  if (uniform) return operands.map((flat) => ({ flat, scalar: true }));
  if (value.kind === "load") return operands.map((flat) => ({ flat, scalar: flat.uniform }));
  const shifts = value.kind === "binary" && /^shift/.test(value.operator);
  return operands.map((flat, i) => ({ flat, scalar: shifts && i === 1 && flat.uniform }));
}
