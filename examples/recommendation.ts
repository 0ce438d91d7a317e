/**
 * Recommendation: which lectures will a student like? Real ratings, by matrix factorisation (a vector for each student and each lecturer)
 * and by two towers (networks that make these vectors of all that is known, so that a lecturer nobody has rated yet has one too).
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { seed as setSeed, slice, type Tensor, tensor } from "netwright";
import { arrayDataset, draws } from "netwright/data";
import { mse } from "netwright/losses";
import { meanAbsoluteError, r2Score } from "netwright/metrics";
import { Dropout, Embedding, initializers, Linear, Module, ReLU, Sequential } from "netwright/nn";
import { adamw, cosine, type OptimizerFactory, sgd } from "netwright/optim";
import { lineChart } from "netwright/report";
import { parseCsv } from "netwright/tabular";
import { earlyStopping, fit, predict } from "netwright/train";
import { example, projectFile, type Run } from "./support/example.ts";

const columns = ["student", "lecturer", "studentYears", "department", "service", "lectureAge"] as const;

export default example({
  task: "foresee how students will rate lectures",
  data: "73,421 ratings by students of ETH Zürich; a tenth of the lecturers is new, of the other ratings a tenth tests",
  metric: "R² of two towers",
  chance: 0.05,
  reference: {
    "R² of matrix factorisation": { value: 0.179, from: "scikit-learn, ridge on students and lecturers" },
    "R² of two towers": { value: 0.1815, from: "scikit-learn, ridge on all columns" },
    "R² of two towers, new lecturers": { value: 0.0339, from: "scikit-learn, ridge on all columns" },
  },
  run,
});

const small = { weightInit: initializers.normal(0, 0.05) };
const size = 16;

/** rating = bias of the student + bias of the lecturer + product of their vectors: Koren, Bell and Volinsky, 2009. */
class Factorisation extends Module {
  readonly students = new Embedding(3000, size + 1, small);
  readonly lecturers = new Embedding(2200, size + 1, small);
  forward(student: Tensor, lecturer: Tensor): Tensor {
    return ratingOf(this.students.forward(student), this.lecturers.forward(lecturer));
  }
}

/** A network for each side: Covington, Adams and Sargin, "Deep neural networks for YouTube recommendations", 2016. */
class TwoTowers extends Module {
  readonly students = new Embedding(3000, size, small);
  readonly lecturers = new Embedding(2200, size, small);
  readonly years = new Embedding(10, size, small);
  readonly departments = new Embedding(16, size, small);
  readonly services = new Embedding(2, size, small);
  readonly ages = new Embedding(8, size, small);
  readonly student = tower();
  readonly lecturer = tower();
  forward(...given: Tensor[]): Tensor {
    const [student, lecturer, years, department, service, age] = [
      ...[this.students, this.lecturers, this.years, this.departments, this.services, this.ages],
    ].map((table, i) => table.forward(given[i]!)) as [Tensor, ...Tensor[]];
    // The sum of what is known of each side, (N, 16).
    const ofStudent = student.add(years!);
    const ofLecturer = lecturer!.add(department!).add(service!).add(age!);
    return ratingOf(this.student.forward(ofStudent), this.lecturer.forward(ofLecturer));
  }
}

const tower = () =>
  new Sequential(new Linear(size, 32), new ReLU(), new Dropout(0.2), new Linear(32, size + 1));

/** Two vectors and their biases, (N, 17) each → (N, 1). */
function ratingOf(student: Tensor, lecturer: Tensor): Tensor {
  const [a, b] = [student, lecturer].map((x) => x.at(slice(), slice(0, size))) as [Tensor, Tensor];
  const [ofStudent, ofLecturer] = [student, lecturer].map((x) => x.at(slice(), slice(size))) as [
    Tensor,
    Tensor,
  ];
  return a.mul(b).sum(1, { keepDims: true }).add(ofStudent).add(ofLecturer);
}

