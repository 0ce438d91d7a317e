/**
 * The automaton of a grammar: which bytes may follow. Expressions become nodes; a state is the set of nodes that the bytes so far may have
 * led to, each with the rules it has yet to return to. States are made as they are met, and the same set is the same state.
 */
import { ArgumentError } from "../../base/errors.ts";
import type { Expression, Grammar } from "./expression.ts";

/** More than any sensible grammar needs; what comes from outside must not cost more. */
const limits = { nodes: 60_000, alternatives: 512, depth: 64, states: 8_000 } as const;

interface Node {
  readonly id: number;
  kind: "byte" | "split" | "call" | "return" | "end";
  /** Of "byte": 1 for those that lead to `next`. */
  bytes?: Uint8Array;
  next?: Node;
  /** Of "split". */
  options?: readonly Node[];
  /** Of "call": where the rule begins. */
  target?: () => Node;
}

/** Where rules return to, the last entered first. */
interface Stack {
  readonly id: number;
  readonly depth: number;
  readonly node: Node;
  readonly below: Stack | undefined;
  readonly above: Map<Node, Stack>;
}

interface Place {
  readonly node: Node;
  readonly stack: Stack;
}

/** What may follow some text. */
export interface State {
  /** Nodes of bytes. */
  readonly places: readonly Place[];
  /** Whether the text may end here. */
  readonly mayEnd: boolean;
  /** By byte; null where none leads on, undefined where that is not known yet. */
  readonly next: (State | null | undefined)[];
}

export class Automaton {
  readonly start: State;
  private nodeCount = 0;
  private stackCount = 0;
  private readonly bottom: Stack;
  private states = new Map<string, State>();

  /** @throws ArgumentError for a grammar that is too large, and rules that are not there */
  constructor({ rules, root }: Grammar) {
    const end = this.node({ kind: "end" });
    this.bottom = this.stackOf(end, undefined);
    const entries = new Map<string, Node>();
    const back = this.node({ kind: "return" });
    const entryOf = (name: string): Node => {
      const known = entries.get(name);
      if (known !== undefined) return known;
      const expression = rules.get(name);
      if (expression === undefined) throw new ArgumentError(`the grammar has no rule "${name}"`);
      // The rule may contain itself.
      const entry = this.node({ kind: "split", options: [] });
      entries.set(name, entry);
      entry.options = [this.build(expression, back, entryOf)];
      return entry;
    };
    const first = this.build(root, back, entryOf);
    for (const name of rules.keys()) entryOf(name);
    this.start = this.stateOf([{ node: first, stack: this.bottom }]);
  }

  /** Where a byte leads; undefined where it may not come. */
  step(state: State, byte: number): State | undefined {
    const known = state.next[byte];
    if (known !== undefined) return known ?? undefined;
    const places = state.places
      .filter(({ node }) => node.bytes![byte] === 1)
      .map(({ node, stack }) => ({ node: node.next!, stack }));
    const next = places.length === 0 ? null : this.stateOf(places);
    state.next[byte] = next === null || (next.places.length === 0 && !next.mayEnd) ? null : next;
    return state.next[byte] ?? undefined;
  }

  // ---- nodes --------------------------------------------------------------------------------------------------

  private node(of: Omit<Node, "id">): Node {
    if (this.nodeCount >= limits.nodes)
      throw new ArgumentError(
        `the grammar is too large: more than ${limits.nodes} places; ask for shorter texts and lists, or fewer values`,
      );
    return { id: this.nodeCount++, ...of };
  }

  /** The expression, and then `next`. */
  private build(expression: Expression, next: Node, entryOf: (name: string) => Node): Node {
    switch (expression.kind) {
      case "byte": {
        const bytes = new Uint8Array(256);
        for (const [first, last] of expression.ranges) bytes.fill(1, first, last + 1);
        return this.node({ kind: "byte", bytes, next });
      }
      case "sequence":
        return expression.parts.reduceRight((after, part) => this.build(part, after, entryOf), next);
      case "choice":
        return this.node({
          kind: "split",
          options: expression.options.map((option) => this.build(option, next, entryOf)),
        });
      case "repeat":
        return this.buildRepeat(expression, next, entryOf);
      case "rule":
        return this.node({ kind: "call", next, target: () => entryOf(expression.name) });
    }
  }

  private buildRepeat(
    { part, least, most }: Extract<Expression, { kind: "repeat" }>,
    next: Node,
    entryOf: (name: string) => Node,
  ): Node {
    let from = next;
    if (most === Infinity) {
      from = this.node({ kind: "split", options: [] });
      from.options = [this.build(part, from, entryOf), next];
    } else
      for (let i = least; i < most; i++)
        from = this.node({ kind: "split", options: [this.build(part, from, entryOf), next] });
    for (let i = 0; i < least; i++) from = this.build(part, from, entryOf);
    return from;
  }

  // ---- states -------------------------------------------------------------------------------------------------

  private stackOf(node: Node, below: Stack | undefined): Stack {
    const known = below?.above.get(node);
    if (known !== undefined) return known;
    const depth = below === undefined ? 0 : below.depth + 1;
    const made = { id: this.stackCount++, depth, node, below, above: new Map() };
    below?.above.set(node, made);
    return made;
  }

  private stateOf(from: readonly Place[]): State {
    const { places, mayEnd } = this.reached(from);
    const key = `${mayEnd}${places.map(({ node, stack }) => `${node.id}.${stack.id}`).join()}`;
    const known = this.states.get(key);
    if (known !== undefined) return known;
    // Forgotten states are made again when they are met.
    if (this.states.size >= limits.states) this.states = new Map();
    const made: State = { places, mayEnd, next: new Array(256).fill(undefined) };
    this.states.set(key, made);
    return made;
  }

  /** The nodes of bytes that are reached without one. */
  private reached(from: readonly Place[]): { places: Place[]; mayEnd: boolean } {
    const seen = new Set<string>();
    const places: Place[] = [];
    let mayEnd = false;
    const waiting = [...from];
    for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
      const { node, stack } = place;
      const key = `${node.id}.${stack.id}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (seen.size > 16 * limits.alternatives) throw tooManyWays();
      if (node.kind === "byte") places.push(place);
      else if (node.kind === "split")
        for (const option of node.options!) waiting.push({ node: option, stack });
      else if (node.kind === "call") {
        // The last thing that a rule does is what its caller waits for: nothing to return to in between.
        const isLast = node.next!.kind === "return";
        if (!isLast && stack.depth >= limits.depth) continue;
        waiting.push({ node: node.target!(), stack: isLast ? stack : this.stackOf(node.next!, stack) });
      } else if (stack.below === undefined) mayEnd = true;
      else waiting.push({ node: stack.node, stack: stack.below });
    }
    if (places.length > limits.alternatives) throw tooManyWays();
    places.sort((a, b) => a.node.id - b.node.id || a.stack.id - b.stack.id);
    return { places, mayEnd };
  }
}

const tooManyWays = (): ArgumentError =>
  new ArgumentError(
    `the grammar leaves more than ${limits.alternatives} ways open at once: make its alternatives differ sooner`,
  );
