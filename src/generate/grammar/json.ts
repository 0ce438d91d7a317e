/** JSON's own forms as expressions. RFC 8259. */
import {
  choice,
  complement,
  type Expression,
  type Grammar,
  letters,
  literal,
  nothing,
  optional,
  type Range,
  repeat,
  rule,
  sequence,
} from "./expression.ts";

/** Between parts: nothing, a space, or a line's end with some spaces; never so many that nothing else comes. */
export const space: Expression = choice(
  nothing,
  literal(" "),
  sequence(literal("\n"), repeat(letters([[32, 32]]), 0, 16)),
);

const digits: Range = [0x30, 0x39];
const digit = letters([digits]);
const hex = letters([digits, [0x41, 0x46], [0x61, 0x66]]);

/** \uXXXX of what is no surrogate. */
const unicodeEscape = sequence(
  literal("\\u"),
  choice(
    sequence(letters([digits, [0x41, 0x43], [0x45, 0x46], [0x61, 0x63], [0x65, 0x66]]), hex, hex, hex),
    sequence(
      letters([
        [0x44, 0x44],
        [0x64, 0x64],
      ]),
      letters([[0x30, 0x37]]),
      hex,
      hex,
    ),
  ),
);
const shortEscapes = '"\\/bfnrt';
const escapedLetter = choice(
  sequence(
    literal("\\"),
    letters([...shortEscapes].map((letter): Range => [letter.codePointAt(0)!, letter.codePointAt(0)!])),
  ),
  unicodeEscape,
);

/** Letters that stand for themselves in a text. */
const plain = complement([
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
]);
/** One letter of a text. */
export const textLetter: Expression = choice(letters(plain), escapedLetter);

/** A text of some letters, between quotes. */
export const quoted = (content: Expression): Expression => sequence(literal('"'), content, literal('"'));
export const anyText: Expression = quoted(repeat(textLetter, 0));

/** One letter of these code points in a text: as it is, or escaped where it must be. */
export function lettersInText(ranges: readonly Range[]): Expression {
  const has = (code: number): boolean => ranges.some(([first, last]) => code >= first && code <= last);
  const escaped = [0x22, 0x5c, 8, 9, 10, 12, 13]
    .filter(has)
    .map((code) => literal(JSON.stringify(String.fromCharCode(code)).slice(1, -1)));
  const itself = intersection(ranges, plain);
  return choice(...(itself.length > 0 ? [letters(itself)] : []), ...escaped);
}

const intersection = (a: readonly Range[], b: readonly Range[]): Range[] =>
  a.flatMap(([first, last]) =>
    b
      .map(([from, to]): Range => [Math.max(first, from), Math.min(last, to)])
      .filter(([from, to]) => from <= to),
  );

/** Fifteen digits: numbers that are read as they were written. */
const whole = choice(literal("0"), sequence(letters([[0x31, 0x39]]), repeat(digit, 0, 14)));
export const integer: Expression = sequence(optional(literal("-")), whole);
export const number: Expression = sequence(
  integer,
  optional(sequence(literal("."), repeat(digit, 1, 15))),
  optional(
    sequence(
      letters([
        [0x45, 0x45],
        [0x65, 0x65],
      ]),
      optional(
        letters([
          [0x2b, 0x2b],
          [0x2d, 0x2d],
        ]),
      ),
      repeat(digit, 1, 2),
    ),
  ),
);

/** Parts with commas between them; `least` of them or more. */
export function list(part: Expression, least: number, most: number): Expression {
  if (most === 0) return nothing;
  const more = repeat(sequence(literal(","), space, part), Math.max(0, least - 1), most - 1);
  const some = sequence(part, more);
  return least === 0 ? optional(some) : some;
}

export const brackets = (open: string, content: Expression, close: string): Expression =>
  sequence(literal(open), space, content, space, literal(close));

/** `"name": value` */
export const member = (name: Expression, value: Expression): Expression =>
  sequence(name, literal(":"), space, value);

export const anyValue = rule("value");
export const anyRules: readonly (readonly [string, Expression])[] = [
  ["object", brackets("{", list(member(anyText, anyValue), 0, Infinity), "}")],
  ["array", brackets("[", list(anyValue, 0, Infinity), "]")],
  [
    "value",
    choice(rule("object"), rule("array"), anyText, number, ...["true", "false", "null"].map(literal)),
  ],
];

export const anyJson = (name: "object" | "value"): Grammar => ({
  rules: new Map(anyRules),
  root: rule(name),
});
