/** `netwright chat`: a conversation at the terminal. */
import { type LineEditor, lineEditor, write } from "#platform";
import { ArgumentError, NetwrightError } from "../base/errors.ts";
import { type ChatOptions, ChatSession, commandHelp } from "./chat-session.ts";
import type { Command } from "./command.ts";
import { numbersOf, openModel } from "./model-flags.ts";

const numbers = {
  "max-new-tokens": "maxNewTokens",
  temperature: "temperature",
  "top-k": "topK",
  "top-p": "topP",
  "min-p": "minP",
  "repetition-penalty": "repetitionPenalty",
} as const satisfies Readonly<Record<string, keyof ChatOptions["sampling"]>>;
const others = { seed: "seed", "max-length": "maxLength" } as const;

export const chat: Command = {
  summary: "a conversation with a model",
  usage: `netwright chat MODEL [FLAGS]

  MODEL            a folder of Hugging Face, or a GGUF file, whose 4- and 8-bit weights stay as they are;
                   or the name of a model that netwright pull fetched
  --system TEXT    what is said before the conversation
  --adapter FOLDER what finetune saved: adapters or a prompt, in PEFT's format
  --temperature T --top-k N --top-p P --min-p P --repetition-penalty R --max-new-tokens N --seed N
  --max-length N   tokens that the model sees; what is older is forgotten

Questions are lines; through a pipe, each line is one. In between:

${commandHelp}`,
  flags: {
    ...Object.fromEntries(
      Object.keys({ ...numbers, ...others }).map((name) => [name, { type: "string" } as const]),
    ),
    ...{ system: { type: "string" }, adapter: { type: "string" } },
  },
  async run({ values, positionals }) {
    const [path, extra] = positionals;
    if (path === undefined || extra !== undefined)
      throw new ArgumentError(`chat takes a model, got ${positionals.length} arguments`);
    const { seed, maxLength } = numbersOf(values, others);
    const sampling = numbersOf(values, numbers);
    const system = values["system"] as string | undefined;
    const session = new ChatSession(await openModel(path, values), { system, maxLength, sampling, seed });
    const lines = await lineEditor();
    try {
      await converse(session, lines);
    } finally {
      lines.close();
    }
    return 0;
  },
};

/** Grey, at a terminal; not at all through a pipe, where answers alone are wanted. */
const aside = ({ isTerminal }: LineEditor, text: string): void => {
  if (isTerminal && text !== "") write("stdout", `\x1b[2m${text}\x1b[0m\n`);
};

async function converse(session: ChatSession, lines: LineEditor): Promise<void> {
  aside(lines, "/help lists commands, /quit ends");
  let wantsToLeave = false;
  const atPrompt = (): void => {
    if (lines.discard()) return;
    if (wantsToLeave) return lines.close();
    wantsToLeave = true;
    write("stdout", "\n\x1b[2mCtrl-C again, Ctrl-D or /quit ends\x1b[0m\n> ");
  };
  for (;;) {
    lines.onInterrupt(atPrompt);
    const text = await question(lines);
    wantsToLeave = false;
    if (text === undefined) return;
    if (text.trim() === "") continue;
    try {
      if (!text.startsWith("/")) await answer(session, lines, text);
      else {
        const { say, next } = await session.command(text);
        aside(lines, say);
        if (next === "quit") return;
        if (next === "retry") await answer(session, lines, undefined);
      }
    } catch (error) {
      if (!(error instanceof NetwrightError)) throw error;
      write("stderr", `${error.message}\n`);
    }
  }
}

/** A line; several where one ends with a backslash, or between lines that begin and end with """. */
async function question(lines: LineEditor): Promise<string | undefined> {
  let line = await lines.line("> ");
  if (line === undefined) return undefined;
  const parts: string[] = [];
  if (line.startsWith('"""')) {
    let rest: string | undefined = line.slice(3);
    while (rest !== undefined && !rest.endsWith('"""')) {
      parts.push(rest);
      rest = await lines.line("… ");
    }
    return [...parts, ...(rest === undefined ? [] : [rest.slice(0, -3)])].join("\n").trim();
  }
  while (line?.endsWith("\\")) {
    parts.push(line.slice(0, -1));
    line = await lines.line("… ");
  }
  return [...parts, ...(line === undefined ? [] : [line])].join("\n");
}

async function answer(session: ChatSession, lines: LineEditor, text: string | undefined): Promise<void> {
  const stop = new AbortController();
  lines.onInterrupt(() => stop.abort());
  const pieces = session.answer(text, stop.signal);
  for (;;) {
    const { done, value } = await pieces.next();
    if (!done) {
      write("stdout", value);
      continue;
    }
    const { tokens, tokensPerSecond, forgotten } = value;
    write("stdout", "\n");
    const lost = forgotten === 0 ? "" : `; the first ${forgotten} messages no longer fit`;
    const how = stop.signal.aborted ? ", stopped" : "";
    aside(lines, `${tokens} tokens, ${tokensPerSecond.toFixed(1)} a second${how}${lost}`);
    return;
  }
}
