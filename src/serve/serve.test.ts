/** The server by OpenAI's own client, and by clients that do wrong. */
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chatPrompt, Decoding, generate } from "../generate/index.ts";
import { Bert, Llama, PretrainedConfig } from "../models/index.ts";
import { loadPretrained, type Pretrained, SentenceEncoder } from "../pretrained/index.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { loadTokenizer, trainBpe } from "../text/index.ts";
import { type Served, serve } from "./index.ts";

const messages = [{ role: "user" as const, content: "a dog" }];
let pretrained: Pretrained;
let decoding: Decoding;
let server: Served;
let client: OpenAI;
const key = "a-key-of-this-server";

beforeAll(async () => {
  pretrained = await loadPretrained(join(import.meta.dirname, "../../test/fixtures/llama.gguf"));
  const bert = new Bert({
    vocabSize: 40,
    hiddenSize: 16,
    numLayers: 1,
    numHeads: 2,
    maxPositions: 16,
  }).eval();
  decoding = new Decoding(pretrained.model, { maxLength: 64 });
  server = await serve(pretrained, {
    ...{ port: 0, slots: 4, maxLength: 64, stepTokens: 16, pageSize: 8, maxWaiting: 2, maxBodyBytes: 4000 },
    ...{ name: "tiny", apiKeys: ["another", key] },
    ...{ encoder: new SentenceEncoder(bert, pretrained.tokenizer!), encoderName: "tiny-bert" },
  });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 0 });
});
afterAll(() => server?.stop());

/** What one run alone gives. */
async function alone(prompt: string | typeof messages, maxNewTokens: number): Promise<string> {
  decoding.rewind(0);
  let text = "";
  for await (const piece of generate(pretrained, prompt, { maxNewTokens, temperature: 0, decoding }))
    text += piece;
  return text;
}
const settled = async (): Promise<void> => {
  while (server.statistics().running + server.statistics().waiting > 0)
    await new Promise((resolve) => setTimeout(resolve, 2));
};

