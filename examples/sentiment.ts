/** Is a review content or not? A bag of words and of pairs of words, each with a vector that is learnt. */
import { readFileSync } from "node:fs";
import { type Tensor, tensor } from "netwright";
import { arrayDataset, trainTestIndices } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { f1Score, rocAuc } from "netwright/metrics";
import { Dropout, EmbeddingBag, Linear, Module } from "netwright/nn";
import { adamw } from "netwright/optim";
import { barChart } from "netwright/report";
import { ngrams, normalizeText, padSequences, Vocabulary, words } from "netwright/text";
import { earlyStopping, fit, predict } from "netwright/train";
import { example, packageFile, type Run } from "./support/example.ts";

export default example({
  task: "tell content reviews from discontent ones",
  data: "3,000 sentences about goods, restaurants and films; 70 % train, 10 % validate, 20 % test",
  metric: "accuracy",
  chance: 0.6,
  reference: {
    accuracy: { value: 0.8067, from: "scikit-learn, TF-IDF of words and pairs, and LinearSVC" },
  },
  run,
});

interface Review {
  readonly text: string;
  readonly class: number | null;
}

/** The mean of the vectors of all that a review has, and a line through it. */
class Reader extends Module {
  readonly bag: EmbeddingBag;
  readonly dropout = new Dropout(0.5);
  readonly output: Linear;

  constructor(vocabularySize: number, size = 32) {
    super();
    this.bag = new EmbeddingBag(vocabularySize, size, { paddingIndex: 0 });
    this.output = new Linear(size, 2);
  }
  forward(terms: Tensor): Tensor {
    return this.output.forward(this.dropout.forward(this.bag.forward(terms)));
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const all = ["amazon", "yelp", "imdb"].flatMap((name) => {
    const file = packageFile("sentiment", "test", "fixtures", `${name}.json`);
    return JSON.parse(readFileSync(file, "utf8")) as Review[];
  });
  // Three have no label, and some sentences come more than once.
  const labelled = all.filter((review) => review.class !== null);
  const reviews = [...new Map(labelled.map((review) => [wordsOf(review.text).join(" "), review])).values()];
  const truth = reviews.map((review) => review.class!);
  const parts = trainTestIndices(reviews.length, { test: 0.2, validation: 0.1, stratify: truth, seed });
  const part = (rows: Uint32Array) => Array.from(rows, (row) => reviews[row]!);
  const [train, validation, test] = [part(parts.train), part(parts.validation), part(parts.test)];
  const known = labels([...train, ...validation].map((review) => review.class!));

  // Terms that come once tell nothing: they are unknown, as those of the test may be.
  const vocabulary = Vocabulary.from(
    train.map(({ text }) => termsOf(text)),
    { minCount: 2 },
  );
  say(`${reviews.length} different sentences, ${vocabulary.size} words and pairs of words`);
  const dataset = (part: readonly Review[], answers: readonly number[]) =>
    arrayDataset({
      terms: padSequences(
        part.map(({ text }) => vocabulary.encode(termsOf(text))),
        { length: 64 },
      ).tokens,
      labels: Int32Array.from(answers),
    });

  const model = new Reader(vocabulary.size);
  await fit(model, dataset(train, known.slice(0, train.length)), {
    ...{ validation: dataset(validation, known.slice(train.length)), epochs: quick ? 8 : 40, batchSize: 32 },
    ...{ loss: crossEntropy, optimizer: adamw({ learningRate: 5e-3, weightDecay: 0.1 }), seed },
    ...{ progress: "none", callbacks: [earlyStopping({ patience: 6 })] },
  });

  const answers = test.map((review) => review.class!);
  const logits = tensor(await predict(model, dataset(test, answers)));
  const probabilities = await logits.softmax(-1).data();
  const scores = answers.map((_, i) => Number(probabilities[2 * i + 1]));
  const called = scores.map((score) => Number(score > 0.5));
  return {
    scores: {
      accuracy: called.filter((answer, i) => answer === answers[i]).length / answers.length,
      F1: f1Score(called, answers),
      "ROC AUC": rocAuc(scores, answers),
    },
    splits: {
      train: train.map(({ text }) => wordsOf(text)),
      validation: validation.map(({ text }) => wordsOf(text)),
      test: test.map(({ text }) => wordsOf(text)),
    },
    pictures: [await loudest(model, vocabulary)],
  };
}

const wordsOf = (text: string): string[] => words(normalizeText(text, { lowercase: true }));
const termsOf = (text: string): string[] => ngrams(wordsOf(text), 1, 2);

/** What moves an answer most, either way: the output of a bag that holds one term alone. */
async function loudest(model: Reader, { tokens }: Vocabulary) {
  model.eval();
  const alone = tensor(Int32Array.from(tokens.keys()), { shape: [tokens.length, 1] });
  const logits = await model.forward(alone).data();
  const moves = tokens
    .map((name, i) => ({ name, value: Number(logits[2 * i + 1]) - Number(logits[2 * i]) }))
    .slice(2)
    .sort((a, b) => b.value - a.value);
  return barChart({
    ...{ title: "Terms that tell most", x: "towards content", y: "" },
    bars: [...moves.slice(0, 10), ...moves.slice(-10)],
  });
}
