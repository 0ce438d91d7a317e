/** Stocks: will the market rise tomorrow? Judged as it would be traded, year by year and with costs, and honest about what comes of it. */
import { tensor } from "netwright";
import { arrayDataset } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { Dropout, Linear, ReLU, Sequential } from "netwright/nn";
import { adamw } from "netwright/optim";
import { lineChart } from "netwright/report";
import { readCsv } from "netwright/tabular";
import { fit, predict } from "netwright/train";
import { example, packageFile, type Run } from "./support/example.ts";

export default example({
  task: "forecast whether the S&P 500 rises tomorrow, and trade on it",
  data: "daily prices since 2000; each year from 2010 on is traded by a network that learnt from all days before it",
  metric: "accuracy above always saying up",
  // Nobody has shown that there is something to learn here, and this network does not either.
  chance: 0.03,
  isUnpredictable: true,
  reference: {
    "accuracy above always saying up": { value: 0, from: "what an efficient market leaves: Fama 1970" },
  },
  run,
});

const days = 20;
/** Of what is bought or sold: spread and fees of a private investor, 5 in 10,000. */
const costs = 0.0005;

async function run({ quick, seed, labels, say }: Run) {
  const table = await readCsv(packageFile("vega-datasets", "data", "sp500-2000.csv"));
  const dates = table.values("date") as Date[];
  const close = table.values("adjclose") as number[];
  const gain = close.map((price, day) => (day === 0 ? 0 : price / close[day - 1]! - 1));
  const isUp = gain.map((share) => Number(share > 0));
  // In percent; days that moved ten times as much as usual are cut.
  const window = (day: number) =>
    gain.slice(day - days, day).map((share) => Math.max(-5, Math.min(5, 100 * share)));

  const years = quick ? [2018, 2019] : Array.from({ length: 10 }, (_, i) => 2010 + i);
  const traded: number[] = [];
  const positions: number[] = [];
  let known: number[] = [];
  for (const year of years) {
    const yearOf = (day: number) => dates[day]!.getUTCFullYear();
    const all = Array.from({ length: close.length - days }, (_, i) => i + days);
    // The days before this year, and no other: what was not known yet is not used.
    known = all.filter((day) => yearOf(day) < year);
    const now = all.filter((day) => yearOf(day) === year);
    const dataset = (days: readonly number[], answers: readonly number[]) =>
      arrayDataset({ moves: days.map(window), labels: Int32Array.from(answers) });
    const model = new Sequential(new Linear(days, 32), new ReLU(), new Dropout(0.3), new Linear(32, 2));
    await fit(model, dataset(known, labels(known.map((day) => isUp[day]!))), {
      ...{ loss: crossEntropy, epochs: quick ? 2 : 8, batchSize: 64, seed, progress: "none", checks: false },
      optimizer: adamw({ learningRate: 1e-3, weightDecay: 0.05 }),
    });
    const up = await tensor(
      await predict(
        model,
        dataset(
          now,
          now.map((day) => isUp[day]!),
        ),
      ),
    )
      .argmax(-1)
      .data();
    traded.push(...now);
    positions.push(...Array.from(up, Number));
    say(`${year}: ${share(now, (day, i) => Number(up[i]) === isUp[day]).toFixed(3)} of the days right`);
  }

  const network = wealthOf(
    traded.map((day) => gain[day]!),
    positions,
  );
  const holding = wealthOf(
    traded.map((day) => gain[day]!),
    traded.map(() => 1),
  );
  const yesterday = wealthOf(
    traded.map((day) => gain[day]!),
    traded.map((day) => isUp[day - 1]!),
  );
  const perYear = (wealth: readonly number[]) => wealth.at(-1)! ** (252 / wealth.length) - 1;
  const alwaysUp = share(traded, (day) => isUp[day] === 1);
  const accuracy = share(traded, (day, i) => positions[i] === isUp[day]);
  // A day in five is enough for a picture.
  const thinned = (values: readonly number[]) => values.filter((_, i) => i % 5 === 0);
  const x = thinned(traded.map((_, i) => years[0]! + i / 252));
  return {
    scores: {
      "accuracy above always saying up": accuracy - alwaysUp,
      accuracy,
      "share of days that rise": alwaysUp,
      "gain a year after costs": perYear(network),
      "gain a year, bought and held": perYear(holding),
      "gain a year, as yesterday went": perYear(yesterday),
    },
    // Of the last year, whose training days are the most.
    splits: {
      train: known.map((day) => dates[day]),
      test: traded.filter((day) => day > known.at(-1)!).map((day) => dates[day]),
    },
    pictures: [
      lineChart({
        ...{ title: "What 1 becomes", x: "year", y: "wealth, after costs" },
        series: [
          { name: "the network", x, y: thinned(network) },
          { name: "bought and held", x, y: thinned(holding), style: "dashed" },
          { name: "as yesterday went", x, y: thinned(yesterday), style: "faint" },
        ],
      }),
    ],
  };
}

const share = (days: readonly number[], isSo: (day: number, index: number) => boolean): number =>
  days.filter(isSo).length / days.length;

/** Day by day: what is held gains or loses, what is bought or sold costs. */
function wealthOf(gains: readonly number[], positions: readonly number[]): number[] {
  let wealth = 1;
  return gains.map((gain, day) => {
    wealth *= 1 + positions[day]! * gain - costs * Math.abs(positions[day]! - (positions[day - 1] ?? 0));
    return wealth;
  });
}
