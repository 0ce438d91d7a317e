/** A conversation with a model: what was said, how answers are chosen, and what lines that begin with "/" change. */
import { monotonicMs, writeFileAtomic } from "#platform";
import { ArgumentError, nearestName } from "../base/errors.ts";
import { AnswerText, Batching, type BatchRequest, type ChatMessage, chatPrompt } from "../generate/index.ts";
import type { Pretrained } from "../pretrained/index.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

export interface ChatOptions {
  readonly system: string | undefined;
  readonly maxLength: number | undefined;
  /** How answers are chosen. */
  readonly sampling: Pick<
    BatchRequest,
    "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty" | "maxNewTokens"
  >;
  readonly seed: number | undefined;
}

/** What an answer took. */
export interface AnswerFacts {
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** Earlier messages that no longer fit, and were left out. */
  readonly forgotten: number;
}

/** What begins with "/", by name: what follows it, and what it does. */
const commands = {
  system: ["TEXT", "what is said before the conversation; without TEXT nothing"],
  temperature: ["T", "lower is surer, 0 takes the likeliest token always"],
  seed: ["N", "the same seed, the same answers"],
  retry: ["", "another answer to the last question"],
  reset: ["", "forgets the conversation"],
  save: ["FILE", "the conversation as a line of JSON, as `netwright finetune` reads it"],
  help: ["", "these lines"],
  quit: ["", "ends; so does Ctrl-D. Ctrl-C ends an answer"],
} as const satisfies Readonly<Record<string, readonly [argument: string, what: string]>>;

type CommandName = keyof typeof commands;

/** Other names that people try. */
const otherNames: Readonly<Record<string, CommandName>> = { "?": "help", exit: "quit" };

const widest = Math.max(
  ...Object.entries(commands).map(([name, [argument]]) => name.length + argument.length),
);

export const commandHelp = [
  ...Object.entries(commands).map(
    ([name, [argument, what]]) => `${`/${name} ${argument}`.padEnd(widest + 6)}${what}`,
  ),
  'A line that ends with \\ goes on in the next one; """ begins and ends a text of several lines.',
].join("\n");

function commandNamed(name: string): CommandName {
  if (Object.hasOwn(commands, name)) return name as CommandName;
  const other = Object.hasOwn(otherNames, name) ? otherNames[name] : undefined;
  if (other !== undefined) return other;
  const near = nearestName(name, Object.keys(commands));
  throw new ArgumentError(
    `"/${name}" is no command${near === undefined ? "" : `; did you mean "/${near}"?`} /help lists them`,
  );
}

export class ChatSession {
  readonly messages: ChatMessage[] = [];
  private readonly pretrained: Pretrained;
  private readonly tokenizer: Tokenizer;
  private readonly batching: Batching;
  private system: string | undefined;
  private sampling: ChatOptions["sampling"];
  private seed: number | undefined;

  constructor(pretrained: Pretrained, { system, maxLength, sampling, seed }: ChatOptions) {
    const { model, tokenizer, chatTemplate, config } = pretrained;
    if (tokenizer === undefined || chatTemplate === undefined)
      throw new ArgumentError(
        `chat: the model comes without a ${tokenizer ? "chat template" : "tokenizer"}; \`netwright generate --raw\` goes on with a text`,
      );
    const trained = config.has("max_position_embeddings") ? config.size("max_position_embeddings") : 2048;
    const length = maxLength ?? Math.min(trained, 4096);
    this.pretrained = pretrained;
    this.tokenizer = tokenizer;
    this.batching = new Batching(model, { slots: 1, maxLength: length, cacheTokens: length });
    this.system = system;
    this.sampling = sampling;
    this.seed = seed;
  }

