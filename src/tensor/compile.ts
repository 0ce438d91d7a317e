/**
 * `compile`: a function traced once for each signature of its arguments, and replayed as one program.
 *
 * A call matches the arguments against templates (what each argument must be), collects the leaves, runs, and builds the
 * results from a template: no graph is touched.
 */
import type { TypedArray } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { currentTrace } from "../graph/trace.ts";
import type { Storage } from "../runtime/device.ts";
import { activePrecision } from "./autocast.ts";
import { asTensor } from "./create.ts";
import { commitPending, evaluate, statesChange } from "./eager.ts";
import type { Handle } from "./handle.ts";
import { launch } from "./launch.ts";
import { type Program, type ProgramReport, programReport } from "./program.ts";
import {
  type Bindings,
  build,
  difference,
  type Leaf,
  matches,
  type ShapeOption,
  type Template,
  templateOf,
  templateOfCall,
} from "./signature.ts";
import { fromValue, type Tensor } from "./tensor.ts";
import { traceProgram } from "./trace-program.ts";
import type { NestedArray } from "./types.ts";
import type { Value } from "./value.ts";

export interface CompileOptions {
  /** Shown in reports and errors; the function's own name when left out. */
  readonly name?: string;
  /**
   * Sizes that may change from call to call without tracing again: for each argument a shape in which `Dimension`s stand for
   * them, or a tree of shapes like the argument.
   *
   * @example
   * const batch = dimension("batch", { min: 1, max: 32 });
   * compile((x: Tensor, labels: Tensor) => x.sum(-1).add(labels), { shapes: [[batch, 784], [batch]] });
   */
  readonly shapes?: readonly ShapeOption[];
  /** Signatures that are kept; one more is an error, because each is traced and compiled. 32 when left out. */
  readonly maxSignatures?: number;
}

/** What a compiled function takes where the function itself takes a tensor. */
export type Argument<T> =
  T extends Tensor<infer S, infer D>
    ? Tensor<S, D> | HostArray | TypedArray | NestedArray
    : T extends readonly unknown[]
      ? { readonly [K in keyof T]: Argument<T[K]> }
      : T extends (...args: never[]) => unknown
        ? T
        : T extends object
          ? { readonly [K in keyof T]: Argument<T[K]> } | T
          : T;
export type Arguments<A extends readonly unknown[]> = { [K in keyof A]: Argument<A[K]> };

/** A compiled function. */
export interface Compiled<A extends readonly unknown[], R> {
  (...args: Arguments<A>): R;
  /** Compiles for these arguments without running: kernels, FLOP, bytes, peak memory, estimated time. */
  describe(...args: Arguments<A>): ProgramReport;
  /** The traced graph for these arguments, printed. */
  trace(...args: Arguments<A>): string;
  /** How many signatures it was traced for so far. */
  readonly signatures: number;
  /** Frees its programs; it can be called again, and traces anew. */
  dispose(): void;
}

/**
 * A function that runs as one program. It is traced once for each signature of its arguments (tree, shapes, dtypes, versions of
 * the modules it called) and replayed after that: JavaScript inside of it runs only while tracing.
 *
 * Arguments: tensors, host arrays, typed and nested arrays, and arrays and records of them; everything else, plain numbers
 * included, is a constant of the trace, so a number that changes from call to call traces again each time: pass it as a
 * tensor, or keep it in a state. State assignments are committed when the run ends well. Results are tensors in the tree
 * that the function returned; the call does not wait for them.
 *
 * @throws ArgumentError when the function is asynchronous, or has met more than `maxSignatures` signatures
 * @example
 * const step = compile((x: Tensor<[number, 2]>) => x.mul(2).sum());
 * console.log(await step([[1, 2]]).item()); // 6
 */
export function compile<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: CompileOptions = {},
): Compiled<A, R> {
  const compiled = new CompiledFunction(fn as (...args: any) => unknown, options);
  const call = (...args: unknown[]): unknown => compiled.call(args);
  return Object.defineProperties(call, {
    name: { value: compiled.name },
    describe: { value: (...args: unknown[]) => programReport(compiled.programFor(args).program) },
    trace: { value: (...args: unknown[]) => compiled.programFor(args).program.text() },
    signatures: { get: () => compiled.signatures },
    dispose: { value: () => compiled.dispose() },
  }) as unknown as Compiled<A, R>;
}

/** A program with what its arguments must be. */
interface Variant {
  readonly argument: Template;
  readonly program: Program;
}

