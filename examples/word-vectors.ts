/** Words as vectors, learnt from which words stand together in a dictionary's definitions: skip-gram with negative sampling. */
import { compile, grad, type Tensor, tensor } from "netwright";
import { draws } from "netwright/data";
import { NegativeSampler, SkipGram, skipGramPairs, subsample } from "netwright/models";
import { Adam, linear } from "netwright/optim";
import { heatmapChart } from "netwright/report";
import { normalizeText, Vocabulary, words } from "netwright/text";
import { example, type Run } from "./support/example.ts";
import { dataLines } from "./support/lines.ts";
import { wordNet } from "./support/wordnet.ts";

export default example({
  task: "learn vectors of words: those that mean alike are near",
  data: "82,000 definitions of nouns in WordNet 3.1 train; 353 pairs of words that people judged (WordSim-353) test",
  metric: "Spearman's ρ",
  chance: 0.2,
  reference: {
    "Spearman's ρ": { value: 0.2222, from: "gensim, three passes over the definitions of all words" },
  },
  run,
});

const negatives = 5;

async function run({ quick, seed, labels, say }: Run) {
  const sentences = readSentences(quick);
  const vocabulary = Vocabulary.from(sentences, { minCount: 5, special: ["<unk>"] });
  const known = sentences.map((sentence) =>
    vocabulary.encode(sentence.filter((word) => vocabulary.has(word))),
  );
  const counts = new Array<number>(vocabulary.size).fill(0);
  for (const tokens of known) for (const token of tokens) counts[token]! += 1;

  // Pairs of neighbours within a definition; words such as "of" are thinned out first.

  const pairs = known.map((tokens, i) => {
    const key = 1_000_000 * seed + i;
    return skipGramPairs(subsample(tokens, counts, { threshold: 1e-4, key }), { window: 5, key });
  });
  const order = shuffledIndices(
    pairs.reduce((sum, { words }) => sum + words.length, 0),
    seed,
  );
  const centres = inOrder(
    pairs.map(({ words }) => words),
    order,
  );
  const contexts = labels(
    inOrder(
      pairs.map(({ contexts }) => contexts),
      order,
    ),
  );
  say(`${sentences.length} definitions, ${vocabulary.size} words, ${centres.length} pairs`);

  const model = new SkipGram({ vocabularySize: vocabulary.size, embeddingSize: 64 });
  const [batchSize, epochs] = [2048, quick ? 3 : 2];
  const batches = Math.floor(centres.length / batchSize);
  const steps = epochs * batches;
  const optimizer = new Adam(model.parameters(), { learningRate: linear({ from: 5e-3, to: 1e-4, steps }) });
  const sampler = new NegativeSampler(counts, { key: seed });
  const step = compile((words: Tensor, contexts: Tensor, others: Tensor) => {
    const loss = model.forward(words, contexts, others);
    optimizer.step(grad(loss, optimizer.parameters));
    return loss;
  });
  let sum = 0;
  for (let at = 0; at < steps; at++) {
    const from = (at % batches) * batchSize;
    const part = (of: Int32Array) => tensor(of.subarray(from, from + batchSize));
    const others = tensor(sampler.draw(at, negatives * batchSize), {
      shape: [batchSize, negatives],
    });
    const loss = step(part(centres), part(contexts), others);
    if (at % 100 < 99) continue;
    sum = Number(await loss.item());
    if (at % 500 === 499) say(`step ${at + 1} of ${steps}: loss ${sum.toFixed(3)}`);
  }

  const table = (await model.inputs.weight.data()) as Float32Array;
  const cosine = (a: string, b: string) =>
    cosineOf(...([a, b].map((word) => row(table, vocabulary.indexOf(word))) as [Float32Array, Float32Array]));
  const judged = dataLines("word-similarity.tsv.gz").map(
    (line) => line.split("\t") as [string, string, string],
  );
  const both = judged.filter(([a, b]) => vocabulary.has(a) && vocabulary.has(b));
  for (const word of ["dog", "bread", "king", "river"]) {
    const near = await model.nearest(vocabulary.indexOf(word), 6);
    say(`${word}: ${vocabulary.decode(near.map(({ word }) => word)).join(", ")}`);
  }
  return {
    scores: {
      "Spearman's ρ": spearman(
        both.map(([a, b]) => cosine(a, b)),
        both.map(([, , score]) => Number(score)),
      ),
      "share of the pairs that are known": both.length / judged.length,
    },
    splits: { train: sentences, test: judged },
    pictures: [neighbourhoods(cosine)],
  };
}

/** What a word means, with the word in front: it stands among those that explain it. */
function readSentences(quick: boolean): string[][] {
  const meanings = wordNet("noun").filter((_, i) => !quick || i % 4 === 0);
  return meanings.map(({ words: names, definition }) =>
    words(normalizeText(`${names.slice(0, 3).join(" ")} ${definition}`, { lowercase: true })),
  );
}

function shuffledIndices(count: number, seed: number): Int32Array {
  const random = draws(seed);
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function inOrder(parts: readonly Int32Array[], order: Int32Array): Int32Array {
  const all = new Int32Array(order.length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return order.map((i) => all[i]!);
}

const row = (table: Float32Array, index: number) => table.subarray(64 * index, 64 * (index + 1));

function cosineOf(a: Float32Array, b: Float32Array): number {
  const product = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b) || 1);
}

/** The correlation of ranks; equal values share the mean of theirs. */
function spearman(a: readonly number[], b: readonly number[]): number {
  const ranks = (values: readonly number[]) => {
    const sorted = [...values].sort((x, y) => x - y);
    return Float32Array.from(values, (x) => (sorted.indexOf(x) + sorted.lastIndexOf(x)) / 2);
  };
  const centred = (values: Float32Array) => values.map((x) => x - (values.length - 1) / 2);
  return cosineOf(centred(ranks(a)), centred(ranks(b)));
}

function neighbourhoods(cosine: (a: string, b: string) => number) {
  const names = "cat dog horse bread cheese wine river lake sea piano guitar violin".split(" ");
  return heatmapChart({
    ...{ title: "Cosines", x: "", y: "", rows: names, columns: names },
    values: names.map((a) =>
      names.map((b) => (a === b ? 0 : Math.max(0, Math.round(100 * cosine(a, b)) / 100))),
    ),
  });
}
