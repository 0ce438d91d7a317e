/**
 * Layers against PyTorch: values, gradients by input and parameters, state dicts both ways, statistics after the call. On another
 * target: `NETWRIGHT_TARGET=wasm npx vitest run src/nn/layers-fixtures.test.ts`, or `interpreter`.
 */
import { expect, test } from "vitest";
import { layersIn, testLayers } from "../../test/layers-suite.ts";
import * as nn from "./index.ts";

const files = ["layers.json", "layers-spatial.json", "layers-more.json"];
for (const file of files) testLayers(file);

/** Layers that have no row, by where they are proven. */
const elsewhere = {
  "attention.json": ["LuongAttention", "BahdanauAttention", "RelativePositionBias"],
  "the stacks in rows of Transformer": ["TransformerEncoder", "TransformerDecoder"],
  "positions.test.ts": ["LearnedPositions", "SinusoidalPositions"],
  "sparse-softmax.test.ts, by the papers": ["Sparsemax", "Entmax15"],
  "more-layers.test.ts: random, or of layers and functions that are given": [
    ...["DropPath", "FeatureDropout", "GaussianDropout", "GaussianNoise"],
    ...["Concat", "Parallel", "Residual", "Lambda", "Permute", "Reshape"],
  ],
  "containers.test.ts, layers.test.ts": [
    ...["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential", "Unflatten"],
  ],
  "rows of BatchNorm1d, 2d, 3d": ["BatchNorm"],
  "tests of their own: no layers": [
    "Adapter",
    "Module",
    "Parametrization",
    "QuantizedWeight",
    "StoredWeight",
  ],
};

test("every layer has a row, or a test that is named here", () => {
  const classes = Object.entries(nn).filter(
    ([, value]) => typeof value === "function" && value.prototype instanceof nn.Module,
  );
  const rows = new Set(files.flatMap(layersIn));
  const lacking = ["Module", ...classes.map(([name]) => name)].filter((name) => !rows.has(name));
  expect(lacking.sort()).toEqual(Object.values(elsewhere).flat().sort());
});
