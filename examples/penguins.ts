/**
 * From a raw CSV file to predictions for new rows: which species is a penguin of these measures?
 *
 *     npm run build && node build/examples/penguins.js --epochs 60 --seed 0 --data examples/data
 *
 * Read it from top to bottom: the table, its pipeline, the model, what it is worth, and both in one file that a later program
 * needs nothing else with.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { seed as setSeed, tensor } from "netwright";
import { load, save } from "netwright/checkpoint";
import { trainTestSplit } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy, classificationReport } from "netwright/metrics";
import { Linear, ReLU, Sequential } from "netwright/nn";
import { adam } from "netwright/optim";
import {
  columns,
  imputeMissing,
  loadPipeline,
  oneHot,
  pipeline,
  readCsv,
  standardize,
} from "netwright/tabular";
import { fit, predict } from "netwright/train";

const { values: flags } = parseArgs({
  options: {
    epochs: { type: "string", default: "60" },
    seed: { type: "string", default: "0" },
    data: { type: "string", default: fileURLToPath(new URL("../../examples/data", import.meta.url)) },
  },
});
const seed = Number(flags.seed);
setSeed(seed);

// The file as it is: values are missing, and one penguin's sex is ".".
const penguins = await readCsv(join(flags.data, "penguins.csv"), { missing: ["", "NA", "."] });
console.log(`${penguins.describe()}\n`);

// Training, validation and test rows, each with its share of the species.
const rows = trainTestSplit(penguins, { test: 0.2, validation: 0.2, stratify: "species", seed });

// What is done to the columns. It learns from the training rows alone: `datasets` sees to that.
const prepare = pipeline(
  imputeMissing({ strategy: "median" }),
  standardize(),
  columns({ island: oneHot({ unknown: "ignore" }), sex: oneHot({ drop: "ifBinary" }) }),
);
const { train, validation, test, pipeline: prepared } = prepare.datasets(rows, { target: "species" });
console.log(`${prepared}: ${prepared.featureNames.join(", ")}\n`);

const makeModel = (): Sequential =>
  new Sequential(new Linear(prepared.featureCount, 32), new ReLU(), new Linear(32, prepared.classes!.length));
const model = makeModel();
await fit(model, train, {
  ...{ validation, epochs: Number(flags.epochs), batchSize: 16, seed, progress: "none" },
  ...{ loss: crossEntropy, optimizer: adam({ learningRate: 3e-3 }), metrics: [accuracy] },
});

const classOf = async (logits: Awaited<ReturnType<typeof predict>>): Promise<ArrayLike<number>> =>
  tensor(logits).argmax(-1).data();
const predicted = await classOf(await predict(model, test));
const report = classificationReport(Array.from(predicted), Array.from(test.column("labels").data), {
  numClasses: prepared.classes!.length,
});
console.log(`test accuracy ${(100 * report.accuracy).toFixed(1)} %\n\n${report}\n`);

// The pipeline is saved beside the model: together they take raw rows.
const folder = tmpdir();
await save(model, join(folder, "penguins.safetensors"));
await prepared.save(join(folder, "penguins.pipeline.json"));

// What a later program does: nothing of the training is needed. A new island, a missing measure and no sex are answered too.
const loaded = await loadPipeline(join(folder, "penguins.pipeline.json"));
const restored = makeModel();
await load(restored, join(folder, "penguins.safetensors"));
const found = [
  {
    island: "Biscoe",
    bill_length_mm: 48.4,
    bill_depth_mm: 14.4,
    flipper_length_mm: 218,
    body_mass_g: 5200,
    sex: "male",
  },
  {
    island: "Elsewhere",
    bill_length_mm: 38.2,
    bill_depth_mm: 18.9,
    flipper_length_mm: null,
    body_mass_g: 3600,
    sex: null,
  },
];
const logits = await restored.forward(tensor(loaded.features(found))).toHost();
const species = loaded.decode(await classOf(logits));
for (const [i, { island }] of found.entries()) console.log(`the one from ${island}: ${species[i]}`);
