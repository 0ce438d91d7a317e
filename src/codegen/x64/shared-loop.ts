/**
 * A parallel loop on several threads. Each has a share of the iterations, the same one in every kernel of as many iterations, so
 * that what it wrote in one kernel is in its cache in the next. It claims them from its share a few at a time, and when that
 * is done from the others': a thread that is held up holds up nobody. Iterations touch disjoint memory: who runs them
 * changes nothing.
 */
import type { Loop } from "../../ir/kernel.ts";
import { at, type Label, type Register } from "./assembler/operands.ts";
import type { Emitter } from "./emitter.ts";
import type { KernelEmitter } from "./kernel.ts";
import { pool, poolOffset, record } from "./layout.ts";
import { Scope } from "./scopes.ts";

/** More: better shared out; fewer: less claiming. */
const claimsOfShare = 6;

export class SharedLoop {
  private readonly k: KernelEmitter;
  private readonly e: Emitter;
  private readonly loop: Loop;
  /** A parallel loop in this one, whose iterations are claimed one by one. */
  private readonly inner: Loop | undefined;

  constructor(k: KernelEmitter, loop: Loop) {
    this.k = k;
    this.e = k.e;
    this.loop = loop;
    const last = loop.body.at(-1);
    this.inner = last?.kind === "loop" && last.mode === "parallel" ? last : undefined;
  }

  emit(): void {
    const { k, e, loop, inner } = this;
    const { code } = e;
    const { index, extent, step, remainder } = loop;
    const thread = e.fromRecord(record.thread);
    const steps = e.inRegister(e.size(extent));
    const outer = step === 1 ? steps : k.quotient(steps, e.inRegister(step));
    const iterations = inner === undefined ? outer : e.multiplied(outer, inner.extent);
    const prepared = code.general();
    if (inner !== undefined) code.emit("mov", prepared, -1);
    this.claims(iterations, (first, end) => {
      if (inner === undefined) this.run(first, end);
      else this.runPiece(inner, first, prepared);
    });
    if (step === 1 || remainder.length === 0) return;
    // The caller, who alone is sure to come, takes the remainder.
    const done = code.label();
    code.emit("cmp", thread, 0);
    code.emit("jne", done);
    const rest = new Scope(index, e.multiplied(outer, step), true);
    k.scopes.inside(rest, () => k.block(remainder));
    k.counted(rest, { step: 1, end: e.size(extent), runs: false });
    code.bind(done);
  }

  /** Calls `body` for what this thread claims: iterations from the first on, before the end. */
  private claims(iterations: Register, body: (first: Register, end: Register) => void): void {
    const { k, e } = this;
    const { code } = e;
    const [thread, threads] = [e.fromRecord(record.thread), e.fromRecord(record.threads)];
    const meeting = e.atStart((target) => code.emit("mov", target, at(e.argumentBlock, poolOffset)));
    const [owner, left, taken, first, end] = [0, 1, 2, 3, 4].map(() => code.general()) as [
      ...[Register, Register, Register, Register, Register],
    ];
    code.emit("mov", owner, thread);
    code.emit("mov", left, threads);
    const [share, next, whole, nextShare]: Label[] = [0, 1, 2, 3].map(() => code.label());
    code.mark("loopStart");
    code.bind(share!);
    const [before, after] = this.boundsOf(owner, iterations, threads);
    const place = e.multiplied(owner, pool.shareBytes);
    code.emit("add", place, meeting);
    const chunk = code.general();
    if (this.inner !== undefined) code.emit("mov", chunk, 1);
    else {
      const length = code.general();
      code.emit("mov", length, after);
      code.emit("sub", length, before);
      code.emit("mov", chunk, k.quotient(length, e.inRegister(claimsOfShare)));
      code.emit("add", chunk, 1);
    }
    code.mark("loopStart");
    code.bind(next!);
    code.emit("mov", taken, chunk);
    code.emit("lock xadd", at(place, pool.shares), taken);
    code.emit("mov", first, before);
    code.emit("add", first, taken);
    code.emit("cmp", first, after);
    code.emit("jge", nextShare!);
    code.emit("mov", end, first);
    code.emit("add", end, chunk);
    code.emit("cmp", end, after);
    code.emit("jle", whole!);
    code.emit("mov", end, after);
    code.bind(whole!);
    body(first, end);
    code.emit("jmp", next!);
    code.mark("loopEnd");
    code.bind(nextShare!);
    this.advance(owner, threads);
    code.emit("sub", left, 1);
    code.emit("jne", share!);
    code.mark("loopEnd");
  }

  /** Where an owner's share begins and ends. */
  private boundsOf(owner: Register, iterations: Register, threads: Register): [Register, Register] {
    const { k, e } = this;
    const { code } = e;
    const product = code.general();
    code.emit("mov", product, iterations);
    code.emit("imul", product, owner);
    const before = k.quotient(product, threads);
    code.emit("add", product, iterations);
    return [before, k.quotient(product, threads)];
  }

  /** The next owner; after the last comes the first. */
  private advance(owner: Register, threads: Register): void {
    const { code } = this.e;
    const inside = code.label();
    code.emit("add", owner, 1);
    code.emit("cmp", owner, threads);
    code.emit("jl", inside);
    code.emit("mov", owner, 0);
    code.bind(inside);
  }

  /** Iterations one after the other. */
  private run(first: Register, end: Register): void {
    const { k, e } = this;
    const { index, step, body } = this.loop;
    const [counter, limit] = [e.multiplied(first, step), e.multiplied(end, step)];
    e.code.emit("sub", limit, step);
    const main = new Scope(index, counter, true);
    k.scopes.inside(main, () => k.block(body));
    k.counted(main, { step, end: limit, runs: true, limit });
  }

  /** One iteration of the inner loop; `prepared` says for which iteration of the outer one this thread is prepared. */
  private runPiece(inner: Loop, piece: Register, prepared: Register): void {
    const { k, e } = this;
    const { code } = e;
    const extent = e.size(inner.extent);
    const at = k.quotient(piece, e.inRegister(extent));
    const within = code.general();
    code.emit("mov", within, piece);
    code.emit("sub", within, e.multiplied(at, inner.extent));
    const outer = new Scope(this.loop.index, at, true);
    k.scopes.inside(outer, () => {
      const preparation = this.loop.body.slice(0, -1);
      if (preparation.length > 0) {
        const isPrepared = code.label();
        code.emit("cmp", prepared, at);
        code.emit("je", isPrepared);
        code.emit("mov", prepared, at);
        k.block(preparation);
        code.bind(isPrepared);
      }
      const scope = new Scope(inner.index, within, true);
      k.scopes.inside(scope, () => k.block(inner.body));
      code.append(scope.before);
      code.append(scope.body);
    });
    code.append(outer.before);
    code.append(outer.body);
  }
}
