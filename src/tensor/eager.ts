/**
 * Evaluation outside of `compile`: a read-out runs everything it needs and all pending state assignments as one program.
 *
 * Programs are kept by structure, so a loop that builds the same graph again pays for building it, not for compiling.
 */
import type { Node } from "../graph/node.ts";
import type { State } from "../graph/state.ts";
import { currentTrace, eagerTrace } from "../graph/trace.ts";
import { cpuDevice } from "../runtime/devices.ts";
import { type Handle, setComputed } from "./handle.ts";
import { launch } from "./launch.ts";
import type { Runnable } from "./program.ts";
import { functionOf, inputsOf, uncomputedOrder, type Work, workOf } from "./structure.ts";
import { type History, Value } from "./value.ts";

/** New nodes after which the eager trace evaluates itself, so that a loop that never reads stays flat. */
const longTrace = 700;
/** A value's graph is forgotten when it reaches back farther than this through values computed before. */
const longHistory = { nodes: 20_000, bytes: 256 * 2 ** 20 };
/** Handles whose graphs are kept after they were read, for gradients; older ones forget. */
const keptGraphs = 64;
const keptPrograms = 128;

const programs = new Map<string, Runnable>();
/** Handles made since the last evaluation: those still alive at an assignment may be read after it. */
let alive: WeakRef<Handle>[] = [];
let evaluated: WeakRef<Handle>[] = [];

/** To be called with every handle on a new node. */
export function register(handle: Handle): void {
  const trace = currentTrace();
  if (trace.kind !== "eager") return;
  alive.push(new WeakRef(handle));
  if (trace.nodeCount > longTrace || alive.length > 8 * longTrace) flush();
}

/** Makes sure that every one of `handles` has its value. */
export function evaluate(handles: readonly Handle[]): void {
  const missing = handles.filter((handle) => handle.value === undefined && !readCommitted(handle.node));
  if (missing.length > 0 || eagerTrace().assigned.size > 0) run(missing);
}

/** The value of a state that is as it was committed needs no program. */
function readCommitted(node: Node): boolean {
  if (node.op.kind !== "source" || node.op.source !== "state") return false;
  const state = node.attributes["state"] as State;
  if (eagerTrace().assigned.has(state) || eagerTrace().reads.get(state) !== node) return false;
  setComputed(node, oldValue(state));
  return true;
}

/** Runs what is pending: state assignments, and tensors that somebody holds and nothing else is made of. */
export function flush(): void {
  run([]);
}

/** Runs pending state assignments, if there are any. */
export function commitPending(): void {
  if (eagerTrace().assigned.size > 0) run([]);
}

function run(wanted: readonly Handle[]): void {
  const trace = eagerTrace();
  const assignments = [...trace.assigned];
  const changed = new Set(assignments.map(([state]) => state));
  const isLong = trace.nodeCount > longTrace;
  const handles = new Set([...wanted, ...heldHandles(assignments, isLong)]);
  alive = [];
  const roots = [...new Set([...handles].map((handle) => handle.node))];
  if (roots.length === 0 && assignments.length === 0) return;
  const work = workOf(roots, assignments);
  const inputs = inputsOf(work).map((value) => value.input());
  const program = compiled(work);
  const values = statesChange(changed, () => launch(program, inputs, historyOf(work)));
  for (const [i, node] of roots.entries()) setComputed(node, values[i]!);
  forgetTrace(noStates);
  for (const handle of handles) keepGraph(handle, changed);
}

/**
 * Runs `commit`, which changes states, so that what was read from them outside keeps its meaning: nodes that read them get
 * the old values, and graphs that go through them are forgotten where their value is known.
 */
export function statesChange<R>(changed: ReadonlySet<State>, commit: () => R): R {
  const { reads } = eagerTrace();
  const read = reads.size === 0 ? [] : [...reads].filter(([state]) => changed.has(state));
  const old = read.map(([state, node]) => [node, oldValue(state)] as const);
  const result = commit();
  for (const [node, value] of old) setComputed(node, value);
  if (read.length > 0) forgetTrace(changed);
  if (evaluated.length > 0) forgetGraphs(changed);
  return result;
}

