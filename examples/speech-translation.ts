/** German numbers, spoken, into English ones, written: "siebenundzwanzig" becomes "twenty seven", the other way round. */
import { compile, concat, type Tensor, tensor } from "netwright";
import { arrayDataset, draws } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { wordErrorRate } from "netwright/metrics";
import { BatchNorm1d, Conv1d, Dropout, Embedding, GRU, Linear, LuongAttention, Module } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { heatmapChart } from "netwright/report";
import { padSequences, Vocabulary } from "netwright/text";
import { fit } from "netwright/train";
import { example, type Run } from "./support/example.ts";
import { bands, drawVoices, features, speak, type Utterance } from "./support/speech.ts";

export default example({
  task: "translate spoken German numbers into written English ones",
  data: "numbers below 1,000 by 68 voices of eSpeak NG: 850 by 48 voices train, 150 others by 20 others test",
  metric: "words right (1 − WER)",
  chance: 0.4,
  reference: {
    "words right (1 − WER)": {
      value: 0.2771,
      from: "the best answer that never changes; no other system was measured",
    },
  },
  run,
});

const ones =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen";
const tens = "twenty thirty forty fifty sixty seventy eighty ninety";
/** The special tokens come first. */
const vocabulary = new Vocabulary(["<pad>", "<start>", "<end>", ...`${ones} ${tens} hundred`.split(" ")]);
const [start, end] = [1, 2];
const longest = 6;
/** Samples: 2.1 s. */
const length = 46_080;

/** 342 as "three hundred forty two". */
function english(number: number): string {
  if (number < 20) return ones.split(" ")[number]!;
  const rest = number >= 100 ? number % 100 : number % 10;
  const head =
    number >= 100
      ? `${english(Math.floor(number / 100))} hundred`
      : tens.split(" ")[Math.floor(number / 10) - 2]!;
  return rest === 0 ? head : `${head} ${english(rest)}`;
}

/** An encoder of sound, a decoder of words, and attention from one to the other. */
class Interpreter extends Module {
  readonly convolution = new Conv1d(bands, 64, 7, { stride: 4, padding: 3 });
  readonly norm = new BatchNorm1d(64);
  readonly encoder = new GRU(64, 64, { bidirectional: true, batchFirst: true });
  readonly embedding = new Embedding(vocabulary.size, 32);
  readonly decoder = new GRU(32, 64, { batchFirst: true });
  readonly attention = new LuongAttention(64, { keySize: 128 });
  readonly dropout = new Dropout(0.2);
  readonly output = new Linear(192, vocabulary.size);

  forward(spectra: Tensor, words: Tensor): Tensor {
    return this.read(spectra, words).logits;
  }

