/** Netwright as a contender. `NETWRIGHT_TARGET` chooses the target, `NETWRIGHT_THREADS` how many threads it has. */
import { readFileSync } from "node:fs";
import { device } from "netwright";
import type { WorkKind, WorkOf } from "../protocol.ts";
import { type Job, serve } from "../serve.ts";
import { adamw } from "./adamw.ts";
import { gelu } from "./gelu.ts";
import { layernorm } from "./layernorm.ts";
import { matmul } from "./matmul.ts";
import { mlp } from "./mlp.ts";
import { softmax } from "./softmax.ts";

const jobs: { readonly [K in WorkKind]?: (work: WorkOf<K>) => Promise<Job> } = {
  mlp,
  matmul,
  softmax,
  layernorm,
  gelu,
  adamw,
};

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

await serve({ framework: "Netwright", version, threads: device().threads }, (work) => {
  const job = jobs[work.kind] as ((work: WorkOf<WorkKind>) => Promise<Job>) | undefined;
  return job?.(work) ?? "Netwright has no such work";
});
