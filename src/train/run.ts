/** One run of `fit`, as callbacks see it. */
import type { Dataset } from "../data/index.ts";
import { type Module, Parameter, Parametrization, type StateValue } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import type { StateTensor } from "../tensor/index.ts";
import type { Snapshot, TrainingRun } from "./callback.ts";
import type { ColumnRoles } from "./columns.ts";
import type { FitOptions } from "./fit.ts";
import { History } from "./history.ts";

/** What is known of a run before it starts. */
export type RunSetup = Omit<
  TrainingRun,
  "history" | "epoch" | "step" | "resumedFrom" | "stop" | "snapshot" | "restore"
>;

export class Run implements TrainingRun {
  readonly history = new History();
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly options: FitOptions;
  readonly dataset: Dataset;
  readonly validation: Dataset | undefined;
  readonly columns: ColumnRoles;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly samplesPerEpoch: number;
  readonly saveCheckpoint: (path: string) => Promise<void>;
  readonly warn: (message: string) => Promise<void>;
  epoch = 0;
  step = 0;
  isInterrupted = false;
  resumedFrom: string | undefined;

  constructor(setup: RunSetup) {
    this.model = setup.model;
    this.optimizer = setup.optimizer;
    this.options = setup.options;
    this.dataset = setup.dataset;
    this.validation = setup.validation;
    this.columns = setup.columns;
    this.epochs = setup.epochs;
    this.stepsPerEpoch = setup.stepsPerEpoch;
    this.samplesPerEpoch = setup.samplesPerEpoch;
    this.saveCheckpoint = setup.saveCheckpoint;
    this.warn = setup.warn;
  }

  get isStopped(): boolean {
    return this.history.stopReason !== undefined;
  }

  /** Ctrl-C: as `stop`, and a validation that is going on is left. */
  interrupt(reason: string): void {
    this.isInterrupted = true;
    this.stop(reason);
  }

  stop(reason: string): void {
    this.history.stopReason ??= reason;
  }

  /** What training never changes: parameters that the optimizer was not made for, and weights of few bits. */
  fixedStates(): Map<string, StateTensor> {
    const trained = new Set<StateTensor>(this.optimizer.parameters);
    const kept = [...this.model.namedModules().values()].filter(
      (each) => each instanceof Parametrization && each.isFixed,
    );
    const blocks = new Set(kept.flatMap((each) => [...each.stateDict().values()]));
    const isFixed = (state: StateTensor): boolean =>
      state instanceof Parameter ? !trained.has(state) : blocks.has(state);
    return new Map([...this.model.stateDict()].filter(([, state]) => isFixed(state)));
  }

  /** Every value is asked for before the first is awaited: all are of one moment. */
  async snapshot(): Promise<Snapshot> {
    const fixed = this.fixedStates();
    const changing = [...this.model.stateDict()].filter(([name]) => !fixed.has(name));
    const reads = changing.map(async ([name, state]) => [name, await state.toHost()] as const);
    return new Map(await Promise.all(reads));
  }

  restore(snapshot: Snapshot): void {
    this.model.loadStateDict(new Map<string, StateValue>([...this.fixedStates(), ...snapshot]));
  }
}
