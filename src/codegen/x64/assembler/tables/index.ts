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

function readTables(): ReadonlyMap<Mnemonic, readonly Form[]> {
  const forms = new Map<string, Form[]>();
  for (const [group, rows] of tables as readonly (readonly [FormGroup, Rows])[])
    for (const [mnemonic, texts] of Object.entries(rows)) {
      const known = forms.get(mnemonic) ?? [];
      for (const text of typeof texts === "string" ? [texts] : texts)
        known.push(parseForm(mnemonic, text, group));
      forms.set(mnemonic, known);
    }
  return forms as ReadonlyMap<Mnemonic, readonly Form[]>;
}

let forms: ReadonlyMap<Mnemonic, readonly Form[]> | undefined;

/** Read at first use: a program that runs elsewhere does not pay for them. */
export const allForms = (): ReadonlyMap<Mnemonic, readonly Form[]> => (forms ??= readTables());
