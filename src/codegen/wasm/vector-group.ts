/** One statement of a vector loop, for one group of four lanes (or, where it is the same in all, once). */
import { bytesOf } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { boundsOf, type Size } from "../../base/size.ts";
import { strideOf } from "../../ir/affine.ts";
import type { Affine, Index, KernelBuffer, Value } from "../../ir/kernel.ts";
import { type Emitter, type Push, partsOf, scalarType } from "./emitter.ts";
import { type DynamicOperand, dynamicOf, type FlatItem, type FlatValue } from "./flatten.ts";
import type { KernelEmitter } from "./kernel.ts";
import type { ValueType } from "./opcodes.ts";
import {
  type Active,
  type Address,
  allLanes,
  type LaneAddresses,
  loadVector,
  storeVector,
} from "./storage.ts";
import {
  extractLane,
  masks,
  splatScalar,
  type Vectors,
  vectorBinary,
  vectorBitcast,
  vectorBytePairs,
  vectorCompare,
  vectorConvert,
  vectorDotAdd,
  vectorMulAdd,
  vectorSelect,
  vectorShift,
  vectorUnary,
} from "./vector.ts";

/** Four lanes at `offset` from where the loop stands. */
export interface Group {
  readonly offset: number;
  readonly active: Active;
}

export class GroupWriter {
  private readonly k: KernelEmitter;
  private readonly e: Emitter;
  private readonly index: Index;
  /** Whether the loop has a counter, so that addresses move with it; without one the index is known in each group. */
  hasCounter = false;
  private readonly owned = new Map<FlatValue, Map<number, number[]>>();

  constructor(k: KernelEmitter, index: Index) {
    this.k = k;
    this.e = k.e;
    this.index = index;
  }

  item(item: FlatItem, at: number, group: Group): void {
    if (item.kind === "define" && item.value.uniform) {
      if (item.value.scalar === undefined && item.value.splat === undefined) this.uniform(item.value);
      return;
    }
    this.standing(group.offset, () => {
      if (item.kind === "define") this.define(item.value, group);
      else if (item.kind === "store") this.store(item, group);
      else this.set(item, group);
    });
    const used = item.kind === "define" ? [...item.value.operands, item.value] : [item.value];
    if (item.kind === "store") used.push(...item.dynamic.map(({ index }) => index));
    for (const value of used) if (value.lastUse <= at) this.release(value, group);
  }

  /** With the loop's index at `offset` from where the loop stands. */
  private standing(offset: number, body: () => void): void {
    const { scopes } = this.k;
    if (this.hasCounter) scopes.shift(this.index, offset, body);
    else scopes.fix(this.index, offset, body);
  }

  private release(value: FlatValue, group: Group): void {
    const groups = this.owned.get(value);
    for (const local of groups?.get(group.offset) ?? []) this.e.locals.give(local);
    groups?.delete(group.offset);
  }

  // ---- the same in all lanes ----------------------------------------------------------------------------------

  uniform(flat: FlatValue): void {
    const { e, k } = this;
    const { value } = flat;
    if (value.kind === "constant") {
      flat.scalar = () => k.pushComputed(value, []);
      if (flat.needsVector) flat.splat = e.splat(value.dtype, value.value);
      return;
    }
    const operands = flat.operands.map((operand) => operand.scalar!);
    if (value.kind === "load" && flat.needsVector && !flat.needsScalar) {
      const dynamic = value.dynamic.map(({ stride }, i) => ({ index: operands[i]!, stride }));
      const address = k.address(value.buffer, flat.affine!, dynamic, true);
      const [splat] = loadVector(e, value.buffer.dtype, { kind: "uniform", ...address }, allLanes);
      flat.splat = this.lasting("v128", splat!);
      return;
    }
    // Taken apart after it was put into all lanes: both parts share that.
    if (value.kind === "bytePairs" && flat.needsVector && !flat.needsScalar) {
      const [pairs] = vectorBytePairs(e, value.which, value.isSigned, this.splatOf(flat.operands[0]!));
      flat.splat = this.lasting("v128", pairs!);
      return;
    }
    flat.scalar = this.lasting(scalarType(value.dtype), () =>
      k.pushComputed(value, operands, flat.affine, flat.element),
    );
  }

