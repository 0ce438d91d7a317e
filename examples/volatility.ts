/** How much the stock market will move tomorrow: an LSTM, beside yesterday's value and the linear model of the field. */
import { slice, type Tensor, tensor } from "netwright";
import { arrayDataset } from "netwright/data";
import { mse } from "netwright/losses";
import { meanSquaredError, r2Score } from "netwright/metrics";
import { Linear, LSTM, Module } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { lineChart } from "netwright/report";
import { readCsv } from "netwright/tabular";
import { fit, predict } from "netwright/train";
import { example, packageFile, type Run } from "./support/example.ts";

export default example({
  task: "forecast tomorrow's volatility of the S&P 500",
  data: "daily prices since 2000; the first 70 % of the days train, the rest tests",
  metric: "skill over yesterday's value",
  chance: 0.1,
  reference: {
    "skill over yesterday's value": {
      value: 0.2047,
      from: "linear model of Corsi 2009 (HAR), least squares",
    },
    "R²": { value: 0.4903, from: "linear model of Corsi 2009 (HAR), least squares" },
  },
  run,
});

const days = 22;

class Volatility extends Module {
  readonly lstm = new LSTM(2, 32, { batchFirst: true });
  readonly output = new Linear(32, 1);
  forward(window: Tensor): Tensor {
    const { output } = this.lstm.forward(window); // (N, 22, 32)
    return this.output.forward(output.at(slice(), -1));
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const table = await readCsv(packageFile("vega-datasets", "data", "sp500-2000.csv"));
  const [high, low, close] = ["high", "low", "close"].map((name) => table.values(name) as number[]);
  // How far apart a day's highest and lowest price are is a measure of its volatility: Parkinson, 1980. Its logarithm is nearly normal.
  const range = high!.map((price, day) => Math.log(Math.max(Math.log(price / low![day]!), 1e-3)));
  const move = close!.map((price, day) => (day === 0 ? 0 : 100 * Math.log(price / close![day - 1]!)));

  const targets = Array.from({ length: range.length - days }, (_, i) => i + days);
  const trainCount = Math.floor(0.7 * targets.length);
  const mean = range.slice(0, days + trainCount).reduce((sum, x) => sum + x, 0) / (days + trainCount);
  const answers = targets.map((day) => range[day]! - mean);
  const dataset = (targets: readonly number[], answers: readonly number[]) => {
    const windows = targets.map((day) =>
      Array.from({ length: days }, (_, i) => [range[day - days + i]! - mean, move[day - days + i]!]),
    );
    return arrayDataset({ windows, labels: answers.map((answer) => [answer]) });
  };
  const train = dataset(targets.slice(0, trainCount), labels(answers.slice(0, trainCount)));
  const test = dataset(targets.slice(trainCount), answers.slice(trainCount));
  say(`${train.length} days train, ${test.length} test`);

  const model = new Volatility();
  const [batchSize, epochs] = [64, quick ? 3 : 15];
  const steps = epochs * Math.ceil(train.length / batchSize);
  await fit(model, train, {
    ...{ loss: mse, epochs, batchSize, seed, progress: "none", clipNorm: 1 },
    optimizer: adamw({ learningRate: cosine({ from: 5e-3, to: 1e-4, steps }), weightDecay: 0.01 }),
  });

  const forecast = await tensor(await predict(model, test)).data();
  const truth = answers.slice(trainCount);
  const yesterday = targets.slice(trainCount).map((day) => range[day - 1]! - mean);
  const recent = Array.from({ length: 250 }, (_, i) => truth.length - 250 + i);
  const inPercent = (values: ArrayLike<number>) => recent.map((i) => 100 * Math.exp(values[i]! + mean));
  return {
    scores: {
      "skill over yesterday's value":
        1 - meanSquaredError(forecast, truth) / meanSquaredError(yesterday, truth),
      "R²": r2Score(forecast, truth),
      "R² of yesterday's value": r2Score(yesterday, truth),
    },
    splits: {
      train: targets.slice(0, trainCount).map((day) => table.row(day)),
      test: targets.slice(trainCount).map((day) => table.row(day)),
    },
    pictures: [
      lineChart({
        ...{ title: "The last year", x: "day", y: "range of a day (%)" },
        series: [
          { name: "was", x: recent, y: inPercent(truth), style: "faint" },
          { name: "forecast the day before", x: recent, y: inPercent(forecast) },
        ],
      }),
    ],
  };
}
