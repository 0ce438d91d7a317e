/** What both trainings do with their data first: what stands there twice counts once, and a part is held out. */
import { ArgumentError } from "../base/errors.ts";
import { permutation, type RandomKey, randomKey } from "../base/random.ts";
import type { Pretrained } from "../pretrained/index.ts";

export interface HeldOutOptions<T> {
  /** The function that is called, and what one item is called, for messages. */
  readonly caller: string;
  readonly what: string;
  /** Items of one key are the same. */
  readonly keyOf: (item: T) => string;
  /** What is held out; else `validationSplit` of the items, drawn by the seed. */
  readonly validation: readonly T[] | undefined;
  /** Default a tenth, where there are 20 items or more. */
  readonly validationSplit: number | undefined;
  readonly seed: number;
}

/** The items to train on, in an order drawn by the seed, and those held out; `warnings` gets what is to be said of them. */
export function heldOut<T>(
  items: readonly T[],
  { caller, what, keyOf, validation, validationSplit, seed }: HeldOutOptions<T>,
  warnings: string[],
): { readonly train: readonly T[]; readonly held: readonly T[] } {
  const distinct = [...new Map(items.map((item) => [keyOf(item), item])).values()];
  const repeated = items.length - distinct.length;
  if (repeated > 0) warnings.push(`${counted(repeated, what)} stood there before and count once`);
  const share = validationSplit ?? (distinct.length >= 20 ? 0.1 : 0);
  if (!(share >= 0 && share < 1))
    throw new ArgumentError(`${caller}: validationSplit must be in [0, 1), got ${share}`);
  const heldCount = validation === undefined ? Math.round(share * distinct.length) : 0;
  const order = [...permutation(randomKey(seed) as RandomKey, distinct.length)].map((i) => distinct[i]!);
  return { train: order.slice(heldCount), held: validation ?? order.slice(0, heldCount) };
}

/** What rows are filled up with. */
export const padTokenOf = ({ config, endTokens }: Pretrained): number =>
  Number(config.values["pad_token_id"] ?? endTokens[0] ?? 0);

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

export const placesText = (places: readonly string[]): string =>
  `${places.slice(0, 3).join("; ")}${places.length > 3 ? ` … (${places.length})` : ""}`;
