/** A program while it is lowered: its buffers, checks and kernels, which blocks name by what they stand for. */
import { bytesOf, type DType } from "../base/dtype.ts";
import { maxElementCount } from "../base/shape.ts";
import type { Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { State } from "../graph/state.ts";
import type { Index } from "../ir/kernel.ts";
import type { Check, Placement, ProgramBuffer, ProgramStep } from "../ir/program.ts";
import type { TargetDescription } from "../ir/target.ts";
import { type KernelCall, SameClusters } from "./same-clusters.ts";
import { SameKernels } from "./same-kernels.ts";

/** Steps and buffers before memory is planned: arena buffers have offset −1. */
export interface ProgramDraft {
  readonly buffers: readonly ProgramBuffer[];
  readonly inputs: readonly ProgramBuffer[];
  readonly arrays: readonly { readonly array: object; readonly buffer: ProgramBuffer }[];
  readonly states: readonly State[];
  readonly results: readonly {
    readonly shape: readonly Size[];
    readonly dtype: DType;
    readonly buffer: ProgramBuffer;
  }[];
  readonly compute: readonly ProgramStep[];
  readonly commit: readonly ProgramStep[];
  readonly undo: readonly ProgramStep[];
  readonly checks: readonly Check[];
}

/** A loop of the program, and so not of a kernel. */
export type LoopOfProgram = { readonly index: Index; readonly extent: Size };

export interface LowerOptions {
  readonly target: TargetDescription;
  readonly isFused: boolean;
}

/** Copies of threads begin in lines of their own. */
const lineBytes = 64;

/** What all blocks of a program share: its buffers, checks and kernels. */
export class ProgramParts {
  readonly target: TargetDescription;
  readonly isFused: boolean;
  /** Loops whose iterations are independent of each other. */
  readonly independent = new Set<ProgramStep>();
  readonly buffers: ProgramBuffer[] = [];
  readonly arrays: { array: object; buffer: ProgramBuffer }[] = [];
  readonly stateBuffers = new Map<State, ProgramBuffer>();
  readonly checks: Check[] = [];
  private readonly checkNumbers = new Map<Node, number>();
  private readonly kernels = new SameKernels();
  readonly clusters = new SameClusters();

  constructor({ target, isFused }: LowerOptions) {
    this.target = target;
    this.isFused = isFused;
  }

  newBuffer(
    name: string,
    dtype: DType,
    elements: number,
    scope: ProgramBuffer["scope"],
    placement?: Placement,
  ): ProgramBuffer {
    const bytes = elements * bytesOf(dtype);
    const stride = scope === "iteration" ? Math.ceil(bytes / lineBytes) * lineBytes : bytes;
    const buffer: ProgramBuffer = {
      name,
      dtype,
      elements,
      bytes: stride,
      scope,
      placement: placement ?? { kind: "arena", offset: -1 },
    };
    this.buffers.push(buffer);
    return buffer;
  }

  bufferOf(node: Node, name: string, placement?: Placement): ProgramBuffer {
    return this.newBuffer(name, node.dtype, maxElementCount(node.shape), "program", placement);
  }

  stateBuffer(state: State): ProgramBuffer {
    let buffer = this.stateBuffers.get(state);
    if (buffer === undefined) {
      const elements = maxElementCount(state.shape);
      buffer = this.newBuffer(state.name, state.dtype, elements, "program", { kind: "state", state });
      this.stateBuffers.set(state, buffer);
    }
    return buffer;
  }

  arrayBuffer(array: object, node: Node): ProgramBuffer {
    const found = this.arrays.find((entry) => entry.array === array);
    if (found !== undefined) return found.buffer;
    const buffer = this.bufferOf(node, `array${this.arrays.length}`, { kind: "array", array });
    this.arrays.push({ array, buffer });
    return buffer;
  }

  callOf({ kernel, buffers }: KernelCall, loops: readonly LoopOfProgram[]): ProgramStep {
    const counters = loops.map(({ index }) => index);
    return { kind: "call", kernel: this.kernels.of(kernel), buffers, counters };
  }

  checkNumber(node: Node): number {
    let number = this.checkNumbers.get(node);
    if (number === undefined) {
      number = this.checks.length;
      const { size } = node.attributes as { size?: Size };
      this.checks.push({
        node,
        kind: size === undefined ? "condition" : "index",
        ...(size !== undefined && { size }),
      });
      this.checkNumbers.set(node, number);
    }
    return number;
  }
}
