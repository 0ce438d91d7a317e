/**
 * Searches for the tiles of products that are fastest on this machine: the compiler's choice and others, the likeliest first, each
 * measured; then the best of them in turn with the compiler's, so that all see the same weather. Sums are the same whatever
 * is chosen.
 */
import { monotonicMs } from "#platform";
import { type PlainProduct, plainProblems, productKey } from "../../compiler/contraction/choices.ts";
import { fewRowsOf } from "../../compiler/contraction/few-rows.ts";
import { choicesFor } from "../../compiler/contraction/plan.ts";
import { numberProduct } from "../../compiler/contraction/product.ts";
import type { GraphFunction } from "../../graph/function.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import type { TargetDescription, TileChoice, TileChoices } from "../../ir/target.ts";
import { dot, parameter, transpose } from "../../ops/index.ts";
import type { Device, Executable, Storage } from "../device.ts";
import { keepTiles } from "../searched-tiles.ts";
import { chooseIsa, createNativeDevice, describeTarget } from "../x64-device.ts";
import { multiplyAddLoop, type NativeLoop } from "./multiply-add-loop.ts";

export interface TuneOptions {
  readonly products: readonly PlainProduct[];
  /** For all of them together. */
  readonly seconds: number;
  readonly threads: number;
  readonly instructionSet?: "avx2" | "avx512" | undefined;
  /** Called as each product is done. */
  readonly onProduct?: (product: TunedProduct) => void;
}

export interface TunedProduct extends PlainProduct {
  /** GFLOP/s of what the compiler chooses by itself, and of the best choice that was found. */
  readonly estimated: number;
  readonly best: number;
  /** The best as a part of the multiply-add loop's speed on as many threads. */
  readonly share: number;
  /** undefined: what the compiler chooses by itself. */
  readonly choice: TileChoice | undefined;
  /** Choices that were measured, of those that there are. */
  readonly tried: number;
  readonly choices: number;
}

export interface TuneReport {
  readonly instructionSet: string;
  readonly threads: number;
  readonly products: readonly TunedProduct[];
  readonly seconds: number;
  /** Where the choices are kept, or why they are not. */
  readonly kept: { readonly file: string } | { readonly reason: string };
}

/**
 * Searches within a time and keeps what it found for later processes.
 *
 * @throws PlatformError where machine code does not run
 */
export function tuneKernels({
  products,
  seconds,
  threads,
  instructionSet,
  onProduct,
}: TuneOptions): TuneReport {
  const isa = chooseIsa(instructionSet);
  const began = monotonicMs();
  const end = began + 1000 * seconds;
  const target: TargetDescription = { ...describeTarget(isa), threads };
  const search = new Search(target, isa.name);
  const found = new Map<string, TileChoice | undefined>();
  const tuned = products.map((product, i) => {
    const left = Math.max(0, end - monotonicMs());
    const result = search.tune(product, left / (products.length - i));
    const [problem] = plainProblems(product);
    const key = productKey(problem, "f32", { target, product: numberProduct });
    if (key !== undefined) found.set(key, result.choice);
    onProduct?.(result);
    return result;
  });
  return {
    instructionSet: isa.name,
    threads,
    products: tuned,
    seconds: (monotonicMs() - began) / 1000,
    kept: keepTiles(isa.name, found),
  };
}

/** So much faster at least is another choice: less may be the weather. */
const leastGain = 1.03;
/** The part of a product's time that goes into trying choices once; then the best of them take turns. */
const tryingPart = 0.6;
const finalists = 3;
const leastRounds = 3;
const mostRounds = 15;
/** A sample takes so long at least. */
const sampleMs = 0.5;
const tryingSamples = 3;

/** The choice that the device's compiler takes; it changes as the search goes on. */
class CurrentChoice implements TileChoices {
  readonly stamp = "";
  choice: TileChoice | undefined;

  of(): TileChoice | undefined {
    return this.choice;
  }
}

/** A choice's code, and how long it takes. */
interface Candidate {
  readonly choice: TileChoice | undefined;
  readonly executable: Executable;
  readonly repetitions: number;
  milliseconds: number;
}

class Search {
  private readonly target: TargetDescription;
  private readonly current = new CurrentChoice();
  private readonly device: Device;
  private readonly loop: NativeLoop;

  constructor(target: TargetDescription, isa: "avx2" | "avx512") {
    this.target = target;
    this.loop = multiplyAddLoop(isa);
    this.device = createNativeDevice({
      isa,
      threads: target.threads,
      backgroundMs: Number.POSITIVE_INFINITY,
      tiles: this.current,
    });
  }

