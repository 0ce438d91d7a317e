/**
 * Scatters whose result is a state's new value: only the rows that they name need to be touched, not the whole table.
 *
 *   nothing else reads the result    the commit writes the rows: an embedding's update
 *   nothing else reads the state     the rows are written where they are computed, and their old values kept: a run that fails puts
 *                                    them back (`Program.undo`). What reads the result reads the state's memory: a cache of keys
 *
 * Otherwise the old value and the new one are both needed, and the new one is a copy.
 */
import type { Size } from "../base/size.ts";
import { sameSize } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { SourceOp } from "../graph/op.ts";
import type { State } from "../graph/state.ts";
import { contiguousView, type View } from "../graph/view.ts";
import { zeroAffine } from "../ir/affine.ts";
import type { ProgramStep } from "../ir/program.ts";
import type { Accesses } from "./access.ts";
import type { Cluster } from "./clusters.ts";
import type { Location } from "./kernel-context.ts";
import { lowerRows, type Place } from "./lower-indexed.ts";
import type { BlockLowering, Wanted } from "./lower-program.ts";

/** What in-place lowering knows of the block. */
export interface InPlaceQuestion {
  readonly clusters: readonly Cluster[];
  readonly wanted: readonly Wanted[];
  readonly accesses: Accesses;
  /** Who reads each root. */
  readonly readers: ReadonlyMap<Node, ReadonlySet<Node>>;
  /** Clusters that run in the commit. */
  readonly committing: ReadonlySet<Cluster>;
}

export interface InPlace {
  readonly state: State;
  /** When the rows are written. */
  readonly phase: "compute" | "commit";
}

/** The scatters that may write the state's own rows. */
export function findInPlace(question: InPlaceQuestion): Map<Node, InPlace> {
  const found = new Map<Node, InPlace>();
  for (const { kind, members } of question.clusters) {
    const [root] = members.keys();
    if (kind !== "single" || root!.op.kind !== "indexed" || root!.op.direction === "gather") continue;
    const state = stateReplaced(root!, question);
    const phase = state && phaseOf(root!, state, question);
    if (phase !== undefined) found.set(root!, { state: state!, phase });
  }
  return found;
}

/** The state that `root` scatters into and whose next value it is. */
function stateReplaced(root: Node, { wanted, accesses }: InPlaceQuestion): State | undefined {
  const data = accesses.inMemory(root.inputs[0]!);
  const state = stateOf(data.root);
  if (state === undefined || !isPlain(data.view, root.shape)) return undefined;
  const next = wanted.find((to) => to.state === state);
  if (next === undefined) return undefined;
  const { root: source, view } = accesses.of(next.node);
  return source === root && isPlain(view, root.shape) ? state : undefined;
}

function phaseOf(root: Node, state: State, question: InPlaceQuestion): InPlace["phase"] | undefined {
  const { wanted, accesses, readers, clusters, committing } = question;
  const isOld = (node: Node): boolean => stateOf(node) === state;
  const uses = wanted.map((to) => ({ to, source: accesses.of(to.node).root }));
  const readersOfOld = [...readers].flatMap(([node, by]) => (isOld(node) ? [...by] : []));
  const isReplacedOnly = uses.every(({ to, source }) => to.state === state || source !== root);
  // What the rows come from must keep its value until they are written.
  const isFirm = root.inputs.slice(1).every((input) => stateOf(accesses.inMemory(input).root) === undefined);
  const readInCommit = clusters.some(
    (cluster) => committing.has(cluster) && readersOfOld.some((reader) => cluster.members.has(reader)),
  );
  if (isReplacedOnly && isFirm && !readInCommit && (readers.get(root)?.size ?? 0) === 0) return "commit";
  const isOldNeeded =
    readersOfOld.some((reader) => reader !== root) ||
    uses.some(({ source }) => isOld(source)) ||
    root.inputs.slice(1).some((input) => isOld(accesses.inMemory(input).root));
  return isOldNeeded ? undefined : "compute";
}

function stateOf({ op, attributes }: Node): State | undefined {
  const isState = op.kind === "source" && (op as SourceOp).source === "state";
  return isState ? (attributes as { state: State }).state : undefined;
}

function isPlain(view: View, shape: readonly Size[]): boolean {
  const whole = contiguousView(shape);
  return (
    view.shape.length === shape.length &&
    sameSize(view.offset, 0) &&
    shape.every((size, i) => size === 1 || sameSize(view.strides[i]!, whole.strides[i]!))
  );
}

/** Where the steps of a program go. */
export interface Phases {
  readonly compute: ProgramStep[];
  readonly commit: ProgramStep[];
  readonly undo: ProgramStep[];
}

/** The steps of a scatter in place. `table` is the state's memory. */
export function lowerInPlace(
  block: BlockLowering,
  { root, accesses, table: location }: { root: Node; accesses: Accesses; table: Location },
  phase: InPlace["phase"],
  { compute, commit, undo }: Phases,
): void {
  const [indices, updates] = root.inputs.slice(1).map((input): Place => {
    const access = accesses.inMemory(input);
    return { location: block.locate(access.root), view: access.view };
  });
  const table: Place = { location, view: contiguousView(root.shape) };
  const own = (of: Node, name: string): Place => {
    const buffer = block.bufferOf(of, `${name}${root.id}`);
    return { location: { buffer, base: zeroAffine }, view: contiguousView(of.shape) };
  };
  const step = (what: Parameters<typeof lowerRows>[2]): ProgramStep =>
    block.program.callOf(lowerRows(root, block.context(), what), block.loops);
  if (phase === "commit") {
    // Nothing may fail once the commit has begun.
    const checked = own(root.inputs[1]!, "checked");
    compute.push(step({ step: "check", indices: indices!, table: checked }));
    commit.push(step({ step: "write", indices: checked, table, rows: updates! }));
    return;
  }
  const saved = own(root.inputs[2]!, "saved");
  compute.push(step({ step: "save", indices: indices!, table, rows: saved }));
  compute.push(step({ step: "write", indices: indices!, table, rows: updates! }));
  undo.push(step({ step: "restore", indices: indices!, table, rows: saved }));
}
