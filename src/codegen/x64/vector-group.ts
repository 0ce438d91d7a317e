/** One statement of a vector loop, for one group of lanes (or, where it is the same in all, once). */
import { bytesOf } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { maxOf, type Size } from "../../base/size.ts";
import { strideOf } from "../../ir/affine.ts";
import type { Affine, Index, KernelBuffer, Loop, Value } from "../../ir/kernel.ts";
import { at, type Register, rsp, withBits } from "./assembler/operands.ts";
import { computeElementwise } from "./elementwise.ts";
import { type Emitter, placeAt } from "./emitter.ts";
import type { DynamicOperand, FlatItem, FlatValue, LoadRun, StoreItem } from "./flatten.ts";
import type { KernelEmitter } from "./kernel.ts";
import type { Lanes, Vectors } from "./lanes.ts";
import type { Address } from "./scopes.ts";
import type { Active, LaneAddresses } from "./storage.ts";
import { bitsAsNumber, loadTurned, storeTurned, type TurnedElements, wordsOfBytes } from "./turned-block.ts";

/** Lanes from `offset` on, from where the loop stands. */
export interface Group {
  readonly offset: number;
  readonly active: Active;
}

export class GroupWriter {
  private readonly k: KernelEmitter;
  private readonly e: Emitter;
  private readonly lanes: Lanes;
  private readonly index: Index;
  /** Whether the loop has a counter, so that addresses move with it; without one the index is known in each group. */
  hasCounter = false;

  constructor(k: KernelEmitter, { index }: Loop) {
    this.k = k;
    this.e = k.e;
    this.lanes = k.lanes;
    this.index = index;
  }

  item(item: FlatItem, group: Group): void {
    if (item.kind === "store") return this.store(item, group);
    if (item.kind === "set") return this.set(item, group);
    const flat = item.value;
    if (flat.isLazy) return;
    if (!flat.uniform) this.define(flat, group);
    else if (flat.scalar === undefined && flat.splat === undefined) this.uniform(flat);
  }

  /** Vectors of one chunk are not those of the next. */
  forgetGroups(items: readonly FlatItem[]): void {
    for (const item of items) {
      if (item.kind !== "define") continue;
      item.value.groups.length = 0;
      if (item.value.run !== undefined) item.value.run.blocks.length = 0;
    }
  }

  /** With the loop's index at a group's offset from where the loop stands: around everything that is written for it. */
  standing({ offset }: Group, body: () => void): void {
    const { scopes } = this.k;
    if (this.hasCounter) scopes.shift(this.index, offset, body);
    else scopes.fix(this.index, offset, body);
  }

  // ---- the same in all lanes ----------------------------------------------------------------------------------

  /** All of them, before a loop. */
  uniforms(items: readonly FlatItem[]): void {
    for (const item of items) {
      if (item.kind === "define" && item.value.uniform) {
        if (item.value.needsVector) this.splatOf(item.value);
        if (item.value.scalar === undefined && item.value.splat === undefined) this.uniform(item.value);
      }
      const operands = item.kind === "define" ? item.value.operands : [item.value];
      for (const flat of operands) if (flat.uniform && flat.needsVector) this.splatOf(flat);
    }
  }

  private uniform(flat: FlatValue): Register {
    flat.scalar ??= this.k.computed(
      flat.value,
      flat.operands.map((operand) => this.uniform(operand)),
      flat.affine,
      flat.element,
    );
    return flat.scalar;
  }

  /** The vectors with a uniform value in every lane. */
  private splatOf(flat: FlatValue): Vectors {
    if (flat.splat !== undefined) return flat.splat;
    const { value } = flat;
    if (value.kind === "constant") flat.splat = this.lanes.constant(value.dtype, value.value);
    else if (value.kind === "load" && flat.scalar === undefined) {
      const dynamic = value.dynamic.map(({ stride }, i) => ({
        index: this.uniform(flat.operands[i]!),
        stride,
      }));
      const address = this.k.address(value.buffer, flat.affine!, dynamic);
      flat.splat = this.k.storage.loadUniform(value.buffer.dtype, address);
    } else if (value.kind === "bytePairs" && flat.scalar === undefined) {
      // Taken apart after it was put into all lanes: both parts share that.
      const [word] = this.splatOf(flat.operands[0]!);
      flat.splat = [this.lanes.bytePairs(value.which, value.isSigned, word!)];
    } else flat.splat = this.lanes.splat(value.dtype, this.uniform(flat));
    return flat.splat;
  }

