/** `/v1/chat/completions`: conversations. */
import { type ChatMessage, chatPrompt, type MadeToken } from "../generate/index.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { AnswerPiece, FinishReason } from "./answer.ts";
import { ApiError, wrongField } from "./api-error.ts";
import type { Asked, Shape } from "./endpoint.ts";
import { Fields } from "./fields.ts";
import { samplingFields, samplingOf } from "./sampling-fields.ts";
import type { ServedModel } from "./served-model.ts";

const known = [
  ...[
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "logprobs",
    "top_logprobs",
    "response_format",
  ],
  ...samplingFields,
];

export async function askedOfChat(body: unknown, served: ServedModel): Promise<Asked> {
  const fields = new Fields(body, known);
  served.requireName(fields.string("model"));
  const messages = messagesOf(fields.get("messages"));
  const text = await chatPrompt(served.pretrained, messages);
  const prompt = served.tokenizer.encode(text, { addSpecialTokens: false }).ids;
  const most = { least: 1 };
  const wantsChances = fields.boolean("logprobs") ?? false;
  const likeliest = fields.integer("top_logprobs", { least: 0, most: 20 });
  if (likeliest !== undefined && !wantsChances)
    throw new ApiError(400, `"top_logprobs" goes with "logprobs": true`, { param: "top_logprobs" });
  return {
    prompts: [prompt],
    maxTokens: fields.integer("max_completion_tokens", most) ?? fields.integer("max_tokens", most),
    sampling: samplingOf(fields, served),
    logProbabilities: wantsChances ? (likeliest ?? 0) : undefined,
    grammar: served.grammarOf(fields.get("response_format")),
    shape: chatShape,
  };
}

function messagesOf(value: unknown): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) throw wrongField("messages", "a list of messages", value);
  return value.map((message: unknown, i) => {
    const { role, content } = (message ?? {}) as Record<string, unknown>;
    if (typeof role !== "string") throw wrongField(`messages[${i}].role`, "a text", role);
    return {
      role: role === "developer" ? "system" : role,
      content: textOf(content, `messages[${i}].content`),
    };
  });
}

/** A text, or parts of one. */
function textOf(content: unknown, param: string): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw wrongField(param, "a text or a list of texts", content);
  return content
    .map((part: unknown) => {
      const { type, text } = (part ?? {}) as Record<string, unknown>;
      if (type === "text" && typeof text === "string") return text;
      throw wrongField(param, 'of parts { type: "text", text }: this model reads nothing else', part);
    })
    .join("");
}

const chatShape: Shape = {
  prefix: "chatcmpl",
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  choice: (index, pieces, finishReason, tokenizer) => ({
    index,
    message: { role: "assistant", content: pieces.map(({ text }) => text).join(""), refusal: null },
    logprobs: chancesOf(pieces, tokenizer),
    finish_reason: finishReason,
  }),
  first: (index) => chunk(index, { role: "assistant", content: "", refusal: null }, null, null),
  piece: (index, piece, tokenizer) =>
    chunk(index, { content: piece.text }, chancesOf([piece], tokenizer), null),
  last: (index, finishReason) => chunk(index, {}, null, finishReason),
};

const chunk = (
  index: number,
  delta: object,
  logprobs: object | null,
  reason: FinishReason | null,
): object => ({
  ...{ index, delta, logprobs, finish_reason: reason },
});

function chancesOf(pieces: readonly AnswerPiece[], tokenizer: Tokenizer): object | null {
  const tokens = pieces.flatMap((piece) => piece.tokens);
  if (tokens.length === 0) return null;
  const entry = (token: number, logprob: number): object => {
    const text = tokenizer.decode([token], { skipSpecialTokens: false });
    return { token: text, logprob, bytes: [...new TextEncoder().encode(text)] };
  };
  const content = tokens.map(({ token, logProbability, likeliest }: MadeToken) => ({
    ...entry(token, logProbability!),
    top_logprobs: likeliest!.map((other) => entry(other.token, other.logProbability)),
  }));
  return { content, refusal: null };
}
