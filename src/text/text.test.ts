/** Texts to numbers: against scikit-learn and Hugging Face, and what must hold of any text. */
import { describe, expect, test } from "vitest";
import { hashedUnit, readFixture } from "../../test/fixtures.ts";
import {
  bucketBatches,
  characterNgrams,
  cleanText,
  loadTokenizer,
  ngrams,
  normalizeText,
  padSequences,
  TfIdf,
  type TfIdfOptions,
  trainBpe,
  trainUnigram,
  trainWordPiece,
  Vocabulary,
} from "./index.ts";

const fixture = readFixture<{
  texts: string[];
  tfIdf: { note: string; options: TfIdfOptions; terms: string[]; rows: number[][] }[];
  bpe: {
    vocabularySize: number;
    merges: [string, string][];
    vocab: Record<string, number>;
    probe: string;
    ids: number[];
  };
}>("text.json");
const { texts } = fixture;

test("runs of words and of characters", () => {
  expect(ngrams(["a", "b", "c"], 2, 3)).toEqual(["a b", "b c", "a b c"]);
  expect(ngrams(["a"], 2)).toEqual([]);
  expect(characterNgrams("a😀é", 2)).toEqual(["a😀", "😀é"]);
  expect(() => ngrams(["a"], 0)).toThrow("1 ≤ from ≤ to, got 0 and 0");
  expect(() => bucketBatches([1], { batchSize: 1, seed: 1 } as never)).toThrow('there is no option "seed"');
});

describe("TfIdf is scikit-learn's", () => {
  test.each(fixture.tfIdf)("$note", ({ options, terms, rows }) => {
    const fitted = new TfIdf(options).fit(texts);
    for (const made of [fitted, TfIdf.fromJSON(JSON.parse(JSON.stringify(fitted)))]) {
      expect(made.terms).toEqual(terms);
      const { shape, data } = made.transform(texts);
      expect(shape).toEqual([rows.length, terms.length]);
      rows.flat().forEach((weight, i) => {
        expect(data[i]).toBeCloseTo(weight, 6);
      });
    }
  });
  test("what it never saw counts nothing; what cannot be is refused", () => {
    const fitted = new TfIdf().fit(texts);
    expect(fitted.transform(["zebra", ""]).data.every((x) => x === 0)).toBe(true);
    expect(() => new TfIdf().transform(["a"])).toThrow("fit it to texts first");
    expect(() => new TfIdf({ minTexts: 9 }).fit(texts)).toThrow("no term is left");
    expect(() => TfIdf.fromJSON({ format: "x" })).toThrow('got "x"');
  });
});

describe("byte-level BPE", () => {
  test("merges, numbers and a text's tokens are Hugging Face's", async () => {
    const { vocabularySize, merges, vocab, probe, ids } = fixture.bpe;
    const file = await trainBpe(texts, { vocabularySize, specialTokens: ["<|endoftext|>"] });
    const model = file.model as { merges: unknown; vocab: unknown };
    expect(model.merges).toEqual(merges);
    expect(model.vocab).toEqual(vocab);
    const tokenizer = await loadTokenizer(file);
    expect(tokenizer.vocabularySize).toBe(Object.keys(vocab).length);
    expect(tokenizer.encode(probe).ids).toEqual(ids);
  });
  test("any text comes back exactly", async () => {
    const tokenizer = await loadTokenizer(await trainBpe(texts, { vocabularySize: 300 }));
    for (const text of ["", " a  b\n\tc ", "日本語 🙂 e\u0301", "\u0000\u007f", ...texts])
      expect(tokenizer.decode(tokenizer.encode(text).ids)).toBe(text);
  });
  test("options out of range are refused", async () => {
    await expect(trainBpe(texts, { vocabularySize: 100 })).rejects.toThrow("has no room for 256 bytes");
    await expect(trainBpe(texts, { specialTokens: ["a", "a"] })).rejects.toThrow("stands twice");
    await expect(loadTokenizer({ model: 3 })).rejects.toThrow("is no tokenizer.json");
  });
});

test("WordPiece: frequent words are whole, rare ones parts, unknown characters unknown", async () => {
  const file = await trainWordPiece(texts, { vocabularySize: 120 });
  expect(await trainWordPiece([...texts].reverse(), { vocabularySize: 120 })).toEqual(file);
  const tokenizer = await loadTokenizer(file);
  const { tokens, typeIds } = tokenizer.encode("The CATS ran", { pair: "猫" });
  expect(tokens.slice(0, 2)).toEqual(["[CLS]", "the"]);
  expect(tokens.slice(-3)).toEqual(["[SEP]", "[UNK]", "[SEP]"]);
  expect(typeIds).toEqual(tokens.map((_, i) => (i >= tokens.length - 2 ? 1 : 0)));
  expect(tokenizer.decode(tokenizer.encode("the black dogs").ids)).toBe("the black dogs");
  await expect(trainWordPiece(texts, { specialTokens: ["[UNK]"] })).rejects.toThrow('need "[CLS]"');
});