  private vectorsOf(flat: FlatValue, group: Group): Vectors {
    if (flat.uniform) return this.splatOf(flat);
    const found = flat.groups[this.groupNumber(group)];
    if (found !== undefined) return found;
    if (!flat.isLazy) throw new InternalError(`a ${flat.value.kind} value has no vectors`);
    this.define(flat, group);
    return flat.groups[this.groupNumber(group)]!;
  }

  // ---- one group ----------------------------------------------------------------------------------------------

  private groupNumber({ offset }: Group): number {
    return offset / this.lanes.shape.lanes;
  }

  private define(flat: FlatValue, group: Group): void {
    const { value, target } = flat;
    const number = this.groupNumber(group);
    if (value.kind === "register") {
      const vectors = this.k.registerVectors(value.register, flat.element, number);
      flat.groups[number] = flat.copy ? vectors.map((r) => this.copied(r)) : vectors;
      return;
    }
    const computed = this.compute(flat, group);
    if (target !== undefined && group.active.mask === undefined) {
      const places = this.k.registerVectors(target.register, target.element, number);
      if (this.e.code.retarget(computed, places)) {
        flat.groups[number] = places;
        return;
      }
    }
    flat.groups[number] = computed;
  }
  private copied(r: Register): Register {
    const copy = this.e.code.virtual(r.class, r.bits);
    this.k.copyInto(copy, r);
    return copy;
  }

  private compute(flat: FlatValue, group: Group): Vectors {
    const { value, operands } = flat;
    if (value.kind === "load") {
      if (flat.run !== undefined && group.active.mask === undefined)
        return [this.turned(flat.run, group).element(flat.run.loads.indexOf(flat))];
      const stride = strideOf(flat.affine!, this.index);
      const isPlain = value.dynamic.length === 0 && group.active.mask === undefined;
      if (isPlain && typeof stride === "number" && this.k.storage.loadsApart(value.buffer.dtype, stride))
        return this.k.storage.loadApart(
          value.buffer.dtype,
          this.k.address(value.buffer, flat.affine!, []),
          stride,
        );
      const dynamic = value.dynamic.map(({ stride }, i) => ({ stride, index: operands[i]! }));
      const from = this.addresses(value.buffer, flat.affine!, dynamic, group);
      const ahead = this.k.ahead.get(value);
      if (ahead !== undefined) this.fetch(from, ahead, (bytesOf(value.buffer.dtype) * group.offset) % 64);
      return this.k.storage.load(value.buffer.dtype, from, group.active);
    }
    const number = flat.masked && this.maskedNumber(flat.masked, group);
    if (number !== undefined) return [number];
    const vectors = operands.map((operand) => this.vectorsOf(operand, group));
    switch (value.kind) {
      case "index":
        return [this.indices(flat.affine!)];
      case "checkIndex":
        return [this.checkedIndex(flat, value, vectors[0]![0]!, group)];
      case "check": {
        const bad = this.lanes.not(vectors[0]![0]!);
        this.whenAny(bad, group, (active) =>
          this.reportLanes(value.check, flat.affine!, active, value.x, vectors[1]!),
        );
        return vectors[1]!;
      }
      default:
        return computeElementwise(this.lanes, value, vectors);
    }
  }

  /** Asks for the line `ahead`, once for all groups that lie in it. */
  private fetch({ base, offset }: Address, ahead: number, inLine: number): void {
    if (inLine === 0) this.e.code.emit("prefetcht0", placeAt(base, offset + ahead, 8));
  }

