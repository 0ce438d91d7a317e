/** Layers against PyTorch: values, gradients by input and parameters, state dicts both ways, statistics after the call. */
import { testLayers } from "../../test/layers-suite.ts";

for (const file of ["layers.json", "layers-spatial.json", "layers-more.json"]) testLayers(file);
