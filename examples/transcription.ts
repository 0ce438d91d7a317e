/** Spoken telephone numbers written down, letter by letter, by a network that was never told which letter is where (CTC). */
import { type Tensor, tensor } from "netwright";
import { specAugment } from "netwright/audio";
import { arrayDataset, draws } from "netwright/data";
import { ctc } from "netwright/losses";
import { characterErrorRate, wordErrorRate } from "netwright/metrics";
import { ctcGreedyDecode } from "netwright/models";
import { BatchNorm1d, Conv1d, Dropout, GRU, Linear, Module, RandomStream } from "netwright/nn";
import { adamw, cosine, warmup } from "netwright/optim";
import { heatmapChart } from "netwright/report";
import { padSequences } from "netwright/text";
import { fit, predict } from "netwright/train";
import { example, type Run } from "./support/example.ts";
import { atSpeed, bands, drawVoices, features, speak, type Utterance } from "./support/speech.ts";

export default example({
  task: "write down spoken numbers of three to five digits",
  data: "numbers by 68 voices of eSpeak NG: 48 train, 20 others test, with other numbers",
  metric: "words right (1 − WER)",
  chance: 0.4,
  reference: {
    "words right (1 − WER)": {
      value: 0.1523,
      from: "the best answer that never changes; no other system was measured",
    },
  },
  run,
});

const digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
/** A letter's class is its place here; 0 is CTC's "nothing new". */
const letters = "_ efghinorstuvwxz";
/** Samples: 2.8 s. */
const length = 61_440;
/** Frames that become one step. */
const stride = 3;
const longest = 32;

/** Three frames to a step, steps read from both ends, a letter or nothing for each; bands and moments are hidden while it trains. */
class Writer extends Module {
  readonly convolution = new Conv1d(bands, 64, 7, { stride, padding: 3 });
  readonly norm = new BatchNorm1d(64);
  readonly gru = new GRU(64, 64, { bidirectional: true, batchFirst: true });
  readonly output = new Linear(128, letters.length);
  readonly dropout = new Dropout(0.2);
  readonly random = new RandomStream();

  forward(spectra: Tensor): Tensor {
    const columns = this.convolution.forward(this.augmented(spectra.permute([0, 2, 1]))); // (N, 64, steps)
    const steps = this.dropout.forward(this.norm.forward(columns).relu().permute([0, 2, 1]));
    return this.output.forward(this.dropout.forward(this.gru.forward(steps).output)); // (N, steps, letters)
  }

  private augmented(spectra: Tensor): Tensor {
    if (!this.training) return spectra;
    return specAugment(spectra, { key: this.random.next(), frequencyWidth: 8, timeWidth: 12 });
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const people = drawVoices(seed, quick ? { train: 20, test: 8 } : { train: 48, test: 20 });
  const random = draws(seed);
  const all = numbersOf(quick ? 340 : 900, random);
  const count = quick ? 40 : 150;
  const test = all.slice(0, count).map((text) => spokenBy(text, people.test, random));
  // Each number by two people, and the second as from a tape at another speed: 48 voices are few.
  const train = [1, 2].flatMap(() => all.slice(count).map((text) => spokenBy(text, people.train, random)));
  const vary = (sound: Float32Array, i: number) =>
    i < train.length / 2 ? sound : atSpeed(sound, random.uniform(0.85, 1.15));
  const spectraOf = async (sounds: readonly Float32Array[]) => {
    const { data, shape } = await features(sounds, length);
    return tensor(data, { shape: [...shape] }).toHost();
  };
  say(`${train.length / 2} numbers, twice each, train, ${test.length} test`);

  const codes = padSequences(
    labels(train.map(({ text }) => text)).map((text) => [...text].map((letter) => letters.indexOf(letter))),
    { length: longest },
  );
  const model = new Writer();
  const [batchSize, epochs] = [16, quick ? 15 : 25];
  const steps = epochs * Math.ceil(train.length / batchSize);
  const spectra = await spectraOf((await speak(train)).map(vary));
  await fit(model, arrayDataset({ spectra, labels: codes.tokens }), {
    ...{ loss: ctcOfBatch, epochs, batchSize, seed, progress: "none", clipNorm: 1, checks: false },
    optimizer: adamw({
      learningRate: warmup(Math.ceil(steps / 10), cosine({ from: 3e-3, to: 1e-5, steps })),
      weightDecay: 0.01,
    }),
  });

  const heard = arrayDataset({
    spectra: await spectraOf(await speak(test)),
    labels: new Int32Array(test.length),
  });
  const logits = tensor(await predict(model, heard));
  const said = ctcGreedyDecode(await logits.permute([1, 0, 2]).toHost()).map((codes) =>
    codes
      .map((code) => letters[code])
      .join("")
      .trim(),
  );
  const truth = test.map(({ text }) => text);
  say(
    truth
      .slice(0, 5)
      .map((text, i) => `  ${text} → ${said[i]}`)
      .join("\n"),
  );
  return {
    scores: {
      "words right (1 − WER)": 1 - wordErrorRate(said, truth),
      "letters right (1 − CER)": 1 - characterErrorRate(said, truth),
      "numbers without an error": truth.filter((text, i) => said[i] === text).length / truth.length,
    },
    splits: { train: train.map(({ text }) => text), test: truth },
    pictures: [await lettersOverTime(logits.at(0), truth[0]!)],
  };
}

/** Each target has as many letters as it has before it is filled up with 0; every step of the sound counts. */
function ctcOfBatch(logits: Tensor, targets: Tensor): Tensor {
  const [batch, steps] = logits.shape as readonly number[] as [number, number];
  const lengths = targets.greater(0).cast("i32").sum(1);
  const inputs = tensor(new Int32Array(batch).fill(steps));
  return ctc(logits.logSoftmax(-1).permute([1, 0, 2]), targets, { inputs, targets: lengths });
}

/** Different numbers in words, three to five digits each. */
function numbersOf(count: number, random: ReturnType<typeof draws>): string[] {
  const texts = new Set<string>();
  while (texts.size < count) {
    const size = 3 + random.integer(3);
    texts.add(Array.from({ length: size }, () => digits[random.integer(10)]!).join(" "));
  }
  return [...texts];
}

const spokenBy = (text: string, voices: readonly string[], random: ReturnType<typeof draws>): Utterance => ({
  ...{ text, voice: voices[random.integer(voices.length)]! },
  language: ["en-us", "en-gb", "en-gb-x-rp", "en-029"][random.integer(4)]!,
  ...{ tempo: Math.round(random.uniform(140, 190)), pitch: Math.round(random.uniform(20, 80)) },
});

/** How likely each letter is at each step: short peaks, and nothing new between them. */
async function lettersOverTime(logits: Tensor, text: string) {
  const probabilities = (await logits.softmax(-1).data()) as Float32Array;
  const steps = probabilities.length / letters.length;
  const used = [...new Set(text)].sort();
  return heatmapChart({
    ...{ title: `"${text}"`, x: "step of 35 ms", y: "letter" },
    ...{ rows: used.map((letter) => (letter === " " ? "space" : letter)) },
    columns: Array.from({ length: steps }, (_, step) => String(step + 1)),
    values: used.map((letter) =>
      Array.from(
        { length: steps },
        (_, step) => probabilities[step * letters.length + letters.indexOf(letter)]!,
      ),
    ),
  });
}