  tune(product: PlainProduct, milliseconds: number): TunedProduct {
    const began = monotonicMs();
    const fn = traced(product);
    const inputs = fn.parameters.map(({ shape }) => this.device.upload(numbers(shape as number[])));
    const choices = this.choicesOf(product);
    const estimated = this.candidate(fn, inputs, undefined);
    const tried = [estimated];
    for (const choice of choices) {
      if (monotonicMs() - began > tryingPart * milliseconds) break;
      const candidate = this.candidate(fn, inputs, choice);
      tried.push(candidate);
      const kept = [...tried].sort(byTime).slice(0, finalists);
      // What is out of the running gives its memory back.
      for (const other of tried) if (!kept.includes(other) && other !== estimated) other.executable.dispose();
    }
    const best = [...tried]
      .sort(byTime)
      .slice(0, finalists)
      .filter((each) => each !== estimated);
    const result = this.compare([estimated, ...best], inputs, began + milliseconds);
    for (const { executable } of [estimated, ...best]) executable.dispose();
    for (const input of inputs) input.release();
    const { batch, rows, depth, columns } = product;
    const gigaflops = (ms: number): number => (2 * batch * rows * depth * columns) / ms / 1e6;
    return {
      ...product,
      estimated: gigaflops(result.estimated),
      best: gigaflops(result.best),
      share: gigaflops(result.best) / (result.loop * this.target.threads),
      choice: result.choice,
      tried: tried.length - 1,
      choices: choices.length,
    };
  }

  private choicesOf(product: PlainProduct): readonly TileChoice[] {
    const problems = plainProblems(product);
    const isTiled = fewRowsOf(problems, "f32", this.target) === undefined;
    return isTiled ? choicesFor(problems, "f32", this.target) : [];
  }

  /** Compiled and measured. */
  private candidate(
    fn: GraphFunction,
    inputs: readonly Storage[],
    choice: TileChoice | undefined,
  ): Candidate {
    this.current.choice = choice;
    const executable = this.device.compile(fn);
    run(executable, inputs, 1);
    const once = run(executable, inputs, 1);
    const repetitions = Math.max(1, Math.ceil(sampleMs / Math.max(once, 1e-3)));
    let milliseconds = once;
    for (let sample = 0; sample < tryingSamples && once < 50 * sampleMs; sample++)
      milliseconds = Math.min(milliseconds, run(executable, inputs, repetitions));
    return { choice, executable, repetitions, milliseconds };
  }

  /** In turn, with the loop beside: the first is left only for one that is faster in most rounds, and in the best of them. */
  private compare(
    candidates: readonly Candidate[],
    inputs: readonly Storage[],
    end: number,
  ): { estimated: number; best: number; choice: TileChoice | undefined; loop: number } {
    const times = candidates.map((): number[] => []);
    let loop = 0;
    for (let round = 0; round < leastRounds || (round < mostRounds && monotonicMs() < end); round++) {
      loop = Math.max(loop, this.loopSpeed());
      candidates.forEach(({ executable, repetitions }, i) => {
        times[i]!.push(run(executable, inputs, repetitions));
      });
    }
    const gains = times.map((own) => median(own.map((time, round) => times[0]![round]! / time)));
    const least = times.map((own) => Math.min(...own));
    const winner = gains.indexOf(Math.max(...gains));
    const isFaster = gains[winner]! >= leastGain && least[winner]! * leastGain <= least[0]!;
    const best = isFaster ? winner : 0;
    return {
      estimated: least[0]!,
      best: least[best]!,
      choice: candidates[best]!.choice,
      loop,
    };
  }

  /** GFLOP/s of multiply-adds on one thread. */
  private loopSpeed(): number {
    const passes = 20_000;
    const began = monotonicMs();
    this.loop.run(passes);
    return (passes * this.loop.flop) / (monotonicMs() - began) / 1e6;
  }
}

const byTime = (a: Candidate, b: Candidate): number => a.milliseconds - b.milliseconds;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** Milliseconds a run. */
function run(executable: Executable, inputs: readonly Storage[], repetitions: number): number {
  const began = monotonicMs();
  for (let i = 0; i < repetitions; i++) for (const result of executable.run(inputs)) result.release();
  return (monotonicMs() - began) / repetitions;
}

function traced({ batch, rows, depth, columns, form }: PlainProduct): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const batches = batch > 1 ? [batch] : [];
    const stored = (shape: [number, number], isTransposed: boolean) => {
      const x = parameter({ shape: [...batches, ...(isTransposed ? shape.reverse() : shape)], dtype: "f32" });
      return { x, view: isTransposed ? transpose(x) : x };
    };
    const [a, b] = [stored([rows, depth], form === "tn"), stored([depth, columns], form === "nt")];
    return { name: "product", parameters: [a.x, b.x], results: [dot(a.view, b.view)], assignments: [] };
  });
}

/** No subnormals, no infinities: numbers of about the same size. */
function numbers(shape: readonly number[]): { dtype: "f32"; shape: readonly number[]; data: Float32Array } {
  const data = new Float32Array(shape.reduce((n, size) => n * size, 1));
  for (let i = 0; i < data.length; i++) data[i] = ((i * 37) % 101) / 101 - 0.4;
  return { dtype: "f32", shape, data };
}
