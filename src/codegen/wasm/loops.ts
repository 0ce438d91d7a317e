/** Counted loops, and the part of a parallel loop that a thread does. */
import { type Size, subtractSizes } from "../../base/size.ts";
import type { Emitter, Push } from "./emitter.ts";
import { pushBinary } from "./scalar.ts";
import type { Scope } from "./scopes.ts";

/** While counter < limit, the counter rising by `step`; `start` is where it stands if not at 0. */
export interface Count {
  readonly counter: number;
  readonly step: number;
  readonly limit: Push;
  readonly start?: Push;
}

/**
 * The loop is left at its top, before an iteration: so what an iteration computes is used by the next one only, which
 * lets V8's scheduler put each load next to its use. Left at the bottom, sums would also be used behind the loop, and all
 * loads of an iteration would come first: more values than there are registers.
 */
export function emitLoop(e: Emitter, scope: Scope, { counter, step, limit }: Count): void {
  e.code.append(scope.before);
  e.code.block(() => {
    e.code.loop(() => {
      e.code.get(counter);
      limit();
      e.code.op("i32.ge_s");
      e.code.branchIf(1);
      e.code.append(scope.body);
      scope.advance(e, step);
      e.code.get(counter);
      e.code.i32(step);
      e.code.op("i32.add");
      e.code.set(counter);
      e.code.branch(0);
    });
  });
  scope.close(e);
}

/**
 * A loop that stores: left at its bottom, so that all of an iteration dominates the way out. Only then does V8 keep what is
 * the same in every iteration before the loop: it would compute constants and a row's folded sum again and again. The
 * loads stay between the stores, in their places.
 */
export function emitStoringLoop(e: Emitter, scope: Scope, { counter, step, limit }: Count): void {
  e.code.append(scope.before);
  e.code.block(() => {
    e.code.get(counter);
    limit();
    e.code.op("i32.ge_s");
    e.code.branchIf(0);
    e.code.loop(() => {
      e.code.append(scope.body);
      scope.advance(e, step);
      e.code.get(counter);
      e.code.i32(step);
      e.code.op("i32.add");
      e.code.tee(counter);
      limit();
      e.code.op("i32.lt_s");
      e.code.branchIf(0);
    });
  });
  scope.close(e);
}

/**
 * The loop around a register tile: several iterations written out, pointers and counter moved once for all of them, and
 * between two of them a way out. The sums that leave there hold each iteration's arithmetic in its place; without, V8
 * before Turboshaft puts the loads of all iterations first, and registers no longer suffice. Behind the loop the counter
 * says nothing.
 */
export function emitTileLoop(
  e: Emitter,
  scope: Scope,
  { counter, extent, copies }: { counter: number; extent: Size; copies: number },
  /** Writes the iteration `ahead` of where the counter stands. */
  iteration: (ahead: number) => void,
): void {
  const isBelow = (ahead: number): void => {
    e.code.get(counter);
    e.size(subtractSizes(extent, ahead))();
    e.code.op("i32.lt_s");
  };
  const leave = (): void => {
    e.code.op("i32.eqz");
    e.code.branchIf(1);
  };
  e.into(scope.body, () => {
    for (let ahead = 0; ahead < copies; ahead++) {
      if (ahead > 0) {
        isBelow(ahead);
        leave();
      }
      iteration(ahead);
      scope.advance(e, 1, "iteration");
    }
  });
  e.code.append(scope.before);
  isBelow(0);
  e.code.if(() => {
    e.code.loop(() => {
      e.code.append(scope.body);
      scope.advance(e, copies);
      e.code.get(counter);
      e.code.i32(copies);
      e.code.op("i32.add");
      e.code.set(counter);
      isBelow(0);
      e.code.branchIf(0);
    });
  });
  scope.close(e);
}

/** Contiguous runs of iterations, as equal as they can be. */
export function threadShare(
  e: Emitter,
  extent: Size,
  step: number,
): {
  /** Index of this thread's first iteration, and the index after its last. */
  readonly first: Push;
  readonly end: Push;
  /** Index after all whole iterations. */
  readonly whole: Push;
  readonly isLastThread: Push;
} {
  const { code } = e;
  const [thread, threads] = [e.local(1), e.local(2)];
  const iterations = e.keep("i32", () => {
    e.size(extent)();
    code.i32(step);
    code.op("i32.div_u");
  });
  const divided = (op: "i32.div_u" | "i32.rem_u"): Push =>
    e.keep("i32", () => {
      iterations();
      threads();
      code.op(op);
    });
  const [each, extra] = [divided("i32.div_u"), divided("i32.rem_u")];
  const pushIndex = (iteration: Push): void => {
    iteration();
    code.i32(step);
    code.op("i32.mul");
  };
  /** The first `extra` threads do one more. */
  const before = (number: Push): Push =>
    e.keep("i32", () =>
      pushIndex(() => {
        number();
        each();
        code.op("i32.mul");
        pushBinary(e, "min", "u32", number, extra);
        code.op("i32.add");
      }),
    );
  const next = e.keep("i32", () => {
    thread();
    code.i32(1);
    code.op("i32.add");
  });
  return {
    first: before(thread),
    end: before(next),
    whole: e.keep("i32", () => pushIndex(iterations)),
    isLastThread: () => {
      next();
      threads();
      code.op("i32.eq");
    },
  };
}
