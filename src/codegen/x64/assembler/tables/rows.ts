/** Rows of the encoding tables: mnemonic → its forms (see `../form.ts` for the notation). */
export type Rows = Readonly<Record<string, string | readonly string[]>>;
