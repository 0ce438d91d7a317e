/** Layers against PyTorch on another target: a part of the rows, all in the full tier. */
import { testLayers } from "../../test/layers-suite.ts";
import { byTier } from "../../test/tier.ts";
import { setTarget } from "../tensor/index.ts";

setTarget("interpreter");
for (const file of ["layers.json", "layers-spatial.json", "layers-more.json"]) testLayers(file, byTier(9, 1));
