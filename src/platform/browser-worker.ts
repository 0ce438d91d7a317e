/** Worker threads in a browser, from source text in a Blob. */
import { PlatformError } from "../base/errors.ts";
import type { WorkerThread } from "./platform.ts";

/** The first message brings `data`; the source then runs with the same names in scope as in Node. */
const prelude = `"use strict";
self.onmessage = ({ data }) => {
  self.onmessage = null;
  const postMessage = (message) => self.postMessage(message);
  const onMessage = (handler) => { self.onmessage = (event) => handler(event.data); };
`;

export function spawnWorker(
  source: string,
  data: unknown,
  { name = "netwright" }: { name?: string } = {},
): WorkerThread {
  const url = URL.createObjectURL(new Blob([`${prelude}{\n${source}\n}\n};`], { type: "text/javascript" }));
  const worker = new Worker(url, { name });
  worker.postMessage(data);
  return {
    postMessage: (message) => worker.postMessage(message),
    onMessage: (handler) => worker.addEventListener("message", (event) => handler(event.data)),
    onError: (handler) =>
      worker.addEventListener("error", (event) =>
        handler(event.error instanceof Error ? event.error : new PlatformError(describe(name, event))),
      ),
    async terminate() {
      worker.terminate();
      // Not earlier: some browsers read the text after the constructor has returned.
      URL.revokeObjectURL(url);
    },
    ref: () => {},
    unref: () => {},
  };
}

const describe = (name: string, event: ErrorEvent): string =>
  `worker "${name}" failed: ${event.message || "it could not be started; does the page's policy allow blob: workers?"}`;
