/** A table of a model's layers: output shapes, parameters, bytes and FLOP, found by tracing without computing anything. */
import { bytesOf, type DType } from "../base/dtype.ts";
import { maxElementCount, type Shape, shapeText } from "../base/shape.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import { type DotAxes, parameter as placeholder } from "../ops/index.ts";
import { StateTensor, Tensor } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { traceCompiled } from "../tensor/tracing.ts";
import { watchCalls } from "./call.ts";
import { listingOf } from "./members.ts";
import type { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import { RandomStream } from "./random-stream.ts";

export interface LayerSummary {
  /** "" for the model itself. */
  readonly path: string;
  /** The class. */
  readonly name: string;
  /** The output of the last call; undefined when nothing was traced, or for a layer that was not called. */
  readonly outputShape: Shape | undefined;
  /** Elements of the layer's own parameters, its children's apart. */
  readonly parameters: number;
  readonly trainableParameters: number;
  /** Bytes of its own parameters and buffers. */
  readonly bytes: number;
  /** Floating-point operations of its own forward, its children's apart: 2·M·N·K for a product, 1 an element for the rest. */
  readonly flop: number;
  /** Bytes that an optimizer keeps for its own parameters: see `withOptimizer`. */
  readonly optimizerBytes?: number;
}

/** What an optimizer keeps for a parameter: every optimizer of `netwright/optim` can say it. */
export interface OptimizerStates {
  statesOf(parameter: Parameter): ReadonlyMap<string, StateTensor>;
}

/** The table; `toString()` draws it. */
export class ModuleSummary {
  readonly layers: readonly LayerSummary[];
  /** Parameters of the layers, in their order. */
  readonly #own: readonly (readonly Parameter[])[];

  constructor(layers: readonly LayerSummary[], own: readonly (readonly Parameter[])[]) {
    this.layers = layers;
    this.#own = own;
  }

  /**
   * The same with what an optimizer keeps for each layer's parameters.
   *
   * @example
   * const model = new Linear(4, 2);
   * model.summary().withOptimizer(new Adam(model.parameters())).optimizerBytes; // 80: two moments of ten numbers
   */
  withOptimizer(optimizer: OptimizerStates): ModuleSummary {
    const layers = this.layers.map((layer, i): LayerSummary => {
      const kept = this.#own[i]!.flatMap((parameter) => [...optimizer.statesOf(parameter).values()]);
      return { ...layer, optimizerBytes: bytesIn(kept) };
    });
    return new ModuleSummary(layers, this.#own);
  }

  get parameters(): number {
    return this.total((layer) => layer.parameters);
  }
  get trainableParameters(): number {
    return this.total((layer) => layer.trainableParameters);
  }
  /** Parameters and buffers. */
  get bytes(): number {
    return this.total((layer) => layer.bytes);
  }
  /** 0 before `withOptimizer`. */
  get optimizerBytes(): number {
    return this.total((layer) => layer.optimizerBytes ?? 0);
  }
  get flop(): number {
    return this.total((layer) => layer.flop);
  }

  toString(): string {
    const isTraced = this.layers.some((layer) => layer.outputShape !== undefined);
    const isTrained = this.layers.some((layer) => layer.optimizerBytes !== undefined);
    const rows = this.layers.map((layer) => cellsOf(layer, isTraced, isTrained));
    const titles = [
      "layer",
      ...(isTraced ? ["output"] : []),
      "parameters",
      "bytes",
      ...(isTrained ? ["optimizer"] : []),
      ...(isTraced ? ["FLOP"] : []),
    ];
    const frozen = this.parameters - this.trainableParameters;
    const total = [
      `${grouped(this.parameters)} parameters (${sizeText(this.bytes)})`,
      ...(frozen > 0 ? [`${grouped(this.trainableParameters)} trainable, ${grouped(frozen)} frozen`] : []),
      ...(isTrained ? [`optimizer ${sizeText(this.optimizerBytes)}`] : []),
      ...(isTraced ? [`${countText(this.flop)}FLOP forward`] : []),
    ].join(", ");
    return [...table([titles, ...rows]), total].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  private total(of: (layer: LayerSummary) => number): number {
    return this.layers.reduce((sum, layer) => sum + of(layer), 0);
  }
}

/** Traces `module` on placeholders like `inputs`, if there are any, and gathers the figures. */
export function summarize(module: Module, inputs: readonly (Tensor | Shape)[]): ModuleSummary {
  const { modules, states } = listingOf(module);
  const { outputs, flop } = inputs.length === 0 ? untraced : traceForward(module, inputs);
  const unseen = new Set([...states.keys()].filter((state) => !(state instanceof RandomStream)));
  const ownParameters: Parameter[][] = [];
  const layers = [...modules].map(([layer, path]): LayerSummary => {
    // A tied state counts for the layer that comes first.
    const own = layer
      .members()
      .flatMap(({ value }) => (value instanceof StateTensor && unseen.delete(value) ? [value] : []));
    const parameters = own.filter((state) => state instanceof Parameter);
    ownParameters.push(parameters);
    return {
      path,
      name: layer.constructor.name,
      outputShape: outputs.get(layer),
      parameters: elementsOf(parameters),
      trainableParameters: elementsOf(parameters.filter((parameter) => parameter.trainable)),
      bytes: bytesIn(own),
      flop: flop.get(path) ?? 0,
    };
  });
  return new ModuleSummary(layers, ownParameters);
}

const bytesIn = (states: readonly StateTensor[]): number =>
  states.reduce((sum, state) => sum + elementsOf([state]) * bytesOf(state.dtype), 0);

const elementsOf = (states: readonly StateTensor[]): number =>
  states.reduce((sum, { shape }) => sum + maxElementCount(shape), 0);

interface ForwardTrace {
  readonly outputs: ReadonlyMap<Module, Shape>;
  /** By path. */
  readonly flop: ReadonlyMap<string, number>;
}

const untraced: ForwardTrace = { outputs: new Map(), flop: new Map() };

/** Runs `forward` in a trace that is thrown away: assignments within it happen nowhere. */
function traceForward(module: Module, inputs: readonly (Tensor | Shape)[]): ForwardTrace {
  return traceCompiled(() => {
    const outputs = new Map<Module, Shape>();
    const roots: Node[] = [];
    const watch = (layer: Module, _path: string, output: unknown): void => {
      const tensors = [output].flat(Infinity).filter((item) => item instanceof Tensor);
      if (tensors[0]) outputs.set(layer, tensors[0].shape);
      roots.push(...tensors.map(nodeOf));
    };
    const given = inputs.map((input) => fromNode(placeholder(typeOf(input), "input")));
    watchCalls(watch, () => module.forward(...(given as never[])));
    return { outputs, flop: flopByPath(module, roots) };
  }).result;
}

const typeOf = (input: Tensor | Shape): { shape: Shape; dtype: DType } =>
  input instanceof Tensor ? { shape: input.shape, dtype: input.dtype } : { shape: input, dtype: "f32" };

/** Nodes know the layer that built them. Those of the model itself go by its class. */
function flopByPath(module: Module, roots: readonly Node[]): Map<string, number> {
  const flop = new Map<string, number>();
  for (const node of topologicalOrder(roots)) {
    const { modulePath } = node.origin;
    const path = modulePath === module.constructor.name ? "" : modulePath;
    flop.set(path, (flop.get(path) ?? 0) + flopOf(node));
  }
  return flop;
}

function flopOf(node: Node): number {
  const elements = maxElementCount(node.shape);
  const [first] = node.inputs;
  switch (node.op.kind) {
    case "dot":
      return 2 * elements * maxElementCount(first!.shape.slice(-(node.attributes as DotAxes).depth));
    case "elementwise":
      return elements;
    case "reduce":
      return maxElementCount(first!.shape);
    default:
      return 0;
  }
}

function cellsOf(layer: LayerSummary, isTraced: boolean, isTrained: boolean): string[] {
  const depth = layer.path === "" ? 0 : layer.path.split(".").length;
  const name = layer.path.split(".").at(-1)!;
  const frozen = layer.parameters > 0 && layer.trainableParameters === 0 ? " (frozen)" : "";
  const title = `${"  ".repeat(depth)}${name === "" ? "" : `${name} `}${layer.name}${frozen}`;
  const shown = (value: number, text: (value: number) => string): string => (value === 0 ? "" : text(value));
  const output = layer.outputShape ? shapeText(layer.outputShape) : "";
  return [
    title,
    ...(isTraced ? [output] : []),
    shown(layer.parameters, grouped),
    shown(layer.bytes, sizeText),
    ...(isTrained ? [shown(layer.optimizerBytes ?? 0, sizeText)] : []),
    ...(isTraced ? [shown(layer.flop, countText)] : []),
  ];
}

/** Rows with aligned columns: the first two to the left, figures to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const figures = rows[0]!.indexOf("parameters");
  const cell = (text: string, column: number): string =>
    column < figures ? text.padEnd(widths[column]!) : text.padStart(widths[column]!);
  return rows.map((row) => row.map(cell).join("  ").trimEnd());
}

/** 50240 → 50,240. */
const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ",");

const scaled = (value: number, units: readonly string[]): string => {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(value, 1)) / 3)));
  const digits = power === 0 ? 0 : 1;
  return `${(value / 1000 ** power).toFixed(digits)} ${units[power]}`;
};

const sizeText = (bytes: number): string => scaled(bytes, ["B", "kB", "MB", "GB", "TB"]);
const countText = (count: number): string => scaled(count, ["", "k", "M", "G", "T"]);
