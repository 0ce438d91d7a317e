/** Texts instead of tokens: prompts, conversations, answers in pieces. */
import { ArgumentError } from "../base/errors.ts";
import { optionalPackage } from "../base/optional.ts";
import type { Pretrained } from "../pretrained/index.ts";
import { AnswerText } from "./answer-text.ts";
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
 * What follows a text, or an answer in a conversation, in pieces as they come. A text is gone on with as it is; messages go through the
 * model's template, and only so does a model that learnt conversations (`finetune`) see what it was trained on.
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
  const answer = new AnswerText(tokenizer, stop);
  for await (const token of tokens) {
    const piece = answer.add(token);
    if (piece !== "") yield piece;
    if (answer.isStopped) return;
  }
  const rest = answer.end();
  if (rest !== "") yield rest;
}