  /** The vector with a uniform value in every lane. */
  splatOf(flat: FlatValue): Push {
    flat.splat ??=
      flat.value.kind === "constant"
        ? this.e.splat(flat.value.dtype, flat.value.value)
        : this.lasting("v128", splatScalar(this.e, flat.value.dtype, flat.scalar!));
    return flat.splat;
  }

  /** In a local that lives as long as the loop's code. */
  private lasting(type: ValueType, push: Push): Push {
    const local = this.e.locals.fresh(type);
    push();
    this.e.code.set(local);
    return this.e.local(local);
  }

  private vectorsOf(flat: FlatValue, group: Group): Vectors {
    if (flat.uniform) return Array<Push>(partsOf(flat.value.dtype)).fill(this.splatOf(flat));
    const vectors = flat.groups.get(group.offset);
    if (vectors === undefined) throw new InternalError(`a ${flat.value.kind} value has no vectors yet`);
    return vectors;
  }

  // ---- one group ----------------------------------------------------------------------------------------------

  private define(flat: FlatValue, group: Group): void {
    const { e, k } = this;
    const { value } = flat;
    if (value.kind === "register" && !flat.copy) {
      const locals = k.registerLocals(value.register, flat.element, group.offset / 4);
      flat.groups.set(
        group.offset,
        locals.map((local) => e.local(local)),
      );
      return;
    }
    const locals = this.compute(flat, group).map((push) => {
      push();
      const local = e.locals.take("v128");
      e.code.set(local);
      return local;
    });
    flat.groups.set(
      group.offset,
      locals.map((local) => e.local(local)),
    );
    const owned = this.owned.get(flat) ?? new Map<number, number[]>();
    this.owned.set(flat, owned.set(group.offset, locals));
  }

  private compute(flat: FlatValue, group: Group): Vectors {
    const { e, k } = this;
    const { value, operands } = flat;
    const { dtype } = value;
    if (value.kind === "load") {
      const from = this.lanes(value.buffer, flat.affine!, dynamicOf(flat), group);
      return loadVector(e, value.buffer.dtype, from, group.active);
    }
    if (value.kind === "binary" && /^shift/.test(value.operator) && operands[1]!.uniform) {
      const operator = value.operator as "shiftLeft" | "shiftRight";
      return vectorShift(e, operator, dtype, this.vectorsOf(operands[0]!, group)[0]!, operands[1]!.scalar!);
    }
    const vectors = operands.map((operand) => this.vectorsOf(operand, group));
    const [a, b, c] = vectors as [Vectors, Vectors, Vectors];
    switch (value.kind) {
      case "index":
        return [() => this.pushIndex(flat.affine!)];
      case "unary":
        return vectorUnary(e, value.operator, dtype, a);
      case "binary":
        return vectorBinary(e, value.operator, dtype, a, b, {
          a: constantOf(value.a),
          b: constantOf(value.b),
        });
      case "compare":
        return vectorCompare(e, value.operator, value.a.dtype, a, b);
      case "mulAdd":
        return vectorMulAdd(e, dtype, a, b, c);
      case "dotAdd":
        return vectorDotAdd(e, value.parts, a[0]!, b[0]!, c[0]!);
      case "bytePairs":
        return vectorBytePairs(e, value.which, value.isSigned, a[0]!);
      case "select":
        return vectorSelect(e, dtype, a[0]!, b, c, { a: isPlusZero(value.a), b: isPlusZero(value.b) });
      case "convert":
        return vectorConvert(e, value.x.dtype, dtype, a);
      case "bitcast":
        return vectorBitcast(value.x.dtype, dtype, a);
      case "checkIndex":
        return this.checkedIndex(flat, value, a[0]!, group);
      case "check":
        return this.checked(flat, value, a[0]!, b, group);
      case "register":
        return k
          .registerLocals(value.register, flat.element, group.offset / 4)
          .map((local) => e.local(local));
      default:
        throw new InternalError(`${value.kind} in a vector loop`);
    }
  }

