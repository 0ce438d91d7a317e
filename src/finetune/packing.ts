/** Sequences of many lengths in rows of one: several texts a row, none of which sees another. */
import { ArgumentError } from "../base/errors.ts";
import { arrayDataset, type Dataset } from "../data/index.ts";
import type { ChatTokens } from "./chat-tokens.ts";

/** The label of tokens that are not learnt. @example ignoredLabel // -100 */
export const ignoredLabel = -100;

export interface PackOptions {
  /** Tokens of a row. */
  readonly maxLength: number;
  /** What fills a row up; it is never seen and never learnt. */
  readonly padToken: number;
}

export interface PackedTokens {
  /**
   * Columns of i32 (rows, maxLength): `tokens`; `documents`, the number of a token's text in its row, 0 for what fills up;
   * `positions` in the text; `labels`, the token that follows where it is learnt, else −100.
   */
  readonly dataset: Dataset;
  readonly rows: number;
  /** Tokens of texts, and those that are learnt. */
  readonly tokens: number;
  readonly learntTokens: number;
  /** Indices of texts of which the end did not fit, and of those that had nothing left to learn and were left out. */
  readonly truncated: readonly number[];
  readonly dropped: readonly number[];
}

/**
 * Puts texts into as few rows as they come to, in order: each goes into the first row that has room (first fit).
 *
 * @throws ArgumentError when nothing is left to learn
 * @example
 * const texts = [{ ids: [1, 2, 3], isLearnt: [false, true, true] }, { ids: [4, 5], isLearnt: [false, true] }];
 * packTokens(texts, { maxLength: 8, padToken: 0 }).rows; // 1
 */
export function packTokens(texts: readonly ChatTokens[], { maxLength, padToken }: PackOptions): PackedTokens {
  if (!Number.isInteger(maxLength) || maxLength < 2)
    throw new ArgumentError(`packTokens: maxLength must be an integer of at least 2, got ${maxLength}`);
  const cut = texts.map(({ ids, isLearnt }) => ({
    ids: ids.slice(0, maxLength),
    isLearnt: isLearnt.slice(0, maxLength),
  }));
  const rows: { readonly texts: ChatTokens[]; length: number }[] = [];
  const dropped: number[] = [];
  for (const [i, text] of cut.entries()) {
    // The first token of a text follows nothing.
    if (!text.isLearnt.includes(true, 1)) {
      dropped.push(i);
      continue;
    }
    let row = rows.find(({ length }) => length + text.ids.length <= maxLength);
    if (row === undefined) rows.push((row = { texts: [], length: 0 }));
    row.texts.push(text);
    row.length += text.ids.length;
  }
  if (rows.length === 0) throw new ArgumentError("packTokens: no token of these texts is to be learnt");
  const columns = filled(rows, maxLength, padToken);
  return {
    dataset: arrayDataset(
      Object.fromEntries(
        Object.entries(columns).map(([name, data]) => [
          name,
          { dtype: "i32", shape: [rows.length, maxLength], data },
        ]),
      ) as never,
    ) as Dataset,
    rows: rows.length,
    tokens: rows.reduce((sum, { length }) => sum + length, 0),
    learntTokens: columns.labels.reduce((count, label) => count + Number(label !== ignoredLabel), 0),
    truncated: [...texts.keys()].filter((i) => texts[i]!.ids.length > maxLength && !dropped.includes(i)),
    dropped,
  };
}

function filled(
  rows: readonly { readonly texts: readonly ChatTokens[] }[],
  maxLength: number,
  padToken: number,
): Record<"tokens" | "documents" | "positions" | "labels", Int32Array> {
  const column = (value: number): Int32Array => new Int32Array(rows.length * maxLength).fill(value);
  const columns = {
    tokens: column(padToken),
    documents: column(0),
    positions: column(0),
    labels: column(ignoredLabel),
  };
  for (const [r, { texts }] of rows.entries()) {
    let at = r * maxLength;
    for (const [document, { ids, isLearnt }] of texts.entries()) {
      for (const [i, id] of ids.entries()) {
        columns.tokens[at + i] = id;
        columns.documents[at + i] = document + 1;
        columns.positions[at + i] = i;
        if (i > 0 && isLearnt[i]) columns.labels[at + i - 1] = id;
      }
      at += ids.length;
    }
  }
  return columns;
}