const noStates: ReadonlySet<State> = new Set();

/** A copy in the host's memory, so that the collector sees how large it is and frees it with the last node that needs it. */
const oldValue = (state: State): Value =>
  Value.ofHost({ shape: state.shape, dtype: state.dtype, data: cpuDevice().readState(state) });

/** Clears the trace; states that did not change keep the node they are read by. */
function forgetTrace(changed: ReadonlySet<State>): void {
  const trace = eagerTrace();
  const reads = [...trace.reads].filter(([state]) => !changed.has(state));
  trace.clear();
  for (const [state, node] of reads) trace.reads.set(state, node);
}

/**
 * Handles that are alive, not computed, and that nothing else is made of: what a user will most likely read later. All of
 * them when the trace is long; else those that would need the old value of an assigned state.
 */
function heldHandles(assignments: readonly (readonly [State, Node])[], isLong: boolean): Handle[] {
  if (assignments.length === 0 && !isLong) return [];
  const handles = alive.flatMap((ref) => ref.deref() ?? []).filter((handle) => handle.value === undefined);
  const { reads } = eagerTrace();
  const touched = new Set<Node>(assignments.flatMap(([state]) => reads.get(state) ?? []));
  const used = new Set<Node>(assignments.map(([, node]) => node));
  for (const node of uncomputedOrder(handles.map((handle) => handle.node))) {
    for (const input of node.inputs) {
      used.add(input);
      if (touched.has(input)) touched.add(node);
    }
  }
  return handles.filter(({ node }) => !used.has(node) && (isLong || touched.has(node)));
}

/** A graph that cannot be compiled must not stay pending: every later read-out would fail with it. */
function compiled(work: Work): Runnable {
  try {
    return programFor(work);
  } catch (error) {
    forgetTrace(noStates);
    throw error;
  }
}

function programFor(work: Work): Runnable {
  const program = programs.get(work.key) ?? compileWork(work);
  // Last used, last in the map: the first one is the oldest.
  programs.delete(work.key);
  programs.set(work.key, program);
  if (programs.size > keptPrograms) {
    const [key, oldest] = programs.entries().next().value!;
    programs.delete(key);
    oldest.executable.dispose();
  }
  return program;
}

function compileWork(work: Work): Runnable {
  const fn = functionOf(work);
  return { fn, executable: cpuDevice().compile(fn) };
}

function historyOf(work: Work): History {
  const leaves = [...work.leaves.values()];
  const states = new Set(leaves.flatMap((leaf) => [...leaf.history.states]));
  for (const { op, attributes } of work.order)
    if (op.kind === "source" && op.source === "state") states.add(attributes["state"] as State);
  const total = (of: (leaf: Value) => number): number => leaves.reduce((sum, leaf) => sum + of(leaf), 0);
  return {
    nodes: work.order.length + total((leaf) => leaf.history.nodes),
    bytes: total((leaf) => leaf.bytes + leaf.history.bytes),
    states,
  };
}

/** Keeps the graph of a handle that has just got its value, for gradients, if it may still be asked for any. */
function keepGraph(handle: Handle, changed: ReadonlySet<State>): void {
  const { nodes, bytes } = handle.value!.history;
  if (nodes > longHistory.nodes || bytes > longHistory.bytes || readsAny(handle, changed)) handle.cut();
  else evaluated.push(new WeakRef(handle));
  if (evaluated.length > keptGraphs) evaluated.shift()!.deref()?.cut();
}

function forgetGraphs(changed: ReadonlySet<State>): void {
  evaluated = evaluated.filter((ref) => {
    const handle = ref.deref();
    if (handle !== undefined && !readsAny(handle, changed)) return true;
    handle?.cut();
    return false;
  });
}

function readsAny(handle: Handle, states: ReadonlySet<State>): boolean {
  for (const state of handle.value!.history.states) if (states.has(state)) return true;
  return false;
}
