/** Encoders trained as transformers and sentence-transformers train them: masked tokens, sentences by three losses. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeArray, type EncodedArray, readFixture } from "../../test/fixtures.ts";
import { fillStates, type Seeds } from "../../test/model-states.ts";
import { readSafetensors } from "../formats/index.ts";
import { crossEntropy } from "../losses/index.ts";
import { Bert, BertForMaskedLM, PretrainedConfig } from "../models/index.ts";
import type { Module } from "../nn/index.ts";
import { adamw } from "../optim/index.ts";
import { SentenceEncoder } from "../pretrained/index.ts";
import { compile, grad, type HostArray, type Tensor, tensor } from "../tensor/index.ts";
import { loadTokenizer, maskTokens, trainBpe } from "../text/index.ts";
import type { EpochRecord, TrainingRun } from "../train/index.ts";
import { finetuneSentences, type SentenceLoss, sentenceLoss } from "./index.ts";

interface Masked {
  readonly kind: "masked";
  readonly config: Record<string, unknown>;
  readonly tokens: EncodedArray;
  readonly labels: EncodedArray;
  readonly mask: EncodedArray;
  readonly losses: readonly number[];
  readonly shares: readonly number[];
}
interface Sentences {
  readonly kind: "sentences";
  readonly config: Record<string, unknown>;
  readonly tokens: EncodedArray;
  readonly mask: EncodedArray;
  readonly scores: EncodedArray;
  readonly losses: Readonly<Record<SentenceLoss, readonly number[]>>;
}
const { cases, learningRate, ...seeds } = readFixture<
  Seeds & { learningRate: number; cases: readonly [Masked, Sentences] }
>("encoder-training.json");
const [masked, sentences] = cases;

const given = (encoded: EncodedArray): Tensor =>
  tensor({ dtype: encoded.dtype, shape: encoded.shape, data: decodeArray(encoded) } as HostArray) as Tensor;

async function expectLosses(model: Module, loss: () => Tensor, wanted: readonly number[]): Promise<void> {
  fillStates(model, seeds);
  model.eval();
  const optimizer = adamw({ learningRate, weightDecay: 0.01 })(model.parameters());
  const step = compile(() => {
    const value = loss();
    optimizer.step(grad(value, model.parameters(), { allowUnused: true }) as Tensor[]);
    return value;
  });
  for (const value of wanted) expect((await step().item()) as number).toBeCloseTo(value, 4);
}

test("masked tokens: transformers' losses on what its collator gives", async () => {
  const model = BertForMaskedLM.fromConfig(new PretrainedConfig(masked.config));
  const [tokens, labels, attentionMask] = [masked.tokens, masked.labels, masked.mask].map(given);
  const loss = (): Tensor =>
    crossEntropy(model.forward(tokens!, { attentionMask }), labels!, { ignoreIndex: -100 });
  await expectLosses(model, loss, masked.losses);
});

test("masked tokens: the shares of transformers' collator, nothing special among them, another key other tokens", () => {
  const ids = Int32Array.from({ length: 40_000 }, (_, i) => (i % 10 === 0 ? 2 : 4 + (i % 36)));
  const options = { maskToken: 1, vocabularySize: 40, specialTokens: [0, 1, 2, 3], probability: 0.3 };
  const { tokens, labels } = maskTokens(ids, { ...options, key: 1 });
  const chosen = [...labels.keys()].filter((i) => labels[i] !== -100);
  expect(chosen.every((i) => labels[i] === ids[i] && ids[i]! >= 4)).toBe(true);
  expect(tokens.every((id, i) => labels[i] !== -100 || id === ids[i])).toBe(true);
  const share = (is: (i: number) => boolean): number => chosen.filter(is).length / chosen.length;
  const found = [
    chosen.length / 36_000,
    share((i) => tokens[i] === 1),
    share((i) => tokens[i] === labels[i]),
  ];
  // Four standard deviations of either.
  for (const [i, value] of found.entries()) expect(Math.abs(value - masked.shares[i]!)).toBeLessThan(0.015);
  expect(maskTokens(ids, { ...options, key: 1 })).toEqual({ tokens, labels });
  expect(maskTokens(ids, { ...options, key: 2 }).labels).not.toEqual(labels);
  expect(() => maskTokens(ids, { ...options, key: 1, maskToken: 40 })).toThrow(/maskToken/);
  expect(() => maskTokens(ids, { ...options, key: 1, randomShare: 0.5 })).toThrow(/maskShare \+ randomShare/);
});

test.each(["ranking", "triplet", "cosine"] as const)(
  "sentences by %s: the losses of PyTorch on transformers' BERT",
  async (loss) => {
    const model = Bert.fromConfig(new PretrainedConfig(sentences.config));
    const encoder = new SentenceEncoder(model, undefined as never, { normalize: false });
    const [tokens, mask, scores] = [sentences.tokens, sentences.mask, sentences.scores].map(given);
    const flat = (x: Tensor): Tensor => x.reshape([12, 10]) as Tensor;
    const vectors = (): Tensor =>
      encoder.vectors(flat(tokens!), { attentionMask: flat(mask!) }).reshape([4, 3, -1]) as Tensor;
    await expectLosses(model, () => sentenceLoss(vectors(), scores, { loss }), sentences.losses[loss]);
  },
);

test("pairs come near each other, and a run that goes on from a checkpoint ends with the same bits", async () => {
  const words = ["cat", "dog", "sun", "sea", "red", "ice", "owl", "tea"];
  const examples = words.map((word) => ({ texts: [`a ${word}`, `${word} it is`] }));
  const tokenizer = await loadTokenizer(
    await trainBpe(
      examples.flatMap(({ texts }) => texts),
      { vocabularySize: 270 },
    ),
  );
  const made = (): SentenceEncoder => {
    const model = new Bert({
      vocabSize: 280,
      hiddenSize: 32,
      numLayers: 1,
      numHeads: 4,
      dropout: 0,
      attentionDropout: 0,
    });
    fillStates(model, seeds);
    return new SentenceEncoder(model.eval(), tokenizer);
  };
  const rankOne = async (encoder: SentenceEncoder): Promise<number> => {
    const [own, partners] = await Promise.all(
      [0, 1].map((i) => encoder.encode(examples.map(({ texts }) => texts[i]!))),
    );
    const product = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    return own!.filter((a, i) => {
      const products = partners!.map((b) => product(a, b));
      return products.indexOf(Math.max(...products)) === i;
    }).length;
  };
  const options = { batchSize: 8, epochs: 40, learningRate: 3e-3, progress: "none" } as const;
  const first = made();
  await finetuneSentences(first, examples, options);
  expect(await rankOne(first)).toBe(8);

  const folder = mkdtempSync(join(tmpdir(), "netwright-"));
  const checkpoint = join(folder, "state.safetensors");
  const stopping = {
    onEpochEnd: ({ epoch }: EpochRecord, to: TrainingRun) => void (epoch === 9 && to.stop("enough")),
  };
  await finetuneSentences(made(), examples, { ...options, checkpoint, callbacks: [stopping] });
  const names = [...(await readSafetensors(checkpoint)).tensors.keys()];
  expect(names.some((name) => name.includes("encoder.layer.0"))).toBe(true);
  expect(names.filter((name) => name.includes("pooler"))).toEqual([]);
  const second = made();
  await finetuneSentences(second, examples, { ...options, checkpoint, resume: true });
  expect((await second.encode(["a cat"]))[0]).toEqual((await first.encode(["a cat"]))[0]);
  rmSync(folder, { recursive: true });
});

test("examples that do not fit are named", async () => {
  const model = new Bert({ vocabSize: 280, hiddenSize: 32, numLayers: 1, numHeads: 4 });
  const encoder = new SentenceEncoder(model, undefined as never);
  const message = (examples: readonly object[], options: object = {}): Promise<string> =>
    finetuneSentences(encoder, examples as never, options).then(
      () => expect.unreachable(),
      (error: Error) => error.message,
    );
  expect([
    await message([]),
    await message([{ texts: ["a", "b"] }, { texts: ["a"] }]),
    await message([{ texts: ["a", "b"], score: 2 }], { loss: "cosine" }),
    await message([{ texts: ["a", "b"] }], { temprature: 1 }),
  ]).toMatchInlineSnapshot(`
    [
      "finetuneSentences: there are no examples",
      "finetuneSentences: example 1 has 1 texts; all need as many, two at least (the first has 2)",
      "finetuneSentences: example 0 needs a score from −1 to 1, got 2",
      "finetuneSentences: there is no option "temprature"; did you mean "temperature"?",
    ]
  `);
});
