/** Published models on their real weights against transformers: tokens, logits, the text that follows, embeddings of sentences. */
import { describe, expect, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import { expectNear } from "../../test/model-states.ts";
import { byTier } from "../../test/tier.ts";
import { weightsPath, weightsReason } from "../../test/weights.ts";
import { type ChatMessage, chatPrompt, Decoding, generateTokens } from "../generate/index.ts";
import { loadPretrained, loadSentenceEncoder } from "./index.ts";

interface Row {
  readonly prompt: string | readonly ChatMessage[];
  readonly text: string;
  readonly ids: readonly number[];
  /** Tokens, their logits behind the prompt, the norm of all logits. */
  readonly places: readonly number[];
  readonly logits: readonly number[];
  readonly norm: number;
  /** The likeliest tokens, one after the other. */
  readonly chosen: readonly number[];
}
interface Sentence {
  readonly text: string;
  readonly ids: readonly number[];
  readonly embedding: EncodedArray;
}
const { cases, embeddings, gguf, sentences } = readFixture<{
  readonly cases: readonly Row[];
  readonly embeddings: readonly Sentence[];
  /** Where the weights are. */
  readonly gguf: string;
  readonly sentences: string;
}>("real-weights.json");

const path = weightsPath(gguf);

describe("SmolLM2-135M-Instruct, 4 bits", () => {
  test("tokens, logits and the text that follows", async ({ skip }) => {
    if (path === undefined) return skip(weightsReason);
    const pretrained = await loadPretrained(path);
    const { model, tokenizer } = pretrained;
    const decoding = new Decoding(model, { maxLength: 192 });
    for (const [i, { prompt, text, ids, places, logits, norm, chosen }] of cases
      .slice(0, byTier(2, cases.length))
      .entries()) {
      const isText = typeof prompt === "string";
      expect(isText ? prompt : await chatPrompt(pretrained, prompt)).toBe(text);
      expect(tokenizer!.encode(text, { addSpecialTokens: isText }).ids).toEqual(ids);
      decoding.rewind(0);
      const found = await decoding.read(ids);
      expectNear(
        text,
        places.map((place) => found[place]!),
        logits,
        1e-3,
      );
      expect(Math.abs(Math.hypot(...found) / norm - 1)).toBeLessThan(1e-3);
      if (i >= byTier(1, cases.length)) continue;
      decoding.rewind(0);
      const made: number[] = [];
      const options = { maxNewTokens: chosen.length, temperature: 0, decoding };
      for await (const token of generateTokens(model, ids, options)) made.push(token);
      expect(made).toEqual(chosen);
    }
  }, 300_000);
});

describe("all-MiniLM-L6-v2", () => {
  const folder = weightsPath(sentences);

  test("tokens and embeddings, in batches of any size", async ({ skip }) => {
    if (folder === undefined) return skip(weightsReason);
    const encoder = await loadSentenceEncoder(folder);
    const texts = embeddings.map(({ text }) => text);
    for (const { text, ids } of embeddings) expect(encoder.tokenizer.encode(text).ids).toEqual(ids);
    for (const batchSize of [32, 2]) {
      const found = await encoder.encode(texts, { batchSize });
      for (const [i, { text, embedding }] of embeddings.entries())
        expectNear(text, found[i]!, decodeArray(embedding), 1e-4);
    }
  }, 120_000);
});