  read(spectra: Tensor, words: Tensor) {
    const columns = this.convolution.forward(spectra.permute([0, 2, 1]));
    const steps = this.norm.forward(columns).relu().permute([0, 2, 1]); // (N, steps, 64)
    const sound = this.encoder.forward(steps).output; // (N, steps, 128)
    const written = this.decoder.forward(this.embedding.forward(words)).output; // (N, words, 64)
    const { context, weights } = this.attention.forward(written, sound);
    const seen = this.dropout.forward(concat([context, written], -1)); // (N, words, 192)
    return { logits: this.output.forward(seen), weights };
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const people = drawVoices(seed, quick ? { train: 16, test: 6 } : { train: 48, test: 20 });
  const random = draws(seed);
  const numbers = Array.from({ length: 1000 }, (_, number) => ({ number, at: random.uniform() }))
    .sort((a, b) => a.at - b.at)
    .map(({ number }) => number);
  const spoken = (number: number, voices: readonly string[]): Utterance => ({
    ...{ text: String(number), language: "de", voice: voices[random.integer(voices.length)]! },
    ...{ tempo: Math.round(random.uniform(150, 210)), pitch: Math.round(random.uniform(20, 80)) },
  });
  const test = numbers.slice(0, quick ? 40 : 150).map((number) => spoken(number, people.test));
  const train = numbers.slice(150, quick ? 500 : 1000).map((number) => spoken(number, people.train));
  const spectraOf = async (utterances: readonly Utterance[]) => {
    const { data, shape } = await features(await speak(utterances), length);
    return tensor(data, { shape: [...shape] }).toHost();
  };
  const translationOf = ({ text }: Utterance) => english(Number(text));
  say(`${train.length} numbers train, ${test.length} test`);

  // The target with a start in front is read, the target with an end behind is to be said.
  const answers = labels(train.map(translationOf)).map((text) => [...vocabulary.encode(text.split(" "))]);
  const column = (rows: readonly (readonly number[])[]) => padSequences(rows, { length: longest }).tokens;
  const dataset = arrayDataset({
    spectra: await spectraOf(train),
    words: column(answers.map((words) => [start, ...words])),
    labels: column(answers.map((words) => [...words, end])),
  });
  const model = new Interpreter();
  const [batchSize, epochs] = [16, quick ? 16 : 24];
  const steps = epochs * Math.ceil(train.length / batchSize);
  await fit(model, dataset, {
    ...{ epochs, batchSize, seed, progress: "none", clipNorm: 1, checks: false },
    loss: (logits: Tensor, words: Tensor) => crossEntropy(logits, words, { ignoreIndex: 0 }),
    optimizer: adamw({ learningRate: cosine({ from: 4e-3, to: 1e-5, steps }), weightDecay: 0.01 }),
  });

  model.eval();
  const heard = tensor(await spectraOf(test));
  const said = await interpret(model, heard);
  const truth = test.map(translationOf);
  say(
    test
      .slice(0, 5)
      .map(({ text }, i) => `  ${text}: ${said[i]}`)
      .join("\n"),
  );
  return {
    scores: {
      "words right (1 − WER)": 1 - wordErrorRate(said, truth),
      "numbers right": truth.filter((text, i) => said[i] === text).length / truth.length,
    },
    splits: { train: train.map(({ text }) => text), test: test.map(({ text }) => text) },
    pictures: [await whereItListens(model, heard, test, said)],
  };
}

const step = (model: Interpreter) =>
  compile((spectra: Tensor, words: Tensor) => model.forward(spectra, words).argmax(-1));

/** The likeliest word, again and again. */
async function interpret(model: Interpreter, heard: Tensor): Promise<string[]> {
  const [count] = heard.shape as readonly number[] as [number];
  const next = step(model);
  const written = Array.from({ length: count }, () => [start]);
  for (let at = 0; at < longest - 1; at++) {
    const words = tensor(padSequences(written, { length: longest }).tokens);
    const likeliest = await next(heard, words).data();
    for (const [row, ids] of written.entries()) ids.push(Number(likeliest[row * longest + at]));
  }
  return written.map((ids) => {
    const over = ids.indexOf(end);
    return vocabulary.decode(ids.slice(1, over < 0 ? undefined : over)).join(" ");
  });
}

/** For each English word, when the network listened. Of a number whose ones and tens change places. */
async function whereItListens(
  model: Interpreter,
  heard: Tensor,
  test: readonly Utterance[],
  said: readonly string[],
) {
  const found = test.findIndex(({ text }, i) => Number(text) > 120 && said[i]!.split(" ").length === 4);
  const row = Math.max(0, found);
  const names = said[row]!.split(" ");
  const words = [[start, ...vocabulary.encode(names)].slice(0, longest)];
  const input = tensor(padSequences(words, { length: longest }).tokens);
  const { weights } = model.read(heard.slice(0, row, row + 1), input);
  const shares = (await weights.data()) as Float32Array;
  const steps = shares.length / longest;
  return heatmapChart({
    ...{ title: `${test[row]!.text}, spoken in German`, x: "step of 46 ms", y: "", rowShares: true },
    ...{ rows: names, columns: Array.from({ length: steps }, (_, step) => String(step + 1)) },
    values: names.map((_, i) => [...shares.subarray(i * steps, (i + 1) * steps)]),
  });
}
