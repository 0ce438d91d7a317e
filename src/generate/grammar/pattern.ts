/** Regular expressions as expressions over bytes. */
import { ArgumentError } from "../../base/errors.ts";
import {
  choice,
  complement,
  type Expression,
  letters,
  nothing,
  type Range,
  repeat,
  sequence,
} from "./expression.ts";

/** One letter of these code points; within a text of JSON some are escaped. */
type LetterOf = (ranges: readonly Range[]) => Expression;

const pointOf = (letter: string): Range => [letter.codePointAt(0)!, letter.codePointAt(0)!];
const named: Readonly<Record<string, readonly Range[]>> = {
  d: [[0x30, 0x39]],
  w: [
    [0x30, 0x39],
    [0x41, 0x5a],
    [0x5f, 0x5f],
    [0x61, 0x7a],
  ],
  s: [
    [9, 13],
    [32, 32],
    [0xa0, 0xa0],
    [0x2028, 0x2029],
  ],
};
const control: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v", 0: "\0" };
const anyButLineEnds = complement([
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
]);

/** More turns than that are no pattern, but a list. */
const mostTurns = 1000;

/**
 * Texts that match as a whole; `isSearch`: somewhere in them, as `pattern` of JSON Schema means it, where ^ and $ do not say otherwise.
 *
 * @throws ArgumentError for what is none, and for what is not known: lookarounds, backreferences, word boundaries, properties of Unicode
 */
export function expressionOfPattern(
  pattern: string,
  letterOf: LetterOf = letters,
  { isSearch = false } = {},
): Expression {
  const begins = pattern.startsWith("^");
  const ends = /(^|[^\\])(\\\\)*\$$/.test(pattern);
  const inner = pattern.slice(begins ? 1 : 0, ends ? -1 : undefined);
  const parser = new Parser(pattern, inner, letterOf);
  const found = parser.all();
  // In ^a|b$ the signs belong to one alternative each.
  if (parser.hasOuterAlternatives && (begins || ends))
    throw parser.error("has alternatives beside ^ or $; put them in a group");
  if (!isSearch) return found;
  const anything = repeat(letterOf(complement([])), 0);
  return sequence(begins ? nothing : anything, found, ends ? nothing : anything);
}

class Parser {
  /** Of the pattern as a whole, in no group. */
  hasOuterAlternatives = false;
  private readonly whole: string;
  private readonly signs: readonly string[];
  private readonly letterOf: LetterOf;
  private at = 0;
  private depth = 0;

  constructor(whole: string, inner: string, letterOf: LetterOf) {
    this.whole = whole;
    this.signs = [...inner];
    this.letterOf = letterOf;
  }

  error(what: string): ArgumentError {
    const shown = this.whole.length > 60 ? `${this.whole.slice(0, 60)}…` : this.whole;
    return new ArgumentError(`the pattern ${JSON.stringify(shown)} ${what}`);
  }

  all(): Expression {
    const found = this.alternatives();
    if (this.at < this.signs.length) throw this.error(`has a "${this.signs[this.at]}" too many`);
    return found;
  }

  private alternatives(): Expression {
    if (++this.depth > 50) throw this.error("is nested more than 50 deep");
    const options = [this.terms()];
    while (this.signs[this.at] === "|") {
      this.at++;
      if (this.depth === 1) this.hasOuterAlternatives = true;
      options.push(this.terms());
    }
    this.depth--;
    return choice(...options);
  }

  private terms(): Expression {
    const parts: Expression[] = [];
    while (this.at < this.signs.length && !"|)".includes(this.signs[this.at]!))
      parts.push(this.turns(this.atom()));
    return sequence(...parts);
  }

  private atom(): Expression {
    const sign = this.signs[this.at++]!;
    if (sign === "(") return this.group();
    if (sign === "[") return this.letterOf(this.set());
    if (sign === ".") return this.letterOf(anyButLineEnds);
    if (sign === "\\") return this.letterOf(this.escaped());
    if ("*+?{}]^$".includes(sign))
      throw this.error(`has a "${sign}" where none may stand; write "\\${sign}" for the sign`);
    return this.letterOf([pointOf(sign)]);
  }

  private group(): Expression {
    if (this.signs[this.at] === "?") {
      if (this.signs[this.at + 1] !== ":")
        throw this.error("has a group of a kind that is not known; (…) and (?:…) are");
      this.at += 2;
    }
    const found = this.alternatives();
    if (this.signs[this.at++] !== ")") throw this.error('lacks a ")"');
    return found;
  }

  private turns(part: Expression): Expression {
    const sign = this.signs[this.at];
    const simple = { "?": [0, 1], "*": [0, Infinity], "+": [1, Infinity] }[sign ?? ""];
    let range: readonly number[] | undefined = simple;
    if (simple !== undefined) this.at++;
    else if (sign === "{") {
      const found = /^\{(\d{1,9})(?:(,)(\d{1,9})?)?\}/.exec(this.signs.slice(this.at, this.at + 24).join(""));
      if (found === null) throw this.error('has a "{" that begins no {m,n}');
      this.at += found[0].length;
      const least = Number(found[1]);
      range = [least, found[2] === undefined ? least : found[3] === undefined ? Infinity : Number(found[3])];
    }
    if (range === undefined) return part;
    const [least, most] = range as [number, number];
    if (least > most || least > mostTurns || (most > mostTurns && most !== Infinity))
      throw this.error(`has turns from ${least} to ${most}; up to ${mostTurns} are known`);
    // Lazy ones match the same texts.
    if (this.signs[this.at] === "?") this.at++;
    return repeat(part, least, most);
  }

  private set(): Range[] {
    const isNot = this.signs[this.at] === "^";
    if (isNot) this.at++;
    const ranges: Range[] = [];
    for (;;) {
      const sign = this.signs[this.at++];
      if (sign === undefined) throw this.error('lacks a "]"');
      if (sign === "]") break;
      const from = sign === "\\" ? this.escaped() : [pointOf(sign)];
      if (this.signs[this.at] !== "-" || this.signs[this.at + 1] === "]") {
        ranges.push(...from);
        continue;
      }
      this.at++;
      const last = this.signs[this.at++]!;
      const to = last === "\\" ? this.escaped() : [pointOf(last ?? "")];
      if (from.length !== 1 || to.length !== 1 || from[0]![0] > to[0]![0])
        throw this.error("has a range that is none");
      ranges.push([from[0]![0], to[0]![0]]);
    }
    return isNot ? complement(ranges) : ranges;
  }

  private escaped(): readonly Range[] {
    const sign = this.signs[this.at++];
    if (sign === undefined) throw this.error('ends with a "\\"');
    const lower = sign.toLowerCase();
    if (Object.hasOwn(named, lower)) return sign === lower ? named[lower]! : complement(named[lower]!);
    if (Object.hasOwn(control, sign)) return [pointOf(control[sign]!)];
    const length = { x: 2, u: 4 }[sign];
    if (length !== undefined) {
      const code = this.signs.slice(this.at, this.at + length).join("");
      if (!new RegExp(`^[\\da-f]{${length}}$`, "i").test(code))
        throw this.error(`has a "\\${sign}" without its ${length} digits`);
      this.at += length;
      return [[Number.parseInt(code, 16), Number.parseInt(code, 16)]];
    }
    if (/[a-z\d]/i.test(sign)) throw this.error(`has "\\${sign}", which is not known`);
    return [pointOf(sign)];
  }
}