const defaultMaxSignatures = 32;

class CompiledFunction {
  readonly name: string;
  private readonly fn: (...args: unknown[]) => unknown;
  private readonly options: CompileOptions;
  /** The one that matched last comes first. */
  private variants: Variant[] = [];
  private readonly leaves: Leaf[] = [];
  private readonly bindings: Bindings = new Map();
  private readonly inputs: (HostArray | Storage)[] = [];

  constructor(fn: (...args: unknown[]) => unknown, options: CompileOptions) {
    this.fn = fn;
    this.options = options;
    this.name = options.name ?? (fn.name || "compiled");
  }

  get signatures(): number {
    return this.variants.length;
  }

  call(args: readonly unknown[]): unknown {
    if (currentTrace().kind !== "eager") return this.inline(args);
    if (activePrecision() !== undefined)
      throw new ArgumentError(
        `${this.name}: autocast does not reach into a compiled function; call it inside the function`,
      );
    try {
      return this.run(this.programFor(args).program);
    } finally {
      this.leaves.length = 0;
      this.inputs.length = 0;
    }
  }

  /** Inside another trace the function is part of that one. */
  private inline(args: readonly unknown[]): unknown {
    return this.fn(...args.map((arg) => build(templateOf(arg, ""), () => asTensor(arg as Tensor))));
  }

  /** The program for these arguments, traced if need be; their leaves and dimensions are left in the fields. */
  programFor(args: readonly unknown[]): Variant {
    for (let i = 0; i < this.variants.length; i++) {
      const variant = this.variants[i]!;
      this.leaves.length = 0;
      this.bindings.clear();
      if (!matches(variant.argument, args, this.leaves, this.bindings)) continue;
      if (!variant.program.dependencies.hold()) return this.traceAgain(variant, args);
      if (i > 0) this.variants.unshift(...this.variants.splice(i, 1));
      return variant;
    }
    return this.traceFor(args);
  }

  private traceAgain(variant: Variant, args: readonly unknown[]): Variant {
    this.variants.splice(this.variants.indexOf(variant), 1);
    variant.program.dispose();
    return this.traceFor(args);
  }

  private traceFor(args: readonly unknown[]): Variant {
    const argument = templateOfCall(args, this.options.shapes);
    this.requireRoom(argument);
    this.leaves.length = 0;
    this.bindings.clear();
    if (!matches(argument, args, this.leaves, this.bindings)) throw this.doesNotFit(args, argument);
    const program = traceProgram(this.name, this.fn, argument);
    this.variants.unshift({ argument, program });
    return this.variants[0]!;
  }

  private doesNotFit(args: readonly unknown[], argument: Template): ArgumentError {
    const found = difference(templateOfCall(args), argument);
    return new ArgumentError(`${this.name}: the arguments do not fit the option shapes: ${found}`);
  }

  private requireRoom(argument: Template): void {
    const { maxSignatures = defaultMaxSignatures } = this.options;
    if (this.variants.length < maxSignatures) return;
    const changed = difference(this.variants[0]!.argument, argument);
    throw new ArgumentError(
      `${this.name}: traced for ${maxSignatures} signatures already, the last two differ in ${changed}. Each is compiled anew: ` +
        "pass a changing number as a tensor or keep it in a state, give a changing size a dimension (option shapes), " +
        "or raise maxSignatures",
    );
  }

  private run(program: Program): unknown {
    commitPending();
    this.collectInputs(program);
    const dimensions = this.bindings.size === 0 ? undefined : new Map(this.bindings);
    const values = statesChange(program.writes, () =>
      launch(program, this.inputs, program.history, dimensions),
    );
    return buildResults(program.results, values);
  }

  /** Arguments first, then what the function captured. */
  private collectInputs(program: Program): void {
    const { leaves, inputs } = this;
    const missing = leaves.filter((leaf): leaf is Handle => !("data" in leaf) && leaf.value === undefined);
    if (missing.length > 0) evaluate(missing);
    for (const leaf of leaves) inputs.push("data" in leaf ? leaf : leaf.value!.input());
    for (const value of program.captured) inputs.push(value.input());
  }

  dispose(): void {
    for (const { program } of this.variants) program.dispose();
    this.variants = [];
  }
}

function buildResults(template: Template, values: readonly Value[]): unknown {
  let next = 0;
  return build(template, () => fromValue(values[next++]!));
}
