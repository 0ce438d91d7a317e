/** Texts of one form: what looks alike becomes alike, what carries nothing goes. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";

export interface NormalizeOptions {
  /** Unicode's form; default "NFC". "NFKC" also makes ﬁ to fi and ² to 2. None with `null`. */
  readonly form?: "NFC" | "NFD" | "NFKC" | "NFKD" | null;
  /** Default false. */
  readonly lowercase?: boolean;
  /** Default false: true makes é to e. */
  readonly stripAccents?: boolean;
  /** Default true: control characters go, except line ends and tabs; so do a byte order mark and soft hyphens. */
  readonly removeControl?: boolean;
  /** Default true: any run of white space is one space, none at the ends. */
  readonly collapseWhitespace?: boolean;
  /** Default false: true makes “ ” ‘ ’ – — … to their ASCII counterparts. */
  readonly asciiPunctuation?: boolean;
}

const punctuation: Readonly<Record<string, string>> = {
  "\u2018": "'",
  "\u2019": "'",
  "\u201a": "'",
  "\u201c": '"',
  "\u201d": '"',
  "\u201e": '"',
  "\u00ab": '"',
  "\u00bb": '"',
  "\u2010": "-",
  "\u2011": "-",
  "\u2012": "-",
  "\u2013": "-",
  "\u2014": "-",
  "\u2212": "-",
  "\u2026": "...",
};
const punctuationPattern = new RegExp(`[${Object.keys(punctuation).join("")}]`, "g");

/**
 * A text in one form.
 *
 * @throws ArgumentError for an unknown form
 * @example normalizeText("  Cafe\u0301 — “très”\u00a0bon ", { stripAccents: true, asciiPunctuation: true }) // 'Cafe - "tres" bon'
 */
export function normalizeText(text: string, options: NormalizeOptions = {}): string {
  checkOptions("normalizeText", options, [
    ...(["form", "lowercase", "stripAccents", "removeControl"] as const),
    ...(["collapseWhitespace", "asciiPunctuation"] as const),
  ]);
  const { form = "NFC", lowercase = false, stripAccents = false } = options;
  const { removeControl = true, collapseWhitespace = true, asciiPunctuation = false } = options;
  if (form !== null && !["NFC", "NFD", "NFKC", "NFKD"].includes(form))
    throw new ArgumentError(
      `normalizeText: form "${form as string}" is unknown; use "NFC", "NFD", "NFKC", "NFKD" or null`,
    );
  let result = form === null ? text : text.normalize(form);
  if (removeControl) result = result.replace(/[\p{Cc}\u00ad\ufeff]/gu, (c) => (/[\n\r\t]/.test(c) ? c : ""));
  if (asciiPunctuation) result = result.replace(punctuationPattern, (c) => punctuation[c]!);
  if (stripAccents) {
    result = result.normalize("NFD").replace(/\p{Mn}/gu, "");
    if (form !== null) result = result.normalize(form);
  }
  if (lowercase) result = result.toLowerCase();
  return collapseWhitespace ? result.replace(/\s+/gu, " ").trim() : result;
}

export interface CleanOptions {
  /** Default true: tags and comments of HTML go with what stands in scripts and styles; entities become characters. */
  readonly html?: boolean;
  /** What stands in place of web addresses; they stay when left out. */
  readonly urls?: string;
  /** What stands in place of e-mail addresses. */
  readonly emails?: string;
  /** What stands in place of numbers. */
  readonly numbers?: string;
}

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  copy: "©",
  reg: "®",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  euro: "€",
};

/**
 * A text without its markup, and with names in place of what is different each time.
 *
 * @example cleanText("<p>Win &pound;1&amp;2 at http://a.example!</p>", { urls: "URL", numbers: "0" }) // "Win &pound;0&0 at URL"
 */
export function cleanText(text: string, options: CleanOptions = {}): string {
  checkOptions("cleanText", options, ["html", "urls", "emails", "numbers"]);
  const { html = true, urls, emails, numbers } = options;
  let result = html ? withoutMarkup(text) : text;
  if (urls !== undefined) result = result.replace(/\b(?:https?:\/\/|www\.)[^\s<>"]+/giu, () => urls);
  if (emails !== undefined) result = result.replace(/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/gu, () => emails);
  if (numbers !== undefined) result = result.replace(/\d+(?:[.,]\d+)*/gu, () => numbers);
  return result;
}

/** Tags become spaces, so that words on both sides stay apart. */
function withoutMarkup(text: string): string {
  return text
    .replace(/<!--[\s\S]*?-->/g, " ")
    .replace(/<(script|style)\b[^>]*>[\s\S]*?<\/\1\s*>/gi, " ")
    .replace(/<\/?[a-z][^<>]*>/gi, " ")
    .replace(/&(#x?[\da-f]+|\w+);/gi, (whole, name: string) => characterOf(name) ?? whole)
    .replace(/[ \t]+/g, " ")
    .trim();
}

function characterOf(name: string): string | undefined {
  if (!name.startsWith("#")) return entities[name.toLowerCase()];
  const isHexadecimal = name[1]?.toLowerCase() === "x";
  const code = Number.parseInt(name.slice(isHexadecimal ? 2 : 1), isHexadecimal ? 16 : 10);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}
