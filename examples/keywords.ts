/** Which of ten words is spoken? By people it has never heard, and through the talk of others. */
import { concat, type Tensor, tensor } from "netwright";
import { arrayDataset, draws } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { BatchNorm1d, Conv1d, Dropout, Linear, Module } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { lineChart } from "netwright/report";
import { fit, predict } from "netwright/train";
import { example, type Run } from "./support/example.ts";
import { bands, drawVoices, features, speak, type Utterance, withNoise } from "./support/speech.ts";

export default example({
  task: "spot ten spoken words, by unknown voices and in noise",
  data: "ten words by 68 voices of eSpeak NG: 48 train, 20 others test",
  metric: "accuracy",
  chance: 0.3,
  reference: {
    accuracy: { value: 0.97, from: "scikit-learn, SVC on the same kinds of spectra and noise" },
    "accuracy, talk 10 dB below the word": { value: 0.915, from: "the same SVC" },
    "accuracy, talk as loud as the word": { value: 0.645, from: "the same SVC" },
  },
  run,
});

const keywords = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"];
const accents = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029"];
/** Samples: 0.9 s. */
const length = 20_000;
const talkToTrain =
  "once a boxer who lived next to a farm asked his judge for five more minutes of quiet before the crazy match began";
const talkToTest =
  "the quick brown fox jumps over the lazy dog while seven boxes of jugs are packed by the wizard for a voyage";
/** How much louder than the noise the word is, in decibels. */
const levels = [20, 15, 10, 5, 0, -5];

/** Convolutions over time; what was heard best, and on average. */
class Listener extends Module {
  readonly first = new Conv1d(bands, 48, 5, { stride: 2 });
  readonly firstNorm = new BatchNorm1d(48);
  readonly second = new Conv1d(48, 64, 5, { stride: 2 });
  readonly secondNorm = new BatchNorm1d(64);
  readonly dropout = new Dropout(0.4);
  readonly output = new Linear(128, keywords.length);

  forward(spectra: Tensor): Tensor {
    const columns = spectra.permute([0, 2, 1]); // (N, bands, frames)
    const low = this.firstNorm.forward(this.first.forward(columns)).relu();
    const high = this.secondNorm.forward(this.second.forward(low)).relu();
    const heard = concat([high.max(2), high.mean(2)], 1); // (N, 128)
    return this.output.forward(this.dropout.forward(heard));
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const people = drawVoices(seed, quick ? { train: 16, test: 8 } : { train: 48, test: 20 });
  const random = draws(seed);
  const train = utterancesOf(people.train, quick ? 1 : 2, random);
  const test = utterancesOf(people.test, 1, random);
  const [known, unknown] = [await speak(train), await speak(test)];
  say(`${train.length} words train, ${test.length} test`);

  // Heard as it is, in white noise of some level, and twice while people of the training talk: what is learnt does not hang on silence.
  const hiss = (sound: Float32Array) => sound.map(() => random.normal());
  const room = await talk(talkToTrain, people.train, random);
  const hissed = known.map((sound) => withNoise(sound, hiss(sound), random.uniform(0, 20)));
  const talked = [1, 2].flatMap(() => known.map((sound) => withNoise(sound, room(), random.uniform(-5, 15))));
  const wordOf = ({ text }: Utterance) => keywords.indexOf(text);
  const answers = labels(train.map(wordOf));
  const spectraOf = async (sounds: readonly Float32Array[]) => {
    const { data, shape } = await features(sounds, length);
    return tensor(data, { shape: [...shape] }).toHost();
  };
  const trained = arrayDataset({
    spectra: await spectraOf([...known, ...hissed, ...talked]),
    labels: Int32Array.from([...answers, ...answers, ...answers, ...answers]),
  });
  const model = new Listener();
  const [batchSize, epochs] = [32, quick ? 8 : 15];
  const steps = epochs * Math.ceil(trained.length / batchSize);
  await fit(model, trained, {
    ...{ loss: crossEntropy, epochs, batchSize, seed, progress: "none" },
    optimizer: adamw({ learningRate: cosine({ from: 3e-3, to: 1e-5, steps }), weightDecay: 0.02 }),
  });

  const truth = test.map(wordOf);
  const accuracyOn = async (sounds: readonly Float32Array[]) => {
    const heard = arrayDataset({ spectra: await spectraOf(sounds), labels: Int32Array.from(truth) });
    const called = await tensor(await predict(model, heard))
      .argmax(-1)
      .data();
    return truth.filter((word, i) => Number(called[i]) === word).length / truth.length;
  };
  // Other people than those of the training talk, and say something else.
  const others = await talk(talkToTest, people.test.slice(0, 8), random);
  const curve = (noise: (sound: Float32Array) => Float32Array) =>
    Promise.all(
      levels.map((level) => accuracyOn(unknown.map((sound) => withNoise(sound, noise(sound), level)))),
    );
  const [inTalk, inHiss] = [await curve(others), await curve(hiss)];
  return {
    scores: {
      accuracy: await accuracyOn(unknown),
      "accuracy, talk 10 dB below the word": inTalk[2]!,
      "accuracy, talk as loud as the word": inTalk[4]!,
    },
    splits: { train, test },
    pictures: [
      lineChart({
        ...{ title: "In noise", x: "word above noise (dB)", y: "accuracy", yLimits: [0, 1], points: true },
        series: [
          { name: "white noise", x: levels, y: inHiss },
          { name: "four people talk", x: levels, y: inTalk },
        ],
      }),
    ],
  };
}

/** Each word by each voice, each time in another accent, at another tempo and pitch. */
function utterancesOf(
  voices: readonly string[],
  times: number,
  random: ReturnType<typeof draws>,
): Utterance[] {
  return voices.flatMap((voice) =>
    keywords.flatMap((text) =>
      Array.from({ length: times }, () => ({
        ...{ text, voice, language: accents[random.integer(accents.length)]! },
        ...{ tempo: Math.round(random.uniform(130, 220)), pitch: Math.round(random.uniform(20, 80)) },
      })),
    ),
  );
}

/** Pieces of a room in which four people talk. */
async function talk(text: string, voices: readonly string[], random: ReturnType<typeof draws>) {
  const sounds = await speak(
    voices.map((voice) => ({ text, voice, language: "en-gb", tempo: 170, pitch: 50 })),
  );
  return () => {
    const mixed = new Float32Array(length);
    for (let person = 0; person < 4; person++) {
      const sound = sounds[random.integer(sounds.length)]!;
      const from = random.integer(sound.length - length);
      for (let i = 0; i < length; i++) mixed[i]! += sound[from + i]!;
    }
    return mixed;
  };
}
