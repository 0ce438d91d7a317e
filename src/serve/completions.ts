/** `/v1/completions`: texts that are gone on with. */
import type { Tokenizer } from "../text/tokenizer.ts";
import type { AnswerPiece, FinishReason } from "./answer.ts";
import { wrongField } from "./api-error.ts";
import type { Asked, Shape } from "./endpoint.ts";
import { Fields } from "./fields.ts";
import { samplingFields, samplingOf } from "./sampling-fields.ts";
import type { ServedModel } from "./served-model.ts";

const known = ["model", "prompt", "max_tokens", "logprobs", "response_format", ...samplingFields];

/** What OpenAI's API makes when nothing is said. */
const defaultMaxTokens = 16;

export function askedOfCompletion(body: unknown, served: ServedModel): Asked {
  const fields = new Fields(body, known);
  served.requireName(fields.string("model"));
  return {
    prompts: promptsOf(fields.get("prompt"), served),
    maxTokens: fields.integer("max_tokens", { least: 1 }) ?? defaultMaxTokens,
    sampling: samplingOf(fields, served),
    logProbabilities: fields.integer("logprobs", { least: 0, most: 20 }),
    grammar: served.grammarOf(fields.get("response_format")),
    shape: completionShape,
  };
}

/** A text, a list of texts, tokens, or a list of lists of tokens. */
function promptsOf(value: unknown, { tokenizer, vocabSize, most }: ServedModel): (readonly number[])[] {
  const wanted = `a text, up to ${most} of them, or lists of tokens below ${vocabSize}`;
  const isTokens = (list: unknown): list is number[] =>
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((token) => Number.isInteger(token) && token >= 0 && token < vocabSize);
  const list = typeof value === "string" || isTokens(value) ? [value] : value;
  if (!Array.isArray(list) || list.length === 0 || list.length > most)
    throw wrongField("prompt", wanted, value);
  return list.map((item: unknown) => {
    if (typeof item === "string") return tokenizer.encode(item).ids;
    if (isTokens(item)) return item;
    throw wrongField("prompt", wanted, item);
  });
}

const choice = (
  index: number,
  pieces: readonly AnswerPiece[],
  reason: FinishReason | null,
  tokenizer?: Tokenizer,
): object => ({
  index,
  text: pieces.map(({ text }) => text).join(""),
  logprobs: tokenizer === undefined ? null : chancesOf(pieces, tokenizer),
  finish_reason: reason,
});

const completionShape: Shape = {
  prefix: "cmpl",
  object: "text_completion",
  chunkObject: "text_completion",
  choice,
  first: undefined,
  piece: (index, piece, tokenizer) => choice(index, [piece], null, tokenizer),
  last: (index, reason) => choice(index, [], reason),
};

function chancesOf(pieces: readonly AnswerPiece[], tokenizer: Tokenizer): object | null {
  const made = pieces.flatMap((piece) => piece.tokens);
  if (made.length === 0) return null;
  const textOf = (token: number): string => tokenizer.decode([token], { skipSpecialTokens: false });
  const tokens = made.map(({ token }) => textOf(token));
  let at = 0;
  return {
    tokens,
    token_logprobs: made.map(({ logProbability }) => logProbability),
    top_logprobs: made.map(({ likeliest }) =>
      Object.fromEntries(likeliest!.map(({ token, logProbability }) => [textOf(token), logProbability])),
    ),
    text_offset: tokens.map((text) => (at += text.length) - text.length),
  };
}
