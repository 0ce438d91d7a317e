/** HTML from templates: what is filled in is text, unless it is HTML already. */

/** Markup that may stand in a page as it is. */
export class Html {
  readonly markup: string;
  constructor(markup: string) {
    this.markup = markup;
  }
}

export type Filling = Html | string | number | undefined | false | readonly Filling[];

/** A template whose values are escaped: `html`<b>${name}</b>``. Lists are joined; undefined and false are nothing. */
export const html = (parts: TemplateStringsArray, ...values: readonly Filling[]): Html =>
  new Html(parts.map((part, i) => part + (i < values.length ? markupOf(values[i]) : "")).join(""));

function markupOf(value: Filling): string {
  if (value instanceof Html) return value.markup;
  if (value === undefined || value === false) return "";
  if (typeof value === "object") return value.map(markupOf).join("");
  return escapeHtml(String(value));
}

export const escapeHtml = (text: string): string =>
  text.replace(
    /[&<>"']/g,
    (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]!,
  );
