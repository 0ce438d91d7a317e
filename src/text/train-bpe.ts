/** Training of tokenizers whose tokens are joined pairs: byte-pair encoding and WordPiece. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type CountedWord, mergePairs } from "./merges.ts";
import { countPieces, emptyFile, specialTokensOf, type TokenizerFile } from "./tokenizer.ts";

export interface TrainTokenizerOptions {
  /** Tokens in the end, special ones and single characters included; default 30,000. Fewer where texts have no more. */
  readonly vocabularySize?: number;
  /** Pairs that come less often are not joined; default 2. */
  readonly minFrequency?: number;
  /** Tokens that come first, in this order. */
  readonly specialTokens?: readonly string[];
}

function checkTrainOptions(
  what: string,
  options: TrainTokenizerOptions,
  names: readonly string[] = [],
): void {
  checkOptions(what, options, ["vocabularySize", "minFrequency", "specialTokens", ...(names as never[])]);
  const { vocabularySize = 30_000, specialTokens = [] } = options;
  if (!Number.isInteger(vocabularySize) || vocabularySize < 1)
    throw new ArgumentError(`${what}: vocabularySize must be a positive integer, got ${vocabularySize}`);
  if (new Set(specialTokens).size < specialTokens.length)
    throw new ArgumentError(`${what}: a special token stands twice: ${specialTokens.join(", ")}`);
}

/** Tokens by number, and numbers by token. */
class Tokens {
  readonly list: string[] = [];
  readonly numbers = new Map<string, number>();

  add(token: string): number {
    const known = this.numbers.get(token);
    if (known !== undefined) return known;
    this.numbers.set(token, this.list.length);
    return this.list.push(token) - 1;
  }
  vocabulary(): Record<string, number> {
    return Object.fromEntries(this.numbers);
  }
}

interface PairTraining {
  readonly counts: ReadonlyMap<string, number>;
  /** Characters that are tokens whether texts have them or not. */
  readonly alphabet: readonly string[];
  /** What stands before a part that does not begin a word. */
  readonly continuation: string;
}

function trainPairs(
  { counts, alphabet, continuation }: PairTraining,
  { vocabularySize = 30_000, minFrequency = 2, specialTokens = [] }: TrainTokenizerOptions,
): { readonly tokens: Tokens; readonly merges: [string, string][] } {
  const tokens = new Tokens();
  for (const token of specialTokens) tokens.add(token);
  const characters = new Set(alphabet);
  for (const word of counts.keys()) for (const character of word) characters.add(character);
  for (const character of [...characters].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!))
    tokens.add(character);
  const words: CountedWord[] = [...counts].map(([word, count]) => ({
    parts: [...word].map((character, i) => tokens.add(i === 0 ? character : continuation + character)),
    count,
  }));
  const merged = mergePairs(words, {
    join: (left, right) => tokens.add(tokens.list[left]! + tokens.list[right]!.slice(continuation.length)),
    wantsMore: () => tokens.list.length < vocabularySize,
    minCount: minFrequency,
  });
  return { tokens, merges: merged.map(([left, right]) => [tokens.list[left]!, tokens.list[right]!]) };
}

/** The characters that stand for the 256 bytes in byte-level tokenizers (GPT-2). */
export function byteCharacters(): string[] {
  const isPlain = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(isPlain(byte) ? byte : 256 + others++),
  );
}

/**
 * A byte-level BPE tokenizer, as GPT-2's and Llama 3's: every text can be written with it and read back exactly.
 *
 * @returns what `tokenizer.json` holds: `loadTokenizer` takes it, and so does Hugging Face's `Tokenizer.from_file`
 * @throws ArgumentError for a vocabulary too small for 256 bytes, PlatformError without `@huggingface/tokenizers`
 * @example
 * const file = await trainBpe(["low lower lowest", "low low"], { vocabularySize: 260, specialTokens: ["<|endoftext|>"] });
 * (await loadTokenizer(file)).encode("lowest").tokens; // ["low", "e", "s", "t"]
 */
export async function trainBpe(
  texts: Iterable<string>,
  options: TrainTokenizerOptions = {},
): Promise<TokenizerFile> {
  checkTrainOptions("trainBpe", options);
  const { vocabularySize = 30_000, specialTokens = [] } = options;
  if (vocabularySize < 256 + specialTokens.length)
    throw new ArgumentError(
      `trainBpe: vocabularySize ${vocabularySize} has no room for 256 bytes and ${specialTokens.length} special tokens`,
    );
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const rules = { normalizer: null, pre_tokenizer: byteLevel };
  const counts = await countPieces(texts, rules);
  const { tokens, merges } = trainPairs({ counts, alphabet: byteCharacters(), continuation: "" }, options);
  return {
    ...emptyFile,
    ...rules,
    added_tokens: specialTokensOf(specialTokens),
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: tokens.vocabulary(),
      merges,
    },
  };
}

export interface TrainWordPieceOptions extends TrainTokenizerOptions {
  /** Default true. */
  readonly lowercase?: boolean;
}

/**
 * A WordPiece tokenizer, as BERT's: parts of words behind the first begin with ##. The special tokens are [PAD], [UNK], [CLS], [SEP] and
 * [MASK] unless told otherwise; a text comes as [CLS] text [SEP].
 *
 * @returns what `tokenizer.json` holds
 * @throws ArgumentError when [UNK], [CLS] or [SEP] is missing, PlatformError without `@huggingface/tokenizers`
 * @example
 * const file = await trainWordPiece(["Play, playing, played", "play"], { vocabularySize: 40 });
 * (await loadTokenizer(file)).encode("Played!").tokens; // ["[CLS]", "play", "##e", "##d", "[UNK]", "[SEP]"]
 */
export async function trainWordPiece(
  texts: Iterable<string>,
  options: TrainWordPieceOptions = {},
): Promise<TokenizerFile> {
  checkTrainOptions("trainWordPiece", options, ["lowercase"]);
  const { specialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], lowercase = true } = options;
  const missing = ["[UNK]", "[CLS]", "[SEP]"].find((token) => !specialTokens.includes(token));
  if (missing !== undefined) throw new ArgumentError(`trainWordPiece: specialTokens need "${missing}"`);
  const rules = {
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
  };
  const found = await countPieces(texts, rules);
  // Which words were met first must not matter.
  const counts = new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  const trained = trainPairs({ counts, alphabet: [], continuation: "##" }, { ...options, specialTokens });
  const { tokens } = trained;
  const id = (token: string): number => tokens.numbers.get(token)!;
  const special = (token: string, type: number): object => ({ SpecialToken: { id: token, type_id: type } });
  const text = (name: "A" | "B", type: number): object => ({ Sequence: { id: name, type_id: type } });
  return {
    ...emptyFile,
    ...rules,
    added_tokens: specialTokensOf(specialTokens),
    post_processor: {
      type: "TemplateProcessing",
      single: [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)],
      pair: [special("[CLS]", 0), text("A", 0), special("[SEP]", 0), text("B", 1), special("[SEP]", 1)],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((token) => [token, { id: token, ids: [id(token)], tokens: [token] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: tokens.vocabulary(),
    },
  };
}
