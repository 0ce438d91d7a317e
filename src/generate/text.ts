/** Texts instead of tokens: prompts, conversations, answers in pieces. */
import { ArgumentError } from "../base/errors.ts";
import { optionalPackage } from "../base/optional.ts";
import type { Pretrained } from "../pretrained/index.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type GenerateOptions, generateTokens } from "./generate.ts";

/** What somebody says in a conversation. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface GenerateTextOptions extends GenerateOptions {
  /** Texts that end the answer; they are not given. */
  readonly stop?: readonly string[];
}

/**
 * A conversation as the text that the model was trained on, by its template. Needs the package `@huggingface/jinja`.
 *
 * @param options.addGenerationPrompt default true: the model's turn is begun
 * @throws ArgumentError when the model comes without a template, or its template refuses the messages
 * @example
 * const pretrained = await loadPretrained("llama.gguf");
 * await chatPrompt(pretrained, [{ role: "user", content: "a dog" }]); // "<|user|>a dog<|begin|>"
 */
export async function chatPrompt(
  { chatTemplate, tokenizer, beginToken, endTokens }: Pretrained,
  messages: readonly ChatMessage[],
  { addGenerationPrompt = true }: { readonly addGenerationPrompt?: boolean } = {},
): Promise<string> {
  if (chatTemplate === undefined)
    throw new ArgumentError("chatPrompt: the model comes without a chat template: give it a text instead");
  const { Template } = await optionalPackage(
    "@huggingface/jinja",
    "a conversation's template",
    () => import("@huggingface/jinja"),
  );
  const nameOf = (token: number | undefined): string =>
    token === undefined ? "" : (tokenizer?.tokenOf(token) ?? "");
  try {
    return new Template(chatTemplate).render({
      messages,
      add_generation_prompt: addGenerationPrompt,
      bos_token: nameOf(beginToken),
      eos_token: nameOf(endTokens[0]),
    });
  } catch (cause) {
    throw new ArgumentError(
      `chatPrompt: the model's template refused the messages: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

/**
 * What follows a text, or an answer in a conversation, in pieces as they come.
 *
 * @throws ArgumentError when the model comes without a tokenizer, and as `generateTokens` does
 * @example
 * const pretrained = await loadPretrained("llama.gguf");
 * const messages = [{ role: "user", content: "a dog" }];
 * for await (const piece of generate(pretrained, messages, { maxNewTokens: 20, temperature: 0.7, key: 1 })) console.log(piece);
 */
export async function* generate(
  pretrained: Pretrained,
  prompt: string | readonly ChatMessage[],
  { stop = [], ...options }: GenerateTextOptions = {},
): AsyncGenerator<string, void, undefined> {
  const { model, tokenizer, endTokens } = pretrained;
  if (tokenizer === undefined)
    throw new ArgumentError("generate: the model comes without a tokenizer: give tokens to generateTokens");
  const text = typeof prompt === "string" ? prompt : await chatPrompt(pretrained, prompt);
  const { ids } = tokenizer.encode(text, { addSpecialTokens: typeof prompt === "string" });
  const tokens = generateTokens(model, ids, { endTokens, ...options });
  yield* untilStop(piecesOf(tokens, tokenizer), stop);
}

/** Texts of tokens, held back while they end in the middle of a letter. */
async function* piecesOf(tokens: AsyncIterable<number>, tokenizer: Tokenizer): AsyncGenerator<string> {
  let held: number[] = [];
  let given = "";
  for await (const token of tokens) {
    held.push(token);
    const text = tokenizer.decode(held);
    if (text.endsWith("\ufffd")) continue;
    if (text.length > given.length) yield text.slice(given.length);
    // The last token stays, since some tokenizers drop a space at a text's beginning.
    held = held.slice(-1);
    given = tokenizer.decode(held);
  }
  const rest = tokenizer.decode(held).slice(given.length);
  if (rest !== "") yield rest;
}

/** Pieces up to the first stop text, which may come in pieces itself. */
async function* untilStop(pieces: AsyncIterable<string>, stop: readonly string[]): AsyncGenerator<string> {
  const longest = Math.max(0, ...stop.map((text) => text.length)) - 1;
  let held = "";
  for await (const piece of pieces) {
    held += piece;
    const ends = stop.map((text) => held.indexOf(text)).filter((at) => at >= 0);
    if (ends.length > 0) {
      const end = Math.min(...ends);
      if (end > 0) yield held.slice(0, end);
      return;
    }
    const sure = Math.max(0, held.length - Math.max(0, longest));
    if (sure > 0) yield held.slice(0, sure);
    held = held.slice(sure);
  }
  if (held !== "") yield held;
}