  private pushIndex(affine: Affine): void {
    const { e } = this;
    const stride = strideOf(affine, this.index);
    this.k.scopes.pushValue(affine);
    e.code.op("i32x4.splat");
    if (typeof stride === "number") e.lanes32([0, stride, 2 * stride, 3 * stride])();
    else {
      e.size(stride)();
      e.code.op("i32x4.splat");
      e.lanes32([0, 1, 2, 3])();
      e.code.op("i32x4.mul");
    }
    e.code.op("i32x4.add");
  }

  private maskOf({ active }: Group): Push | undefined {
    if (active.kind === "local") return active.mask;
    return active.count < 4
      ? this.e.lanes32([0, 1, 2, 3].map((l) => (l < active.count ? -1 : 0)))
      : undefined;
  }

  private set({ register, element, value }: Extract<FlatItem, { kind: "set" }>, group: Group): void {
    const { e } = this;
    const vectors = this.vectorsOf(value, group);
    const locals = this.k.registerLocals(register, element, group.offset / 4);
    const mask = this.k.freeTails.has(register) ? undefined : this.maskOf(group);
    const parts = mask && masks(e, mask, register.dtype);
    locals.forEach((local, part) => {
      vectors[part]!();
      if (parts) {
        e.code.get(local);
        parts[part]!();
        e.code.op("v128.bitselect");
      }
      e.code.set(local);
    });
  }

  private store(item: Extract<FlatItem, { kind: "store" }>, group: Group): void {
    const { e } = this;
    const to = this.lanes(item.buffer, item.address, item.dynamic, group);
    const flush = item.value.value.dtype === "f32" && this.k.options.flush.has(item.buffer);
    storeVector(e, item.buffer.dtype, to, this.vectorsOf(item.value, group), { active: group.active, flush });
  }

  // ---- checks -------------------------------------------------------------------------------------------------

  private checkedIndex(
    flat: FlatValue,
    value: Extract<Value, { kind: "checkIndex" }>,
    x: Push,
    group: Group,
  ): Vectors {
    const { e } = this;
    const result = e.temporary("v128");
    const get = e.local(result);
    const splat = (size: Push): void => {
      size();
      e.code.op("i32x4.splat");
    };
    x();
    e.code.set(result);
    const bad = e.keep("v128", () => {
      get();
      if (typeof value.size === "number") e.splat("i32", value.size)();
      else splat(e.size(value.size));
      e.code.op("i32x4.ge_u");
    });
    bad();
    e.code.op("v128.any_true");
    e.code.if(() => {
      this.reportLanes(value.check, flat.affine!, bad, value.x, [get], group);
      get();
      splat(() => {
        e.size(value.size)();
        e.code.i32(1);
        e.code.op("i32.sub");
      });
      e.code.op("i32x4.min_s");
      e.splat("i32", 0)();
      e.code.op("i32x4.max_s");
      e.code.set(result);
    });
    return [get];
  }

  private checked(
    flat: FlatValue,
    value: Extract<Value, { kind: "check" }>,
    condition: Push,
    x: Vectors,
    group: Group,
  ): Vectors {
    const { e } = this;
    const bad = e.keep("v128", () => {
      condition();
      e.code.op("v128.not");
    });
    bad();
    e.code.op("v128.any_true");
    e.code.if(() => this.reportLanes(value.check, flat.affine!, bad, value.x, x, group));
    return x;
  }

  private reportLanes(check: number, position: Affine, bad: Push, of: Value, x: Vectors, group: Group): void {
    const { e, k } = this;
    const { active } = group;
    const count = active.kind === "known" ? active.count : 4;
    for (let lane = 0; lane < count; lane++) {
      bad();
      e.code.lane("i32x4.extract_lane", lane);
      if (active.kind === "local") {
        active.mask();
        e.code.lane("i32x4.extract_lane", lane);
        e.code.op("i32.and");
      }
      e.code.if(() =>
        this.standing(group.offset + lane, () =>
          k.report(check, position, of.dtype, extractLane(e, of.dtype, x, lane)),
        ),
      );
    }
  }

