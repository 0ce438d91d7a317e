/**
 * A vector loop: groups of as many lanes as a register has, in chunks. What is the same in all lanes is computed once
 * before; the last group may be partial, and its inactive lanes change nothing.
 */
import { boundsOf, maxOf, type Size } from "../../base/size.ts";
import type { Loop } from "../../ir/kernel.ts";
import { type Register, withBits } from "./assembler/operands.ts";
import type { Emitter } from "./emitter.ts";
import { type FlatBody, flatten } from "./flatten.ts";
import type { KernelEmitter } from "./kernel.ts";
import { markLoadRuns } from "./load-runs.ts";
import { Scope } from "./scopes.ts";
import { type Group, GroupWriter } from "./vector-group.ts";

/** Statements × groups that may be written out for one loop before it becomes a loop of chunks. */
const straightLimit = 120;

export class VectorLoop {
  private readonly k: KernelEmitter;
  private readonly e: Emitter;
  private readonly loop: Loop;
  private readonly body: FlatBody;
  private readonly writer: GroupWriter;
  private readonly lanes: number;
  /** Groups in a chunk: all of a register's, or enough that short bodies overlap. */
  private readonly chunk: number;

  constructor(k: KernelEmitter, loop: Loop) {
    this.k = k;
    this.e = k.e;
    this.loop = loop;
    this.lanes = k.lanes.shape.lanes;
    this.body = flatten(loop, k.scopes, k.values, k.lanes.shape);
    markLoadRuns(this.body.items, loop.index, this.lanes);
    this.writer = new GroupWriter(k, loop);
    const length = this.body.items.filter((item) => item.kind !== "define" || !item.value.uniform).length;
    const byLength = length <= 8 ? 4 : length <= 32 ? 2 : 1;
    this.chunk = Math.max(byLength, this.body.lanes / this.lanes);
  }

  emit(): void {
    const { extent } = this.loop;
    if (this.body.items.length === 0 || maxOf(extent) === 0) return;
    if (typeof extent !== "number") return this.lateExtent(extent);
    const groups = Math.ceil(extent / this.lanes);
    const isShort = groups * this.body.items.length <= straightLimit || (this.loop.lockstep && groups <= 8);
    if (groups <= this.chunk || isShort) return this.groups(this.knownGroups(extent));
    const width = this.lanes * this.chunk;
    const counter = this.start();
    this.chunks(counter, width, extent - (extent % width), true);
    const rest = extent % width;
    if (rest > 0) this.tail(counter, () => this.groups(this.knownGroups(rest)));
  }

  /** Whole chunks, then what is left behind masks. */
  private lateExtent(extent: Size): void {
    const { e } = this;
    const { code } = e;
    const { min, max } = boundsOf(extent);
    const end = e.inRegister(e.size(extent));
    const [width, done] = [this.lanes * this.chunk, code.label()];
    if (min <= 0) {
      code.emit("cmp", end, 0);
      code.emit("jle", done);
    }
    const counter = this.start();
    if (max >= width) this.chunks(counter, width, end, min >= width);
    this.tail(counter, () => {
      const left = code.general();
      code.emit("mov", left, end);
      code.emit("sub", left, counter);
      const groups = Math.min(this.chunk, Math.ceil(max / this.lanes));
      for (let g = 0; g < groups; g++) this.maskedGroup(left, g);
    });
    code.bind(done);
  }

  private maskedGroup(left: Register, g: number): void {
    const { code } = this.e;
    const skip = code.label();
    code.emit("cmp", left, 0);
    code.emit("jle", skip);
    this.groups([{ offset: g * this.lanes, active: { mask: this.lateMask(left), count: left } }]);
    code.emit("sub", left, this.lanes);
    code.bind(skip);
  }

  /** The first `left` lanes; all if there are more. */
  private lateMask(left: Register): Register | undefined {
    const { e, k, lanes } = this;
    if (lanes === 1) return undefined;
    const { code } = e;
    const count = code.general();
    const most = code.general();
    e.setNumber(most, lanes);
    code.emit("mov", count, left);
    code.emit("cmp", count, most);
    code.emit("cmovg", count, most);
    if (k.lanes.shape.hasMaskRegisters) {
      const bits = code.general();
      const mask = code.maskValue();
      code.emit("mov", withBits(bits, 32), -1 >>> 0);
      code.emit("bzhi", withBits(bits, 32), withBits(bits, 32), withBits(count, 32));
      code.emit("kmovw", mask, withBits(bits, 32));
      return mask;
    }
    const [counts] = k.lanes.splat("i32", k.scalar.op("vmovd", withBits(count, 32)));
    return k.lanes.op("vpcmpgtd", counts!, this.iota());
  }
  private iota(): Register {
    return this.e.wordsVector(
      Array.from({ length: this.lanes }, (_, i) => i),
      this.k.lanes.shape.bits,
    );
  }

  /** Groups of `count` lanes, the last one perhaps partial. */
  private knownGroups(count: number): Group[] {
    const { lanes } = this;
    return Array.from({ length: Math.ceil(count / lanes) }, (_, g) => {
      const active = Math.min(lanes, count - lanes * g);
      return {
        offset: lanes * g,
        active: { mask: active < lanes ? this.knownMask(active) : undefined, count: active },
      };
    });
  }
  private knownMask(count: number): Register {
    const { e, lanes } = this;
    if (!this.k.lanes.shape.hasMaskRegisters)
      return e.wordsVector(
        Array.from({ length: lanes }, (_, i) => (i < count ? -1 : 0)),
        this.k.lanes.shape.bits,
      );
    return this.k.knownMask(count);
  }

  /** With what is the same in all lanes computed, and a counter at 0. */
  private start(): Register {
    const { code } = this.e;
    this.writer.uniforms(this.body.items);
    const counter = code.general();
    code.emit("xor", counter, counter);
    this.writer.hasCounter = true;
    return counter;
  }

  private chunks(counter: Register, width: number, end: number | Register, runs: boolean): void {
    const scope = new Scope(this.loop.index, counter);
    this.k.scopes.inside(scope, () => this.groups(this.knownGroups(width)));
    this.k.counted(scope, { step: width, end, runs });
  }

  /** After the chunks: addresses start anew from the counter. */
  private tail(counter: Register, body: () => void): void {
    const scope = new Scope(this.loop.index, counter, true);
    this.k.scopes.inside(scope, body);
    this.e.code.append(scope.before);
    this.e.code.append(scope.body);
  }

  private groups(groups: readonly Group[]): void {
    const { items } = this.body;
    const { writer } = this;
    const isTogether = this.loop.lockstep && groups.length * this.lanes <= this.body.fewestLanes;
    if (isTogether) {
      for (const item of items)
        for (const group of groups) writer.standing(group, () => writer.item(item, group));
    } else {
      for (const group of groups)
        writer.standing(group, () => {
          for (const item of items) writer.item(item, group);
        });
    }
    writer.forgetGroups(items);
  }
}
