/** Tomorrow's temperature by a Transformer that reads the last four weeks, beside what needs no network. */
import { random, slice, type Tensor, tensor } from "netwright";
import { arrayDataset } from "netwright/data";
import { mse } from "netwright/losses";
import { meanAbsoluteError, meanSquaredError } from "netwright/metrics";
import { Linear, Module, Parameter, TransformerEncoder, TransformerEncoderLayer } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { lineChart } from "netwright/report";
import { readCsv } from "netwright/tabular";
import { fit, predict } from "netwright/train";
import { example, packageFile, type Run } from "./support/example.ts";

export default example({
  task: "forecast tomorrow's highest temperature",
  data: "weather of Seattle by the day; 2012 to 2014 train, 2015 tests",
  metric: "skill over persistence",
  chance: 0.1,
  reference: {
    "skill over persistence": { value: 0.1132, from: "scikit-learn, ridge regression on the same 28 days" },
    "mean absolute error (°C)": { value: 2.1585, from: "scikit-learn, ridge regression on the same 28 days" },
  },
  run,
});

const days = 28;
const features = 7;

/** Each day a vector, where it lies in the window a learnt one; the last day's answer counts. */
class Forecaster extends Module {
  readonly embed = new Linear(features, 32);
  readonly positions = new Parameter(random.normal(random.key(0), [days, 32]).mul(0.1));
  readonly encoder = new TransformerEncoder(
    () =>
      new TransformerEncoderLayer(32, 4, {
        dimFeedforward: 64,
        dropout: 0.1,
        batchFirst: true,
        normFirst: true,
      }),
    2,
  );
  readonly output = new Linear(32, 1);

  forward(window: Tensor): Tensor {
    const days = this.embed.forward(window).add(this.positions); // (N, 28, 32)
    const read = this.encoder.forward(days);
    return this.output.forward(read.at(slice(), -1)); // (N, 1)
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const table = await readCsv(packageFile("vega-datasets", "data", "seattle-weather.csv"));
  const numbers = (name: string) => table.values(name) as number[];
  const dates = table.values("date") as Date[];
  const warmest = numbers("temp_max");
  const testFrom = dates.findIndex((date) => date.getUTCFullYear() === 2015);

  // Scales are those of the years that train.
  const scaled = (values: readonly number[]) => {
    const known = values.slice(0, testFrom);
    const mean = known.reduce((sum, x) => sum + x, 0) / known.length;
    const deviation = Math.sqrt(known.reduce((sum, x) => sum + (x - mean) ** 2, 0) / known.length);
    return values.map((x) => (x - mean) / deviation);
  };
  const angles = dates.map((date) => (2 * Math.PI * (date.getTime() - Date.UTC(2012, 0))) / (365.25 * 864e5));
  const columns = [
    ...[
      warmest,
      numbers("temp_min"),
      numbers("wind"),
      numbers("precipitation").map((mm) => Math.log1p(mm)),
    ].map(scaled),
    ...[angles.map(Math.sin), angles.map(Math.cos), angles.map((angle) => Math.sin(2 * angle))],
  ];

  // What is learnt is the change from today: a network that says 0 is persistence.
  const targets = Array.from({ length: warmest.length - days }, (_, i) => i + days);
  const changes = targets.map((day) => (warmest[day]! - warmest[day - 1]!) / 4);
  const trainCount = testFrom - days;
  const known = labels(changes.slice(0, trainCount));
  const dataset = (targets: readonly number[], answers: readonly number[]) => {
    const windows = targets.map((day) =>
      Array.from({ length: days }, (_, i) => columns.map((column) => column[day - days + i]!)),
    );
    return arrayDataset({ windows, labels: answers.map((answer) => [answer]) });
  };
  const train = dataset(targets.slice(0, trainCount), known);
  const test = dataset(targets.slice(trainCount), changes.slice(trainCount));

  const model = new Forecaster();
  const [batchSize, epochs] = [32, quick ? 4 : 25];
  const steps = epochs * Math.ceil(train.length / batchSize);
  await fit(model, train, {
    ...{ loss: mse, epochs, batchSize, seed, progress: "none" },
    optimizer: adamw({ learningRate: cosine({ from: 1e-3, to: 1e-5, steps }), weightDecay: 0.05 }),
  });

  const said = await tensor(await predict(model, test)).data();
  const testDays = targets.slice(trainCount);
  const truth = testDays.map((day) => warmest[day]!);
  const persistence = testDays.map((day) => warmest[day - 1]!);
  const forecast = testDays.map((day, i) => warmest[day - 1]! + 4 * said[i]!);
  say(`persistence is off by ${meanAbsoluteError(persistence, truth).toFixed(2)} °C`);
  const x = testDays.map((_, i) => i + 1).slice(150, 240);
  return {
    scores: {
      "skill over persistence": 1 - meanSquaredError(forecast, truth) / meanSquaredError(persistence, truth),
      "mean absolute error (°C)": meanAbsoluteError(forecast, truth),
      "mean absolute error of persistence (°C)": meanAbsoluteError(persistence, truth),
    },
    splits: {
      train: targets.slice(0, trainCount).map((day) => dates[day]),
      test: testDays.map((day) => dates[day]),
    },
    pictures: [
      lineChart({
        ...{ title: "Summer of 2015", x: "day of the year", y: "highest temperature (°C)" },
        series: [
          { name: "was", x, y: truth.slice(150, 240), style: "faint" },
          { name: "forecast the day before", x, y: forecast.slice(150, 240) },
        ],
      }),
    ],
  };
}