  private maskedNumber({ load, mask }: NonNullable<FlatValue["masked"]>, group: Group): Register | undefined {
    if (group.active.mask !== undefined) return undefined;
    if (load.run === undefined) return bitsAsNumber(this.lanes, this.vectorsOf(load, group)[0]!, mask);
    return this.turned(load.run, group).maskedNumber(load.run.loads.indexOf(load), mask);
  }

  /** All loads of a run at once. */
  private turned({ loads, address, buffer, stride, blocks }: LoadRun, group: Group): TurnedElements {
    const number = this.groupNumber(group);
    const found = blocks[number];
    if (found !== undefined) return found;
    const block = {
      dtype: buffer.dtype,
      from: this.k.address(buffer, address, []),
      stride,
      count: loads.length,
    };
    return (blocks[number] = loadTurned(this.e, this.lanes, this.k.storage, block));
  }

  /** affine + stride × lane */
  private indices(affine: Affine): Register {
    const { lanes, e, k } = this;
    const stride = strideOf(affine, this.index);
    const [first] = lanes.splat("i32", k.scalar.op("vmovd", withBits(k.scopes.value(affine), 32)));
    const count = lanes.shape.lanes;
    if (typeof stride === "number") {
      const steps = e.wordsVector(
        Array.from({ length: count }, (_, l) => l * stride),
        lanes.shape.bits,
      );
      return lanes.op("vpaddd", first!, steps);
    }
    return lanes.op("vpaddd", first!, this.multiples(stride));
  }
  /** stride × lane, where the stride is known late. */
  private multiples(stride: Size): Register {
    const { lanes, e, k } = this;
    const iota = e.wordsVector(
      Array.from({ length: lanes.shape.lanes }, (_, l) => l),
      lanes.shape.bits,
    );
    const [steps] = lanes.splat("i32", k.scalar.op("vmovd", withBits(e.inRegister(e.size(stride)), 32)));
    return lanes.op("vpmulld", steps!, iota);
  }

  private set({ register, element, value }: Extract<FlatItem, { kind: "set" }>, group: Group): void {
    const { code } = this.e;
    const targets = this.k.registerVectors(register, element, this.groupNumber(group));
    const { mask } = group.active;
    if (
      mask === undefined &&
      value.value.kind === "constant" &&
      Object.is(value.value.value, 0) &&
      register.dtype !== "bool"
    ) {
      for (const target of targets) code.emit("vxorps", target, target, target);
      return;
    }
    const vectors = this.vectorsOf(value, group);
    const masks = mask === undefined ? [] : this.lanes.masks(mask, register.dtype);
    targets.forEach((target, i) => {
      const from = vectors[i]!;
      if (from === target) return;
      if (mask === undefined) this.k.copyInto(target, from);
      else this.merge(target, from, masks[i]!, register.dtype === "f64");
    });
  }
  private merge(target: Register, from: Register, mask: Register, isWide: boolean): void {
    const { code } = this.e;
    if (target.class === "mask") {
      const kept = this.lanes.andNot(mask, target);
      code.emit("korw", target, kept, this.lanes.and(mask, from));
    } else if (this.lanes.shape.hasMaskRegisters)
      code.emitMasked(isWide ? "vmovapd" : "vmovaps", mask, false, target, from);
    else code.emit(isWide ? "vblendvpd" : "vblendvps", target, target, from, mask);
  }

  private store(item: StoreItem, group: Group): void {
    const { storage, options } = this.k;
    const { dtype } = item.buffer;
    const flush = item.value.value.dtype === "f32" && options.flush.has(item.buffer);
    const { count } = group.active;
    if (item.run !== undefined && !flush && this.lanes.shape.lanes > 1 && typeof count === "number") {
      if (item === item.run[0]) this.storeRun(item.run, group, count);
      return;
    }
    const value = this.vectorsOf(item.value, group);
    const to = this.addresses(item.buffer, item.address, item.dynamic, group);
    if (to.kind === "unit" && this.streams(item, group)) return storage.storeStreamed(dtype, to, value);
    if (to.kind === "unit") return storage.storeUnit(dtype, to, value, group.active, flush);
    const addressOf = to.kind === "sparse" ? this.laneAddresses(item, to) : () => to;
    storage.storeLanes(dtype, value, { active: group.active, flush, addressOf });
  }

