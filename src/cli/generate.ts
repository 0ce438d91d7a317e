/** `netwright generate`: goes on with a text, or answers. */
import { type ParsedFlags, write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { type GenerateTextOptions, generate, OutputGrammar } from "../generate/index.ts";
import type { Pretrained } from "../pretrained/index.ts";
import { readJson } from "../text/json-file.ts";
import type { Command } from "./command.ts";
import { numbersOf, openModel } from "./model-flags.ts";

const numbers = {
  "max-new-tokens": "maxNewTokens",
  temperature: "temperature",
  "top-k": "topK",
  "top-p": "topP",
  "min-p": "minP",
  "repetition-penalty": "repetitionPenalty",
  "no-repeat-ngram-size": "noRepeatNgramSize",
  "num-beams": "numBeams",
  "length-penalty": "lengthPenalty",
  "prompt-lookup": "promptLookup",
  seed: "key",
} as const satisfies Readonly<Record<string, keyof GenerateTextOptions>>;

export const generateText: Command = {
  summary: "goes on with a text, or answers a question",
  usage: `netwright generate MODEL TEXT [FLAGS]

  MODEL            a folder of Hugging Face, or a GGUF file, whose 4- and 8-bit weights stay as they are;
                   or the name of a model that netwright pull fetched
  TEXT             a question, in the model's template
  --raw            TEXT is gone on with as it is
  --system TEXT    what is said before the question
  --adapter FOLDER what finetune saved: adapters or a prompt, in PEFT's format
  --stop TEXT      ends the answer; may be given again
  --json-schema FILE  the answer is JSON that the schema describes; --json any object of JSON
  --pattern REGEX  the answer matches it as a whole
  --max-new-tokens N --temperature T --top-k N --top-p P --min-p P --repetition-penalty R --seed N
  --no-repeat-ngram-size N  no N tokens in a row come twice
  --num-beams N --length-penalty P  the likeliest text of N that are followed at once
  --prompt-lookup N  guesses N tokens from the text and checks them together: the same answer, sooner

  netwright generate model.gguf "What is the capital of France?" --temperature 0`,
  flags: {
    ...Object.fromEntries(Object.keys(numbers).map((name) => [name, { type: "string" } as const])),
    ...{ raw: { type: "boolean" }, system: { type: "string" }, adapter: { type: "string" } },
    stop: { type: "string", multiple: true },
    ...{ json: { type: "boolean" }, "json-schema": { type: "string" }, pattern: { type: "string" } },
  },
  async run({ values, positionals }) {
    const [path, text, extra] = positionals;
    if (path === undefined || text === undefined || extra !== undefined)
      throw new ArgumentError(`generate takes a model and a text, got ${positionals.length}`);
    const pretrained = await openModel(path, values);
    const given = numbersOf(values, numbers);
    const system =
      typeof values["system"] === "string" ? [{ role: "system", content: values["system"] }] : [];
    const prompt = values["raw"] === true ? text : [...system, { role: "user", content: text }];
    const stop = Array.isArray(values["stop"]) ? (values["stop"] as string[]) : [];
    const grammar = await grammarOf(values, pretrained);
    for await (const piece of generate(pretrained, prompt, { ...given, stop, ...(grammar && { grammar }) }))
      write("stdout", piece);
    write("stdout", "\n");
    return 0;
  },
};

/** The form that flags ask for. */
async function grammarOf(
  values: ParsedFlags["values"],
  { tokenizer }: Pretrained,
): Promise<OutputGrammar | undefined> {
  const { json, pattern, "json-schema": schema } = values;
  if ([json, pattern, schema].filter((value) => value !== undefined).length > 1)
    throw new ArgumentError(
      "--json, --json-schema and --pattern are forms of the whole answer: give one of them",
    );
  if (tokenizer === undefined) return undefined;
  if (json === true) return OutputGrammar.json(tokenizer);
  if (typeof schema === "string") return OutputGrammar.jsonSchema(await readJson(schema), tokenizer);
  return typeof pattern === "string" ? OutputGrammar.pattern(pattern, tokenizer) : undefined;
}
