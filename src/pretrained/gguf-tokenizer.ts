/** The tokenizer that a GGUF file carries, as `tokenizer.json` would say it. */
import { ArgumentError, FormatError } from "../base/errors.ts";
import type { GgufFile, GgufInput } from "../formats/index.ts";
import type { AddedToken, TokenizerFile } from "../text/tokenizer.ts";

/** How texts are cut before tokens are looked for: by `tokenizer.ggml.pre`. */
const byteLevel = (useRegex: boolean): object => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const split = (pattern: string): object => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});
const cutBy = (...cutters: object[]): object => ({ type: "Sequence", pretokenizers: cutters });
/** Words with a sign before them, up to so many digits, signs with line ends, spaces: what Llama 3 began. */
const wordsAndDigits = (digits: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const cutters: Readonly<Record<string, object>> = {
  default: byteLevel(true),
  "gpt-2": byteLevel(true),
  smollm: cutBy({ type: "Digits", individual_digits: true }, byteLevel(true)),
  "llama-bpe": cutBy(split(wordsAndDigits("\\p{N}{1,3}")), byteLevel(false)),
  qwen2: cutBy(split(wordsAndDigits("\\p{N}")), byteLevel(false)),
};

/** Kinds of tokens in `tokenizer.ggml.token_type`. */
const kinds = { control: 3, userDefined: 4 };

/**
 * A byte-level BPE tokenizer: what `tokenizer.ggml.model` calls "gpt2".
 *
 * @throws ArgumentError for other models and ways to cut texts, FormatError for a vocabulary that is none
 */
export function tokenizerOf(path: string, { metadata }: GgufFile): TokenizerFile {
  const model = metadata.get("tokenizer.ggml.model");
  if (model !== "gpt2")
    throw new ArgumentError(
      `"${path}" has a tokenizer of kind ${JSON.stringify(model)}; byte-level BPE ("gpt2") is read: give the folder's tokenizer.json instead`,
    );
  const cut = metadata.get("tokenizer.ggml.pre") ?? "default";
  const preTokenizer = typeof cut === "string" ? cutters[cut] : undefined;
  if (preTokenizer === undefined)
    throw new ArgumentError(
      `"${path}" cuts texts by ${JSON.stringify(cut)}; known are ${Object.keys(cutters).join(", ")}`,
    );
  const [tokens, merges] = [stringsOf(path, metadata, "tokens"), stringsOf(path, metadata, "merges")];
  return {
    version: "1.0",
    added_tokens: addedTokens(tokens, metadata.get("tokenizer.ggml.token_type")),
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: byteLevel(true),
    model: {
      type: "BPE",
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

function stringsOf(path: string, metadata: GgufFile["metadata"], what: string): readonly string[] {
  const list = metadata.get(`tokenizer.ggml.${what}`);
  if (Array.isArray(list) && list.every((item) => typeof item === "string")) return list;
  throw new FormatError(`"${path}" has no list of strings tokenizer.ggml.${what}`);
}

function addedTokens(tokens: readonly string[], types: unknown): AddedToken[] {
  if (!Array.isArray(types)) return [];
  return tokens.flatMap((content, id) => {
    if (types[id] !== kinds.control && types[id] !== kinds.userDefined) return [];
    const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    return [{ id, content, special: types[id] === kinds.control, ...plain }];
  });
}

/**
 * What a GGUF file says of a tokenizer: the reverse of `tokenizerOf`.
 *
 * @throws ArgumentError for other models than byte-level BPE, and for ways to cut texts that have no name in GGUF files
 */
export function metadataOfTokenizer(file: TokenizerFile): Record<string, GgufInput> {
  const { type, vocab, merges } = file.model as {
    type?: string;
    vocab?: object;
    merges?: readonly unknown[];
  };
  if (type !== "BPE" || vocab === undefined || merges === undefined)
    throw new ArgumentError(
      `a GGUF file holds byte-level BPE tokenizers; this one is ${JSON.stringify(type)}`,
    );
  const cut = Object.keys(cutters).findLast((name) => isSameCut(cutters[name]!, file.pre_tokenizer));
  if (cut === undefined)
    throw new ArgumentError(
      `the tokenizer cuts texts in a way that has no name here; known are ${Object.keys(cutters).join(", ")}`,
    );
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(vocab)) tokens[id as number] = token;
  const types = new Int32Array(Math.max(tokens.length, ...file.added_tokens.map(({ id }) => id + 1))).fill(1);
  for (const { id, content, special } of file.added_tokens) {
    tokens[id] = content;
    types[id] = special ? kinds.control : kinds.userDefined;
  }
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": cut,
    "tokenizer.ggml.tokens": Array.from(tokens, (token, id) => token ?? `[PAD${id}]`),
    "tokenizer.ggml.token_type": types,
    "tokenizer.ggml.merges": merges.map((pair) => (Array.isArray(pair) ? pair.join(" ") : String(pair))),
  };
}

/** Alike, whatever the order of keys, and whatever trims offsets, which tokens do not depend on. */
function isSameCut(known: unknown, given: unknown): boolean {
  if (typeof known !== "object" || known === null || typeof given !== "object" || given === null)
    return known === given;
  const keys = [...new Set([...Object.keys(known), ...Object.keys(given)])].filter(
    (key) => key !== "trim_offsets",
  );
  return keys.every((key) =>
    isSameCut((known as Record<string, unknown>)[key], (given as Record<string, unknown>)[key]),
  );
}
