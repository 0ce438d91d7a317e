/**
 * Clusters that compute the same over other memory are lowered once: the layers of a model repeat, so most clusters do.
 * The others call the kernels that the first one gave, with their own buffers.
 *
 * Two clusters are the same when all that lowering asks of them is: members, levels, what each reads through which view,
 * which of their buffers are one, and how they move with the loops of the program around. Clusters with checks or carried
 * sums are lowered each by itself: what they stand for is not told by their own members alone.
 */
import { hasMachineCode } from "#platform";
import { InternalError } from "../base/errors.ts";
import { type Size, sizeKey } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import { attributesKey } from "../graph/trace.ts";
import { affineKey } from "../ir/affine.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import { type Access, type Accesses, hasMemory } from "./access.ts";
import { type Cluster, readsOf } from "./clusters.ts";
import type { KernelHost, Location } from "./kernel-context.ts";

export interface ClusterRequest {
  readonly cluster: Cluster;
  readonly accesses: Accesses;
  /** Members that others need, with the memory they go to. */
  readonly outputs: ReadonlyMap<Node, Location>;
  readonly host: KernelHost;
}

export interface KernelCall {
  readonly kernel: Kernel;
  readonly buffers: readonly ProgramBuffer[];
}

/** What lowering made of the first of equal clusters. */
interface Recipe {
  readonly calls: readonly { readonly kernel: Kernel; readonly places: readonly number[] }[];
  /** Memory that lowering asked for; its places come after those of the cluster's own. */
  readonly made: readonly ProgramBuffer[];
}

export class SameClusters {
  private readonly recipes = new Map<string, Recipe>();
  private readonly opNumbers = new Map<object, number>();

  /** The calls that compute a cluster: by `lower` with the host it is given, or as an equal cluster before. */
  lower(request: ClusterRequest, lower: (host: KernelHost) => readonly KernelCall[]): readonly KernelCall[] {
    const { cluster, host } = request;
    if (!isShareable(cluster)) return lower(host);
    const { text, memory } = new ClusterText(request, this.opNumbers).written();
    const known = this.recipes.get(text);
    if (known !== undefined) return repeat(known, memory, host);
    const made: ProgramBuffer[] = [];
    const calls = lower({
      ...host,
      newBuffer: (...parts) => {
        const buffer = host.newBuffer(...parts);
        made.push(buffer);
        return buffer;
      },
    });
    this.recipes.set(text, recipeOf(calls, [...memory, ...made], made));
    return calls;
  }
}

function isShareable({ members, carried, carriedBy }: Cluster): boolean {
  if (carried !== undefined || carriedBy !== undefined) return false;
  for (const { op } of members.keys()) if (op.kind === "elementwise" && op.reports) return false;
  return true;
}

function recipeOf(
  calls: readonly KernelCall[],
  memory: readonly ProgramBuffer[],
  made: readonly ProgramBuffer[],
): Recipe {
  const numbers = new Map(memory.map((buffer, place) => [buffer, place]));
  const placeOf = (buffer: ProgramBuffer): number => {
    const place = numbers.get(buffer);
    if (place === undefined) throw new InternalError(`${buffer.name} is not among its cluster's memory`);
    return place;
  };
  return { calls: calls.map(({ kernel, buffers }) => ({ kernel, places: buffers.map(placeOf) })), made };
}

function repeat({ calls, made }: Recipe, own: readonly ProgramBuffer[], host: KernelHost): KernelCall[] {
  const again = made.map(({ name, dtype, elements, scope }) =>
    host.newBuffer(name, dtype, elements, scope === "thread" ? "thread" : "program"),
  );
  const memory = [...own, ...again];
  return calls.map(({ kernel, places }) => ({ kernel, buffers: places.map((place) => memory[place]!) }));
}

/** A cluster as text in which members and buffers are numbers: equal texts, equal kernels. */
class ClusterText {
  private readonly request: ClusterRequest;
  private readonly opNumbers: Map<object, number>;
  private readonly parts: string[] = [];
  private readonly memberNumbers: ReadonlyMap<Node, number>;
  private readonly bufferNumbers = new Map<ProgramBuffer, number>();

  constructor(request: ClusterRequest, opNumbers: Map<object, number>) {
    this.request = request;
    this.opNumbers = opNumbers;
    const { members: own, operands = [] } = request.cluster;
    const inside = [...own.keys(), ...operands.flatMap((operand) => operand.members)];
    const members = inside.sort((a, b) => a.id - b.id);
    this.memberNumbers = new Map(members.map((member, i) => [member, i]));
  }

  written(): { text: string; memory: readonly ProgramBuffer[] } {
    const { cluster, outputs, host } = this.request;
    this.write(`${host.target.threads}`, sizesText(host.loops.map(({ extent }) => extent)));
    this.write(cluster.kind, sizesText(cluster.domain), `${cluster.axes}`);
    if (hasMachineCode && cluster.keepsRows) this.write("keeps rows");
    for (const member of this.memberNumbers.keys()) this.writeMember(member);
    for (const [member, location] of outputs) {
      this.write("out", `${this.memberNumbers.get(member)}`);
      this.writeLocation(location);
    }
    return { text: this.parts.join("|"), memory: [...this.bufferNumbers.keys()] };
  }

  private write(...parts: readonly string[]): void {
    for (const part of parts) this.parts.push(part);
  }

  private writeMember(member: Node): void {
    const { cluster, accesses } = this.request;
    this.write(cluster.members.get(member) ?? "operand", accesses.copies.has(member) ? "copy" : "");
    this.writeNode(member);
    for (const input of member.inputs) this.write(input.dtype, sizesText(input.shape));
    for (const access of readsOf(member, accesses)) this.writeAccess(access);
  }

  /** What a node computes or is, its inputs aside. */
  private writeNode({ op, attributes, dtype, shape }: Node): void {
    let number = this.opNumbers.get(op);
    if (number === undefined) this.opNumbers.set(op, (number = this.opNumbers.size));
    this.write(`op${number}`, attributesKey(attributes), dtype, sizesText(shape));
  }

  private writeAccess({ root, view, isCopy }: Access): void {
    this.write(isCopy ? "reads copy" : "reads");
    this.write(sizesText(view.shape), sizesText(view.strides), sizeKey(view.offset));
    const member = this.memberNumbers.get(root);
    if (member !== undefined) this.write(`member${member}`);
    else if (isCopy || hasMemory(root)) {
      this.write(root.dtype, sizesText(root.shape));
      this.writeLocation(this.request.host.locate(root));
    } else this.writeNode(root);
  }

  /** A root lies at its buffer's beginning, or moves with the program's loops. */
  private writeLocation({ buffer, base }: Location): void {
    const { loops } = this.request.host;
    this.write(affineKey(base, (index) => `${loops.findIndex((loop) => loop.index === index)}`));
    const known = this.bufferNumbers.get(buffer);
    if (known !== undefined) {
      this.write(`buffer${known}`);
      return;
    }
    this.bufferNumbers.set(buffer, this.bufferNumbers.size);
    this.write(buffer.dtype, `${buffer.elements}`, buffer.scope);
  }
}

const sizesText = (sizes: readonly Size[]): string => sizes.map(sizeKey).join(",");
