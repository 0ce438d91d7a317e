/**
 * Builds kernels statement by statement. It is the `ScalarBuilder` that ops expand into: values are defined in the
 * current block, equal pure values of one block become one, and constants fold.
 */

import { hasMachineCode } from "#platform";
import { computeDType, roundTo } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { type Size, sizeKey } from "../base/size.ts";
import type {
  BinaryOperator,
  CompareOperator,
  ScalarBuilder,
  ScalarDType,
  UnaryOperator,
} from "../graph/scalar.ts";
import { affineKey, indexAffine, zeroAffine } from "./affine.ts";
import { isExactProduct } from "./exact-products.ts";
import { foldBinary, foldCompare, foldConvert, foldUnary } from "./fold.ts";
import type { Affine, DynamicTerm, Index, KernelBuffer, Loop, Register, Statement, Value } from "./kernel.ts";
import { fusesMulAdd, type TargetDescription } from "./target.ts";

/** A place where a data-dependent check reports: numbers are given out by the program being compiled. */
export interface CheckSite {
  readonly check: number;
  readonly position: Affine;
}

interface Block {
  readonly statements: Statement[];
  /** Pure values of this block by structure; loads and reads are dropped from it when a store or set might change them. */
  readonly known: Map<string, Value>;
}

const isConstantAddress = (address: Affine): address is Affine & { readonly constant: number } =>
  address.terms.length === 0 && typeof address.constant === "number";

export class KernelBuilder implements ScalarBuilder<Value> {
  readonly fuses: boolean;
  readonly scales: boolean;
  private readonly blocks: Block[] = [{ statements: [], known: new Map() }];
  private readonly valueIds = new Map<Value, number>();
  private readonly objectIds = new Map<object, string>();
  private checkSite: (() => CheckSite) | undefined;

  /** `target` for kernels that compute: expansions may depend on its arithmetic. */
  constructor(target?: TargetDescription) {
    this.fuses = target !== undefined && fusesMulAdd(target);
    this.scales = target?.hasScale ?? false;
  }

  get statements(): readonly Statement[] {
    return this.blocks[0]!.statements;
  }

  // ---- values -------------------------------------------------------------------------------------------------

