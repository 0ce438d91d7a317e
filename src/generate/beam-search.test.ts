/** Beam search against transformers', and guesses that change nothing. */
import { describe, expect, test } from "vitest";
import { readFixture } from "../../test/fixtures.ts";
import { fillStates, type Seeds } from "../../test/model-states.ts";
import { byTier } from "../../test/tier.ts";
import { Llama, PretrainedConfig, Qwen2 } from "../models/index.ts";
import { beamSearch, Decoding, generateTokens } from "./index.ts";
import { guessNext } from "./prompt-lookup.ts";

interface Row {
  readonly model: number;
  readonly prompt: readonly number[];
  readonly options: {
    readonly num_beams: number;
    readonly max_new_tokens: number;
    readonly eos_token_id: readonly number[];
    readonly num_return_sequences: number;
    readonly length_penalty?: number;
    readonly early_stopping?: boolean | "never";
    readonly repetition_penalty?: number;
    readonly no_repeat_ngram_size?: number;
  };
  readonly texts: readonly { readonly tokens: readonly number[]; readonly score: number }[];
}

const { cases, stateSeed } = readFixture<{ cases: readonly Row[]; stateSeed: number }>("beam-search.json");
const models = readFixture<{
  cases: readonly { readonly model: string; readonly config: Readonly<Record<string, unknown>> }[];
}>("language-models.json").cases;

/** Some of each model; the full tier searches all. */
const rows = byTier(
  cases.filter((_, i) => [1, 2, 4, 7, 14, 24].includes(i)),
  cases,
);

