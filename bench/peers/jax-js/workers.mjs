/**
 * Node has no global `Worker`, which jax-js needs for its threads. This gives it one over `worker_threads`, with as many
 * processors as asked for; it must be imported before jax-js. With one thread jax-js is left as it is in Node.
 */
import { Worker as NodeWorker } from "node:worker_threads";
import { numberArgument } from "../../../build/bench/serve.js";

export const threads = numberArgument("threads", 1);

const prologue = `
const { parentPort } = require("node:worker_threads");
globalThis.self = globalThis;
globalThis.postMessage = (message) => parentPort.postMessage(message);
parentPort.on("message", (data) => globalThis.onmessage?.({ data }));
`;

if (threads > 1) {
  const sources = new Map();
  const createObjectURL = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (blob) => {
    const url = createObjectURL(blob);
    sources.set(url, blob.text());
    return url;
  };
  globalThis.Worker = class {
    #worker;
    #waiting = [];
    constructor(url) {
      sources.get(String(url)).then((source) => {
        this.#worker = new NodeWorker(prologue + source, { eval: true });
        this.#worker.unref();
        this.#worker.on("message", (data) => this.onmessage?.({ data }));
        this.#worker.on("error", (error) => this.onerror?.(error));
        for (const message of this.#waiting) this.#worker.postMessage(message);
      });
    }
    postMessage(message) {
      if (this.#worker) this.#worker.postMessage(message);
      else this.#waiting.push(message);
    }
  };
  Object.defineProperty(globalThis, "navigator", { value: { hardwareConcurrency: threads }, configurable: true });
}