  constant(dtype: ScalarDType, given: number): Value {
    const value = roundTo(dtype, given);
    return this.define(`c:${dtype}:${Object.is(value, -0) ? "-0" : value}`, {
      kind: "constant",
      dtype,
      value,
    });
  }
  dtypeOf(x: Value): ScalarDType {
    return x.dtype;
  }
  index(affine: Affine): Value {
    return this.define(`i:${this.affineId(affine)}`, { kind: "index", dtype: "i32", affine });
  }
  load(buffer: KernelBuffer, address: Affine, dynamic: readonly DynamicTerm[] = []): Value {
    if (buffer.known !== undefined && dynamic.length === 0 && isConstantAddress(address))
      return this.constant(computeDType(buffer.dtype), buffer.known[address.constant]!);
    const key = `l:${this.objectId(buffer)}:${this.affineId(address)}:${this.dynamicId(dynamic)}`;
    return this.define(key, { kind: "load", dtype: computeDType(buffer.dtype), buffer, address, dynamic });
  }
  unary(operator: UnaryOperator, x: Value): Value {
    const folded = foldUnary(operator, x);
    if (folded !== undefined) return this.constant(x.dtype, folded);
    return this.define(`u:${operator}:${this.id(x)}`, { kind: "unary", dtype: x.dtype, operator, x });
  }
  binary(operator: BinaryOperator, a: Value, b: Value): Value {
    this.requireSame(operator, a, b);
    const folded = foldBinary(operator, a, b);
    if (folded !== undefined) return this.constant(a.dtype, folded);
    // A product that is not rounded anyway may be fused with the sum: an instruction less, the same bits.
    if (hasMachineCode && operator === "add" && isExactProduct(a)) return this.mulAdd(a.a, a.b, b);
    return this.define(`b:${operator}:${this.id(a)}:${this.id(b)}`, {
      kind: "binary",
      dtype: a.dtype,
      operator,
      a,
      b,
    });
  }
  compare(operator: CompareOperator, a: Value, b: Value): Value {
    this.requireSame(operator, a, b);
    const folded = foldCompare(operator, a, b);
    if (folded !== undefined) return this.constant("bool", folded);
    return this.define(`p:${operator}:${this.id(a)}:${this.id(b)}`, {
      kind: "compare",
      dtype: "bool",
      operator,
      a,
      b,
    });
  }
  mulAdd(a: Value, b: Value, c: Value): Value {
    this.requireSame("mulAdd", a, b);
    this.requireSame("mulAdd", a, c);
    return this.define(`m:${this.id(a)}:${this.id(b)}:${this.id(c)}`, {
      kind: "mulAdd",
      dtype: a.dtype,
      a,
      b,
      c,
    });
  }
  dotAdd(parts: 2 | 4, a: Value, b: Value, c: Value): Value {
    this.requireSame("dotAdd", a, b);
    this.requireSame("dotAdd", a, c);
    const key = `d:${parts}:${this.id(a)}:${this.id(b)}:${this.id(c)}`;
    return this.define(key, { kind: "dotAdd", dtype: "i32", parts, a, b, c });
  }
  bytePairs(which: "even" | "odd", isSigned: boolean, x: Value): Value {
    const key = `e:${which}:${isSigned}:${this.id(x)}`;
    return this.define(key, { kind: "bytePairs", dtype: "i32", which, isSigned, x });
  }
  select(condition: Value, a: Value, b: Value): Value {
    this.requireSame("select", a, b);
    if (condition.kind === "constant") return condition.value ? a : b;
    const key = `s:${this.id(condition)}:${this.id(a)}:${this.id(b)}`;
    return this.define(key, { kind: "select", dtype: a.dtype, condition, a, b });
  }
  convert(dtype: ScalarDType, x: Value): Value {
    if (x.dtype === dtype) return x;
    const folded = foldConvert(dtype, x);
    if (folded !== undefined) return this.constant(dtype, folded);
    return this.define(`v:${dtype}:${this.id(x)}`, { kind: "convert", dtype, x });
  }
  bitcast(dtype: ScalarDType, x: Value): Value {
    if (x.dtype === dtype) return x;
    return this.define(`t:${dtype}:${this.id(x)}`, { kind: "bitcast", dtype, x });
  }
  checkIndex(x: Value, size: Size): Value {
    const { check, position } = this.site();
    const key = `ci:${this.id(x)}:${sizeKey(size)}:${check}:${this.affineId(position)}`;
    return this.define(key, {
      kind: "checkIndex",
      dtype: "i32",
      x: this.convert("i32", x),
      size,
      check,
      position,
    });
  }
  check(condition: Value, x: Value): Value {
    const { check, position } = this.site();
    const key = `ck:${this.id(condition)}:${this.id(x)}:${check}:${this.affineId(position)}`;
    return this.define(key, { kind: "check", dtype: x.dtype, condition, x, check, position });
  }
  read(register: Register, subscript: Affine = zeroAffine): Value {
    const key = `r:${this.objectId(register)}:${this.affineId(subscript)}`;
    return this.define(key, { kind: "register", dtype: register.dtype, register, subscript });
  }
  combine(
    register: Register,
    operator: "add" | "mul" | "min" | "max",
    subscript: Affine = zeroAffine,
  ): Value {
    return this.push({ kind: "combine", dtype: register.dtype, register, subscript, operator });
  }

  /** Where checks built by `body` report to; asked only when there is one. */
  at<R>(site: CheckSite | (() => CheckSite), body: () => R): R {
    const before = this.checkSite;
    this.checkSite = typeof site === "function" ? site : () => site;
    try {
      return body();
    } finally {
      this.checkSite = before;
    }
  }

  // ---- statements ---------------------------------------------------------------------------------------------