  /** All stores of a run at once. */
  private storeRun(run: readonly StoreItem[], group: Group, count: number): void {
    const { buffer, address } = run[0]!;
    const values = run.map(({ value }) => this.vectorsOf(value, group)[0]!);
    const to = this.k.address(buffer, address, []);
    const bytes = bytesOf(buffer.dtype);
    const laneBytes = (strideOf(address, this.index) as number) * bytes;
    if (bytes === 4) return storeTurned(this.e, this.lanes, values, { to, laneBytes, count });
    const words = [wordsOfBytes(this.lanes, buffer.dtype, values)];
    const addressOf = (lane: number): Address => ({ base: to.base, offset: to.offset + lane * laneBytes });
    this.k.storage.storeLanes("i32", words, { active: group.active, flush: false, addressOf });
  }

  /** Whether all lanes are stored, at a place that is a multiple of their size. */
  private streams({ buffer, address, dynamic }: StoreItem, group: Group): boolean {
    const { streamed, flush } = this.k.options;
    if (!streamed.has(buffer) || flush.has(buffer) || group.active.mask !== undefined) return false;
    if (this.lanes.shape.lanes === 1 || bytesOf(buffer.dtype) < 4 || dynamic.length > 0) return false;
    const { constant, terms } = this.k.scopes.resolve(address);
    const isMultiple = (size: Size): boolean =>
      typeof size === "number" && size % this.lanes.shape.lanes === 0;
    return (
      isMultiple(constant) && terms.every(({ index, stride }) => index === this.index || isMultiple(stride))
    );
  }

  // ---- checks -------------------------------------------------------------------------------------------------

  private checkedIndex(
    flat: FlatValue,
    value: Extract<Value, { kind: "checkIndex" }>,
    x: Register,
    group: Group,
  ): Register {
    const { lanes, e, k } = this;
    const { code } = e;
    const result = code.vector(lanes.shape.bits);
    code.emit("vmovaps", result, x);
    const size = e.size(value.size);
    const splat = (n: number | Register): Register =>
      typeof n === "number"
        ? lanes.integer(n)
        : lanes.splat("i32", k.scalar.op("vmovd", withBits(n, 32)))[0]!;
    const sizes = splat(size);
    const bad = lanes.compareInteger("greaterEqual", "u32", x, sizes);
    this.whenAny(bad, group, (active) => {
      this.reportLanes(value.check, flat.affine!, active, value.x, [x]);
      const last = lanes.op("vpsubd", sizes, lanes.integer(1));
      code.emit("vpminsd", result, x, last);
      code.emit("vpmaxsd", result, result, lanes.integer(0));
    });
    return result;
  }

  /** Runs `body`, out of line, if an active lane of `bad` is set; it is given their bits. */
  private whenAny(bad: Register, { active }: Group, body: (bits: Register) => void): void {
    const { lanes } = this;
    const { code } = this.e;
    const among = active.mask === undefined ? bad : lanes.and(bad, active.mask);
    const bits = code.general();
    code.emit(lanes.shape.hasMaskRegisters ? "kmovw" : "vmovmskps", withBits(bits, 32), among);
    if (lanes.shape.lanes === 1) code.emit("and", withBits(bits, 32), 1);
    else code.emit("test", withBits(bits, 32), withBits(bits, 32));
    const [entry, back] = [code.label(), code.label()];
    code.emit("jne", entry);
    code.bind(back);
    code.cold(entry, back, () => body(bits));
  }

