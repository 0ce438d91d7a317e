/** Netwright as a contender. `NETWRIGHT_TARGET` chooses the target. */
import { readFileSync } from "node:fs";
import type { WorkKind, WorkOf } from "../protocol.ts";
import { type Job, serve } from "../serve.ts";
import { matmul } from "./matmul.ts";

const jobs: { readonly [K in WorkKind]?: (work: WorkOf<K>) => Promise<Job> } = { matmul };

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

await serve({ framework: "Netwright", version, threads: 1 }, (work) => {
  const job = jobs[work.kind] as ((work: WorkOf<WorkKind>) => Promise<Job>) | undefined;
  return job?.(work) ?? "Netwright's side of this work is not written";
});
