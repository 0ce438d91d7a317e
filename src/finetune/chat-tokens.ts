/** Conversations as tokens, and which of them carry loss: those of the assistant. */
import { ArgumentError } from "../base/errors.ts";
import { type ChatMessage, chatPrompt } from "../generate/index.ts";
import type { Pretrained } from "../pretrained/index.ts";

export interface ChatTokens {
  readonly ids: readonly number[];
  /** For each token whether it is learnt. */
  readonly isLearnt: readonly boolean[];
}

/**
 * The tokens of a conversation by the model's template, and which of them the assistant says: all of its turns, up to and with the
 * token that ends them. The rest is read, not learnt.
 *
 * @throws ArgumentError when the model comes without a tokenizer or template
 * @example
 * const pretrained = await loadPretrained("llama.gguf");
 * const { ids, isLearnt } = await chatTokens(pretrained, [{ role: "user", content: "a dog" }, { role: "assistant", content: "the dog" }]);
 * ids.length === isLearnt.length; // true
 */
export async function chatTokens(
  pretrained: Pretrained,
  messages: readonly ChatMessage[],
): Promise<ChatTokens> {
  const { tokenizer, endTokens } = pretrained;
  if (tokenizer === undefined)
    throw new ArgumentError("chatTokens: the model comes without a tokenizer: its texts cannot be read");
  const idsOf = async (count: number, addGenerationPrompt: boolean): Promise<readonly number[]> =>
    tokenizer.encode(await chatPrompt(pretrained, messages.slice(0, count), { addGenerationPrompt }), {
      addSpecialTokens: false,
    }).ids;
  const ids = await idsOf(messages.length, false);
  const isLearnt = new Array<boolean>(ids.length).fill(false);
  for (const [turn, { role }] of messages.entries()) {
    if (role !== "assistant") continue;
    // A template that changes what it wrote before agrees with itself up to where it does.
    const start = sharedLength(ids, await idsOf(turn, true));
    const end = sharedLength(ids, await idsOf(turn + 1, false));
    const stop = ids.slice(start, end).findIndex((id) => endTokens.includes(id));
    isLearnt.fill(true, start, stop < 0 ? end : start + stop + 1);
  }
  return { ids, isLearnt };
}

function sharedLength(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/**
 * A text for a terminal in which tokens that carry loss are green and the others dim; without colours those that carry loss stand
 * between ‹ and ›.
 *
 * @example
 * const pretrained = await loadPretrained("llama.gguf");
 * const messages = [{ role: "user", content: "a dog" }, { role: "assistant", content: "the dog" }];
 * showLoss(pretrained, await chatTokens(pretrained, messages), { color: false }).includes("‹"); // true
 */
export function showLoss(
  { tokenizer }: Pretrained,
  { ids, isLearnt }: ChatTokens,
  { color = true }: { readonly color?: boolean } = {},
): string {
  let text = "";
  for (let from = 0; from < ids.length; ) {
    let to = from;
    while (to < ids.length && isLearnt[to] === isLearnt[from]) to++;
    const part = tokenizer?.decode(ids.slice(from, to), { skipSpecialTokens: false }) ?? "";
    const [before, after] = color
      ? [isLearnt[from] ? "\x1b[32m" : "\x1b[2m", "\x1b[0m"]
      : isLearnt[from]
        ? ["‹", "›"]
        : ["", ""];
    text += `${before}${part}${after}`;
    from = to;
  }
  return text;
}
