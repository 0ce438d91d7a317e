/** Worker threads in Node, from source text. */
import { SHARE_ENV, Worker } from "node:worker_threads";
import { PlatformError } from "../../base/errors.ts";
import type { WorkerThread } from "../platform.ts";

export const canShareMemory = (): boolean => true;
export const canBlock = (): boolean => true;

/** What the source finds in scope. It is a CommonJS script: Node's ways to evaluate text as a module copy it into a URL. */
const prelude = `"use strict";
const { parentPort, workerData: data } = require("node:worker_threads");
const postMessage = (message) => parentPort.postMessage(message);
const onMessage = (handler) => { parentPort.on("message", handler); };
`;

export function spawnWorker(
  source: string,
  data: unknown,
  { name = "netwright" }: { name?: string } = {},
): WorkerThread {
  // No options of the process are passed on: loaders and hooks would only make the start slow.
  const worker = new Worker(`${prelude}{\n${source}\n}`, {
    eval: true,
    workerData: data,
    name,
    execArgv: [],
    env: SHARE_ENV,
  });
  let told = false;
  return {
    postMessage: (message) => worker.postMessage(message),
    onMessage: (handler) => void worker.on("message", handler),
    onError(handler) {
      worker.on("error", (error: unknown) => {
        told = true;
        handler(
          error instanceof Error ? error : new PlatformError(`worker "${name}" threw ${String(error)}`),
        );
      });
      worker.on("exit", (code) => {
        if (!told) handler(new PlatformError(`worker "${name}" stopped unexpectedly with exit code ${code}`));
      });
    },
    async terminate() {
      told = true;
      await worker.terminate();
    },
    ref: () => worker.ref(),
    unref: () => worker.unref(),
  };
}