describe("Unigram", () => {
  test("texts come back, in fewer tokens than letters; probabilities add up to 1", async () => {
    const file = await trainUnigram(texts, { vocabularySize: 90 });
    const tokenizer = await loadTokenizer(file);
    const { vocab } = file.model as { vocab: [string, number][] };
    expect(vocab.length).toBeGreaterThan(70);
    expect(vocab.length).toBeLessThanOrEqual(90);
    const total = vocab.slice(1).reduce((sum, [, log]) => sum + Math.exp(log), 0);
    expect(total).toBeGreaterThan(0.8);
    expect(total).toBeLessThan(1.01);
    for (const text of texts) {
      const { ids } = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text.normalize("NFKC"));
      expect(ids.length).toBeLessThan(0.62 * text.length);
    }
    expect(tokenizer.encode("猫").tokens).toContain("猫");
    expect(tokenizer.encode("猫").ids).toContain(0);
  });
  test("more tokens say the texts in fewer", async () => {
    const lengths = [];
    for (const vocabularySize of [45, 70, 110]) {
      const tokenizer = await loadTokenizer(await trainUnigram(texts, { vocabularySize }));
      lengths.push(texts.reduce((sum, text) => sum + tokenizer.encode(text).ids.length, 0));
    }
    expect(lengths[0]).toBeGreaterThan(lengths[1]!);
    expect(lengths[1]).toBeGreaterThan(lengths[2]!);
  });
});

describe("Vocabulary", () => {
  test("counts, limits, and back", () => {
    const tokens = [["b", "a", "b"], ["c", "a", "b"], ["<unk>"]];
    expect(Vocabulary.from(tokens).tokens).toEqual(["<pad>", "<unk>", "b", "a", "c"]);
    expect(Vocabulary.from(tokens, { minCount: 2, maxSize: 3 }).tokens).toEqual(["<pad>", "<unk>", "b"]);
    const vocabulary = Vocabulary.from(tokens, { special: [], unknown: null });
    expect(() => vocabulary.encode(["z"])).toThrow('"z" is not one of 4 tokens');
    expect(() => vocabulary.decode([9])).toThrow("no token has number 9");
    expect(Vocabulary.fromJSON(JSON.parse(JSON.stringify(vocabulary)))).toEqual(vocabulary);
  });
  test.each([
    [null, "got undefined version undefined"],
    [{ format: "netwright.vocabulary", version: 2 }, "version 2"],
    [{ format: "netwright.vocabulary", version: 1, tokens: [1], unknown: null }, "a list of strings"],
    [{ format: "netwright.vocabulary", version: 1, tokens: ["a", "a"], unknown: null }, "stands twice"],
    [{ format: "netwright.vocabulary", version: 1, tokens: ["a"], unknown: "b" }, "none of the tokens"],
  ])("refuses %j", (value, message) => {
    expect(() => Vocabulary.fromJSON(value)).toThrow(message);
  });
});

describe("padding and batches", () => {
  test("sides and ends", () => {
    const sequences = [[1, 2, 3, 4], [5], []];
    const rows = (options = {}) => {
      const { tokens, mask } = padSequences(sequences, options);
      const width = tokens.shape[1];
      return [0, 1, 2].map((row) => [
        [...tokens.data.subarray(row * width, (row + 1) * width)].join(""),
        [...mask.data.subarray(row * width, (row + 1) * width)].join(""),
      ]);
    };
    expect(rows({ multipleOf: 3 })[0]).toEqual(["123400", "111100"]);
    expect(rows({ length: 2, side: "start", truncate: "start", value: 9 })).toEqual([
      ["34", "11"],
      ["95", "01"],
      ["99", "00"],
    ]);
    expect(padSequences([]).tokens.shape).toEqual([0, 0]);
    expect(() => padSequences(sequences, { length: 1.5 })).toThrow("got 1.5");
  });
  test("each sequence once, little padding, the same from the same seed", () => {
    const lengths = Array.from({ length: 1003 }, (_, i) => 1 + Math.floor(hashedUnit(3, i) * 200));
    const batches = bucketBatches(lengths, { batchSize: 16, key: 5 });
    expect([...batches.flatMap((batch) => [...batch])].sort((a, b) => a - b)).toEqual(
      lengths.map((_, i) => i),
    );
    const padded = batches.reduce(
      (sum, batch) => sum + batch.length * Math.max(...[...batch].map((i) => lengths[i]!)),
      0,
    );
    expect(padded / lengths.reduce((a, b) => a + b)).toBeLessThan(1.05);
    expect(bucketBatches(lengths, { batchSize: 16, key: 5 })).toEqual(batches);
    expect(bucketBatches(lengths, { batchSize: 16, key: 6 })).not.toEqual(batches);
  });
});

describe("normalising and cleaning", () => {
  test.each([
    ["ﬁne\u00a0²", { form: "NFKC" }, "fine 2"],
    ["Ünïcode ÉTÉ", { stripAccents: true, lowercase: true }, "unicode ete"],
    ["a\u0007b\u00adc\ufeff", {}, "abc"],
    [" a \n b ", { collapseWhitespace: false }, " a \n b "],
    ["‘x’…", { asciiPunctuation: true }, "'x'..."],
  ] as const)("%j", (text, options, wanted) => {
    expect(normalizeText(text, options)).toBe(wanted);
  });
  test.each([
    ["<style>p{}</style><b>Hi</b><!-- no -->&lt;3 &#65;&#x42;&nope;", {}, "Hi <3 AB&nope;"],
    ["2 < 3 and 4 > 1", {}, "2 < 3 and 4 > 1"],
    ["mail me@x.org or www.x.org/a?b=1 3.50", { emails: "@", urls: "U", numbers: "#" }, "mail @ or U #"],
    ["a &#xffffffff; b", {}, "a &#xffffffff; b"],
  ] as const)("%j", (text, options, wanted) => {
    expect(cleanText(text, options)).toBe(wanted);
  });
});
