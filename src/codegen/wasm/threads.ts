/** Functions that threads meet in: the barrier, and the report of a failed check. */
import { Code, Locals } from "./code.ts";
import {
  barrierBlock,
  barrierOffset,
  lockOffset,
  positionOffset,
  statusOffset,
  stepOffset,
  threadsOffset,
  valueOffset,
} from "./layout.ts";
import type { ModuleBuilder } from "./module.ts";

/** Looks at the generation before a thread sleeps: some tens of microseconds. */
const spins = 20_000;

/**
 * `barrier(arguments, thread)`: returns once all threads of the run have called it. The last to arrive raises the
 * generation; the others look at it for a while, then sleep.
 */
export function emitBarrier(module: ModuleBuilder): number {
  const index = module.declare();
  const locals = new Locals(2);
  const code = new Code();
  const [args, thread] = [0, 1];
  const generation = locals.take("i32");
  const left = locals.take("i32");
  const block = locals.take("i32");
  // Liftoff (V8 of Node 20) keeps the address of `wait32` in 8 bytes of the stack where it has made room for 4, and so
  // overwrites the slot before: that of the last local.
  locals.take("i32");
  const addTo = (offset: number, amount: number): void => {
    code.get(block);
    code.i32(amount);
    code.memory("i32.atomic.rmw.add", offset);
  };
  const raised = (): void => {
    code.get(block);
    code.memory("i32.atomic.load", barrierBlock.generation);
    code.get(generation);
    code.op("i32.ne");
    code.get(block);
    code.memory("i32.atomic.load", barrierBlock.died);
    code.op("i32.or");
  };
  code.get(args);
  code.memory("i32.load", barrierOffset);
  code.tee(block);
  code.memory("i32.atomic.load", barrierBlock.generation);
  code.set(generation);
  addTo(barrierBlock.arrived, 1);
  code.i32(1);
  code.op("i32.add");
  code.get(args);
  code.memory("i32.load", threadsOffset);
  code.op("i32.eq");
  code.if(
    () => {
      code.get(block);
      code.i32(0);
      code.memory("i32.atomic.store", barrierBlock.arrived);
      addTo(barrierBlock.generation, 1);
      code.op("drop");
      code.get(block);
      code.memory("i32.atomic.load", barrierBlock.sleepers);
      code.if(() => {
        code.get(block);
        code.i32(-1);
        code.memory("memory.atomic.notify", barrierBlock.generation);
        code.op("drop");
      });
    },
    () => {
      code.i32(spins);
      code.set(left);
      code.block(() => {
        code.loop(() => {
          raised();
          code.branchIf(1);
          code.get(left);
          code.i32(1);
          code.op("i32.sub");
          code.tee(left);
          code.branchIf(0);
          // Thread 0 of a browser's page goes on looking.
          code.get(thread);
          code.op("i32.eqz");
          code.get(block);
          code.memory("i32.load", barrierBlock.mayBlock);
          code.op("i32.eqz");
          code.op("i32.and");
          code.branchIf(0);
          addTo(barrierBlock.sleepers, 1);
          code.op("drop");
          code.get(block);
          code.get(generation);
          code.i64(-1);
          code.memory("memory.atomic.wait32", barrierBlock.generation);
          code.op("drop");
          addTo(barrierBlock.sleepers, -1);
          code.op("drop");
          raised();
          code.op("i32.eqz");
          code.branchIf(0);
        });
      });
    },
  );
  module.define(index, "barrier", { parameters: ["i32", "i32"], results: [] }, locals, [code]);
  return index;
}

/**
 * `report(arguments, check, position, value)`: keeps the failure that comes first by step, check, position and value,
 * whichever thread is faster. `step` is the global that counts the steps of the program.
 */
export function emitReport(module: ModuleBuilder, step: number, shared: boolean): number {
  const index = module.declare();
  const locals = new Locals(4);
  const code = new Code();
  const [args, check, position, value] = [0, 1, 2, 3];
  const status = locals.take("i32");
  code.get(check);
  code.i32(1);
  code.op("i32.add");
  code.set(status);
  if (shared) {
    code.loop(() => {
      code.get(args);
      code.i32(0);
      code.i32(1);
      code.memory("i32.atomic.rmw.cmpxchg", lockOffset);
      code.branchIf(0);
    });
  }
  const stored = (offset: number): void => {
    code.get(args);
    code.memory("i32.load", offset);
  };
  code.block(() => {
    code.block(() => {
      stored(statusOffset);
      code.op("i32.eqz");
      code.branchIf(0);
      const order = (push: () => void, offset: number, before: "i32.lt_u" | "i32.lt_s"): void => {
        push();
        stored(offset);
        code.op(before);
        code.branchIf(0);
        push();
        stored(offset);
        code.op("i32.ne");
        code.branchIf(1);
      };
      order(() => code.globalGet(step), stepOffset, "i32.lt_u");
      order(() => code.get(status), statusOffset, "i32.lt_u");
      order(() => code.get(position), positionOffset, "i32.lt_s");
      code.get(value);
      code.op("i64.reinterpret_f64");
      code.get(args);
      code.memory("f64.load", valueOffset);
      code.op("i64.reinterpret_f64");
      code.op("i64.lt_u");
      code.branchIf(0);
      code.branch(1);
    });
    const store = (offset: number, push: () => void): void => {
      code.get(args);
      push();
      code.memory("i32.store", offset);
    };
    store(statusOffset, () => code.get(status));
    store(positionOffset, () => code.get(position));
    store(stepOffset, () => code.globalGet(step));
    code.get(args);
    code.get(value);
    code.memory("f64.store", valueOffset);
  });
  if (shared) {
    code.get(args);
    code.i32(0);
    code.memory("i32.atomic.store", lockOffset);
  }
  const parameters = ["i32", "i32", "i32", "f64"] as const;
  module.define(index, "report", { parameters, results: [] }, locals, [code]);
  return index;
}