  /** Reports each lane whose bit is set. */
  private reportLanes(check: number, position: Affine, bits: Register, of: Value, x: Vectors): void {
    const { lanes, e, k } = this;
    const { code } = e;
    const scratch = this.k.scratch();
    const isWide = of.dtype === "f64";
    x.forEach((part, i) => {
      const place = at(rsp, scratch + i * (lanes.shape.bits / 8));
      code.emit("vmovups", place, lanes.asVector(of.dtype, part));
    });
    const first = k.scopes.value(position);
    const stride = strideOf(position, this.index);
    const [rest, lane, address] = [code.general(), code.general(), code.general()];
    code.emit("mov", rest, bits);
    const top = code.label();
    code.mark("loopStart");
    code.bind(top);
    code.emit("tzcnt", lane, rest);
    const where = e.multiplied(lane, stride);
    code.emit("add", where, first);
    code.emit("imul", address, lane, isWide ? 8 : 4);
    code.emit("add", address, rsp);
    const value = k.storage.loadScalar(isWide ? "f64" : "f32", { base: address, offset: scratch });
    k.report(check, where, k.asF64(of.dtype, value));
    code.emit("blsr", rest, rest);
    code.emit("jne", top);
    code.mark("loopEnd");
  }

  // ---- addresses ----------------------------------------------------------------------------------------------

  private addresses(
    buffer: KernelBuffer,
    affine: Affine,
    dynamic: readonly DynamicOperand[],
    group: Group,
  ): LaneAddresses {
    const { k, lanes, e } = this;
    const stride = strideOf(affine, this.index);
    const varying = dynamic.filter(({ index }) => !index.uniform);
    if (lanes.shape.lanes === 1) {
      const terms = dynamic.map(({ index, stride: by }) => ({
        index: this.vectorsOf(index, group)[0]!,
        stride: by,
      }));
      return { kind: "unit", ...k.address(buffer, affine, terms) };
    }
    const address = this.laneZero(buffer, affine, dynamic);
    if (varying.length === 0) {
      if (stride === 1) return { kind: "unit", ...address };
      if (stride === 0) return { kind: "uniform", ...address };
    }
    if (maxOf(buffer.elements) >= 2 ** 31)
      throw new InternalError(`buffer ${buffer.name} is too large for 32-bit indices of its elements`);
    let indices: Register | undefined;
    const add = (x: Register): void => {
      indices = indices === undefined ? x : lanes.op("vpaddd", indices, x);
    };
    if (typeof stride !== "number") add(this.multiples(stride));
    else if (stride !== 0)
      add(
        e.wordsVector(
          Array.from({ length: lanes.shape.lanes }, (_, l) => l * stride),
          lanes.shape.bits,
        ),
      );
    for (const { index, stride: by } of varying) {
      const x = this.vectorsOf(index, group)[0]!;
      const factor = e.size(by);
      if (factor === 1) add(x);
      else if (typeof factor === "number") add(lanes.op("vpmulld", x, lanes.integer(factor)));
      else add(lanes.op("vpmulld", x, lanes.splat("i32", k.scalar.op("vmovd", withBits(factor, 32)))[0]!));
    }
    return { kind: "sparse", indices: indices!, ...address };
  }

  private laneZero(buffer: KernelBuffer, affine: Affine, dynamic: readonly DynamicOperand[]): Address {
    const uniform = dynamic
      .filter(({ index }) => index.uniform)
      .map(({ index, stride }) => ({ index: this.uniform(index), stride }));
    return this.k.address(buffer, affine, uniform);
  }

  /** The address of each lane: a displacement where all strides are known. */
  private laneAddresses(
    item: StoreItem,
    to: Extract<LaneAddresses, { kind: "sparse" }>,
  ): (lane: number) => Address {
    const { code } = this.e;
    const bytes = bytesOf(item.buffer.dtype);
    const stride = strideOf(item.address, this.index);
    const isRegular = typeof stride === "number" && item.dynamic.every(({ index }) => index.uniform);
    if (isRegular) return (lane) => ({ base: to.base, offset: to.offset + lane * stride * bytes });
    return (lane) => {
      const chunk = this.lanes.chunk(to.indices, Math.floor(lane / 4));
      const index = code.general();
      code.emit("vpextrd", withBits(index, 32), chunk, lane % 4);
      code.emit("movsxd", index, withBits(index, 32));
      if (bytes > 1) code.emit("imul", index, index, bytes);
      code.emit("add", index, to.base);
      return { base: index, offset: to.offset };
    };
  }
}
