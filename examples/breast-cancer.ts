/**
 * Breast cancer: which tumours are malignant? A small network on 30 measures of cells, judged as a doctor would: how many malignant
 * ones are found when few healthy patients are alarmed, whether its probabilities can be believed, and what acting on them is worth.
 */
import { tensor } from "netwright";
import { stratifiedKFold, trainTestSplit } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { brierScore, calibrationCurve, expectedCalibrationError, rocAuc } from "netwright/metrics";
import { Dropout, Linear, ReLU, Sequential } from "netwright/nn";
import { adamw } from "netwright/optim";
import { lineChart } from "netwright/report";
import { pipeline, readCsv, standardize, type Table } from "netwright/tabular";
import { earlyStopping, fit, predict } from "netwright/train";
import { example, projectFile, type Run } from "./support/example.ts";

const specificityWanted = 0.95;

export default example({
  task: "find malignant tumours by measures of their cells",
  data: "Wisconsin Diagnostic Breast Cancer, 569 patients; 5 folds, a quarter of each training part validates",
  metric: "recall at 95 % specificity",
  chance: 0.6,
  reference: {
    "recall at 95 % specificity": { value: 0.9717, from: "scikit-learn, logistic regression" },
    "specificity reached": { value: 0.943, from: "scikit-learn, logistic regression" },
    "ROC AUC": { value: 0.994, from: "scikit-learn, logistic regression" },
    "Brier score": { value: 0.0199, from: "scikit-learn, logistic regression" },
  },
  run,
});

async function run(asked: Run) {
  const patients = await readCsv(projectFile("examples", "data", "breast-cancer.csv"));
  const isMalignant = patients.values("diagnosis").map((diagnosis) => Number(diagnosis === "malignant"));

  // Each patient is judged by a network that has not seen them: five folds, five networks.
  const probability = new Float64Array(patients.length);
  const isAlarm = new Array<boolean>(patients.length).fill(false);
  const folds = stratifiedKFold(isMalignant, { folds: 5, shuffle: { seed: asked.seed } });
  const used = asked.quick ? folds.slice(0, 1) : folds;
  for (const [index, fold] of used.entries()) {
    const known = patients.subset(fold.train);
    const labelled = known.with("diagnosis", asked.labels(known.values("diagnosis") as string[]));
    const { probabilities, threshold } = await judge(labelled, patients.subset(fold.test), asked);
    fold.test.forEach((patient, i) => {
      probability[patient] = probabilities[i]!;
      isAlarm[patient] = probabilities[i]! > threshold;
    });
    asked.say(`fold ${index + 1}: an alarm from a probability of ${threshold.toFixed(3)} on`);
  }

  const judged = used.flatMap(({ test }) => [...test]);
  const truth = judged.map((patient) => isMalignant[patient]!);
  const said = judged.map((patient) => probability[patient]!);
  const share = (label: number, alarm: boolean): number => {
    const ofLabel = judged.filter((patient) => isMalignant[patient] === label);
    return ofLabel.filter((patient) => isAlarm[patient] === alarm).length / ofLabel.length;
  };
  const confidence = said.map((p) => Math.max(p, 1 - p));
  const isRight = said.map((p, i) => Number(p > 0.5) === truth[i]);
  return {
    scores: {
      "recall at 95 % specificity": share(1, true),
      "specificity reached": share(0, false),
      "ROC AUC": rocAuc(said, truth),
      "Brier score": brierScore(said, truth),
      "calibration error": expectedCalibrationError(confidence, isRight),
      "cost, alarm from 1/11 on": costOf(said, truth, 1 / (1 + missWeight)),
      "cost, alarm from 0.5 on": costOf(said, truth, 0.5),
      "cost, alarm from 0.9 on": costOf(said, truth, 0.9),
    },
    splits: { train: rowsOf(patients.subset(used[0]!.train)), test: rowsOf(patients.subset(used[0]!.test)) },
    pictures: [decisionCurve(said, truth), calibration(said, truth), costs(said, truth)],
  };
}

const rowsOf = (table: Table) => Array.from({ length: table.length }, (_, i) => table.row(i));

