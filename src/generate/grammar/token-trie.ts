/** All tokens of a vocabulary by their bytes, so that those with a beginning in common are tried together. */
import { ArgumentError } from "../../base/errors.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { Automaton, State } from "./automaton.ts";

interface Branch {
  /** Tokens that end here. */
  readonly tokens: number[];
  readonly bytes: number[];
  readonly branches: Branch[];
}

/** By tokenizer: it takes a while, and each request needs it. */
const tries = new WeakMap<Tokenizer, TokenTrie>();

export class TokenTrie {
  readonly vocabularySize: number;
  private readonly root: Branch = { tokens: [], bytes: [], branches: [] };
  private readonly bytesOf: (Uint8Array | undefined)[] = [];

  static of(tokenizer: Tokenizer): TokenTrie {
    const known = tries.get(tokenizer) ?? new TokenTrie(tokenizer);
    tries.set(tokenizer, known);
    return known;
  }

  private constructor(tokenizer: Tokenizer) {
    this.vocabularySize = tokenizer.vocabularySize;
    for (let token = 0; token < this.vocabularySize; token++) {
      const bytes = tokenizer.bytesOf(token);
      this.bytesOf.push(bytes);
      if (bytes !== undefined && bytes.length > 0) this.insert(token, bytes);
    }
  }

  private insert(token: number, bytes: Uint8Array): void {
    let at = this.root;
    for (const byte of bytes) {
      let place = at.bytes.indexOf(byte);
      if (place < 0) {
        place = at.bytes.push(byte) - 1;
        at.branches.push({ tokens: [], bytes: [], branches: [] });
      }
      at = at.branches[place]!;
    }
    at.tokens.push(token);
  }

  /** The tokens that may come in a state, a bit each. */
  allowed(automaton: Automaton, state: State): Uint32Array {
    const bits = new Uint32Array(Math.ceil(this.vocabularySize / 32));
    const walk = (branch: Branch, from: State): void => {
      for (const [i, byte] of branch.bytes.entries()) {
        const to = automaton.step(from, byte);
        if (to === undefined) continue;
        const next = branch.branches[i]!;
        for (const token of next.tokens) bits[token >> 5]! |= 1 << (token & 31);
        if (next.bytes.length > 0) walk(next, to);
      }
    };
    walk(this.root, state);
    return bits;
  }

  /** Where a token leads. */
  after(automaton: Automaton, state: State, token: number): State {
    let at: State | undefined = state;
    for (const byte of this.bytesOf[token] ?? [-1]) at = at && automaton.step(at, byte);
    if (at !== undefined) return at;
    throw new ArgumentError(`token ${token} may not come here by the grammar`);
  }
}
