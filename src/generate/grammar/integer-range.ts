/** Whole numbers between bounds as expressions over digits. */
import { ArgumentError } from "../../base/errors.ts";
import { choice, type Expression, letters, literal, repeat, sequence } from "./expression.ts";
import { integer } from "./json.ts";

/** Numbers of more digits than 15 are not read as they were written. */
const most = 999_999_999_999_999;

/** @throws ArgumentError where no number lies between the bounds */
export function integersBetween(least: number, last: number): Expression {
  if (least === -Infinity && last === Infinity) return integer;
  const [from, to] = [Math.max(Math.ceil(least), -most), Math.min(Math.floor(last), most)];
  if (!(from <= to)) throw new ArgumentError(`no whole number lies between ${least} and ${last}`);
  const options: Expression[] = [];
  if (from < 0) options.push(sequence(literal("-"), naturals(Math.max(1, -to), -from)));
  if (to >= 0) options.push(naturals(Math.max(0, from), to));
  return choice(...options);
}

/** Of any number of digits, without zeros in front. */
function naturals(from: number, to: number): Expression {
  const options: Expression[] = [];
  for (let first = from; first <= to; ) {
    const lastOfLength = 10 ** String(first).length - 1;
    const last = Math.min(to, lastOfLength);
    options.push(...ofLength(String(first), String(last)));
    first = last + 1;
  }
  return choice(...options);
}

const digits = (from: number, to: number): Expression => letters([[0x30 + from, 0x30 + to]]);

/** Texts of digits from `low` to `high`, which are as long. */
function ofLength(low: string, high: string): Expression[] {
  const [a, b] = [Number(low[0]), Number(high[0])];
  if (low.length === 1) return [digits(a, b)];
  const [restLow, restHigh] = [low.slice(1), high.slice(1)];
  const behind = (digit: number, options: readonly Expression[]): Expression[] =>
    options.map((rest) => sequence(digits(digit, digit), rest));
  if (a === b) return behind(a, ofLength(restLow, restHigh));
  const from = /^0*$/.test(restLow) ? a : a + 1;
  const to = /^9*$/.test(restHigh) ? b : b - 1;
  return [
    ...(from > a ? behind(a, ofLength(restLow, restLow.replace(/./g, "9"))) : []),
    ...(from <= to ? [sequence(digits(from, to), repeat(digits(0, 9), restLow.length, restLow.length))] : []),
    ...(to < b ? behind(b, ofLength(restHigh.replace(/./g, "0"), restHigh)) : []),
  ];
}
