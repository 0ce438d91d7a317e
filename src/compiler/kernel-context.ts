/** What lowering one kernel needs from the program around it: memory for roots, scratch, and numbers for checks. */
import type { DType } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import type { Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import { addAffine, zeroAffine } from "../ir/affine.ts";
import type { Affine, Index, Kernel, KernelBuffer, Statement } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import type { TargetDescription } from "../ir/target.ts";

/** Where a root's elements lie: at `base` + the view's address within a buffer of the program. */
export interface Location {
  readonly buffer: ProgramBuffer;
  /** In counters of the program's loops: a scan's slice moves with the iteration. */
  readonly base: Affine;
}

type MutableBuffer = { -readonly [K in keyof KernelBuffer]: KernelBuffer[K] };

export interface KernelHost {
  locate(root: Node): Location;
  newBuffer(name: string, dtype: DType, elements: number, scope: "program" | "thread"): ProgramBuffer;
  checkNumber(node: Node): number;
  /** Counters of the program's loops that enclose the step being lowered. */
  readonly loops: readonly { readonly index: Index; readonly extent: Size }[];
  readonly target: TargetDescription;
}

export class KernelContext {
  readonly host: KernelHost;
  private readonly buffers = new Map<ProgramBuffer, MutableBuffer>();

  constructor(host: KernelHost) {
    this.host = host;
  }

  /** The kernel's handle of a program buffer; `store` says that the kernel writes it. */
  bufferFor(buffer: ProgramBuffer, use: "load" | "store", known?: ArrayLike<number>): KernelBuffer {
    let handle = this.buffers.get(buffer);
    if (handle === undefined) {
      const { name, dtype, elements } = buffer;
      const scope = buffer.scope === "thread" ? "thread" : "program";
      const access = use === "load" ? "read" : "write";
      handle = { name, dtype, elements, scope, access, ...(known && { known }) };
      this.buffers.set(buffer, handle);
    } else if (handle.access !== (use === "load" ? "read" : "write")) handle.access = "readwrite";
    return handle;
  }

  /** Buffer and address of the element at `address` of a root's memory. */
  element(root: Node, address: Affine, use: "load" | "store"): { buffer: KernelBuffer; address: Affine } {
    return this.elementOf(this.host.locate(root), address, use);
  }

  elementOf(
    location: Location,
    address: Affine,
    use: "load" | "store",
  ): { buffer: KernelBuffer; address: Affine } {
    return { buffer: this.bufferFor(location.buffer, use), address: addAffine(location.base, address) };
  }

  scratch(name: string, dtype: DType, elements: number): KernelBuffer {
    const handle = this.bufferFor(this.host.newBuffer(name, dtype, elements, "thread"), "load");
    (handle as MutableBuffer).access = "readwrite";
    return handle;
  }

  checkSite(node: Node, position: Affine = zeroAffine): { check: number; position: Affine } {
    return { check: this.host.checkNumber(node), position };
  }

  finish(
    name: string,
    body: readonly Statement[],
    cost: Kernel["cost"],
  ): { kernel: Kernel; buffers: readonly ProgramBuffer[] } {
    const kernel: Kernel = {
      name,
      buffers: [...this.buffers.values()],
      parameters: this.host.loops,
      body,
      cost,
    };
    return { kernel, buffers: [...this.buffers.keys()] };
  }

  /** The program's buffer behind a handle. */
  memoryOf(handle: KernelBuffer): ProgramBuffer {
    for (const [buffer, known] of this.buffers) if (known === handle) return buffer;
    const other = this.aliases.get(handle);
    if (other !== undefined) return this.memoryOf(other);
    throw new InternalError(`no memory behind ${handle.name}`);
  }

  /** Another handle on the memory of one: it is read as elements of another dtype. */
  alias(handle: KernelBuffer, of: KernelBuffer): void {
    this.aliases.set(handle, of);
  }
  private readonly aliases = new Map<KernelBuffer, KernelBuffer>();

  /** Pairs scratch that a lowering made by itself with memory of the program. */
  adopt(handle: KernelBuffer, buffer: ProgramBuffer): void {
    this.buffers.set(buffer, handle as MutableBuffer);
  }
}
