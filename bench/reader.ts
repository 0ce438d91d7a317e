/** Processes that work through files: each is told a path a line, and answers with a line of figures. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Command } from "./child.ts";

export interface ReaderSample {
  readonly seconds: number;
  /** Of the processor, all threads together. */
  readonly cpuSeconds: number;
}

/** A process that does its work each time it is told a path, and answers with a sample. */
export class Reader<Sample extends ReaderSample> {
  readonly #child: ChildProcess;
  #answer: ((line: string) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  /** Why no answer can come any more: the process may end while nobody waits for it. */
  #ended: Error | undefined;

  constructor({ file, args, environment }: Command) {
    const command = `${file} ${args.join(" ")}`;
    this.#child = spawn(file, args, {
      env: { ...process.env, ...environment },
      stdio: ["pipe", "pipe", "inherit"],
    });
    // Writing to a process that has ended: "close" says why it did.
    this.#child.stdin!.on("error", () => {});
    this.#child.on("error", (error) => this.#end(new Error(`${command} did not start: ${error.message}`)));
    // "close" comes when all output has been read: an answer just before the end still counts.
    this.#child.on("close", (code, signal) =>
      this.#end(new Error(`${command} ended with ${signal ?? `exit code ${code}`}`)),
    );
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#answer?.(line));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#fail?.(this.#ended);
  }

  /** @throws Error when the process has ended, or ends before it answers */
  async sample(path: string): Promise<Sample> {
    const line = await new Promise<string>((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#answer = resolve;
      this.#fail = reject;
      this.#child.stdin!.write(`${path}\n`);
    });
    return JSON.parse(line) as Sample;
  }

  close(): void {
    this.#child.stdin!.end();
  }
}