  /**
   * The answer to a question, in pieces. What came of it before it was aborted stays in the conversation.
   *
   * @param content undefined answers the last question again
   */
  async *answer(
    content: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<string, AnswerFacts, undefined> {
    if (content !== undefined) this.messages.push({ role: "user", content });
    const { ids, forgotten } = await this.prompt();
    const text = new AnswerText(this.tokenizer);
    const started = monotonicMs();
    let [said, tokens] = ["", 0];
    try {
      const { endTokens } = this.pretrained;
      const key = this.seed === undefined ? {} : { key: this.seed };
      const request = {
        prompt: ids,
        endTokens,
        signal,
        maxNewTokens: this.batching.maxLength,
        ...this.sampling,
        ...key,
      };
      for await (const { token } of this.batching.generate(request)) {
        tokens++;
        const piece = text.add(token);
        said += piece;
        if (piece !== "") yield piece;
      }
      const rest = text.end();
      said += rest;
      if (rest !== "") yield rest;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.messages.push({ role: "assistant", content: said });
    }
    return { tokens, tokensPerSecond: tokens / ((monotonicMs() - started) / 1000), forgotten };
  }

  private withSystem(messages: readonly ChatMessage[]): readonly ChatMessage[] {
    return this.system === undefined ? messages : [{ role: "system", content: this.system }, ...messages];
  }

  /** The conversation as tokens, without its oldest turns where it is too long. */
  private async prompt(): Promise<{ ids: readonly number[]; forgotten: number }> {
    // Room for an answer that says something.
    const most = Math.floor(this.batching.maxLength * 0.75);
    for (let forgotten = 0; ; forgotten += 2) {
      const kept = this.messages.slice(forgotten);
      const text = await chatPrompt(this.pretrained, this.withSystem(kept));
      const { ids } = this.tokenizer.encode(text, { addSpecialTokens: false });
      if (ids.length <= most) return { ids, forgotten };
      if (kept.length > 2) continue;
      this.messages.pop();
      throw new ArgumentError(`that is too long: ${ids.length} tokens, ${most} fit; /reset begins anew`);
    }
  }

  /**
   * Does what a line that begins with "/" says.
   *
   * @returns what to tell; "quit" and "retry" are for the caller
   * @throws ArgumentError for what is no command, and values that mean nothing
   */
  async command(line: string): Promise<{ readonly say: string; readonly next?: "quit" | "retry" }> {
    const [, name = "", text = ""] = /^\/(\S*)\s*([\s\S]*)$/.exec(line)!;
    const argument = text.trim();
    switch (commandNamed(name)) {
      case "help":
        return { say: commandHelp };
      case "quit":
        return { say: "", next: "quit" };
      case "reset":
        this.messages.length = 0;
        return { say: "the conversation is forgotten" };
      case "system":
        this.system = argument === "" ? undefined : argument;
        return {
          say: this.system === undefined ? "nothing is said before it" : "said before the conversation",
        };
      case "temperature":
        this.sampling = { ...this.sampling, temperature: numberOf(name, argument, { least: 0 }) };
        return { say: `temperature ${this.sampling.temperature}` };
      case "seed":
        this.seed = numberOf(name, argument, { isWhole: true });
        return { say: `seed ${this.seed}` };
      case "retry":
        if (this.messages.at(-1)?.role !== "assistant")
          throw new ArgumentError("/retry: nothing was asked yet");
        this.messages.pop();
        return { say: "", next: "retry" };
      case "save":
        return { say: await this.save(argument) };
    }
  }

  private async save(path: string): Promise<string> {
    if (path === "") throw new ArgumentError("/save takes a file: /save chat.jsonl");
    if (this.messages.length === 0) throw new ArgumentError("/save: nothing was said yet");
    const line = `${JSON.stringify({ messages: this.withSystem(this.messages) })}\n`;
    await writeFileAtomic(path, new TextEncoder().encode(line));
    return `${this.messages.length} messages are in "${path}"`;
  }
}

function numberOf(name: string, text: string, { least = -Infinity, isWhole = false }): number {
  const value = Number(text);
  if (text !== "" && Number.isFinite(value) && value >= least && (!isWhole || Number.isInteger(value)))
    return value;
  throw new ArgumentError(
    `/${name} takes ${isWhole ? "a whole number" : "a number of 0 or more"}, got "${text}"`,
  );
}
