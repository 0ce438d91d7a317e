/** Which digit does a pen draw? A GRU follows the pen point by point, and is tested on people it has never seen write. */
import { type Tensor, tensor } from "netwright";
import { arrayDataset } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { GRU, Linear, Module } from "netwright/nn";
import { adamw, cosine } from "netwright/optim";
import { lineChart } from "netwright/report";
import { fit, predict } from "netwright/train";
import { example, type Run } from "./support/example.ts";
import { dataLines } from "./support/lines.ts";

export default example({
  task: "tell by its movement which digit a pen draws",
  data: "pen-based digits of 44 people: those of 30 train, those of the other 14 test",
  metric: "accuracy",
  chance: 0.3,
  reference: {
    accuracy: { value: 0.978, from: "scikit-learn, nearest of 3 neighbours on the same points" },
    "accuracy after half of the points": {
      value: 0.8748,
      from: "scikit-learn, nearest of 3 neighbours on the first four points",
    },
  },
  run,
});

const points = 8;

interface Drawn {
  readonly digit: number;
  /** x and y of each point, 0 … 1. */
  readonly path: readonly number[];
}

/** Reads a path point by point, and says after each which digit it will be. */
class PenReader extends Module {
  readonly gru = new GRU(4, 96, { batchFirst: true, numLayers: 2, dropout: 0.2 });
  readonly output = new Linear(96, 10);

  forward(paths: Tensor): Tensor {
    const { output } = this.gru.forward(paths); // (N, 8, 96)
    return this.output.forward(output); // (N, 8, 10)
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const rows = dataLines("pen-digits.csv.gz").map((line) => line.split(","));
  const part = (name: string): Drawn[] => {
    const numbers = rows.filter(([of]) => of === name).map(([, ...cells]) => cells.map(Number));
    return numbers.map((cells) => ({ digit: cells[16]!, path: cells.slice(0, 16).map((x) => x / 100) }));
  };
  const train = part("train").filter((_, i) => !quick || i % 4 === 0);
  const test = part("test");
  say(`${train.length} digits of 30 people train, ${test.length} of 14 others test`);

  const dataset = (drawn: readonly Drawn[], digits: ArrayLike<number>) =>
    arrayDataset({
      paths: drawn.map(({ path }) => stepsOf(path)),
      // The same answer after each point.
      labels: Array.from(digits, (digit) => Array<number>(points).fill(digit)),
    });
  const model = new PenReader();
  const [batchSize, epochs] = [64, quick ? 6 : 20];
  const steps = epochs * Math.ceil(train.length / batchSize);
  await fit(model, dataset(train, labels(train.map(({ digit }) => digit))), {
    ...{ loss: crossEntropy, epochs, batchSize, seed, progress: "none", clipNorm: 1 },
    optimizer: adamw({ learningRate: cosine({ from: 5e-3, to: 1e-5, steps }), weightDecay: 0.01 }),
  });

  const truth = test.map(({ digit }) => digit);
  const called = await tensor(await predict(model, dataset(test, truth)))
    .argmax(-1)
    .data(); // (N · 8)
  const shareRight = (point: number) =>
    truth.filter((digit, i) => Number(called[i * points + point]) === digit).length / truth.length;
  const curve = Array.from({ length: points }, (_, point) => shareRight(point));
  return {
    scores: {
      accuracy: curve[points - 1]!,
      "accuracy after half of the points": curve[points / 2 - 1]!,
    },
    splits: { train: train.map(({ path }) => path), test: test.map(({ path }) => path) },
    pictures: [
      lineChart({
        ...{ title: "Known before it is drawn to its end", x: "points seen", y: "accuracy" },
        ...{ yLimits: [0, 1], points: true },
        series: [{ name: "14 other people", x: curve.map((_, i) => i + 1), y: curve }],
      }),
    ],
  };
}

/** At each point: where the pen is, and how it came there. */
function stepsOf(path: readonly number[]): number[][] {
  return Array.from({ length: points }, (_, i) => {
    const [x, y] = [path[2 * i]!, path[2 * i + 1]!];
    const [fromX, fromY] = i === 0 ? [x, y] : [path[2 * i - 2]!, path[2 * i - 1]!];
    return [x, y, x - fromX, y - fromY];
  });
}