  // ---- addresses ----------------------------------------------------------------------------------------------

  private lanes(
    buffer: KernelBuffer,
    affine: Affine,
    dynamic: readonly DynamicOperand[],
    group: Group,
  ): LaneAddresses {
    const { e, k } = this;
    const bytes = bytesOf(buffer.dtype);
    const uniform = dynamic
      .filter(({ index }) => index.uniform)
      .map(({ index, stride }) => ({ index: index.scalar!, stride }));
    const address = k.address(buffer, affine, uniform);
    const stride = strideOf(affine, this.index);
    const varying = dynamic.filter(({ index }) => !index.uniform);
    if (varying.length === 0) {
      if (stride === 1) return { kind: "unit", ...address };
      if (stride === 0) return { kind: "uniform", ...address };
      if (stride === -1 && bytes === 4) return { kind: "reversed", ...address };
    }
    const offsets = this.varyingOffsets(varying, bytes, group);
    const falls = [stride, ...varying.map((term) => term.stride)].some((size) => boundsOf(size).min < 0);
    const lane = (l: number): Address => {
      const at = this.laneAddress(address, stride, bytes, offsets, l);
      return falls ? wrapping(e, at) : at;
    };
    const { active } = group;
    if (active.kind === "known") return { kind: "lanes", lane };
    return { kind: "lanes", lane: (l) => (l === 0 ? lane(0) : this.activeAddress(lane, l, active.count)) };
  }

  /** Bytes that data-dependent terms add in each lane. */
  private varyingOffsets(varying: readonly DynamicOperand[], bytes: number, group: Group): Push | undefined {
    const { e } = this;
    if (varying.length === 0) return undefined;
    return e.keep("v128", () => {
      varying.forEach(({ index, stride }, i) => {
        this.vectorsOf(index, group)[0]!();
        if (typeof stride === "number") e.splat("i32", stride * bytes)();
        else {
          e.size(stride, bytes)();
          e.code.op("i32x4.splat");
        }
        e.code.op("i32x4.mul");
        if (i > 0) e.code.op("i32x4.add");
      });
    });
  }

  private laneAddress(
    { base, offset }: Address,
    stride: Size,
    bytes: number,
    offsets: Push | undefined,
    lane: number,
  ): Address {
    const { e } = this;
    const inOffset = typeof stride === "number" && stride >= 0;
    const push = (): void => {
      base();
      if (!inOffset && lane > 0) {
        e.size(stride, lane * bytes)();
        e.code.op("i32.add");
      }
      if (offsets === undefined) return;
      offsets();
      e.code.lane("i32x4.extract_lane", lane);
      e.code.op("i32.add");
    };
    return { base: push, offset: inOffset ? offset + lane * stride * bytes : offset };
  }

  /** An inactive lane looks where the first one does. */
  private activeAddress(lane: (l: number) => Address, l: number, count: Push): Address {
    const { e } = this;
    const push = (): void => {
      for (const { base, offset } of [lane(l), lane(0)]) {
        base();
        e.code.i32(offset);
        e.code.op("i32.add");
      }
      count();
      e.code.i32(l);
      e.code.op("i32.gt_s");
      e.code.op("select");
    };
    return { base: push, offset: 0 };
  }
}

const constantOf = (value: Value): number | undefined =>
  value.kind === "constant" ? value.value : undefined;

/** The address as one sum that wraps: the base of a lane that walks backwards may be below 0, where an offset would trap. */
const wrapping = (e: Emitter, { base, offset }: Address): Address => ({
  offset: 0,
  base: () => {
    base();
    if (offset === 0) return;
    e.code.i32(offset);
    e.code.op("i32.add");
  },
});

const isPlusZero = (value: Value): boolean => value.kind === "constant" && Object.is(value.value, 0);
