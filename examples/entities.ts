/** Which words name a person, a place, an organisation or something else? A network that reads sentences from both ends. */
import { concat, type Tensor, tensor } from "netwright";
import { arrayDataset, trainTestIndices } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { Dropout, Embedding, Linear, LSTM, Module } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { barChart } from "netwright/report";
import { padSequences, Vocabulary } from "netwright/text";
import { fit, predict } from "netwright/train";
import { example, type Run } from "./support/example.ts";
import { dataLines } from "./support/lines.ts";

export default example({
  task: "find the names in a text, and what they name",
  data: "Wikigold: 1,696 sentences of Wikipedia; 80 % train, 20 % test",
  metric: "F1",
  chance: 0.15,
  reference: {
    F1: { value: 0.5999, from: "scikit-learn, LinearSVC on the same features of five words" },
  },
  run,
});

const kinds = ["O", "PER", "LOC", "ORG", "MISC"];
const longest = 48;

interface Sentence {
  readonly words: readonly string[];
  readonly kinds: readonly number[];
}

/** What is known of a word beside itself: how it begins, how it ends, and its shape: "Xx", "X", "9", ".". */
const views = {
  word: (word: string) => word.toLowerCase(),
  start: (word: string) => word.toLowerCase().slice(0, 3),
  end: (word: string) => word.toLowerCase().slice(-3),
  shape: (word: string) =>
    word
      .replace(/\p{Lu}+/gu, "X")
      .replace(/\p{Ll}+/gu, "x")
      .replace(/\d+/g, "9"),
};
type View = keyof typeof views;
const sizes: Record<View, number> = { word: 48, start: 16, end: 16, shape: 16 };

class Tagger extends Module {
  readonly tables: readonly Embedding[];
  readonly dropout = new Dropout(0.5);
  readonly lstm = new LSTM(96, 64, { bidirectional: true, batchFirst: true });
  readonly output = new Linear(128, kinds.length);

  constructor(vocabularies: readonly Vocabulary[]) {
    super();
    this.tables = vocabularies.map(
      ({ size }, i) => new Embedding(size, Object.values(sizes)[i]!, { paddingIndex: 0 }),
    );
  }

  /** Each (N, T) */
  forward(word: Tensor, start: Tensor, end: Tensor, shape: Tensor): Tensor {
    const vectors = [word, start, end, shape].map((view, i) => this.tables[i]!.forward(view));
    const seen = this.dropout.forward(concat(vectors, 2)); // (N, T, 96)
    const lengths = word.notEqual(0).cast("i32").sum(1);
    const { output } = this.lstm.forward(seen, undefined, { lengths });
    return this.output.forward(this.dropout.forward(output)); // (N, T, kinds)
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const all = readSentences().filter((_, i) => !quick || i % 2 === 0);
  const parts = trainTestIndices(all.length, { test: 0.2, seed });
  const [train, test] = [parts.train, parts.test].map((rows) => Array.from(rows, (row) => all[row]!));
  const vocabularies = Object.values(views).map((view) =>
    Vocabulary.from(
      train!.map(({ words }) => words.map(view)),
      { minCount: 2 },
    ),
  );
  say(
    `${train!.length} sentences train, ${test!.length} test; ${vocabularies[0]!.size} words come twice or more`,
  );

  const dataset = (sentences: readonly Sentence[], answers: readonly (readonly number[])[]) => {
    const columns = Object.entries(views).map(([name, view], i) => [
      name,
      padSequences(
        sentences.map(({ words }) => vocabularies[i]!.encode(words.map(view))),
        { length: longest },
      ).tokens,
    ]);
    const column = padSequences(answers, { length: longest, value: -1 }).tokens;
    return arrayDataset({ ...Object.fromEntries(columns), labels: column });
  };
  // Shuffled word by word where it is tested that nothing else tells the kinds.
  const known = labels(train!.flatMap(({ kinds }) => kinds));
  let at = 0;
  const answers = train!.map(({ kinds }) => known.slice(at, (at += kinds.length)));

  const model = new Tagger(vocabularies);
  const [batchSize, epochs] = [16, quick ? 8 : 20];
  const steps = epochs * Math.ceil(train!.length / batchSize);
  await fit(model, dataset(train!, answers), {
    ...{ epochs, batchSize, seed, progress: "none", clipNorm: 1, checks: false },
    loss: (logits: Tensor, answers: Tensor) => crossEntropy(logits, answers, { ignoreIndex: -1 }),
    optimizer: adamw({ learningRate: cosine({ from: 5e-3, to: 1e-5, steps }), weightDecay: 0.05 }),
  });

  const truth = test!.map(({ kinds }) => kinds);
  const likeliest = await tensor(await predict(model, dataset(test!, truth)))
    .argmax(-1)
    .data();
  const called = truth.map(({ length }, row) =>
    Array.from({ length }, (_, i) => Number(likeliest[row * longest + i])),
  );
  say(marked(test![0]!.words, called[0]!));
  const { f1, precision, recall } = scoresOf(called, truth);
  return {
    scores: { F1: f1, precision, recall },
    splits: { train: train!.map(({ words }) => words), test: test!.map(({ words }) => words) },
    pictures: [
      barChart({
        ...{ title: "F1 by kind", x: "F1", y: "" },
        bars: kinds.slice(1).map((name, i) => ({ name, value: scoresOf(called, truth, i + 1).f1 })),
      }),
    ],
  };
}

/** "The/O Mad/I-ORG …"; sentences that are too long are cut, those that come twice are one. */
function readSentences(): Sentence[] {
  const lines = [...new Set(dataLines("entities.txt.gz"))];
  const sentences = lines.map((line) => {
    const tokens = line
      .split(" ")
      .slice(0, longest)
      .map((token) => token.split(/\/(?=[^/]*$)/) as [string, string]);
    return {
      words: tokens.map(([word]) => word),
      kinds: tokens.map(([, tag]) => kinds.indexOf(tag.replace("I-", ""))),
    };
  });
  return [...new Map(sentences.map((sentence) => [sentence.words.join(" "), sentence])).values()];
}

/** Names as they stand: the first word, the word behind the last, the kind. Neighbours of one kind are one name, as in the collection. */
function namesIn(kinds: readonly number[]): Set<string> {
  const names = new Set<string>();
  for (let from = 0; from < kinds.length; ) {
    let to = from + 1;
    while (to < kinds.length && kinds[to] === kinds[from]) to++;
    if (kinds[from] !== 0) names.add(`${from} ${to} ${kinds[from]}`);
    from = to;
  }
  return names;
}

/** A name counts where its bounds and its kind are right: CoNLL's measure. */
function scoresOf(
  called: readonly (readonly number[])[],
  truth: readonly (readonly number[])[],
  kind?: number,
) {
  let [right, found, there] = [0, 0, 0];
  const isAsked = (name: string) => kind === undefined || name.endsWith(` ${kind}`);
  for (const [row, kinds] of truth.entries()) {
    const [own, wanted] = [namesIn(called[row]!), namesIn(kinds)];
    right += [...own].filter((name) => isAsked(name) && wanted.has(name)).length;
    found += [...own].filter(isAsked).length;
    there += [...wanted].filter(isAsked).length;
  }
  const [precision, recall] = [right / Math.max(1, found), right / Math.max(1, there)];
  return { precision, recall, f1: (2 * right) / Math.max(1, found + there) };
}

const marked = (words: readonly string[], tags: readonly number[]): string =>
  words.map((word, i) => (tags[i] === 0 ? word : `[${word} ${kinds[tags[i]!]}]`)).join(" ");
