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

  constructor({ file, args }: Command) {
    this.#child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#answer?.(line));
    this.#child.on("exit", () => this.#fail?.(new Error(`${file} ${args.join(" ")} ended`)));
  }

  async sample(path: string): Promise<Sample> {
    const line = await new Promise<string>((resolve, reject) => {
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
