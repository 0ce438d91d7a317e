/** A contender's process: requests in, replies out, one at a time. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Hello, Prepared, Ran, Reply, Request, Work } from "./protocol.ts";

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** How much of a process's standard error is kept for messages. */
const KEPT_CHARACTERS = 2000;

export class Child {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #replies: AsyncIterator<string>;
  readonly #timeoutMs: number;
  #errors = "";
  #ended: string | undefined;

  constructor({ file, args, environment }: Command, timeoutMs = 120_000) {
    this.#timeoutMs = timeoutMs;
    this.#process = spawn(file, args, { env: { ...process.env, ...environment }, stdio: "pipe" });
    this.#replies = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-KEPT_CHARACTERS);
    });
    this.#process.on("error", (error) => {
      this.#ended = error.message;
    });
    this.#process.on("exit", (code, signal) => {
      this.#ended ??= `ended with ${signal ?? `code ${code}`}`;
    });
    this.#process.stdin.on("error", () => {});
  }

  /** False once the process has ended or was closed. */
  get isAlive(): boolean {
    return this.#ended === undefined;
  }

  hello(): Promise<Hello> {
    return this.#ask({ command: "hello" }) as Promise<Hello>;
  }

  prepare(work: Work): Promise<Prepared> {
    return this.#ask({ command: "prepare", work }) as Promise<Prepared>;
  }

  /** Seconds that so many iterations took. */
  async run(iterations: number): Promise<number> {
    return ((await this.#ask({ command: "run", iterations })) as Ran).seconds;
  }

  async release(): Promise<void> {
    await this.#ask({ command: "release" });
  }

  close(): void {
    this.#ended ??= "was closed";
    this.#process.stdin.end();
    this.#process.kill();
  }

  async #ask(request: Request): Promise<Reply> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.close();
        reject(new Error(`no reply to "${request.command}" within ${this.#timeoutMs / 1000} s`));
      }, this.#timeoutMs);
    });
    const line = await Promise.race([this.#replies.next(), late]).finally(() => clearTimeout(timer));
    if (line.done) throw new Error(`the process ${this.#ended ?? "ended"}\n${this.#errors}`);
    const reply = JSON.parse(line.value) as Reply;
    if (reply.error) throw new Error(reply.error);
    return reply;
  }
}
