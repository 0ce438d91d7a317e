/** Tokenizers of Hugging Face's format, `tokenizer.json`, by Hugging Face's own package. */
import { FormatError } from "../base/errors.ts";
import { optionalPackage } from "../base/optional.ts";
import { readJson } from "./json-file.ts";

/** What `tokenizer.json` holds; the trainers of this room give it. */
export interface TokenizerFile {
  readonly version: string;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: object | null;
  readonly pre_tokenizer: object | null;
  readonly post_processor: object | null;
  readonly decoder: object | null;
  readonly model: object;
  readonly truncation?: object | null;
  readonly padding?: object | null;
}
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
}

export interface EncodeOptions {
  /** A second text, as models of sentence pairs take it. */
  readonly pair?: string;
  /** Default true: what the model wants at the ends, such as [CLS] and [SEP]. */
  readonly addSpecialTokens?: boolean;
}
export interface Encoded {
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  readonly attentionMask: readonly number[];
  /** 0 for tokens of the first text, 1 for those of the second; where the model has them. */
  readonly typeIds: readonly number[] | undefined;
}

/** Texts to numbers and back. */
export interface Tokenizer {
  /** Tokens there are, added ones included. */
  readonly vocabularySize: number;
  encode(text: string, options?: EncodeOptions): Encoded;
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }): string;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
  /** The bytes that a token is in a text, of which letters may need several tokens; undefined for tokens that are no text. */
  bytesOf(id: number): Uint8Array | undefined;
}

type Package = typeof import("@huggingface/tokenizers");
type Inner = InstanceType<Package["Tokenizer"]>;

const packageOf = (purpose: string): Promise<Package> =>
  optionalPackage("@huggingface/tokenizers", purpose, () => import("@huggingface/tokenizers"));

/**
 * A tokenizer from `tokenizer.json`: its path, or its content. Needs the package `@huggingface/tokenizers`.
 *
 * @param config what `tokenizer_config.json` holds, where the model has one
 * @throws PlatformError when the package is not installed, FileError, FormatError for anything but a tokenizer
 * @example
 * const tokenizer = await loadTokenizer(await trainBpe(["a cat, a dog, a catalogue"], { vocabularySize: 265 }));
 * const { ids } = tokenizer.encode("a dog");
 * tokenizer.decode(ids); // "a dog"
 */
export async function loadTokenizer(
  source: string | object,
  { config = {} }: { readonly config?: object } = {},
): Promise<Tokenizer> {
  const { Tokenizer } = await packageOf("reading tokenizer.json");
  const name = typeof source === "string" ? `"${source}"` : "the given tokenizer";
  const file = typeof source === "string" ? await readJson(source) : source;
  checkFile(name, file);
  try {
    return new HuggingFaceTokenizer(new Tokenizer(file, config), file, name);
  } catch (error) {
    throw unusable(name, error as Error);
  }
}

function checkFile(name: string, file: unknown): asserts file is TokenizerFile {
  const { model, added_tokens: added } = (file ?? {}) as Partial<TokenizerFile>;
  const isModel = typeof model === "object" && model !== null && "vocab" in model;
  if (isModel && (added === undefined || Array.isArray(added))) return;
  throw new FormatError(
    `${name} is no tokenizer.json: it needs a model with a vocabulary, and added_tokens as a list`,
  );
}

/** The package finds out late what a file lacks. */
const unusable = (name: string, { message }: { readonly message: string }): FormatError =>
  new FormatError(`${name} is no tokenizer that can be used: ${message}`);

class HuggingFaceTokenizer implements Tokenizer {
  private readonly name: string;
  private readonly inner: Inner;
  private readonly isByteLevel: boolean;
  private readonly added: ReadonlySet<number>;
  constructor(inner: Inner, { decoder, added_tokens: added = [] }: TokenizerFile, name: string) {
    this.name = name;
    this.inner = inner;
    this.isByteLevel = /"type":"ByteLevel"/.test(JSON.stringify(decoder ?? {}));
    this.added = new Set(added.filter(({ special }) => special).map(({ id }) => id));
  }
  get vocabularySize(): number {
    return this.inner.get_vocab(true).size;
  }
  encode(text: string, { pair, addSpecialTokens = true }: EncodeOptions = {}): Encoded {
    const found = this.used(() =>
      this.inner.encode(text, {
        text_pair: pair ?? null,
        add_special_tokens: addSpecialTokens,
        return_token_type_ids: true,
      }),
    );
    const { ids, tokens, attention_mask: attentionMask, token_type_ids: typeIds } = found;
    const wrong = ids.findIndex((id: unknown) => !(Number.isInteger(id) && (id as number) >= 0));
    if (wrong >= 0)
      throw unusable(this.name, { message: `its token ${JSON.stringify(tokens[wrong])} has no number` });
    return { ids, tokens, attentionMask, typeIds };
  }
  decode(
    ids: ArrayLike<number>,
    { skipSpecialTokens = true }: { readonly skipSpecialTokens?: boolean } = {},
  ): string {
    // The package refuses an empty list.
    if (ids.length === 0) return "";
    const list = Array.from(ids);
    return this.used(() => this.inner.decode(list, { skip_special_tokens: skipSpecialTokens }));
  }
  private used<R>(body: () => R): R {
    try {
      return body();
    } catch (error) {
      throw unusable(this.name, error as Error);
    }
  }
  idOf(token: string): number | undefined {
    return this.inner.token_to_id(token);
  }
  tokenOf(id: number): string | undefined {
    return this.inner.id_to_token(id);
  }
  bytesOf(id: number): Uint8Array | undefined {
    const token = this.inner.id_to_token(id);
    if (token === undefined || this.added.has(id)) return undefined;
    if (this.isByteLevel) {
      const bytes = [...token].map((letter) => byteOfLetter.get(letter));
      // Tokens that a user added stand as they are.
      if (!bytes.includes(undefined)) return Uint8Array.from(bytes as number[]);
    }
    const byte = /^<0x([\dA-F]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    return new TextEncoder().encode(token.replaceAll("\u2581", " "));
  }
}

/** GPT-2's letters for bytes: printable ones stand for themselves, the others for 256 and on. Radford and others, 2019. */
const byteOfLetter: ReadonlyMap<string, number> = (() => {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 256;
  return new Map(
    Array.from({ length: 256 }, (_, byte) => [String.fromCharCode(isPrintable(byte) ? byte : next++), byte]),
  );
})();

/** What stands before a model: how a text becomes pieces that no token crosses. */
export interface PieceRules {
  readonly normalizer: object | null;
  readonly pre_tokenizer: object;
}

/** Counts of the pieces that texts fall into, as the tokenizer itself will cut them; in order of appearance. */
export async function countPieces(texts: Iterable<string>, rules: PieceRules): Promise<Map<string, number>> {
  const { Tokenizer } = await packageOf("training a tokenizer");
  const model = { type: "BPE", vocab: {}, merges: [] };
  const { normalizer, pre_tokenizer } = new Tokenizer({ ...emptyFile, ...rules, model }, {});
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const piece of pre_tokenizer!.pre_tokenize(normalizer?.normalize(text) ?? text))
      if (piece !== "") counts.set(piece, (counts.get(piece) ?? 0) + 1);
  return counts;
}

export const emptyFile = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
} as const;

export const specialTokensOf = (tokens: readonly string[]): AddedToken[] =>
  tokens.map((content, id) => ({
    id,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  }));
