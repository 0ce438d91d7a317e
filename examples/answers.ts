/** What does a bank's customer want to know? The most similar question that was answered before, by vectors of sentences. */
import { type HostArray, tensor } from "netwright";
import { arrayDataset, draws } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { reciprocalRank } from "netwright/metrics";
import { Linear } from "netwright/nn";
import { adamw } from "netwright/optim";
import { loadSentenceEncoder } from "netwright/pretrained";
import { lineChart } from "netwright/report";
import { fit, predict } from "netwright/train";
import { example, type Run } from "./support/example.ts";
import { dataLines } from "./support/lines.ts";
import { sentenceWeights } from "./support/weights.ts";

export default example({
  task: "find the answer to a customer's question",
  data: "BANKING77: 25 intents, 20 known questions each, 20 others test",
  metric: "right answer first",
  chance: 0.3,
  reference: {
    "right answer first": { value: 0.702, from: "scikit-learn, most similar question by TF-IDF" },
    "right answer first, a layer on top": { value: 0.852, from: "scikit-learn, LinearSVC on TF-IDF" },
  },
  run,
});

interface Question {
  readonly intent: string;
  readonly text: string;
}

async function run({ quick, seed, labels, say }: Run) {
  const encoder = await loadSentenceEncoder(sentenceWeights());
  const intentCount = quick ? 8 : 25;
  const perIntent = quick ? 10 : 20;
  const { known, asked, intents } = readQuestions(intentCount, perIntent, seed);
  const answers = labels(known.map(({ intent }) => intents.indexOf(intent)));
  const truth = asked.map(({ intent }) => intents.indexOf(intent));
  say(`${known.length} known questions, ${asked.length} new ones, ${intentCount} answers`);

  // Vectors of length 1: their products are cosines.
  const vectorsOf = async (questions: readonly Question[]) => {
    const rows = await encoder.encode(questions.map(({ text }) => text));
    const shape = [rows.length, 384];
    return tensor(Float32Array.from(rows.flatMap((row) => [...row])), { shape }).toHost();
  };
  const [knownVectors, askedVectors] = [await vectorsOf(known), await vectorsOf(asked)];
  const cosines = await tensor(askedVectors).matmul(tensor(knownVectors).transpose()).data();

  // Search: the known questions in the order of their likeness, each standing for its answer.
  const found = asked.map((_, row) => {
    const own = known.map((_, i) => ({
      answer: answers[i]!,
      cosine: Number(cosines[row * known.length + i]),
    }));
    return own.sort((a, b) => b.cosine - a.cosine);
  });
  const first = found.map((list) => list[0]!.answer);
  for (const row of [0, 1, 2]) say(`  ${asked[row]!.text} → ${intents[first[row]!]}`);

  // A layer on the same vectors learns which directions matter here.
  const dataset = (vectors: HostArray, labels: readonly number[]) =>
    arrayDataset({ vectors, labels: Int32Array.from(labels) });
  const layer = new Linear(384, intentCount);
  await fit(layer, dataset(knownVectors, answers), {
    ...{ loss: crossEntropy, epochs: quick ? 20 : 40, batchSize: 32, seed, progress: "none" },
    optimizer: adamw({ learningRate: 1e-2, weightDecay: 0.01 }),
  });
  const called = await tensor(await predict(layer, dataset(askedVectors, truth)))
    .argmax(-1)
    .data();

  const isRight = first.map((answer, row) => answer === truth[row]);
  const ranks = found.map((list, row) =>
    reciprocalRank(
      list.map(({ cosine }) => cosine),
      list.map(({ answer }) => Number(answer === truth[row])),
    ),
  );
  const share = (of: readonly boolean[]) => of.filter(Boolean).length / of.length;
  return {
    scores: {
      "right answer first": share(isRight),
      "mean reciprocal rank": ranks.reduce((sum, rank) => sum + rank, 0) / ranks.length,
      "right answer first, a layer on top": share(truth.map((answer, row) => Number(called[row]) === answer)),
    },
    splits: { known: known.map(({ text }) => text), asked: asked.map(({ text }) => text) },
    pictures: [
      whenSure(
        found.map((list) => list[0]!.cosine),
        isRight,
      ),
    ],
  };
}

/** Intents drawn by the seed; known questions are from the collection's part for training, new ones from that for the test. */
function readQuestions(intentCount: number, perIntent: number, seed: number) {
  const rows = dataLines("bank-questions.tsv.gz").map((line) => line.split("\t") as [string, string, string]);
  const random = draws(seed);
  const drawn = <T>(all: readonly T[], count: number): T[] =>
    all
      .map((one) => ({ one, at: random.uniform() }))
      .sort((a, b) => a.at - b.at)
      .slice(0, count)
      .map(({ one }) => one);
  const intents = drawn([...new Set(rows.map(([, intent]) => intent))], intentCount);
  const part = (name: string): Question[] =>
    intents.flatMap((intent) =>
      drawn(
        rows.filter(([of, its]) => of === name && its === intent),
        perIntent,
      ).map(([, , text]) => ({ intent, text })),
    );
  const known = part("train");
  const texts = new Set(known.map(({ text }) => text));
  return { intents, known, asked: part("test").filter(({ text }) => !texts.has(text)) };
}

/** How often it is right where it answers only the questions that are most like a known one: the others go to a person. */
function whenSure(cosines: readonly number[], isRight: readonly boolean[]) {
  const order = cosines
    .map((cosine, i) => ({ cosine, isRight: isRight[i]! }))
    .sort((a, b) => b.cosine - a.cosine);
  const shares = Array.from({ length: 20 }, (_, i) => (i + 1) / 20);
  return lineChart({
    ...{
      title: "Answered by the machine, the rest by people",
      x: "share that is answered",
      y: "share of them right",
    },
    series: [
      {
        name: "answers",
        x: shares,
        y: shares.map((share) => {
          const part = order.slice(0, Math.round(share * order.length));
          return part.filter(({ isRight }) => isRight).length / part.length;
        }),
      },
    ],
  });
}
