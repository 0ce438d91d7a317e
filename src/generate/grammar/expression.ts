/** What may be written, as expressions over bytes: regular ones, and rules that may contain themselves. */
import { ArgumentError } from "../../base/errors.ts";

export type Expression =
  /** One byte of a set. */
  | { readonly kind: "byte"; readonly ranges: readonly Range[] }
  | { readonly kind: "sequence"; readonly parts: readonly Expression[] }
  | { readonly kind: "choice"; readonly options: readonly Expression[] }
  | { readonly kind: "repeat"; readonly part: Expression; readonly least: number; readonly most: number }
  /** What the rule of that name says. */
  | { readonly kind: "rule"; readonly name: string };

/** From the first to the last, both included: bytes, or code points. */
export type Range = readonly [first: number, last: number];

export interface Grammar {
  readonly rules: ReadonlyMap<string, Expression>;
  readonly root: Expression;
}

export const sequence = (...parts: readonly Expression[]): Expression => ({ kind: "sequence", parts });
export const choice = (...options: readonly Expression[]): Expression =>
  options.length === 1 ? options[0]! : { kind: "choice", options };
export const repeat = (part: Expression, least: number, most = Infinity): Expression => ({
  ...{ kind: "repeat", part, least, most },
});
export const optional = (part: Expression): Expression => repeat(part, 0, 1);
export const rule = (name: string): Expression => ({ kind: "rule", name });
export const nothing: Expression = sequence();

const byte = (...ranges: readonly Range[]): Expression => ({ kind: "byte", ranges });

/** A text as it stands. */
export const literal = (text: string): Expression =>
  sequence(...[...new TextEncoder().encode(text)].map((code) => byte([code, code])));

/** The last code points of one, two, three and four bytes. */
const lastOf = [0x7f, 0x7ff, 0xffff, 0x10ffff] as const;

/** One letter of these code points in UTF-8; surrogates are none. */
export function letters(ranges: readonly Range[]): Expression {
  const found: Expression[] = [];
  for (const [first, last] of ranges)
    for (const [from, to] of [
      [first, Math.min(last, 0xd7ff)],
      [Math.max(first, 0xe000), last],
    ] as const) {
      let start = from;
      for (const most of lastOf) {
        const end = Math.min(to, most);
        if (start <= end) found.push(...spans(utf8(start), utf8(end)));
        start = Math.max(start, most + 1);
      }
    }
  if (found.length === 0) throw new ArgumentError("a set of letters that holds none can never be written");
  // Letters of one byte are one set.
  const single = found.filter((part) => part.kind === "byte").flatMap((part) => part.ranges);
  const others = found.filter((part) => part.kind !== "byte");
  return choice(...(single.length > 0 ? [byte(...single)] : []), ...others);
}

const utf8 = (code: number): number[] => [...new TextEncoder().encode(String.fromCodePoint(code))];

/** Texts of bytes from `low` to `high`, which are as long, in the order of bytes. */
function spans(low: readonly number[], high: readonly number[]): Expression[] {
  const [a, b] = [low[0]!, high[0]!];
  if (low.length === 1) return [byte([a, b])];
  const [restLow, restHigh] = [low.slice(1), high.slice(1)];
  if (a === b) return spans(restLow, restHigh).map((rest) => sequence(byte([a, a]), rest));
  const [least, most] = [restLow.map(() => 0x80), restHigh.map(() => 0xbf)];
  const isWhole = (rest: readonly number[], all: readonly number[]): boolean =>
    rest.every((value, i) => value === all[i]);
  const from = isWhole(restLow, least) ? a : a + 1;
  const to = isWhole(restHigh, most) ? b : b - 1;
  return [
    ...(from > a ? spans(restLow, most).map((rest) => sequence(byte([a, a]), rest)) : []),
    ...(from <= to ? [sequence(byte([from, to]), ...least.map(() => byte([0x80, 0xbf])))] : []),
    ...(to < b ? spans(least, restHigh).map((rest) => sequence(byte([b, b]), rest)) : []),
  ];
}

/** Code points that are not in `ranges`. */
export function complement(ranges: readonly Range[], last = 0x10ffff): Range[] {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const found: Range[] = [];
  let next = 0;
  for (const [from, to] of sorted) {
    if (from > next) found.push([next, from - 1]);
    next = Math.max(next, to + 1);
  }
  if (next <= last) found.push([next, last]);
  return found;
}
