/**
 * Layers against PyTorch: values, gradients by input and parameters, state dicts both ways, statistics after the call. On another
 * target: `NETWRIGHT_TARGET=wasm npx vitest run src/nn/layers-fixtures.test.ts`, or `interpreter`.
 */
import { testLayers } from "../../test/layers-suite.ts";

for (const file of ["layers.json", "layers-spatial.json", "layers-more.json"]) testLayers(file);
