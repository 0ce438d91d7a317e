import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readFixture } from "../../test/fixtures.ts";
import { ArgumentError } from "../base/errors.ts";
import { Llama } from "../models/index.ts";
import { loadPretrained } from "../pretrained/index.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { chatPrompt, Decoding, generate, generateTokens, sampleToken } from "./index.ts";
import { candidatesOf, type SamplingOptions } from "./sampling.ts";

const sizes = {
  vocabSize: 30,
  hiddenSize: 16,
  numLayers: 2,
  numHeads: 4,
  numKeyValueHeads: 2,
  intermediateSize: 24,
};
const model = new Llama({ ...sizes, maxPositions: 512 });

/** The likeliest token behind a text, by reading all of it at once. */
async function nextOf(text: readonly number[]): Promise<number> {
  const logits = model.forward(tensor([text], { dtype: "i32" }) as Tensor).at(0, -1) as Tensor;
  return (await logits.argmax(0).item()) as number;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("generateTokens", () => {
  test("gives what reading everything anew would give, over pieces of the prompt", async () => {
    for (const length of [1, 5, 64, 70]) {
      const prompt = Array.from({ length }, (_, i) => (i * 7 + length) % 30);
      const made = await collect(generateTokens(model, prompt, { maxNewTokens: 4, temperature: 0 }));
      const text = [...prompt];
      for (let i = 0; i < 4; i++) text.push(await nextOf(text));
      expect(made).toEqual(text.slice(length));
    }
  });

  test("the same seed draws the same tokens, other seeds others; an end token ends", async () => {
    const draw = (key: number, more = {}) =>
      collect(generateTokens(model, [3, 4], { maxNewTokens: 12, key, ...more }));
    const [a, again, b] = [await draw(1), await draw(1), await draw(2)];
    expect(a).toEqual(again);
    expect(a).not.toEqual(b);
    expect(await draw(1, { endTokens: [a[5]!] })).toEqual(a.slice(0, a.indexOf(a[5]!)));
  });

  test("a decoding goes on where texts begin alike, and goes back", async () => {
    const decoding = new Decoding(model, { maxLength: 80 });
    const first = await collect(
      generateTokens(model, [1, 2, 3], { maxNewTokens: 3, temperature: 0, decoding }),
    );
    expect(decoding.length).toBe(5); // the last token was not read
    decoding.rewind(3);
    decoding.rewind(2);
    const again = await collect(
      generateTokens(model, [1, 2, 3], { maxNewTokens: 3, temperature: 0, decoding }),
    );
    expect(again).toEqual(first);
    expect(() => decoding.rewind(9)).toThrow(/cannot go back to 9 of 5 tokens/);
    await expect(decoding.read(new Int32Array(90))).rejects.toThrow(
      /90 tokens behind 5 are more than maxLength 80/,
    );
    await expect(decoding.read([])).rejects.toThrow(ArgumentError);
  });
});

describe("sampleToken", () => {
  const logits = [2, 1, 0, -1, -Infinity];
  const shares = (options: object, seen: number[] = []): number[] => {
    const counts = new Array<number>(logits.length).fill(0);
    for (let i = 0; i < 4000; i++) counts[sampleToken(Float32Array.from(logits), options, seen, [7, i])]!++;
    return counts.map((count) => count / 4000);
  };
  const softmax = (values: number[]): number[] => {
    const weights = values.map(Math.exp);
    const sum = weights.reduce((a, b) => a + b);
    return weights.map((weight) => weight / sum);
  };
  const expectShares = (options: object, wanted: number[], seen: number[] = []): void => {
    for (const [i, share] of shares(options, seen).entries())
      expect(Math.abs(share - wanted[i]!)).toBeLessThan(0.03);
  };

  test("draws by probability, and what options leave", () => {
    expectShares({}, softmax(logits));
    expectShares({ temperature: 0.5 }, softmax(logits.map((x) => x / 0.5)));
    expectShares({ topK: 2 }, softmax([2, 1, -Infinity, -Infinity, -Infinity]));
    expectShares({ topP: 0.7 }, softmax([2, 1, -Infinity, -Infinity, -Infinity]));
    expectShares({ topP: 0.6 }, [1, 0, 0, 0, 0]);
    expectShares({ minP: 0.3 }, softmax([2, 1, -Infinity, -Infinity, -Infinity]));
    expectShares({ repetitionPenalty: 2 }, softmax([1, 1, 0, -2, -Infinity]), [0, 3, 0]);
    expectShares({ noRepeatNgramSize: 1 }, softmax([-Infinity, 1, 0, -Infinity, -Infinity]), [0, 3, 0]);
    expectShares({ noRepeatNgramSize: 3 }, softmax([2, -Infinity, 0, -1, -Infinity]), [2, 3, 1, 2, 3]);
    expectShares({ noRepeatNgramSize: 4 }, softmax(logits), [2, 3, 1, 2, 3]);
    expectShares({ logitBias: new Map([[0, -Infinity]]) }, softmax([-Infinity, 1, 0, -1, -Infinity]));
    expect(sampleToken(Float32Array.of(1, 3, 3), { temperature: 0 }, [], [0, 0])).toBe(1);
  });

  test("leaves what transformers' processors leave", () => {
    const { cases, seen, size } = readFixture<{
      readonly size: number;
      readonly seen: readonly number[];
      readonly cases: readonly {
        readonly case: number;
        readonly options: Readonly<Record<string, number>> & {
          readonly logitBias?: readonly [number, number][];
        };
        readonly probabilities: readonly number[];
      }[];
    }>("sampling.json");
    for (const { case: number, options, probabilities } of cases) {
      const row = Float32Array.from(
        { length: size },
        (_, i) => ([0.5, 2, 6][number % 3]! * (((i * 37 + number * 11) % 29) - 14)) / 7,
      );
      const asked = { ...options, ...(options.logitBias && { logitBias: new Map(options.logitBias) }) };
      const found = candidatesOf(row, asked as SamplingOptions, seen, 0);
      const total = found.reduce((sum, { weight }) => sum + weight, 0);
      const shares = new Array<number>(size).fill(0);
      for (const { token, weight } of found) shares[token] = weight / total;
      for (const [token, share] of shares.entries()) {
        const place = `${JSON.stringify(options)} ${number}, token ${token}: ${share}, ${probabilities[token]}`;
        expect(Math.abs(share - probabilities[token]!), place).toBeLessThan(2e-4);
        expect(share === 0, place).toBe(probabilities[token]! < 1e-12);
      }
    }
  });

  test("penalties by count are of the answer alone", () => {
    const scores = Float32Array.of(1, 1, 1, 1);
    candidatesOf(scores, { presencePenalty: 0.5, frequencyPenalty: 0.25 }, [0, 0, 1, 2, 1], 2);
    expect([...scores]).toEqual([1, 0, 0.25, 1]);
  });

  test("options that mean nothing, and nothing to choose", async () => {
    const error = (options: object): Promise<string> =>
      collect(generateTokens(model, [1], options)).then(
        () => expect.unreachable(),
        (caught: Error) => caught.message,
      );
    expect([
      await error({ temperature: -1 }),
      await error({ topK: 0 }),
      await error({ topP: 0 }),
      await error({ minP: 2 }),
      await error({ repetitionPenalty: 0 }),
      await error({ maxNewTokens: 0 }),
      await error({ noRepeatNgramSize: 0.5 }),
      await error({ promptLookup: 64 }),
      await error({ temprature: 1 }),
    ]).toMatchInlineSnapshot(`
      [
        "temperature must be 0 or more, got -1",
        "topK must be a positive integer, got 0",
        "topP must be in (0, 1], got 0",
        "minP must be in [0, 1], got 2",
        "repetitionPenalty must be positive, got 0",
        "generateTokens: maxNewTokens must be a positive integer, got 0",
        "noRepeatNgramSize must be an integer of 0 or more, got 0.5",
        "generateTokens: promptLookup must be an integer of 0 to 63, got 64",
        "generateTokens: there is no option "temprature"; did you mean "temperature"?",
      ]
    `);
    expect(() => sampleToken(Float32Array.of(NaN, -Infinity), {}, [], [0, 0])).toThrow(
      /no token is possible/,
    );
  });
});

describe("generate", () => {
  const opened = loadPretrained(join(import.meta.dirname, "../../test/fixtures/llama.gguf"));

  test("pieces are the text of the tokens; stop texts end it, wherever they are cut", async () => {
    const pretrained = await opened;
    const options = { key: 5, maxNewTokens: 30 };
    const { ids } = pretrained.tokenizer!.encode("the dog");
    const tokens = await collect(generateTokens(pretrained.model, ids, { ...options, endTokens: [1] }));
    const text = pretrained.tokenizer!.decode(tokens);
    const pieces = await collect(generate(pretrained, "the dog", options));
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces.join("")).toBe(text);
    for (const stop of [text.slice(4, 5), text.slice(3, 9), text.slice(7, 15)]) {
      const cut = await collect(generate(pretrained, "the dog", { ...options, stop: ["zzzz", stop] }));
      expect(cut.join("")).toBe(text.slice(0, text.indexOf(stop)));
    }
  });

  test("conversations go through the model's template", async () => {
    const pretrained = await opened;
    const messages = [{ role: "user", content: "an dog" }];
    const prompt = await chatPrompt(pretrained, messages);
    expect(prompt).toBe("<|user|>an dog<|begin|>");
    expect(await chatPrompt(pretrained, messages, { addGenerationPrompt: false })).toBe("<|user|>an dog");
    const options = { key: 1, maxNewTokens: 5 };
    const answer = await collect(generate(pretrained, messages, options));
    expect(answer).toEqual(await collect(generate(pretrained, prompt, options)));
    await expect(chatPrompt({ ...pretrained, chatTemplate: undefined }, messages)).rejects.toThrow(
      /without a chat template/,
    );
    await expect(
      chatPrompt({ ...pretrained, chatTemplate: "{{ raise_exception('no') }}" }, messages),
    ).rejects.toThrow(/the model's template refused the messages: no/);
  });
});