describe("OpenAI's client", () => {
  test("models", async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["tiny", "tiny-bert"]);
    expect((await client.models.retrieve("tiny")).owned_by).toBe("netwright");
  });

  test("a conversation, whole and as it comes, with counts", async () => {
    const options = { model: "tiny", messages, max_tokens: 12, temperature: 0 };
    const prompt = pretrained.tokenizer!.encode(await chatPrompt(pretrained, messages), {
      addSpecialTokens: false,
    });
    const wanted = await alone(messages, 12);
    const whole = await client.chat.completions.create(options);
    expect(whole.choices[0]!.message).toEqual({ role: "assistant", content: wanted, refusal: null });
    expect(whole.choices[0]!.finish_reason).toBe("length");
    expect(whole.usage).toEqual({
      ...{ prompt_tokens: prompt.ids.length, completion_tokens: 12, total_tokens: prompt.ids.length + 12 },
    });
    const stream = await client.chat.completions.create({
      ...{ ...options, stream: true, stream_options: { include_usage: true } },
    });
    let text = "";
    const chunks = [];
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      chunks.push(chunk);
    }
    expect(text).toBe(wanted);
    expect(chunks[0]!.choices[0]!.delta.role).toBe("assistant");
    expect(chunks.at(-2)!.choices[0]!.finish_reason).toBe("length");
    expect(chunks.at(-1)!.usage).toEqual(whole.usage);
  });

  test("drawn answers have seeds; several come at once; penalties and biases count", async () => {
    const ask = async (seed: number, more = {}) => {
      const made = await client.chat.completions.create({
        model: "tiny",
        messages,
        max_tokens: 8,
        seed,
        n: 2,
        ...more,
      });
      return made.choices.map(({ message }) => message.content!);
    };
    const [one, again, two] = [await ask(1), await ask(1), await ask(2)];
    expect(one).toEqual(again);
    expect(one).not.toEqual(two);
    expect(one[0]).not.toBe(one[1]);
    const [forced] = await ask(1, { logit_bias: { "9": 100 }, temperature: 0 });
    expect(forced).toBe(pretrained.tokenizer!.decode(new Array(8).fill(9)));
    const [varied] = await ask(1, {
      logit_bias: { "9": 100, "11": 99 },
      temperature: 0,
      frequency_penalty: 2,
    });
    expect(varied).not.toBe(forced);
  });

  test("stop texts and probabilities", async () => {
    const options = { model: "tiny", messages, max_tokens: 12, temperature: 0 };
    const { choices } = await client.chat.completions.create({ ...options, logprobs: true, top_logprobs: 3 });
    const { content } = choices[0]!.logprobs!;
    expect(content!.length).toBe(12);
    for (const { logprob, top_logprobs: top } of content!) {
      expect(top.length).toBe(3);
      expect(logprob).toBe(top[0]!.logprob);
      expect(top[0]!.logprob).toBeGreaterThanOrEqual(top[1]!.logprob);
      expect(top.reduce((sum, other) => sum + Math.exp(other.logprob), 0)).toBeLessThanOrEqual(1.0001);
    }
    const text = choices[0]!.message.content!;
    const stop = text.slice(5, 8);
    const cut = await client.chat.completions.create({ ...options, stop: ["never there", stop] });
    expect(cut.choices[0]!.message.content).toBe(text.slice(0, text.indexOf(stop)));
    expect(cut.choices[0]!.finish_reason).toBe("stop");
  });

  test("texts and tokens that are gone on with", async () => {
    const options = { model: "tiny", max_tokens: 6, temperature: 0, logprobs: 2 } as const;
    const texts = ["the dog", "a cat"];
    const { choices } = await client.completions.create({ ...options, prompt: texts });
    for (const [i, text] of texts.entries()) {
      expect(choices[i]!.text).toBe(await alone(text, 6));
      expect(choices[i]!.logprobs!.token_logprobs!.length).toBe(6);
      const ids = [...pretrained.tokenizer!.encode(text).ids];
      const same = await client.completions.create({ ...options, prompt: ids });
      expect(same.choices[0]!.text).toBe(choices[i]!.text);
    }
    let streamed = "";
    for await (const chunk of await client.completions.create({ ...options, prompt: "a cat", stream: true }))
      streamed += chunk.choices[0]!.text;
    expect(streamed).toBe(choices[1]!.text);
  });

  test("embeddings, as numbers and as bytes", async () => {
    const input = ["a dog", "the cat"];
    const numbers = await client.embeddings.create({ model: "tiny-bert", input, encoding_format: "float" });
    const bytes = await client.embeddings.create({ model: "tiny-bert", input });
    expect(numbers.data.map(({ embedding }) => embedding.length)).toEqual([16, 16]);
    expect(bytes.data.map(({ embedding }) => [...embedding])).toEqual(
      numbers.data.map(({ embedding }) => embedding.map(Math.fround)),
    );
    expect(Math.hypot(...numbers.data[0]!.embedding)).toBeCloseTo(1, 5);
    expect(numbers.usage.prompt_tokens).toBeGreaterThan(1);
  });

  test("who goes away frees what was used", async () => {
    for (let i = 0; i < 6; i++) {
      const stream = await client.chat.completions.create({ model: "tiny", messages, stream: true });
      for await (const _ of stream) break;
    }
    await settled();
    const { pages, freePages } = server.statistics();
    expect(freePages).toBe(pages);
  });

  test("too many at once are refused, the others answered", async () => {
    const asked = Array.from({ length: 12 }, () =>
      client.chat.completions.create({ model: "tiny", messages, max_tokens: 40, logit_bias: { "1": -100 } }),
    );
    const ended = await Promise.allSettled(asked);
    const refused = ended.filter((result) => result.status === "rejected");
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) {
      expect(reason).toBeInstanceOf(OpenAI.RateLimitError);
      expect(reason.code).toBe("queue_full");
    }
    expect(ended.length - refused.length).toBeGreaterThanOrEqual(6);
  });

  test("wrong requests say what is wrong", async () => {
    const ask = (more: object): Promise<string> =>
      client.chat.completions.create({ model: "tiny", messages, ...more }).then(
        () => "no error",
        (error: Error) => error.message,
      );
    expect([
      await ask({ model: "other" }),
      await ask({ messages: [] }),
      await ask({ messages: [{ role: "user", content: [{ type: "image_url" }] }] }),
      await ask({ messages: [{ role: "user", content: "a dog ".repeat(100) }] }),
      await ask({ temperature: 3 }),
      await ask({ max_tokens: 0 }),
      await ask({ top_logprobs: 2 }),
      await ask({ logit_bias: { "99": 1 } }),
      await ask({ stop: ["a", "b", "c", "d", "e"] }),
      await ask({ tools: [{ type: "function" }] }),
      await ask({ temprature: 1 }),
      await ask({ n: 5 }),
      await ask({ stream_options: 3 }),
      await ask({ response_format: { type: "yaml" } }),
      await ask({ response_format: { type: "json_schema", json_schema: { schema: { typ: 3 } } } }),
      await ask({ messages: [{ role: "user", content: "x".repeat(5000) }] }),
    ]).toMatchInlineSnapshot(`
      [
        "404 there is no model "other"; this server has "tiny"",
        "400 "messages" must be a list of messages, got []",
        "400 "messages[0].content" must be of parts { type: "text", text }: this model reads nothing else, got {"type":"image_url"}",
        "400 the prompt has 402 tokens, and the model reads 64 with the answer: shorten it",
        "400 "temperature" must be a number from 0 to 2, got 3",
        "400 "max_tokens" must be an integer of 1 or more, got 0",
        "400 "top_logprobs" goes with "logprobs": true",
        "400 "logit_bias" must be an object of tokens below 40 and numbers from -100 to 100, got {"99":1}",
        "400 "stop" must be a text or up to 4 of them, got ["a","b","c","d","e"]",
        "400 there is no field "tools" here",
        "400 there is no field "temprature" here; did you mean "temperature"?",
        "400 "n" must be an integer from 1 to 4, got 5",
        "400 "stream_options" must be an object with include_usage, got 3",
        "400 "response_format" must be { type: "text" | "json_object" } or { type: "json_schema", json_schema: { schema } }, got {"type":"yaml"}",
        "400 the schema at # has "typ", which is not known; did you mean "type"?",
        "413 the body is larger than 4000 bytes",
      ]
    `);
    await expect(client.embeddings.create({ model: "tiny", input: "a" })).rejects.toThrow(
      /no model "tiny" for embeddings/,
    );
    await expect(client.completions.create({ model: "tiny", prompt: [99] })).rejects.toThrow(
      /"prompt" must be/,
    );
    const other = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "wrong", maxRetries: 0 });
    await expect(other.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
  });
});

