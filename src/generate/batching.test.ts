import { describe, expect, test } from "vitest";
import { GPT2, Llama } from "../models/index.ts";
import { Batching, type BatchRequest, Decoding, generateTokens, type MadeToken } from "./index.ts";
import { PagePool } from "./page-pool.ts";

const sizes = { vocabSize: 60, hiddenSize: 16, numLayers: 2, numHeads: 4, intermediateSize: 24 };
const llama = new Llama({ ...sizes, numKeyValueHeads: 2, maxPositions: 512 });
const gpt2 = new GPT2({ ...sizes, maxPositions: 96 }).eval();

async function collect(items: AsyncIterable<number | MadeToken>): Promise<number[]> {
  const all: number[] = [];
  for await (const item of items) all.push(typeof item === "number" ? item : item.token);
  return all;
}

/** Prompts of many lengths, some with a beginning in common, greedy and drawn. */
const requests = Array.from({ length: 24 }, (_, i): BatchRequest => {
  const own = Array.from({ length: [1, 3, 9, 30, 41][i % 5]! }, (_, at) => (at * 7 + i * 13) % 60);
  const prompt = i % 3 === 0 ? [...Array.from({ length: 20 }, (_, at) => at), ...own] : own;
  const temperature = i % 4 === 0 ? 0.8 : 0;
  return { prompt, maxNewTokens: 1 + ((i * 5) % 30), temperature, key: i, endTokens: i % 2 ? [7] : [] };
});

describe("Batching", () => {
  test.each([
    ["rotary positions", llama],
    ["learnt positions", gpt2],
  ])("gives each text the tokens that it has alone: %s", async (_, model) => {
    // Pages for three of the texts at most, so that some give theirs to others.
    const batching = new Batching(model, {
      ...{ slots: 6, maxLength: 80, cacheTokens: 152, pageSize: 8, stepTokens: 16 },
    });
    const together = await Promise.all(requests.map((request) => collect(batching.generate(request))));
    const { freePages, pages, preemptions, reusedTokens, running, waiting } = batching.statistics();
    expect({ freePages, running, waiting }).toEqual({ freePages: pages, running: 0, waiting: 0 });
    expect(preemptions).toBeGreaterThan(0);
    expect(reusedTokens).toBeGreaterThan(16);
    const alone = new Batching(model, { slots: 1, maxLength: 80, pageSize: 8, stepTokens: 16 });
    const decoding = new Decoding(model, { maxLength: 80 });
    for (const [i, request] of requests.entries()) {
      expect(await collect(alone.generate(request))).toEqual(together[i]);
      const { prompt, ...options } = request;
      decoding.rewind(0);
      expect(await collect(generateTokens(model, prompt, { ...options, decoding }))).toEqual(together[i]);
    }
  });

  test("who leaves or aborts makes room for others; what fails one text fails it alone", async () => {
    const batching = new Batching(llama, { slots: 2, maxLength: 200, pageSize: 8, stepTokens: 4 });
    const prompt = [1, 2, 3];
    const stop = new AbortController();
    const left = (async () => {
      for await (const { token } of batching.generate({ prompt: [4], maxNewTokens: 190, temperature: 0 }))
        return token;
    })();
    const aborted = collect(
      batching.generate({ prompt, maxNewTokens: 190, temperature: 0, signal: stop.signal }),
    );
    const waited = collect(
      batching.generate({ prompt, maxNewTokens: 190, temperature: 0, signal: stop.signal }),
    );
    const logitBias = new Map(Array.from({ length: 60 }, (_, token) => [token, -Infinity]));
    const failed = collect(batching.generate({ prompt, logitBias }));
    expect(await left).toBeTypeOf("number");
    stop.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    await expect(waited).rejects.toThrow("enough");
    await expect(failed).rejects.toThrow(/no token is possible/);
    expect((await collect(batching.generate({ prompt, maxNewTokens: 5 }))).length).toBe(5);
    const { freePages, pages, running, waiting } = batching.statistics();
    expect({ freePages, running, waiting }).toEqual({ freePages: pages, running: 0, waiting: 0 });
  });

  test("sizes and requests that mean nothing", () => {
    const message = (make: () => unknown): string => {
      try {
        make();
      } catch (error) {
        return (error as Error).message;
      }
      return "no error";
    };
    const batching = new Batching(llama, { slots: 2, maxLength: 10 });
    expect([
      message(() => new Batching(llama, { slots: 0 })),
      message(() => new Batching(llama, { slots: 8, stepTokens: 4 })),
      message(() => new Batching(llama, { maxLength: 100, cacheTokens: 64 })),
      message(() => new Batching(gpt2, { maxLength: 100 })),
      message(() => batching.generate({ prompt: [] })),
      message(() => batching.generate({ prompt: new Int32Array(10) })),
      message(() => batching.generate({ prompt: [1], maxNewTokens: 0 })),
      message(() => batching.generate({ prompt: [1], topP: 3 })),
    ]).toMatchInlineSnapshot(`
      [
        "Batching: slots must be a positive integer, got 0",
        "Batching: a step of 4 tokens has no room for 8 slots",
        "Batching: a cache of 64 tokens has no room for one text of maxLength 100",
        "the model reads up to 96 tokens, maxLength is 100",
        "Batching: there must be a token to read",
        "Batching: a prompt of 10 tokens leaves no room for an answer in 10",
        "Batching: maxNewTokens must be a positive integer, got 0",
        "topP must be in (0, 1], got 3",
      ]
    `);
  });
});

describe("PagePool", () => {
  test("finds beginnings until their pages are needed, the longest unused first", () => {
    const pool = new PagePool({ from: 1, count: 4, pageSize: 2 });
    const text = [5, 6, 7, 8, 9];
    const pages = [pool.take()!, pool.take()!];
    pool.keep(pages, text, 2);
    pool.keep(pages, text, 4);
    for (const page of pages) pool.release(page);
    expect(pool.available).toBe(4);
    // All but the last token at most, so that there is one to read.
    expect(pool.takeBeginning([5, 6, 7, 8])).toEqual([pages[0]]);
    expect(pool.takeBeginning([5, 6, 7, 7, 7])).toEqual([pages[0]]);
    expect(pool.takeBeginning([6, 6, 7, 8, 9])).toEqual([]);
    expect([pool.take(), pool.take(), pool.take()].includes(undefined)).toBe(false);
    expect(pool.take()).toBeUndefined();
    pool.release(pages[0]!);
    expect(pool.available).toBe(0);
    pool.release(pages[0]!);
    expect(pool.available).toBe(1);
    // The second page's tokens are gone, the first is still known.
    expect(pool.takeBeginning(text)).toEqual([pages[0]]);
  });
});
