/** Samples kept in memory after their first delivery. */
import { ArgumentError } from "../base/errors.ts";
import { storedColumns } from "./column.ts";
import { type CopySample, sampleBytes, sampleCopier } from "./deliver.ts";
import {
  allocate,
  type Buffers,
  type Delivery,
  isLater,
  plainDelivery,
  type Source,
  traitsOf,
} from "./source.ts";

/** Samples are kept in pieces of about this much: what is never filled is never held. */
const pieceBytes = 2 ** 22;

/** The first samples delivered that fit into `maxBytes`; those stay, in the dtype they are stored in. */
class KeptSamples {
  readonly #slots: Int32Array;
  readonly #capacity: number;
  readonly #slotsInPiece: number;
  readonly #columns: readonly {
    readonly name: string;
    readonly copy: CopySample;
    readonly store: CopySample;
  }[];
  readonly #source: Source;
  readonly #pieces: Buffers[] = [];
  #count = 0;

  constructor(source: Source, maxBytes: number) {
    const bytes = Math.max(1, sampleBytes(source.columns));
    this.#source = source;
    this.#slots = new Int32Array(source.length).fill(-1);
    this.#slotsInPiece = Math.max(1, Math.floor(pieceBytes / bytes));
    this.#capacity = Math.floor(maxBytes / bytes);
    const stored = storedColumns(source.columns);
    this.#columns = Object.entries(source.columns).map(([name, column]) => {
      return { name, copy: sampleCopier(column), store: sampleCopier(stored[name]!) };
    });
  }

  has(index: number): boolean {
    return this.#slots[index]! >= 0;
  }

  deliver(index: number, into: Buffers, place: number): void {
    const slot = this.#slots[index]!;
    const piece = this.#pieces[Math.floor(slot / this.#slotsInPiece)]!;
    for (const { name, copy } of this.#columns) {
      const array = into[name];
      if (array) copy(piece[name]!, slot % this.#slotsInPiece, array, place);
    }
  }

  /** Keeps a sample where there is room; `from` has all columns in their stored dtypes. */
  keep(index: number, from: Buffers, row: number): void {
    if (this.has(index) || this.#count >= this.#capacity) return;
    const slot = this.#count++;
    if (slot % this.#slotsInPiece === 0) {
      const left = Math.min(this.#slotsInPiece, this.#capacity - slot);
      this.#pieces.push(allocate(storedColumns(this.#source.columns), left));
    }
    const piece = this.#pieces[Math.floor(slot / this.#slotsInPiece)]!;
    for (const { name, store } of this.#columns)
      store(from[name]!, row, piece[name]!, slot % this.#slotsInPiece);
    this.#slots[index] = slot;
  }
}

/** The source of `Dataset.cached`. */
export function cachedSource(parent: Source, maxBytes: number): Source {
  if (!(maxBytes > 0)) throw new ArgumentError(`cached: maxBytes must be a positive number, got ${maxBytes}`);
  const kept = new KeptSamples(parent, maxBytes);
  const copiers = Object.entries(parent.columns).map(
    ([name, column]) => [name, sampleCopier(column)] as const,
  );
  const later = new Set(Object.keys(parent.columns));
  return {
    ...traitsOf(parent),
    wantsSharedMemory: false,
    // All columns are kept together, so all come when the last of them does.
    ...(isLater(parent) && { later }),
    length: parent.length,
    columns: parent.columns,
    mapDepth: parent.mapDepth,
    gather(indices, start, count, into, delivery = plainDelivery) {
      const [wanted, places] = [[] as number[], [] as number[]];
      for (let place = 0; place < count; place++) {
        const index = indices[start + place]!;
        if (kept.has(index)) kept.deliver(index, into, place);
        else {
          wanted.push(index);
          places.push(place);
        }
      }
      if (wanted.length === 0) return;
      const staged = allocate(storedColumns(parent.columns), wanted.length, parent.wantsSharedMemory);
      const lost = new Set<number>();
      const finish = (): void => {
        wanted.forEach((index, row) => {
          if (lost.has(row)) return;
          for (const [name, copy] of copiers) {
            const array = into[name];
            if (array) copy(staged[name]!, row, array, places[row]!);
          }
          kept.keep(index, staged, row);
        });
      };
      const inner: Delivery = delivery.failed
        ? {
            ...delivery,
            failed: (row, error) => {
              lost.add(row);
              delivery.failed!(places[row]!, error);
            },
          }
        : delivery;
      const coming = parent.gather(Uint32Array.from(wanted), 0, wanted.length, staged, inner);
      return coming === undefined ? finish() : coming.then(finish);
    },
  };
}