test("embeddings by the language model itself, under its own name", async () => {
  const { model, tokenizer } = pretrained;
  const encoder = new SentenceEncoder(model, tokenizer!, { pooling: "last" });
  const own = await serve(pretrained, {
    ...{ port: 0, slots: 2, maxLength: 32, name: "tiny" },
    ...{ encoder, encoderName: "tiny" },
  });
  const asking = new OpenAI({ baseURL: `${own.url}/v1`, apiKey: "none", maxRetries: 0 });
  expect((await asking.models.list()).data.map(({ id }) => id)).toEqual(["tiny"]);
  const input = "the dog";
  const [answer, vectors] = await Promise.all([
    asking.completions.create({ model: "tiny", prompt: input, max_tokens: 4, temperature: 0 }),
    asking.embeddings.create({ model: "tiny", input, encoding_format: "float" }),
  ]);
  expect(answer.choices[0]!.text).toBe(await alone(input, 4));
  const ids = tokenizer!.encode(input).ids;
  const features = model.features(tensor([ids], { dtype: "i32" }) as Tensor);
  const last = [...(await (features.at(0, ids.length - 1) as Tensor).data())];
  const length = Math.hypot(...last);
  const differences = vectors.data[0]!.embedding.map((x, i) => Math.abs(x - last[i]! / length));
  expect(Math.max(...differences)).toBeLessThan(1e-5);
  await own.stop();
});

test("answers of a given form", async () => {
  const schema = {
    ...{ type: "object", required: ["name", "old"], additionalProperties: false },
    properties: { name: { type: "string", maxLength: 8 }, old: { type: "boolean" } },
  };
  const texts = ['{"name": "Ann", "old": true}', '{ "name": "Bob", "old": false }'];
  const tokenizer = await loadTokenizer(
    await trainBpe(texts, { vocabularySize: 280, specialTokens: ["<end>"] }),
  );
  const sizes = { vocab_size: tokenizer.vocabularySize, max_position_embeddings: 256 };
  const own = await serve(
    {
      ...{ tokenizer, chatTemplate: "{{ messages[0].content }}", beginToken: undefined, leftOut: [] },
      model: new Llama({
        vocabSize: sizes.vocab_size,
        hiddenSize: 16,
        numLayers: 1,
        numHeads: 2,
        intermediateSize: 24,
      }),
      ...{ config: new PretrainedConfig(sizes), endTokens: [tokenizer.idOf("<end>")!] },
    },
    { port: 0, slots: 2, stepTokens: 8 },
  );
  const asking = new OpenAI({ baseURL: `${own.url}/v1`, apiKey: "none", maxRetries: 0 });
  const format = { type: "json_schema" as const, json_schema: { name: "person", strict: true, schema } };
  const made = await Promise.all(
    Array.from({ length: 6 }, (_, seed) =>
      asking.chat.completions.create({
        model: "model",
        messages,
        seed,
        max_tokens: 240,
        response_format: format,
      }),
    ),
  );
  for (const { choices } of made) {
    expect(choices[0]!.finish_reason).toBe("stop");
    const { name, old, ...rest } = JSON.parse(choices[0]!.message.content!);
    expect([typeof name, typeof old, rest]).toEqual(["string", "boolean", {}]);
    expect([...name].length).toBeLessThanOrEqual(8);
  }
  const { choices } = await asking.chat.completions.create({
    ...{ model: "model", messages, max_tokens: 20, temperature: 0, response_format: { type: "json_object" } },
  });
  expect(choices[0]!.message.content![0]).toBe("{");
  await own.stop();
});

