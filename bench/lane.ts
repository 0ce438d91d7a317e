/** A contender with a number of threads: the unit that is timed. Its process starts when first needed. */
import { Child } from "./child.ts";
import type { Contender } from "./contenders.ts";
import type { Hello, Prepared, Work } from "./protocol.ts";

export class Lane {
  readonly contender: Contender;
  readonly threads: number;
  #child: Child | undefined;
  #hello: Hello | undefined;

  constructor(contender: Contender, threads: number) {
    this.contender = contender;
    this.threads = threads;
  }

  get name(): string {
    return `${this.contender.title}, ${this.threads} thread${this.threads > 1 ? "s" : ""}`;
  }

  /** The framework's version, once its process has answered. */
  get version(): string {
    return this.#hello?.version ?? "";
  }

  /** The process, started anew if it has ended. */
  async child(): Promise<Child> {
    if (this.#child?.isAlive) return this.#child;
    const command = this.contender.serve(this.threads);
    if (!command) throw new Error(`${this.name} answers no requests`);
    this.#child = new Child(command);
    this.#hello = await this.#child.hello();
    return this.#child;
  }

  async prepare(work: Work): Promise<Prepared> {
    return (await this.child()).prepare(work);
  }

  close(): void {
    this.#child?.close();
  }
}

/** A lane for each thread count of each contender that answers requests and is there. */
export function lanesOf(contenders: readonly Contender[], threads: number): readonly Lane[] {
  return contenders
    .filter((contender) => contender.missing() === undefined && contender.serve(1) !== null)
    .flatMap((contender) => contender.threadCounts(threads).map((count) => new Lane(contender, count)));
}
