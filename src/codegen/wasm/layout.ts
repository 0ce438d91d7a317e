/**
 * The argument block: what a run hands to the generated code and what it reports back, in memory.
 *
 *     byte   0  i32   status: 0, or 1 + the number of the failed check
 *            4  i32   its position
 *            8  f64   the value that failed
 *           16  i32   which step of the program it was (earlier steps win)
 *           20  i32   lock of the status
 *           24  i32   number of threads in this run
 *           28  i32   address of the barrier block
 *           32  i32   value of each dimension of the program, then the addresses of the arena, the inputs, the states,
 *                     the results and the arrays, in the program's order
 *
 * The barrier block belongs to the threads, not to a run, since a thread may leave a barrier late:
 *
 *     byte   0  i32   threads that have arrived
 *            4  i32   threads that sleep
 *            8  i32   1 if thread 0 may sleep (a browser's main thread may not)
 *           64  i32   generation, which the last one to arrive raises
 *           68  i32   not 0 when a thread has died: nobody waits any more
 */
import { InternalError } from "../../base/errors.ts";
import type { Dimension } from "../../base/size.ts";
import type { Placement, Program } from "../../ir/program.ts";

export const statusOffset = 0;
export const positionOffset = 4;
export const valueOffset = 8;
export const stepOffset = 16;
export const lockOffset = 20;
export const threadsOffset = 24;
export const barrierOffset = 28;
const firstDimension = 32;

export const barrierBlock = {
  arrived: 0,
  sleepers: 4,
  mayBlock: 8,
  generation: 64,
  died: 68,
  bytes: 128,
} as const;

export class ArgumentLayout {
  readonly bytes: number;
  /** Offsets of the first of each. */
  readonly dimensions = firstDimension;
  readonly arena: number;
  readonly inputs: number;
  readonly states: number;
  readonly results: number;
  readonly arrays: number;
  private readonly program: Program;

  constructor(program: Program) {
    this.program = program;
    this.arena = firstDimension + 4 * program.dimensions.length;
    this.inputs = this.arena + 4;
    this.states = this.inputs + 4 * program.inputs.length;
    this.results = this.states + 4 * program.states.length;
    this.arrays = this.results + 4 * program.results.length;
    this.bytes = this.arrays + 4 * program.arrays.length;
  }

  /** Where a dimension's value lies. */
  dimension(dimension: Dimension): number {
    return this.at(firstDimension, this.program.dimensions.indexOf(dimension), `dimension ${dimension.name}`);
  }
  /** Where the address of a buffer outside the arena lies. */
  address(placement: Exclude<Placement, { kind: "arena" }>): number {
    const { program } = this;
    switch (placement.kind) {
      case "input":
        return this.at(this.inputs, placement.position, "an input");
      case "result":
        return this.at(this.results, placement.position, "a result");
      case "state":
        return this.at(this.states, program.states.indexOf(placement.state), "a state");
      case "array": {
        const position = program.arrays.findIndex(({ array }) => array === placement.array);
        return this.at(this.arrays, position, "an array");
      }
    }
  }
  private at(first: number, position: number, what: string): number {
    if (position < 0) throw new InternalError(`${what} is not listed in program ${this.program.name}`);
    return first + 4 * position;
  }
}