  store(buffer: KernelBuffer, address: Affine, value: Value, dynamic: readonly DynamicTerm[] = []): void {
    const stored = this.convert(computeDType(buffer.dtype), value);
    this.block.statements.push({ kind: "store", buffer, address, dynamic, value: stored });
    this.forget((v) => v.kind === "load" && v.buffer === buffer);
  }
  prefetch(buffer: KernelBuffer, address: Affine): void {
    this.block.statements.push({ kind: "prefetch", buffer, address });
  }
  set(register: Register, value: Value, subscript: Affine = zeroAffine): void {
    this.requireSame(`set ${register.name}`, value, register);
    this.block.statements.push({ kind: "set", register, subscript, value });
    this.forget((v) => v.kind === "register" && v.register === register);
  }

  serial(name: string, extent: Size, body: (index: Affine) => void): void {
    this.loop("serial", name, extent, { body });
  }
  parallel(name: string, extent: Size, body: (index: Affine) => void): void {
    this.loop("parallel", name, extent, { body });
  }
  unrolled(name: string, extent: number, body: (index: Affine) => void): void {
    this.loop("unrolled", name, extent, { body });
  }
  vector(name: string, extent: Size, body: (index: Affine) => void, lockstep = false): void {
    this.loop("vector", name, extent, { body, lockstep });
  }

  loop(
    mode: Loop["mode"],
    name: string,
    extent: Size,
    parts: { body(index: Affine): void; step?: number; remainder?(index: Affine): void; lockstep?: boolean },
  ): void {
    const index: Index = { name };
    const body = this.collect(() => parts.body(indexAffine(index)));
    const { remainder } = parts;
    const rest = remainder ? this.collect(() => remainder(indexAffine(index))) : [];
    const step = parts.step ?? 1;
    const lockstep = parts.lockstep ?? false;
    this.block.statements.push({ kind: "loop", mode, index, extent, step, body, remainder: rest, lockstep });
  }

  // ---- inside -------------------------------------------------------------------------------------------------

  private get block(): Block {
    return this.blocks[this.blocks.length - 1]!;
  }

  private forget(isChanged: (value: Value) => boolean): void {
    for (const { known } of this.blocks)
      for (const [key, value] of known) if (isChanged(value)) known.delete(key);
  }

  /** Values known outside a loop stay known inside, loads and reads excepted: the loop may store and set. */
  private collect(body: () => void): readonly Statement[] {
    const known = new Map<string, Value>();
    const block: Block = { statements: [], known };
    this.blocks.push(block);
    body();
    this.blocks.pop();
    return block.statements;
  }

  private find(key: string): Value | undefined {
    for (let depth = this.blocks.length - 1; depth >= 0; depth--) {
      const found = this.blocks[depth]!.known.get(key);
      if (found !== undefined && (!isMutable(found) || depth === this.blocks.length - 1)) return found;
    }
    return undefined;
  }

  private define(key: string, value: Value): Value {
    const found = this.find(key);
    if (found !== undefined) return found;
    this.block.known.set(key, value);
    return this.push(value);
  }

  private push(value: Value): Value {
    this.block.statements.push({ kind: "define", value });
    return value;
  }

  private id(value: Value): number {
    let id = this.valueIds.get(value);
    if (id === undefined) this.valueIds.set(value, (id = this.valueIds.size));
    return id;
  }
  private objectId(object: object): string {
    let id = this.objectIds.get(object);
    if (id === undefined) this.objectIds.set(object, (id = `o${this.objectIds.size}`));
    return id;
  }
  private affineId(affine: Affine): string {
    return affineKey(affine, (index) => this.objectId(index));
  }
  private dynamicId(dynamic: readonly DynamicTerm[]): string {
    return dynamic.map(({ index, stride }) => `${this.id(index)}*${sizeKey(stride)}`).join("+");
  }
  private site(): CheckSite {
    if (this.checkSite === undefined) throw new InternalError("a check outside KernelBuilder.at");
    return this.checkSite();
  }
  private requireSame(what: string, a: { dtype: ScalarDType }, b: { dtype: ScalarDType }): void {
    if (a.dtype !== b.dtype) throw new InternalError(`${what}: operands are ${a.dtype} and ${b.dtype}`);
  }
}

const isMutable = ({ kind }: Value): boolean => kind === "load" || kind === "register";