/** A network for one fold: its probabilities of malignant, and the threshold that validation chose. */
async function judge(known: Table, unknown: Table, { quick, seed }: Run) {
  const parts = trainTestSplit(known, { test: 0.25, stratify: "diagnosis", seed });
  const prepared = pipeline(standardize()).datasets(
    { train: parts.train, validation: parts.test, test: unknown },
    { target: "diagnosis" },
  );
  const model = new Sequential(new Linear(30, 32), new ReLU(), new Dropout(0.3), new Linear(32, 2));
  await fit(model, prepared.train, {
    ...{ validation: prepared.validation, epochs: quick ? 15 : 100, batchSize: 32, seed, progress: "none" },
    ...{ loss: crossEntropy, optimizer: adamw({ learningRate: 3e-3, weightDecay: 0.05 }) },
    callbacks: [earlyStopping({ patience: 10 })],
  });
  const malignant = async (part: typeof prepared.test) => {
    const probabilities = await tensor(await predict(model, part))
      .softmax(-1)
      .data();
    return Array.from({ length: part.length }, (_, i) => probabilities[2 * i + 1]!);
  };
  // The lowest threshold that leaves 95 % of the healthy ones in peace, found on patients that the network did not train on.
  const labels = prepared.validation.column("labels").data;
  const benign = (await malignant(prepared.validation))
    .filter((_, i) => labels[i] === 0)
    .sort((a, b) => a - b);
  const threshold = benign[Math.ceil(specificityWanted * benign.length) - 1]!;
  return { probabilities: await malignant(prepared.test), threshold };
}

/**
 * What acting from a probability p on is worth, in malignant tumours found a patient: an alarm for nothing costs p / (1 − p) of one.
 * Vickers and Elkin, "Decision curve analysis", 2006.
 */
function decisionCurve(said: readonly number[], truth: readonly number[]) {
  const x = Array.from({ length: 60 }, (_, i) => (i + 1) / 100);
  const benefit = (alarm: (p: number, from: number) => boolean) =>
    x.map((from) => {
      const alarms = truth.filter((_, i) => alarm(said[i]!, from));
      const found = alarms.filter((label) => label === 1).length;
      return (found - ((alarms.length - found) * from) / (1 - from)) / truth.length;
    });
  return lineChart({
    ...{ title: "Decision curve", x: "act from this probability on", y: "net benefit a patient" },
    yLimits: [-0.1, 0.4],
    series: [
      { name: "the network", x, y: benefit((p, from) => p >= from) },
      { name: "treat all", x, y: benefit(() => true), style: "dashed" },
      { name: "treat none", x, y: benefit(() => false), style: "faint" },
    ],
  });
}

/** A tumour that is missed is as bad as so many healthy patients who are alarmed. */
const missWeight = 10;

/** What 100 patients cost, in alarms for nothing. Where probabilities are right, 1 / (1 + weight) is the best threshold. */
function costOf(
  said: readonly number[],
  truth: readonly number[],
  from: number,
  weight = missWeight,
): number {
  const costs = truth.map((label, i) =>
    label === 1 ? (said[i]! < from ? weight : 0) : Number(said[i]! >= from),
  );
  return (100 * costs.reduce((sum, cost) => sum + cost, 0)) / truth.length;
}

function costs(said: readonly number[], truth: readonly number[]) {
  const x = Array.from({ length: 99 }, (_, i) => (i + 1) / 100);
  return lineChart({
    ...{ title: "What a threshold costs", x: "alarm from this probability on", y: "cost of 100 patients" },
    series: [3, 10, 30].map((weight) => ({
      name: `a miss weighs ${weight}`,
      ...{ x, y: x.map((from) => costOf(said, truth, from, weight)) },
    })),
  });
}

function calibration(said: readonly number[], truth: readonly number[]) {
  const bins = calibrationCurve(said, truth, { bins: 8 });
  const points = {
    x: bins.map(({ confidence }) => confidence),
    y: bins.map(({ accuracy }) => accuracy),
  };
  return lineChart({
    ...{ title: "Calibration", x: "probability that was said", y: "share that is malignant" },
    ...{ diagonal: true, points: true, xLimits: [0, 1], yLimits: [0, 1] },
    series: [{ name: "the network", ...points }],
  });
}