describe("other clients", () => {
  const post = (path: string, body: string, headers = {}): Promise<Response> =>
    fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers },
      body,
    });

  test("health and metrics are for everybody", async () => {
    expect(await (await fetch(`${server.url}/health`)).json()).toEqual({ status: "ok" });
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toMatch(/^netwright_requests_total\{path="\/v1\/models",status="200"\} 1$/m);
    expect(text).toMatch(/^netwright_requests_running 0$/m);
    expect(text).toMatch(/^netwright_request_seconds_bucket\{le="\+Inf"\} \d+$/m);
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(
        /^(# TYPE netwright_\w+ (counter|gauge|histogram)|netwright_\w+(\{[^}]*\})? [\d.e-]+)$/,
      );
  });

  test("what is no request of this API", async () => {
    const statuses = [
      (await post("/v1/chat/completions", "{")).status,
      (await post("/v1/chat/completions", "[]")).status,
      (await post("/v1/chat/completions", "\xff")).status,
      (await post("/v1/chat/completions", "{}", { "content-type": "text/plain" })).status,
      (await post("/v1/nothing", "{}")).status,
      (await post("/v1/models", "{}")).status,
      (await post("/__proto__", "{}")).status,
      (
        await post(
          "/v1/completions",
          JSON.stringify({ model: "tiny", prompt: "a", __proto__: null, max_tokens: 1e9 }),
        )
      ).status,
      (await fetch(`${server.url}/v1/models`)).status,
    ];
    expect(statuses).toEqual([400, 400, 400, 415, 404, 405, 404, 200, 401]);
  });

  test("a body without an end is cut off, a length that lies is not believed", async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const sent = httpRequest(
        `${server.url}/v1/completions`,
        { method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${key}` } },
        (response) => resolve(response.statusCode!),
      );
      sent.on("error", reject);
      const more = (): void => {
        if (!sent.destroyed && !sent.writableEnded) sent.write("x".repeat(1000), () => setImmediate(more));
      };
      more();
      setTimeout(() => sent.destroy(new Error("no answer")), 10_000).unref();
    });
    expect(status).toBe(413);
    expect((await post("/v1/completions", "x".repeat(5000))).status).toBe(413);
  });
});

describe("stopping", () => {
  test("answers on their way are finished, new requests refused; late ones are broken off", async () => {
    const sizes = { port: 0, slots: 2, maxLength: 64, stepTokens: 4, pageSize: 8 };
    const own = await serve(pretrained, sizes);
    const body = { model: "model", prompt: "a dog", max_tokens: 50, logit_bias: { "1": -100 }, stream: true };
    const headers = { "content-type": "application/json" };
    const asked = await fetch(`${own.url}/v1/completions`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    const stopped = own.stop();
    const text = await asked.text();
    expect(text).toMatch(/"finish_reason":"length"/);
    expect(text.trimEnd().endsWith("data: [DONE]")).toBe(true);
    await stopped;
    await expect(fetch(`${own.url}/health`)).rejects.toThrow();
    expect(own.statistics().running).toBe(0);
  });

  test("an answer that takes too long is ended", async () => {
    const sizes = { port: 0, slots: 1, maxLength: 64, stepTokens: 1, pageSize: 8 };
    const own = await serve(pretrained, { ...sizes, timeoutSeconds: 0.001 });
    const ask = (stream: boolean): Promise<Response> => {
      const body = { model: "model", prompt: "a dog", max_tokens: 60, logit_bias: { "1": -100 }, stream };
      const headers = { "content-type": "application/json" };
      return fetch(`${own.url}/v1/completions`, { method: "POST", headers, body: JSON.stringify(body) });
    };
    const whole = await ask(false);
    expect(whole.status).toBe(504);
    expect(await whole.json()).toMatchObject({ error: { code: "timeout", type: "server_error" } });
    expect(await (await ask(true)).text()).toMatch(
      /data: \{"error":\{"message":"the answer took longer than 0.001 seconds"/,
    );
    await own.stop({ timeoutSeconds: 1 });
  });

  test("options that mean nothing, and places that are taken", async () => {
    await expect(serve(pretrained, { port: 0, timeoutSeconds: 0 })).rejects.toThrow(
      "serve: timeoutSeconds must be a positive number, got 0",
    );
    const sizes = { slots: 1, maxLength: 8, stepTokens: 1, pageSize: 8 };
    await expect(serve(pretrained, { port: server.port, ...sizes })).rejects.toThrow(
      /cannot listen on 127.0.0.1:\d+: another program listens there; choose another port/,
    );
  });
});
