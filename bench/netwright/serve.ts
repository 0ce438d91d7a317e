/** Netwright as a contender. `NETWRIGHT_TARGET` chooses the target, `NETWRIGHT_THREADS` how many threads it has. */
import { readFileSync } from "node:fs";
import { device } from "netwright";
import type { WorkKind, WorkOf } from "../protocol.ts";
import { type Job, serve } from "../serve.ts";
import { adamw, adamwModel } from "./adamw.ts";
import { attention, attentionBackward } from "./attention.ts";
import { call } from "./call.ts";
import { cnn } from "./cnn.ts";
import { elementwise } from "./elementwise.ts";
import { gelu } from "./gelu.ts";
import { gpt, gptForward } from "./gpt.ts";
import { layernorm, layernormBackward } from "./layernorm.ts";
import { lstm, lstmForward } from "./lstm.ts";
import { matmul, matmulBytes } from "./matmul.ts";
import { mlp, mlpForward } from "./mlp.ts";
import { resnet } from "./resnet.ts";
import { softmax } from "./softmax.ts";
import { transformer, vit } from "./transformer.ts";

const jobs: { readonly [K in WorkKind]?: (work: WorkOf<K>) => Promise<Job> } = {
  mlp,
  cnn,
  resnet,
  matmul,
  "matmul-bytes": matmulBytes,
  softmax,
  layernorm,
  "layernorm-backward": layernormBackward,
  gelu,
  elementwise,
  adamw,
  "adamw-model": adamwModel,
  gpt,
  lstm,
  "lstm-forward": lstmForward,
  transformer,
  vit,
  attention,
  "attention-backward": attentionBackward,
  "mlp-forward": mlpForward,
  "gpt-forward": gptForward,
  call,
};

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

await serve({ framework: "Netwright", version, threads: device().threads }, (work) => {
  const job = jobs[work.kind] as ((work: WorkOf<WorkKind>) => Promise<Job>) | undefined;
  return job?.(work) ?? "Netwright has no such work";
});
