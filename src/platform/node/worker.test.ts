import { describe, expect, test, vi } from "vitest";
import { spawnWorker as spawnBrowserWorker } from "../browser-worker.ts";
import { canShareMemory, spawnWorker } from "./worker.ts";

const nextMessage = (worker: ReturnType<typeof spawnWorker>): Promise<unknown> =>
  new Promise((resolve, reject) => {
    worker.onMessage(resolve);
    worker.onError(reject);
  });

/** Sleeps until the first number of its memory is 1, writes the second, and answers messages with their double. */
const source = `
  const numbers = new Int32Array(data.memory);
  Atomics.wait(numbers, 0, 0, 10_000);
  Atomics.store(numbers, 1, data.answer);
  onMessage((n) => postMessage(2 * n));
  postMessage("awake");
`;

describe("in Node", () => {
  test("shares memory and talks in messages", async () => {
    const memory = new SharedArrayBuffer(8);
    const numbers = new Int32Array(memory);
    const worker = spawnWorker(source, { memory, answer: 42 });
    expect(canShareMemory()).toBe(true);
    Atomics.store(numbers, 0, 1);
    Atomics.notify(numbers, 0);
    expect(await nextMessage(worker)).toBe("awake");
    expect(Atomics.load(numbers, 1)).toBe(42);
    const doubled = nextMessage(worker);
    worker.postMessage(21);
    expect(await doubled).toBe(42);
    await worker.terminate();
  });

  test("an uncaught error arrives with its own stack, an early end as an error, a wanted end as nothing", async () => {
    const failing = spawnWorker("function inner() { throw new RangeError('lost') } inner();", undefined);
    const error = await new Promise<Error>((resolve) => failing.onError(resolve));
    expect(error.message).toBe("lost");
    expect(error.stack).toContain("inner");

    const leaving = spawnWorker("process.exit(7);", undefined, { name: "leaver" });
    const early = await new Promise<Error>((resolve) => leaving.onError(resolve));
    expect(early.message).toMatchInlineSnapshot(`"worker "leaver" stopped unexpectedly with exit code 7"`);

    const onError = vi.fn();
    const sleeping = spawnWorker(
      "postMessage(1); Atomics.wait(new Int32Array(data), 0, 0);",
      new SharedArrayBuffer(4),
    );
    sleeping.onError(onError);
    await new Promise<unknown>((resolve) => sleeping.onMessage(resolve));
    await sleeping.terminate();
    expect(onError).not.toHaveBeenCalled();
  });
});

describe("in a browser, played by a few lines", () => {
  test("the same source runs, with the same names in scope", async () => {
    let text = "";
    vi.stubGlobal(
      "Blob",
      class {
        constructor(parts: string[]) {
          text = parts.join("");
        }
      },
    );
    vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:x");
    vi.stubGlobal("Worker", FakeWorker);
    FakeWorker.sourceOf = () => text;
    const worker = spawnBrowserWorker("onMessage((n) => postMessage(n + data.offset));", { offset: 5 });
    const received: unknown[] = [];
    worker.onMessage((message) => received.push(message));
    worker.postMessage(1);
    worker.postMessage(2);
    expect(received).toEqual([6, 7]);
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
});

/** Runs the text with a `self` of its own, each message at once. */
class FakeWorker {
  static sourceOf: () => string = () => "";
  readonly #self: {
    onmessage: ((event: { data: unknown }) => void) | null;
    postMessage: (data: unknown) => void;
  };
  #listener: (event: { data: unknown }) => void = () => {};
  constructor() {
    this.#self = { onmessage: null, postMessage: (data) => this.#listener({ data }) };
    new Function("self", FakeWorker.sourceOf())(this.#self);
  }
  addEventListener(type: string, listener: (event: { data: unknown }) => void): void {
    if (type === "message") this.#listener = listener;
  }
  postMessage(data: unknown): void {
    this.#self.onmessage?.({ data });
  }
}
