/** What kind of thing does a definition tell of? Convolutions over words find the phrases that give it away. Kim, 2014. */
import { concat, type Tensor, tensor } from "netwright";
import { arrayDataset, draws, trainTestIndices } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { confusionMatrix, f1Score } from "netwright/metrics";
import { Conv1d, Dropout, Embedding, initializers, Linear, Module } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { confusionChart } from "netwright/report";
import { normalizeText, padSequences, Vocabulary, words } from "netwright/text";
import { fit, predict } from "netwright/train";
import { example, type Run } from "./support/example.ts";
import { wordNet } from "./support/wordnet.ts";

export default example({
  task: "tell which of twelve topics a definition belongs to",
  data: "definitions of nouns in WordNet 3.1, 1,000 a topic; 80 % train, 20 % test",
  metric: "accuracy",
  chance: 0.3,
  reference: {
    accuracy: { value: 0.8024, from: "scikit-learn, TF-IDF of words and pairs, and LinearSVC" },
    "macro F1": { value: 0.8014, from: "scikit-learn, TF-IDF of words and pairs, and LinearSVC" },
  },
  run,
});

/** Numbers of WordNet's files. */
const topics = {
  ...{ act: 4, animal: 5, artifact: 6, body: 8, thought: 9, communication: 10 },
  ...{ food: 13, place: 15, person: 18, plant: 20, state: 26, substance: 27 },
};
const names = Object.keys(topics);
const longest = 24;

class PhraseReader extends Module {
  readonly embedding: Embedding;
  readonly pairs = new Conv1d(64, 64, 2);
  readonly triples = new Conv1d(64, 64, 3);
  readonly dropout = new Dropout(0.5);
  readonly output = new Linear(256, names.length);

  constructor(vocabularySize: number) {
    super();
    const weightInit = initializers.normal(0, 0.1);
    this.embedding = new Embedding(vocabularySize, 64, { paddingIndex: 0, weightInit });
  }

  forward(tokens: Tensor): Tensor {
    const vectors = this.dropout.forward(this.embedding.forward(tokens));
    const columns = vectors.permute([0, 2, 1]); // (N, 64, words)
    // Each filter tells how well the best place fits, wherever that is; beside it what all words say together.
    const found = [columns, this.pairs.forward(columns), this.triples.forward(columns)];
    const best = found.map((at) => at.relu().max(2)); // (N, 64) each
    const all = concat([columns.sum(2), ...best], 1); // (N, 256)
    return this.output.forward(this.dropout.forward(all));
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const texts = readTexts(quick ? 200 : 1000, seed);
  const truth = texts.map(({ topic }) => topic);
  const parts = trainTestIndices(texts.length, { test: 0.2, stratify: truth, seed });
  const [train, test] = [parts.train, parts.test].map((rows) => Array.from(rows, (row) => texts[row]!));
  const vocabulary = Vocabulary.from(
    train!.map(({ words }) => words),
    { minCount: 2 },
  );
  say(`${texts.length} definitions, ${vocabulary.size} words`);
  const dataset = (part: typeof texts, answers: readonly number[]) =>
    arrayDataset({
      tokens: padSequences(
        part.map(({ words }) => vocabulary.encode(words)),
        { length: longest },
      ).tokens,
      labels: Int32Array.from(answers),
    });

  const model = new PhraseReader(vocabulary.size);
  const [batchSize, epochs] = [32, quick ? 8 : 12];
  const steps = epochs * Math.ceil(train!.length / batchSize);
  await fit(model, dataset(train!, labels(train!.map(({ topic }) => topic))), {
    ...{ loss: crossEntropy, epochs, batchSize, seed, progress: "none" },
    optimizer: adamw({ learningRate: cosine({ from: 3e-3, to: 1e-5, steps }), weightDecay: 0.05 }),
  });

  const answers = test!.map(({ topic }) => topic);
  const called = Array.from(
    await tensor(await predict(model, dataset(test!, answers)))
      .argmax(-1)
      .data(),
    Number,
  );
  return {
    scores: {
      accuracy: called.filter((answer, i) => answer === answers[i]).length / answers.length,
      "macro F1": f1Score(called, answers, { average: "macro" }),
    },
    splits: { train: train!.map(({ words }) => words), test: test!.map(({ words }) => words) },
    pictures: [confusionChart({ names, counts: confusionMatrix(called, answers).toArray() })],
  };
}

/** As many definitions of each topic, none of them twice: one that stands for several nouns is left out. */
function readTexts(count: number, seed: number) {
  const meanings = wordNet("noun").map(({ definition, file }) => ({
    topic: Object.values(topics).indexOf(file),
    words: words(normalizeText(definition, { lowercase: true })).slice(0, longest),
  }));
  const times = new Map<string, number>();
  for (const { words } of meanings) times.set(words.join(" "), (times.get(words.join(" ")) ?? 0) + 1);
  const random = draws(seed);
  return names.flatMap((_, topic) => {
    const own = meanings.filter((one) => one.topic === topic && times.get(one.words.join(" ")) === 1);
    const drawn = own.map((one) => ({ one, at: random.uniform() })).sort((a, b) => a.at - b.at);
    return drawn.slice(0, count).map(({ one }) => one);
  });
}
