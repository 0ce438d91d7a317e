/**
 * Movement ops cost nothing: every input of a computing node is a strided view of some *root* (a node that owns memory).
 *
 * Precondition: a graph. Postcondition: `of(node)` gives root and view for every node; movement nodes that no strided
 * view can say are listed as `copies`, and are then roots themselves.
 */
import { InternalError } from "../base/errors.ts";
import type { Node } from "../graph/node.ts";
import { contiguousView, type View } from "../graph/view.ts";

export interface Access {
  readonly root: Node;
  readonly view: View;
  /** Reads the root's copy, not what the root itself is (a counter or constant put into memory, a movement node). */
  readonly isCopy: boolean;
  /** Read to compute again what was not kept: no kernel may compute the root and this at once, or it would be kept after all. */
  readonly isAgain?: boolean;
}

export class Accesses {
  /** Roots that are computed by copying what they view: movement nodes and counters whose consumers need real memory. */
  readonly copies = new Set<Node>();
  /** What each root reads (`clusters.ts`), once all accesses are resolved. */
  readonly reads = new Map<Node, readonly Access[]>();
  private readonly known = new Map<Node, Access>();

  of(node: Node): Access {
    let access = this.known.get(node);
    if (access === undefined) this.known.set(node, (access = this.resolve(node)));
    return access;
  }

  /** The same element order in memory of its own: the node itself if it is a root with a buffer, else a copy of it. */
  copied(node: Node): Access {
    const access = this.of(node);
    const { root } = access;
    if (root === node && hasMemory(root)) return access;
    this.copies.add(node);
    return { root: node, view: contiguousView(node.shape), isCopy: true };
  }

  /** An access whose root has memory of its own (constants and counters have none). */
  inMemory(node: Node): Access {
    const access = this.of(node);
    return hasMemory(access.root) ? access : this.copied(node);
  }

  private resolve(node: Node): Access {
    const { op } = node;
    if (op.kind === "source" && op.source === "iota")
      return { root: node, view: counterView(node), isCopy: false };
    if (op.kind !== "movement") return { root: node, view: contiguousView(node.shape), isCopy: false };
    const input = node.inputs[0]!;
    const through = this.of(input);
    const view = op.view(through.view, node.attributes as never, node);
    if (view !== undefined) return { ...through, view, ...(op.isBarrier && { isAgain: true }) };
    const copied = this.copied(input);
    const again = op.view(copied.view, node.attributes as never, node);
    if (again === undefined) throw new InternalError(`${op.name} has no view of a contiguous input`);
    return { ...copied, view: again };
  }
}

/** Constants and counters are values of the code, not of memory. */
export const hasMemory = (root: Node): boolean =>
  root.op.kind !== "source" || (root.op.source !== "constant" && root.op.source !== "iota");

/** A counter as a view of the number line: the "address" of an element is its value. */
function counterView(node: Node): View {
  const { axis } = node.attributes as { axis: number };
  return { shape: node.shape, strides: node.shape.map((_, i) => (i === axis ? 1 : 0)), offset: 0 };
}
