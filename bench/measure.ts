/** Timing: every contender in turn, round after round, so that a change of the machine's mood meets all of them. */
import { setTimeout as pause } from "node:timers/promises";
import type { Lane } from "./lane.ts";
import { agrees, type Summary, summarize } from "./statistics.ts";
import { type Case, inUnit } from "./workloads.ts";

export interface Settings {
  readonly rounds: number;
  readonly sampleSeconds: number;
}

/** One lane's figures for one case. */
export interface Measurement {
  readonly case: string;
  readonly contender: string;
  readonly version: string;
  readonly threads: number;
  readonly iterationsPerSample: number;
  /** Seconds of one iteration. */
  readonly seconds: Summary;
  /** The same in the case's unit; minimum and maximum are of the value, not of the time. */
  readonly value: Summary;
  readonly check: readonly number[];
  /** False where the result differs from the first contender's. */
  readonly agrees: boolean;
}

export interface CaseResult {
  readonly measurements: readonly Measurement[];
  /** GFLOP/s of multiply-then-add in WebAssembly registers, taken in the same rounds. */
  readonly peak: Summary | undefined;
  /** Lanes that do not do this case, or failed, with the reason. */
  readonly skipped: readonly Skipped[];
}

export interface Skipped {
  readonly lane: string;
  readonly reason: string;
  /** False where the contender merely has no such work. */
  readonly failed: boolean;
}

interface Entry {
  readonly lane: Lane;
  readonly check: readonly number[];
  readonly amount: number;
  readonly iterations: number;
  readonly seconds: number[];
}

/** Long enough for compilers to settle and caches to fill. */
const WARM_UP_SECONDS = 0.4;
/** Work of which one iteration takes so long is timed in a few rounds only. */
const LONG_SECONDS = 1;
const LONG_ROUNDS = 3;
/** Between two lanes: thread pools that spin for a while have gone to sleep. */
const PAUSE_MS = 15;

/** Measures one case on all lanes that do it. `probe`, when given, holds the prepared arithmetic peak. */
export async function measureCase(
  subject: Case,
  lanes: readonly Lane[],
  probe: Probe | undefined,
  settings: Settings,
): Promise<CaseResult> {
  const skipped: Skipped[] = [];
  const entries: Entry[] = [];
  const attempt = async (lane: Lane, action: () => Promise<void>): Promise<void> => {
    await action().catch((error: Error) => {
      skipped.push({ lane: lane.name, reason: error.message, failed: true });
      lane.close();
    });
  };
  for (const lane of lanes) {
    await attempt(lane, async () => {
      const { unsupported, check, flop } = await lane.prepare(subject.work);
      if (unsupported !== undefined) skipped.push({ lane: lane.name, reason: unsupported, failed: false });
      else {
        const iterations = await calibrate(lane, settings.sampleSeconds);
        entries.push({ lane, check, amount: flop ?? subject.amount, iterations, seconds: [] });
      }
    });
  }
  const peaks: number[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    if (probe) peaks.push(await probe());
    for (const { lane, iterations, seconds } of rotated(entries, round)) {
      if (skipped.some((entry) => entry.lane === lane.name)) continue;
      if (round >= LONG_ROUNDS && seconds[0] > LONG_SECONDS) continue;
      await pause(PAUSE_MS);
      await attempt(lane, async () => {
        seconds.push((await (await lane.child()).run(iterations)) / iterations);
      });
    }
  }
  const finished = entries.filter(({ lane }) => !skipped.some((entry) => entry.lane === lane.name));
  for (const { lane } of finished) await attempt(lane, async () => (await lane.child()).release());
  return {
    measurements: finished.map((entry) => measurementOf(subject, entry, finished[0].check)),
    peak: peaks.length > 0 ? summarize(peaks) : undefined,
    skipped,
  };
}

function measurementOf(subject: Case, entry: Entry, reference: readonly number[]): Measurement {
  const { lane, seconds, iterations, check, amount } = entry;
  return {
    case: subject.id,
    contender: lane.contender.key,
    version: lane.version,
    threads: lane.threads,
    iterationsPerSample: iterations,
    seconds: summarize(seconds),
    value: summarize(seconds.map((time) => inUnit({ unit: subject.unit, amount }, time))),
    check,
    // The machine's own loop computes nothing that could be compared.
    agrees: check.length === 0 || agrees(check, reference),
  };
}

/** Runs until warm and returns how many iterations fill a sample. */
async function calibrate(lane: Lane, sampleSeconds: number): Promise<number> {
  const child = await lane.child();
  let iterations = 1;
  for (let spent = 0; ; ) {
    const seconds = await child.run(iterations);
    spent += seconds;
    const wanted = Math.max(1, Math.round((sampleSeconds * iterations) / Math.max(seconds, 1e-7)));
    if (spent >= WARM_UP_SECONDS) return wanted;
    iterations = Math.min(wanted, iterations * 100);
  }
}

const rotated = <Item>(items: readonly Item[], by: number): readonly Item[] =>
  items.map((_, index) => items[(index + by) % items.length]);

/** GFLOP/s of the machine's WebAssembly arithmetic at this moment. */
export type Probe = () => Promise<number>;

const PROBE_ITERATIONS = 10;

/** Prepares the arithmetic loop on the machine's lane, which must not be used for anything else. */
export async function startProbe(lane: Lane): Promise<Probe> {
  const { flop = 0 } = await lane.prepare({ kind: "peak", fused: false, isa: "wasm" });
  const child = await lane.child();
  return async () => (PROBE_ITERATIONS * flop) / (await child.run(PROBE_ITERATIONS)) / 1e9;
}
