/**
 * A vector loop: groups of four lanes, in chunks. What is the same in all lanes is computed once before; the last group
 * may be partial, and its inactive lanes change nothing.
 */
import { boundsOf, maxOf, type Size } from "../../base/size.ts";
import type { Loop } from "../../ir/kernel.ts";
import type { Emitter, Push } from "./emitter.ts";
import { type FlatBody, flatten } from "./flatten.ts";
import type { KernelEmitter } from "./kernel.ts";
import { emitLoop, emitStoringLoop } from "./loops.ts";
import { Scope } from "./scopes.ts";
import { type Group, GroupWriter } from "./vector-group.ts";

/** Statements that may be written out for one loop before it becomes a loop of chunks. */
const straightLimit = 160;

export class VectorLoop {
  private readonly k: KernelEmitter;
  private readonly e: Emitter;
  private readonly loop: Loop;
  private readonly body: FlatBody;
  private readonly writer: GroupWriter;
  /** Groups in a chunk: all of a register's, or enough that short bodies overlap. */
  private readonly chunk: number;

  constructor(k: KernelEmitter, loop: Loop) {
    this.k = k;
    this.e = k.e;
    this.loop = loop;
    this.body = flatten(loop, k.scopes, k.values);
    this.writer = new GroupWriter(k, loop.index);
    const length = this.body.items.filter((item) => item.kind !== "define" || !item.value.uniform).length;
    const byLength = length <= 12 ? 4 : length <= 32 ? 2 : 1;
    this.chunk = Math.max(byLength, this.body.lanes / 4);
  }

  emit(): void {
    const { extent } = this.loop;
    if (this.body.items.length === 0 || maxOf(extent) === 0) return;
    this.e.scoped(() => {
      if (boundsOf(extent).min > 0) return this.whole();
      this.e.size(extent)();
      this.e.code.if(() => this.whole());
    });
  }

  private whole(): void {
    const { extent, lockstep } = this.loop;
    if (typeof extent !== "number") return this.lateExtent(extent);
    const groups = Math.ceil(extent / 4);
    const isShort = groups * this.body.items.length <= straightLimit || (lockstep && groups <= 8);
    if (groups <= this.chunk || isShort) return this.groups(staticGroups(extent));
    const width = 4 * this.chunk;
    this.withCounter((counter) => {
      this.chunks(counter, width, this.e.i32(extent - (extent % width)), true);
      this.tail(counter, () => this.groups(staticGroups(extent % width)));
    });
  }

  /** Whole chunks, then whole groups where registers allow, then what is left behind a mask. */
  private lateExtent(extent: Size): void {
    const { e, body } = this;
    const { max } = boundsOf(extent);
    const end = e.size(extent);
    const width = 4 * this.chunk;
    const isSmallRegister = body.lanes <= 4;
    this.withCounter((counter) => {
      const wholes = (n: number): Push =>
        e.keep("i32", () => {
          end();
          end();
          e.code.i32(n);
          e.code.op("i32.rem_u");
          e.code.op("i32.sub");
        });
      if (max >= width) this.chunks(counter, width, wholes(width), true);
      if (isSmallRegister && this.chunk > 1 && max >= 4) this.chunks(counter, 4, wholes(4), max < width);
      const left = e.keep("i32", () => {
        end();
        e.code.get(counter);
        e.code.op("i32.sub");
      });
      const groups = isSmallRegister ? 1 : Math.min(this.chunk, Math.ceil(max / 4));
      this.tail(counter, () => {
        for (let g = 0; g < groups; g++) this.maskedGroup(left, 4 * g);
      });
    });
  }

  private maskedGroup(left: Push, offset: number): void {
    const { e } = this;
    left();
    e.code.i32(offset);
    e.code.op("i32.gt_s");
    e.code.if(() => {
      const rest = e.keep("i32", () => {
        left();
        e.code.i32(offset);
        e.code.op("i32.sub");
      });
      const count = e.keep("i32", () => {
        rest();
        e.code.i32(4);
        rest();
        e.code.i32(4);
        e.code.op("i32.lt_s");
        e.code.op("select");
      });
      const mask = e.keep("v128", () => {
        count();
        e.code.op("i32x4.splat");
        e.lanes32([0, 1, 2, 3])();
        e.code.op("i32x4.gt_s");
      });
      this.groups([{ offset, active: { kind: "local", count, mask } }]);
    });
  }

  /** With what is the same in all lanes computed, and a counter at 0. */
  private withCounter(body: (counter: number) => void): void {
    const { e, writer } = this;
    this.uniforms();
    const counter = e.locals.take("i32");
    e.code.i32(0);
    e.code.set(counter);
    writer.hasCounter = true;
    body(counter);
    writer.hasCounter = false;
    e.locals.give(counter);
  }

  private uniforms(): void {
    const { writer } = this;
    for (const item of this.body.items) {
      if (item.kind === "define" && item.value.uniform) writer.uniform(item.value);
      const operands = item.kind === "define" ? item.value.operands : [item.value];
      for (const flat of operands) if (flat.uniform && flat.needsVector) writer.splatOf(flat);
    }
  }

  /** Runs chunks of `width` lanes while the counter is below `end`. */
  private chunks(counter: number, width: number, end: Push, isFirst: boolean): void {
    const { e, k } = this;
    const scope = new Scope(this.loop.index, counter, { start: isFirst ? undefined : e.local(counter) });
    k.scopes.inside(scope, () => this.groups(staticGroups(width)));
    const stores = this.body.items.some((item) => item.kind === "store");
    (stores ? emitStoringLoop : emitLoop)(e, scope, { counter, step: width, limit: end });
  }

  /** After the chunks: addresses start anew from the counter. */
  private tail(counter: number, body: () => void): void {
    const { e, k } = this;
    const scope = new Scope(this.loop.index, counter, { start: e.local(counter) });
    k.scopes.inside(scope, body);
    e.code.append(scope.before);
    e.code.append(scope.body);
    scope.close(e);
  }

  private groups(groups: readonly Group[]): void {
    const { items, fewestLanes } = this.body;
    // In lockstep go as many groups as have registers of their own.
    const together = this.loop.lockstep ? Math.min(groups.length, fewestLanes / 4) : 1;
    for (let first = 0; first < groups.length; first += together)
      for (const at of items.keys())
        for (const group of groups.slice(first, first + together))
          this.e.scoped(() => this.writer.item(items[at]!, at, group));
  }
}

/** Groups of `count` lanes, the last one perhaps partial. */
const staticGroups = (count: number): Group[] =>
  Array.from({ length: Math.ceil(count / 4) }, (_, g) => ({
    offset: 4 * g,
    active: { kind: "known", count: Math.min(4, count - 4 * g) },
  }));
