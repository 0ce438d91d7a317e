/** All instruction forms by mnemonic. A new instruction is one row in one of these files; the test covers it by itself. */
import { type Form, type FormGroup, parseForm } from "../form.ts";
import { arithmeticForms } from "./arithmetic.ts";
import { generalForms } from "./general.ts";
import { moveForms } from "./moves.ts";
import type { Rows } from "./rows.ts";
import { shuffleForms } from "./shuffles.ts";

const tables = [...generalForms, ...arithmeticForms, ...moveForms, ...shuffleForms] as const;

type KeysOf<T> = T extends readonly [FormGroup, infer R] ? keyof R & string : never;
/** Every instruction of the tables, as in Intel's manual. */
export type Mnemonic = KeysOf<(typeof tables)[number]>;

type Row = readonly [FormGroup, string];

function readRows(): ReadonlyMap<string, readonly Row[]> {
  const rows = new Map<string, Row[]>();
  for (const [group, byMnemonic] of tables as readonly (readonly [FormGroup, Rows])[])
    for (const [mnemonic, texts] of Object.entries(byMnemonic)) {
      let known = rows.get(mnemonic);
      if (known === undefined) rows.set(mnemonic, (known = []));
      for (const text of typeof texts === "string" ? [texts] : texts) known.push([group, text]);
    }
  return rows;
}

let rows: ReadonlyMap<string, readonly Row[]> | undefined;
const parsed = new Map<string, readonly Form[]>();

/** The forms of a mnemonic, none for one that is in no table. Rows are parsed at first use: a program needs a fifth of them. */
export function formsOf(mnemonic: Mnemonic): readonly Form[] {
  let forms = parsed.get(mnemonic);
  if (forms === undefined) {
    rows ??= readRows();
    forms = (rows.get(mnemonic) ?? []).map(([group, text]) => parseForm(mnemonic, text, group));
    parsed.set(mnemonic, forms);
  }
  return forms;
}

/** Every mnemonic of the tables. */
export const allMnemonics = (): readonly Mnemonic[] => [...(rows ??= readRows()).keys()] as Mnemonic[];
