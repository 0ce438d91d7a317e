/** In which mood is it said? Not the words tell, only how: tempo, and how far the voice rises and falls. */
import { concat, type Tensor, tensor } from "netwright";
import { arrayDataset, draws } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { confusionMatrix } from "netwright/metrics";
import { BatchNorm1d, Conv1d, Dropout, GRU, Linear, Module } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { confusionChart } from "netwright/report";
import { fit, predict } from "netwright/train";
import { example, type Run } from "./support/example.ts";
import { bands, drawVoices, features, speak, type Utterance } from "./support/speech.ts";

export default example({
  task: "tell the mood in which a sentence is spoken",
  data: "24 sentences in four moods by 68 voices of eSpeak NG: 48 voices with 16 sentences train, 20 others with 8 others test",
  metric: "accuracy",
  chance: 0.45,
  reference: {
    accuracy: { value: 0.7875, from: "scikit-learn, SVC on how the bands move, and how long it lasts" },
  },
  run,
});

/** What a mood does to a voice, as a rule: of each pair a value is drawn. Tempo times, pitch plus, range in percent, loudness. */
const moods = {
  calm: { tempo: [0.85, 1], pitch: [-8, 4], range: [60, 100], volume: "medium" },
  joyful: { tempo: [1.05, 1.25], pitch: [6, 20], range: [160, 240], volume: "loud" },
  sad: { tempo: [0.65, 0.85], pitch: [-16, -2], range: [10, 40], volume: "soft" },
  angry: { tempo: [1.1, 1.35], pitch: [-8, 6], range: [40, 90], volume: "x-loud" },
} as const;
const names = Object.keys(moods) as (keyof typeof moods)[];

const sentences = (
  "the train leaves at nine|my brother is at home|we had soup for dinner|the letter came today|it will rain tomorrow|" +
  "she works in the garden|they moved to the city|the door is open again|he called this morning|your keys are on the table|" +
  "the shop opens on monday|i have seen that film|the dog sleeps outside|there is nobody here|we are going by car|" +
  "the book is on the shelf|the lights are still on|he wants to talk to you|the game is over now|she has bought a new coat|" +
  "the water is too cold|they will be back soon|i found it in the kitchen|the bus stops over there"
).split("|");
/** Samples: 2 s. */
const length = 44_032;

/** Movements over time: convolutions, and a network that follows them; what was seen on average and at most. */
class MoodReader extends Module {
  readonly convolution = new Conv1d(bands, 64, 9, { stride: 4 });
  readonly norm = new BatchNorm1d(64);
  readonly gru = new GRU(64, 32, { bidirectional: true, batchFirst: true });
  readonly dropout = new Dropout(0.4);
  readonly output = new Linear(128, names.length);

  forward(spectra: Tensor): Tensor {
    const columns = this.convolution.forward(spectra.permute([0, 2, 1]));
    const steps = this.norm.forward(columns).relu().permute([0, 2, 1]);
    const followed = this.gru.forward(steps).output; // (N, steps, 64)
    const all = concat([followed.mean(1), followed.max(1)], 1);
    return this.output.forward(this.dropout.forward(all));
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const people = drawVoices(seed, quick ? { train: 24, test: 10 } : { train: 48, test: 20 });
  const random = draws(seed);
  const order = sentences.map((text) => ({ text, at: random.uniform() })).sort((a, b) => a.at - b.at);
  const texts = order.map(({ text }) => text);
  const spoken = (voices: readonly string[], texts: readonly string[], times: number) =>
    voices.flatMap((voice) =>
      names.flatMap((mood) =>
        Array.from({ length: times }, () => ({
          mood,
          utterance: inMood(mood, texts[random.integer(texts.length)]!, voice, random),
        })),
      ),
    );
  const train = spoken(people.train, texts.slice(0, 16), quick ? 2 : 4);
  const test = spoken(people.test, texts.slice(16), 2);
  say(`${train.length} sentences train, ${test.length} test`);

  const dataset = async (part: typeof train, answers: readonly number[]) => {
    const { data, shape } = await features(await speak(part.map(({ utterance }) => utterance)), length);
    const spectra = await tensor(data, { shape: [...shape] }).toHost();
    return arrayDataset({ spectra, labels: Int32Array.from(answers) });
  };
  const moodOf = ({ mood }: { readonly mood: keyof typeof moods }) => names.indexOf(mood);
  const model = new MoodReader();
  const [batchSize, epochs] = [16, quick ? 10 : 12];
  const steps = epochs * Math.ceil(train.length / batchSize);
  await fit(model, await dataset(train, labels(train.map(moodOf))), {
    ...{ loss: crossEntropy, epochs, batchSize, seed, progress: "none", clipNorm: 1 },
    optimizer: adamw({ learningRate: cosine({ from: 3e-3, to: 1e-5, steps }), weightDecay: 0.02 }),
  });

  const truth = test.map(moodOf);
  const said = await tensor(await predict(model, await dataset(test, truth)))
    .argmax(-1)
    .data();
  const called = Array.from(said, Number);
  return {
    scores: { accuracy: called.filter((mood, i) => mood === truth[i]).length / truth.length },
    splits: { train: train.map(({ utterance }) => utterance), test: test.map(({ utterance }) => utterance) },
    pictures: [
      confusionChart({
        names,
        counts: confusionMatrix(called, truth, { numClasses: names.length }).toArray(),
      }),
    ],
  };
}

/** Every person has a tempo and a pitch of their own to begin with: only how they move tells the mood. */
function inMood(
  mood: keyof typeof moods,
  text: string,
  voice: string,
  random: ReturnType<typeof draws>,
): Utterance {
  const { tempo, pitch, range, volume } = moods[mood];
  const marks = `range="${Math.round(random.uniform(...range))}%" volume="${volume}"`;
  return {
    text: `<speak><prosody ${marks}>${text}</prosody></speak>`,
    ...{ voice, language: ["en-us", "en-gb"][random.integer(2)]! },
    tempo: Math.round(random.uniform(155, 185) * random.uniform(...tempo)),
    pitch: Math.round(random.uniform(35, 65) + random.uniform(...pitch)),
  };
}
