/** One run of `fit`, as callbacks see it. */
import type { Module } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import type { Snapshot, TrainingRun } from "./callback.ts";
import { History } from "./history.ts";

export interface RunSizes {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly samplesPerEpoch: number;
}

export class Run implements TrainingRun {
  readonly history = new History();
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly samplesPerEpoch: number;
  epoch = 0;
  step = 0;
  resumedFrom: string | undefined;
  readonly model: Module;
  readonly optimizer: Optimizer;

  constructor(model: Module, optimizer: Optimizer, { epochs, stepsPerEpoch, samplesPerEpoch }: RunSizes) {
    this.model = model;
    this.optimizer = optimizer;
    this.epochs = epochs;
    this.stepsPerEpoch = stepsPerEpoch;
    this.samplesPerEpoch = samplesPerEpoch;
  }

  get isStopped(): boolean {
    return this.history.stopReason !== undefined;
  }

  stop(reason: string): void {
    this.history.stopReason ??= reason;
  }

  /** Every value is asked for before the first is awaited: all are of one moment. */
  async snapshot(): Promise<Snapshot> {
    const reads = [...this.model.stateDict()].map(
      async ([name, state]) => [name, await state.toHost()] as const,
    );
    return new Map(await Promise.all(reads));
  }

  restore(snapshot: Snapshot): void {
    this.model.loadStateDict(snapshot);
  }
}