function made(index: number): Llama | Qwen2 {
  const { model, config } = models[index]!;
  const network = { Llama, Qwen2 }[model as "Llama" | "Qwen2"].fromConfig(new PretrainedConfig(config));
  fillStates(network, { stateSeed } as Seeds);
  return network;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("beamSearch", () => {
  test.each(rows.map((row, i) => [`${i} model ${row.model} ${JSON.stringify(row.options)}`, row] as const))(
    "%s",
    async (_, { model, prompt, options, texts }) => {
      const found = await beamSearch(made(model), prompt, {
        numBeams: options.num_beams,
        maxNewTokens: options.max_new_tokens,
        endTokens: options.eos_token_id,
        numReturnSequences: options.num_return_sequences,
        lengthPenalty: options.length_penalty ?? 1,
        earlyStopping: options.early_stopping ?? false,
        repetitionPenalty: options.repetition_penalty ?? 1,
        noRepeatNgramSize: options.no_repeat_ngram_size ?? 0,
      });
      expect(found.map(({ tokens }) => tokens)).toEqual(texts.map(({ tokens }) => tokens));
      for (const [i, { score }] of found.entries())
        expect(Math.abs(score - texts[i]!.score)).toBeLessThan(1e-4 * Math.abs(texts[i]!.score));
    },
  );

  test("one beam is greedy; numBeams of generateTokens gives the best text; a decoding goes on", async () => {
    const model = made(0);
    const [greedy] = await beamSearch(model, [5, 3], { numBeams: 1, maxNewTokens: 8 });
    const options = { maxNewTokens: 8, temperature: 0 };
    expect(greedy!.tokens).toEqual(await collect(generateTokens(model, [5, 3], options)));
    const [best] = await beamSearch(model, [5, 3], { numBeams: 4, maxNewTokens: 8 });
    const decoding = new Decoding(model, { maxLength: 10 });
    await decoding.read([5]);
    expect(await collect(generateTokens(model, [5, 3], { ...options, numBeams: 4, decoding }))).toEqual(
      best!.tokens,
    );
  });

  test("options that mean nothing", async () => {
    const model = made(0);
    const message = (options: object): Promise<string> =>
      beamSearch(model, [1], options).then(
        () => expect.unreachable(),
        (error: Error) => error.message,
      );
    expect([
      await message({ numBeams: 0 }),
      await message({ numBeams: 2, numReturnSequences: 3 }),
      await message({ lengthPenalty: NaN }),
      await message({ earlyStopping: "always" }),
      await message({ noRepeatNgramSize: -1 }),
      await message({ temperature: 1 }),
      await message({ logitBias: new Map(Array.from({ length: 40 }, (_, i) => [i, -Infinity])) }),
    ]).toMatchInlineSnapshot(`
      [
        "beamSearch: numBeams must be a positive integer, got 0",
        "beamSearch: numReturnSequences 3 is more than numBeams 2",
        "beamSearch: lengthPenalty must be a number, got NaN",
        "beamSearch: earlyStopping must be true, false or "never", got always",
        "noRepeatNgramSize must be an integer of 0 or more, got -1",
        "beamSearch: there is no option "temperature"; it takes numBeams, lengthPenalty, earlyStopping, numReturnSequences, maxNewTokens, endTokens, decoding, repetitionPenalty, noRepeatNgramSize, presencePenalty, frequencyPenalty, logitBias",
        "no token is possible: every logit is −Infinity or NaN; look at logitBias and the weights",
      ]
    `);
    await expect(collect(generateTokens(model, [1], { numBeams: 2, topK: 3 }))).rejects.toThrow(
      "generateTokens: topK goes without numBeams, which takes the likeliest text",
    );
  });
});

describe("prompt lookup", () => {
  test("guesses what followed last time", () => {
    expect(guessNext([1, 2, 3, 9, 1, 2, 3], 2)).toEqual([9, 1]);
    expect(guessNext([7, 2, 3, 8, 7, 2, 3, 5, 2, 3], 4)).toEqual([5, 2, 3]);
    expect(guessNext([4, 4, 4, 4], 3)).toEqual([4]);
    expect(guessNext([1, 2, 3], 4)).toEqual([]);
    expect(guessNext([1, 2, 1, 2], 0)).toEqual([]);
  });

  test("gives the tokens of going one by one, greedy or drawn, to any length, in fewer runs", async () => {
    const model = made(0);
    const [plainly, guessing] = [
      new Decoding(model, { maxLength: 38 }),
      new Decoding(model, { maxLength: 38 }),
    ];
    let runs = 0;
    const counted = new Proxy(guessing, {
      get: (target, name) => {
        runs += Number(name === "read" || name === "readEach");
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    for (const temperature of [0, 0.3]) {
      for (const prompt of [
        [5, 35, 35, 35, 37, 37, 5, 35],
        [3, 9, 27, 3, 9],
      ]) {
        for (const maxNewTokens of [1, 2, 7, 40]) {
          const options = { maxNewTokens, temperature, key: 4, repetitionPenalty: 1.01 };
          plainly.rewind(0);
          guessing.rewind(0);
          const plain = await collect(generateTokens(model, prompt, { ...options, decoding: plainly }));
          runs = 0;
          const guessed = { ...options, promptLookup: 3, decoding: counted };
          expect(await collect(generateTokens(model, prompt, guessed))).toEqual(plain);
          expect(plain.length).toBe(Math.min(maxNewTokens, 38 - prompt.length));
          expect(guessing.length).toBeLessThan(prompt.length + plain.length);
          if (maxNewTokens === 40 && temperature === 0) expect(runs).toBeLessThan(25);
        }
      }
    }
  });

  test("one that stops early leaves only what is of the text", async () => {
    const model = made(0);
    const prompt = [9, 9, 9, 9];
    const options = { maxNewTokens: 10, temperature: 0 };
    const plain = await collect(generateTokens(model, prompt, options));
    for (let stop = 1; stop < 6; stop++) {
      const decoding = new Decoding(model, { maxLength: 14 });
      const found: number[] = [];
      for await (const token of generateTokens(model, prompt, { ...options, promptLookup: 3, decoding })) {
        found.push(token);
        if (found.length === stop) break;
      }
      const rest = generateTokens(model, [...prompt, ...found], {
        ...options,
        maxNewTokens: 10 - stop,
        decoding,
      });
      expect([...found, ...(await collect(rest))]).toEqual(plain);
    }
  });
});
