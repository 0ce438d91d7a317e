/** The batches of one epoch: gathered one by one, or ahead of who asks for them. */
import { monotonicMs, yieldToEventLoop } from "#platform";
import type { SampleError } from "../base/errors.ts";
import { countElements } from "../base/host-array.ts";
import type { RandomKey } from "../base/random.ts";
import type { Columns } from "./column.ts";
import type { EpochOrder } from "./epoch-order.ts";
import { allocate, type Buffers, isLater, type Source } from "./source.ts";

/** What the batches of an epoch are. */
export interface EpochPlan {
  readonly source: Source;
  readonly columns: Columns;
  readonly order: EpochOrder;
  readonly batchSize: number;
  /** Of the seed and the epoch. */
  readonly key: RandomKey;
  /** The first step, and the one after the last. */
  readonly steps: readonly [first: number, end: number];
  /** Called for each sample that is left out because it cannot be delivered; without it, such a sample is an error. */
  readonly skipped: ((error: SampleError) => void) | undefined;
}

/** A batch in arrays that may have room for more. */
export interface Gathered {
  readonly step: number;
  readonly buffers: Buffers;
  /** Samples; fewer than planned where some were skipped. */
  readonly count: number;
}

export const allocateBatch = ({ source, columns, batchSize }: EpochPlan): Buffers =>
  allocate(columns, Math.min(batchSize, source.length), source.wantsSharedMemory);

/** Gathers the batch of a step. A promise where the source's samples come later. */
export function gatherBatch(plan: EpochPlan, step: number, buffers: Buffers): Gathered | Promise<Gathered> {
  const { source, batchSize, key, skipped } = plan;
  const first = step * batchSize;
  const planned = Math.min(batchSize, source.length - first);
  const { indices, start } = plan.order.take(first, planned);
  const lost = new Map<number, SampleError>();
  const failed = (place: number, error: SampleError): void => {
    if (skipped === undefined) throw error;
    lost.set(place, error);
  };
  const pending = source.gather(indices, start, planned, buffers, { key, failed });
  const rest = (): Gathered => {
    for (const [, error] of [...lost].sort(([a], [b]) => a - b)) skipped?.(error);
    return { step, buffers, count: closeGaps(plan.columns, buffers, planned, lost) };
  };
  return pending === undefined ? rest() : pending.then(rest);
}

/** Moves samples together where some are missing; gives how many are left. */
function closeGaps(
  columns: Columns,
  buffers: Buffers,
  planned: number,
  lost: ReadonlyMap<number, unknown>,
): number {
  if (lost.size === 0) return planned;
  let count = 0;
  for (let place = 0; place < planned; place++) {
    if (lost.has(place)) continue;
    if (count < place) {
      for (const [name, { shape }] of Object.entries(columns)) {
        const size = countElements(shape);
        buffers[name]!.copyWithin(count * size, place * size, (place + 1) * size);
      }
    }
    count++;
  }
  return count;
}

/** Gathering at once that takes less is not worth planning ahead. */
const worthwhileMs = 0.1;

/**
 * Batches on their way while others are used: never more than `ahead` beside the one in use, each in arrays of its own.
 *
 * What comes later is asked for as soon as there is room. What is gathered on this thread is gathered when the event loop
 * is free, while machine code runs on other threads.
 */
export class BatchesAhead {
  readonly #plan: EpochPlan;
  readonly #ahead: number;
  readonly #coming: { readonly buffers: Buffers; readonly gathered: Promise<Gathered> }[] = [];
  readonly #free: Buffers[] = [];
  #used: Buffers | undefined;
  #nextStep: number;
  #isClosed = false;
  /** How long the last gathering on this thread took. */
  #gatherMs = 0;

  constructor(plan: EpochPlan, ahead: number) {
    this.#plan = plan;
    this.#ahead = ahead;
    this.#nextStep = plan.steps[0];
  }

  /** The next batch that is not empty; undefined after the last. The one before may be written over from now on. */
  async next(): Promise<Gathered | undefined> {
    for (;;) {
      if (this.#used !== undefined) this.#free.push(this.#used);
      this.#used = undefined;
      if (this.#coming.length === 0) this.#start();
      const next = this.#coming.shift();
      if (next === undefined) return undefined;
      if (this.#isLater) this.#fill();
      this.#used = next.buffers;
      const gathered = await next.gathered;
      if (gathered.count === 0) continue;
      if (!this.#isLater) this.#fillWhenFree();
      return gathered;
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  get #isLater(): boolean {
    return isLater(this.#plan.source, Object.keys(this.#plan.columns));
  }

  #fill(): void {
    while (this.#coming.length < this.#ahead && this.#start());
  }

  #fillWhenFree(): void {
    if (this.#gatherMs < worthwhileMs || this.#coming.length >= this.#ahead) return;
    void yieldToEventLoop().then(() => {
      if (!this.#isClosed && this.#coming.length < this.#ahead && this.#start()) this.#fillWhenFree();
    });
  }

  /** Starts the next batch; false when there is none. */
  #start(): boolean {
    if (this.#isClosed || this.#nextStep >= this.#plan.steps[1]) return false;
    const buffers = this.#free.pop() ?? allocateBatch(this.#plan);
    const step = this.#nextStep++;
    const started = monotonicMs();
    // An error belongs to who asks for this batch, and to nobody if nobody does.
    const gathered = new Promise<Gathered>((resolve) => resolve(gatherBatch(this.#plan, step, buffers)));
    gathered.catch(() => {});
    this.#gatherMs = monotonicMs() - started;
    this.#coming.push({ buffers, gathered });
    return true;
  }
}
