/** The files of a new project: a config, a data set, a model, a test. */
import { fold, normal, randomKey } from "../base/random.ts";

/** By path within the project. */
export function starterFiles(name: string, version: string): Readonly<Record<string, string>> {
  return {
    "package.json": `${JSON.stringify(manifest(name, version), null, 2)}\n`,
    "config.ts": config,
    "model.ts": model,
    "data/leaves.csv": leaves(),
    "test/model.test.ts": modelTest,
    "tsconfig.json": `${JSON.stringify(compilerOptions, null, 2)}\n`,
    ".gitignore": "node_modules/\nruns/\n",
    "README.md": readme(name),
  };
}

const manifest = (name: string, version: string): object => ({
  name,
  private: true,
  type: "module",
  scripts: {
    train: "netwright train config.ts",
    runs: "netwright runs",
    test: "node --import jiti/register --test test/model.test.ts",
  },
  dependencies: { netwright: `^${version}` },
  // jiti reads TypeScript where Node does not; vega draws the charts of netwright report.
  devDependencies: {
    "@types/node": ">=20",
    jiti: "^2.4.0",
    typescript: ">=5.8",
    vega: "^6.0.0",
    "vega-lite": "^6.0.0",
  },
});

const compilerOptions = {
  compilerOptions: {
    ...{ target: "es2022", module: "nodenext", strict: true, noEmit: true, skipLibCheck: true },
    ...{ allowImportingTsExtensions: true, types: ["node"] },
  },
  include: ["*.ts", "test"],
};

const config = `/** What is trained, on what, and how: netwright train config.ts */
import { fileURLToPath } from "node:url";
import { defineConfig } from "netwright/config";
import { trainTestSplit } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { accuracy } from "netwright/metrics";
import { adam } from "netwright/optim";
import { imputeMissing, pipeline, readCsv, standardize } from "netwright/tabular";
import { makeModel } from "./model.ts";

/** Rows of leaves: length and width in millimetres, and which tree they are of. */
async function loadData() {
  const rows = await readCsv(fileURLToPath(new URL("data/leaves.csv", import.meta.url)));
  const parts = trainTestSplit(rows, { test: 0.2, validation: 0.2, stratify: "tree", seed: 0 });
  const prepare = pipeline(imputeMissing({ strategy: "median" }), standardize());
  const { train, validation, test, pipeline: prepared } = prepare.datasets(parts, { target: "tree" });
  // The pipeline is saved beside the model: netwright predict takes raw rows.
  return { train, validation, test, pipeline: prepared, classes: prepared.classes! };
}

export default defineConfig({
  seed: 1,
  data: loadData,
  model: ({ classes }) => makeModel(classes!.length),
  fit: {
    loss: crossEntropy,
    optimizer: adam({ learningRate: 0.02 }),
    metrics: [accuracy],
    epochs: 30,
    batchSize: 16,
  },
});
`;

const model = `/** The network: two measures in, a score for each tree out. */
import { Linear, ReLU, Sequential } from "netwright/nn";

export const makeModel = (classes: number) =>
  new Sequential(new Linear(2, 16), new ReLU(), new Linear(16, classes));
`;

const modelTest = `import assert from "node:assert/strict";
import { test } from "node:test";
import { seed, tensor } from "netwright";
import { arrayDataset } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { adam } from "netwright/optim";
import { fit } from "netwright/train";
import { makeModel } from "../model.ts";

test("the model gives a score for each class", async () => {
  const scores = makeModel(3).forward(tensor([[1, 2], [3, 4]]));
  assert.deepEqual(scores.shape, [2, 3]);
});

test("it can learn a few samples by heart", async () => {
  seed(1);
  const few = arrayDataset({ features: [[0, 0], [1, 0], [0, 1]], labels: Int32Array.of(0, 1, 2) });
  const history = await fit(makeModel(3), few, {
    ...{ loss: crossEntropy, optimizer: adam({ learningRate: 0.05 }), epochs: 80, progress: "none" },
  });
  assert.ok(history.series("loss").at(-1)! < 0.1);
});
`;

/** Of three trees, 50 leaves each, drawn around their means; a few widths are missing. */
function leaves(): string {
  const trees = [
    { tree: "beech", length: 72, width: 48, spread: 7 },
    { tree: "willow", length: 94, width: 17, spread: 6 },
    { tree: "linden", length: 60, width: 70, spread: 7 },
  ];
  const rows = trees.flatMap(({ tree, length, width, spread }, kind) => {
    const noise = normal(fold(randomKey(0), kind), 100);
    return Array.from({ length: 50 }, (_, i) => {
      const measured = (mean: number, at: number): string => (mean + spread * noise[at]!).toFixed(1);
      return `${measured(length, 2 * i)},${i % 17 === 16 ? "" : measured(width, 2 * i + 1)},${tree}`;
    });
  });
  return `length,width,tree\n${rows.join("\n")}\n`;
}

const readme = (name: string): string => `# ${name}

    npm install
    npm run train                          # trains what config.ts says; the run is kept in runs/
    npx netwright runs                     # lists and compares runs
    npx netwright report NAME              # a run as one HTML page
    npx netwright eval NAME                # scores on the test rows
    npx netwright predict NAME rows.csv    # answers for new rows
    npx netwright replay NAME --step 12    # any step again, exactly
    npm test

| file | holds |
|---|---|
| \`config.ts\` | data, model and options of the training; \`--set fit.epochs=60\` changes one |
| \`model.ts\` | the network |
| \`data/leaves.csv\` | 150 leaves of three trees, drawn from a formula |
| \`test/\` | what must hold of the model |
`;
