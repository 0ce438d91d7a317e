/**
 * Event files, as TensorBoard reads them: records of (length, checksum, data, checksum), each an `Event` with a `Summary`.
 * TensorFlow's event.proto, summary.proto and its description of TFRecord say which field is which; test/fixtures/tensorboard.py
 * reads such a file with TensorFlow.
 */
import { joinPath, makeFolder } from "#platform";
import { joinBytes } from "../../base/join-bytes.ts";
import type { Scores } from "../../train/index.ts";
import { GrowingFile } from "../growing-file.ts";
import { type Distribution, files } from "../layout.ts";
import { maskedCrc32c } from "./crc32c.ts";
import { double, doubles, float, integer, message, text } from "./protobuf.ts";

/** Events are written when there are so many, and at `flush`. */
const bufferedEvents = 500;

export class EventFile extends GrowingFile {
  readonly #now: () => number;
  #events = 0;

  constructor(path: string, now: () => number) {
    super(path);
    this.#now = now;
    this.#addEvent([text(3, "brain.Event:2")]);
  }

  /** In a run's folder. @param now the time in milliseconds since 1970 */
  static async open(run: string, now: () => number = Date.now): Promise<EventFile> {
    const folder = joinPath(run, files.events);
    await makeFolder(folder);
    // TensorBoard takes files with "tfevents" in their names, in the order of their times.
    const seconds = String(Math.floor(now() / 1000)).padStart(10, "0");
    return new EventFile(joinPath(folder, `events.out.tfevents.${seconds}.netwright`), now);
  }

  /** A point of each curve. */
  scalars(step: number, values: Scores): void {
    const summaries = Object.entries(values).map(([tag, value]) => message(1, text(1, tag), float(2, value)));
    this.#addEvent([integer(2, step), message(5, ...summaries)]);
  }

  histogram(step: number, tag: string, distribution: Distribution): void {
    const summary = message(1, text(1, tag), message(5, ...histogramFields(distribution)));
    this.#addEvent([integer(2, step), message(5, summary)]);
  }

  #addEvent(fields: readonly Uint8Array[]): void {
    this.add(record(joinBytes([double(1, this.#now() / 1000), ...fields])));
    if (++this.#events % bufferedEvents === 0) void this.flush();
  }
}

/** The HistogramProto: moments, right edges of the bins, counts. */
function histogramFields({ low, high, counts, mean, deviation }: Distribution): Uint8Array[] {
  const count = counts.reduce((sum, n) => sum + n, 0);
  const width = (high - low) / counts.length;
  const edges = counts.map((_, i) => (i === counts.length - 1 ? high : low + width * (i + 1)));
  return [
    ...[double(1, low), double(2, high), double(3, count), double(4, mean * count)],
    double(5, (deviation ** 2 + mean ** 2) * count),
    ...[doubles(6, edges), doubles(7, counts)],
  ];
}

function record(data: Uint8Array): Uint8Array {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(data.length), true);
  return joinBytes([length, checksum(length), data, checksum(data)]);
}

function checksum(data: Uint8Array): Uint8Array {
  const field = new Uint8Array(4);
  new DataView(field.buffer).setUint32(0, maskedCrc32c(data), true);
  return field;
}
