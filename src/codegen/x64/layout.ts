/**
 * The argument block: what a run hands to the generated code and what it reports back, in memory.
 *
 *     byte   0  i64   status: 0, or 1 + the number of the failed check
 *            8  i64   its position
 *           16  f64   the value that failed
 *           24  i64   which step of the program it was (earlier steps win)
 *           32  i64   the step that runs now
 *           40  i32   lock of the status
 *           44  i32   MXCSR while the code runs
 *           48  i64   address of the threads' block (`threads.ts`)
 *           56  i64   number of threads
 *           64  i64   value of each dimension of the program, then the addresses of the arena, the inputs, the states,
 *                     the results and the arrays, in the program's order
 */
import { InternalError } from "../../base/errors.ts";
import type { Dimension } from "../../base/size.ts";
import type { State } from "../../graph/state.ts";
import type { Placement } from "../../ir/program.ts";

export const statusOffset = 0;
export const positionOffset = 8;
export const valueOffset = 16;
export const failedStepOffset = 24;
export const stepOffset = 32;
export const lockOffset = 40;
export const modeOffset = 44;
export const poolOffset = 48;
export const threadsOffset = 56;
const firstDimension = 64;

/** Exceptions masked, to nearest; subnormals are zero, coming and going. */
export const flushSubnormals = 0x9fc0;
/** The mode that C and JavaScript run in. */
export const keepSubnormals = 0x1f80;

/** What a program is given. */
export interface ProgramArguments {
  readonly name: string;
  readonly dimensions: readonly Dimension[];
  readonly inputs: readonly unknown[];
  readonly states: readonly State[];
  readonly results: readonly unknown[];
  readonly arrays: readonly { readonly array: object }[];
}

export class ArgumentLayout {
  readonly bytes: number;
  /** Offsets of the first of each. */
  readonly dimensions = firstDimension;
  readonly arena: number;
  readonly inputs: number;
  readonly states: number;
  readonly results: number;
  readonly arrays: number;
  private readonly program: ProgramArguments;

  constructor(program: ProgramArguments) {
    this.program = program;
    this.arena = firstDimension + 8 * program.dimensions.length;
    this.inputs = this.arena + 8;
    this.states = this.inputs + 8 * program.inputs.length;
    this.results = this.states + 8 * program.states.length;
    this.arrays = this.results + 8 * program.results.length;
    this.bytes = this.arrays + 8 * program.arrays.length;
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
    return first + 8 * position;
  }
}

/**
 * The block in memory in which threads meet (`threads.ts`), each part in a cache line of its own:
 *
 *     byte   0  i32   generation: raised for each job; what sleepers wait on
 *           64  i32   how many sleep
 *          128  i32   how many of them are inside the job, or asking whether they may
 *          132  i32   1 while they may
 *          192  i64   the kernel
 *          200  i64   its record, of which every thread makes a copy with its own number
 *          208  i64   how many words the record has
 *          216  i32   MXCSR
 *          256  i64   pieces of work of a commit or a parallel loop of the program that have been claimed
 *          320  i64   of each thread's share of a kernel's parallel loop, how many iterations have been claimed; a line for each
 */
export const pool = {
  generation: 0,
  sleepers: 64,
  inside: 128,
  open: 132,
  kernel: 192,
  record: 200,
  words: 208,
  mode: 216,
  claimed: 256,
  shares: 320,
  shareBytes: 64,
} as const;

/** Of the block where so many threads meet. */
export const poolBytes = (threads: number): number => pool.shares + pool.shareBytes * threads;

/** What a kernel is called with: rdi points to 64-bit words on the caller's stack. */
export const record = {
  arguments: 0,
  thread: 8,
  threads: 16,
  /** Addresses of the buffers, then the values of the parameters. */
  first: 24,
} as const;