async function run({ quick, seed, labels, say }: Run) {
  const table = parseCsv(gunzipSync(readFileSync(projectFile("examples", "data", "lectures.csv.gz"))));
  const known = Object.fromEntries(columns.map((name) => [name, table.values(name) as number[]]));
  const rating = table.values("rating") as number[];

  // A tenth of the lecturers is not seen in training; of the other ratings eight tenths train.
  const random = draws(seed);
  const isNew = Array.from({ length: 2200 }, () => random.integer(10) === 0);
  const parts: Record<"train" | "validation" | "test" | "new", number[]> = {
    train: [],
    validation: [],
    test: [],
    new: [],
  };
  for (let row = 0; row < (quick ? 20_000 : table.length); row++) {
    const part = random.integer(10);
    const usual = part === 0 ? "test" : part === 1 ? "validation" : "train";
    parts[isNew[known["lecturer"]![row]!] ? "new" : usual].push(row);
  }
  const mean = parts.train.reduce((sum, row) => sum + rating[row]!, 0) / parts.train.length;

  /** `without`: rows whose lecturer is taken for a new one, number 0. */
  const dataset = (rows: readonly number[], ratings: readonly number[], without: readonly number[] = []) => {
    const all = [...rows, ...without];
    const column = (name: string) => Int32Array.from(all, (row) => known[name]![row]!);
    const lecturer = column("lecturer").fill(0, rows.length);
    const answers = all.map((_, i) => [(ratings[i] ?? ratings[i - rows.length]!) - mean]);
    const given = Object.fromEntries(columns.map((name) => [name, column(name)]));
    return arrayDataset({ ...given, lecturer, labels: answers });
  };
  const ratingsOf = (rows: readonly number[]) => rows.map((row) => rating[row]!);
  const answers = labels(ratingsOf(parts.train));
  const validation = dataset(parts.validation, ratingsOf(parts.validation));

  const [batchSize, maxEpochs] = [256, quick ? 4 : 20];
  const learn = async (
    model: Module,
    name: string,
    train: ReturnType<typeof dataset>,
    optimizer: OptimizerFactory,
  ) => {
    const inputs = name === "matrix factorisation" ? ["student", "lecturer"] : columns;
    const { epochs } = await fit(model, train, {
      ...{
        validation,
        inputs,
        loss: mse,
        epochs: maxEpochs,
        batchSize,
        seed,
        progress: "none",
        checks: false,
        optimizer,
      },
      callbacks: [earlyStopping({ patience: 6 })],
    });
    say(`${name}: ${epochs.length} epochs`);
    const said = async (rows: readonly number[], isNew: boolean) => {
      const asked = isNew ? dataset([], ratingsOf(rows), rows) : dataset(rows, ratingsOf(rows));
      const moved = await tensor(await predict(model, asked, { inputs })).data();
      return Array.from(moved, (x) => Number(x) + mean);
    };
    return { test: await said(parts.test, false), new: await said(parts.new, true) };
  };
  setSeed(seed);
  // A vector is drawn to zero as much as four ratings would draw it.
  const rate = cosine({ from: 4, to: 0.1, steps: maxEpochs * Math.ceil(parts.train.length / batchSize) });
  const factors = await learn(
    new Factorisation(),
    "matrix factorisation",
    dataset(parts.train, answers),
    sgd({ learningRate: rate, weightDecay: 8 / parts.train.length }),
  );
  // One rating in five a second time, as of a lecturer who is not known: so that the towers learn what to say of one.
  const again = parts.train.slice(0, Math.floor(parts.train.length / 5));
  const towers = await learn(
    new TwoTowers(),
    "two towers",
    dataset(parts.train, answers, again),
    adamw({ learningRate: 1e-3, weightDecay: 0.5 }),
  );

  const [truth, truthOfNew] = [ratingsOf(parts.test), ratingsOf(parts.new)];
  const pairs = (rows: readonly number[]) =>
    rows.map((row) => [known["student"]![row], known["lecturer"]![row]]);
  return {
    scores: {
      "R² of two towers": r2Score(towers.test, truth),
      "R² of matrix factorisation": r2Score(factors.test, truth),
      "R² of two towers, new lecturers": r2Score(towers.new, truthOfNew),
      "R² of matrix factorisation, new lecturers": r2Score(factors.new, truthOfNew),
      "mean absolute error of two towers": meanAbsoluteError(towers.test, truth),
    },
    splits: {
      train: pairs(parts.train),
      validation: pairs(parts.validation),
      test: pairs(parts.test),
      "new lecturers": pairs(parts.new),
    },
    pictures: [picture({ "two towers": towers.test, "matrix factorisation": factors.test }, truth)],
  };
}

/** What students said, by what was foreseen: tenths of the ratings, the lowest forecasts first. */
function picture(said: Readonly<Record<string, readonly number[]>>, truth: readonly number[]) {
  const meanOf = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const series = Object.entries(said).map(([name, forecasts]) => {
    const order = forecasts.map((_, i) => i).sort((a, b) => forecasts[a]! - forecasts[b]!);
    const tenth = (k: number) => order.slice((k * order.length) / 10, ((k + 1) * order.length) / 10);
    const tenths = Array.from({ length: 10 }, (_, k) => tenth(k));
    const x = tenths.map((rows) => meanOf(rows.map((i) => forecasts[i]!)));
    return { name, x, y: tenths.map((rows) => meanOf(rows.map((i) => truth[i]!))) };
  });
  return lineChart({
    ...{
      title: "Foreseen and said",
      x: "rating foreseen, mean of a tenth",
      y: "rating given, mean",
      diagonal: true,
      points: true,
    },
    series,
  });
}
