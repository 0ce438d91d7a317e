/** `netwright serve`: a model over HTTP. */
import { onInterrupt, readFile, write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { loadSentenceEncoder, type Pooling, type Pretrained, SentenceEncoder } from "../pretrained/index.ts";
import { type ServeOptions, serve } from "../serve/index.ts";
import type { Command } from "./command.ts";
import { numbersOf, openModel } from "./model-flags.ts";

const numbers = {
  port: "port",
  slots: "slots",
  "max-length": "maxLength",
  "cache-tokens": "cacheTokens",
  "max-waiting": "maxWaiting",
  "max-new-tokens": "maxNewTokens",
  timeout: "timeoutSeconds",
} as const satisfies Readonly<Record<string, keyof ServeOptions>>;

const poolings: readonly Pooling[] = ["mean", "max", "cls", "last"];

export const serveModel: Command = {
  summary: "answers over HTTP, as OpenAI's clients ask",
  usage: `netwright serve MODEL [FLAGS]

  MODEL             a folder of Hugging Face, or a GGUF file, whose 4- and 8-bit weights stay as they are;
                    or the name of a model that netwright pull fetched
  --port N          default 8080; --host ADDRESS, default 127.0.0.1: this machine alone
  --name NAME       what clients call the model; default the last part of MODEL
  --api-key-file FILE  keys, one a line, of which clients must send one
  --embeddings FOLDER  an encoder of sentences, for /v1/embeddings
  --pooling KIND    mean, last …: /v1/embeddings by MODEL itself, from the features of a text's tokens
  --adapter FOLDER  what finetune saved: adapters or a prompt, in PEFT's format
  --slots N         requests that are answered at once (16); --max-waiting N more wait (64)
  --max-length N    tokens of a prompt and its answer; --max-new-tokens N of an answer
  --cache-tokens N  tokens that the cache has room for, all requests together
  --timeout SECONDS that a request may take (600)

  netwright serve model.gguf --port 8080

Ctrl-C finishes the answers that are on their way; a second one ends at once.`,
  flags: {
    ...Object.fromEntries(Object.keys(numbers).map((name) => [name, { type: "string" } as const])),
    ...{ host: { type: "string" }, name: { type: "string" }, "api-key-file": { type: "string" } },
    ...{ embeddings: { type: "string" }, pooling: { type: "string" }, adapter: { type: "string" } },
  },
  async run({ values, positionals }) {
    const [path, extra] = positionals;
    if (path === undefined || extra !== undefined)
      throw new ArgumentError(`serve takes a model, got ${positionals.length} arguments`);
    const text = (flag: string): string | undefined => values[flag] as string | undefined;
    const options = numbersOf(values, numbers);
    const keyFile = text("api-key-file");
    const apiKeys = keyFile === undefined ? [] : await keysIn(keyFile);
    const [encoderPath, pooling] = [text("embeddings"), text("pooling")];
    if (encoderPath !== undefined && pooling !== undefined)
      throw new ArgumentError(
        "serve: --pooling is for embeddings by MODEL itself, --embeddings for another's; pass one",
      );
    const pretrained = await openModel(path, values);
    const name = text("name") ?? lastName(path);
    const server = await serve(pretrained, {
      ...options,
      ...{ apiKeys, name },
      ...(text("host") !== undefined && { host: text("host")! }),
      ...(pooling !== undefined && { encoder: encoderOf(pretrained, pooling), encoderName: name }),
      ...(encoderPath !== undefined && {
        ...{ encoder: await loadSentenceEncoder(encoderPath), encoderName: lastName(encoderPath) },
      }),
    });
    write("stdout", `listening on ${server.url}/v1\n`);
    await new Promise<void>((resolve) => onInterrupt(resolve));
    write("stdout", "stopping: answers on their way are finished\n");
    await server.stop();
    return 0;
  },
};

/** The model itself as an encoder of sentences. */
function encoderOf({ model, tokenizer }: Pretrained, pooling: string): SentenceEncoder {
  if (!poolings.includes(pooling as Pooling))
    throw new ArgumentError(
      `serve: --pooling must be ${poolings.join(", ")}, got ${JSON.stringify(pooling)}`,
    );
  if (tokenizer === undefined)
    throw new ArgumentError("serve: the model comes without a tokenizer, which texts need");
  return new SentenceEncoder(model, tokenizer, { pooling: pooling as Pooling });
}

async function keysIn(path: string): Promise<string[]> {
  const lines = new TextDecoder().decode(await readFile(path)).split("\n");
  const keys = lines.map((line) => line.trim()).filter((line) => line !== "");
  if (keys.length === 0) throw new ArgumentError(`"${path}" holds no key: write one on each line`);
  return keys;
}

/** `models/Name.gguf` → `Name` */
const lastName = (path: string): string =>
  path
    .replace(/[\\/]+$/, "")
    .split(/[\\/]/)
    .at(-1)!
    .replace(/\.gguf$/, "");
