/** Models of Keras and TensorFlow.js as modules. */
import { FormatError } from "../../base/errors.ts";
import { countElements, type HostArray } from "../../base/host-array.ts";
import { sameShape, shapeText } from "../../base/shape.ts";
import { type KerasContent, type KerasLayerConfig, readKeras } from "../../formats/index.ts";
import { layersOf, nameOf } from "../../formats/keras/reader.ts";
import { Module, ModuleDict, Sequential } from "../../nn/index.ts";
import { type Tensor, zeros } from "../../tensor/index.ts";
import { type MadeLayer, makeLayer, permuted, tidy } from "./layers.ts";

/**
 * A model of Keras (`.keras`, `.h5`) or TensorFlow.js (`model.json`) with its weights: a `Sequential`, or for functional models a module
 * that runs their graph. Outputs are Keras's, inputs are laid out as there: images are (N, H, W, C).
 *
 * Common layers are supported: dense, convolutions, pooling, normalization, embedding, activations, padding, merging. Anything
 * else, and options that change what is computed, are errors that name the layer.
 *
 * @param source the file's path, or what `readKeras` gave
 * @throws FormatError naming the layer that is not supported; what `readKeras` throws
 * @example
 * // not run: it needs a file of Keras
 * const model = await loadKeras("mnist.keras");
 * model.eval();
 * const probabilities = model.forward(zeros([1, 28, 28, 1]));
 */
export async function loadKeras(
  source: string | KerasContent,
): Promise<Module & { forward(...inputs: Tensor[]): Tensor }> {
  const content = typeof source === "string" ? await readKeras(source) : source;
  const { class_name: kind } = content.config;
  if (kind === "Sequential") return sequentialOf(content) as never;
  if (kind === "Functional" || kind === "Model") return graphOf(content);
  throw new FormatError(
    `loadKeras: the file holds a ${kind}; Sequential and functional models are supported`,
  );
}

function sequentialOf(content: KerasContent): Sequential {
  const layers = layersOf(content.config);
  const first = layers[0];
  let shape: readonly unknown[] | undefined =
    first &&
    (inputShape(first) ?? (content.config.config["build_input_shape"] as unknown[] | undefined)?.slice(1));
  const modules: Module[] = [];
  for (const layer of layers) {
    shape ??= inputShape(layer);
    const known = requireShape(layer, shape);
    const made = madeOf(content, layer, known);
    modules.push(...made.modules);
    shape = outputShape(layer, new Sequential(...(made.modules as never[])), [known]);
  }
  return new Sequential(...(tidy(modules) as never[])) as never;
}

/** Without the batch; undefined where the layer says none. */
function inputShape({ config }: KerasLayerConfig): unknown[] | undefined {
  const given = config["batch_shape"] ?? config["batch_input_shape"];
  return Array.isArray(given) ? given.slice(1) : undefined;
}

function requireShape(layer: KerasLayerConfig, shape: readonly unknown[] | undefined): readonly number[] {
  if (shape?.every((size) => Number.isInteger(size) && (size as number) > 0)) return shape as number[];
  const found = shape === undefined ? "is not told" : `is (${shape.map((size) => size ?? "any").join(", ")})`;
  throw new FormatError(
    `loadKeras: the shape of what layer "${nameOf(layer)}" gets ${found}; models of known sizes are supported`,
  );
}

/** Shapes are those of a run that computes nothing; in evaluation, so that no running statistics change. */
function outputShape(
  layer: KerasLayerConfig,
  module: Module & { forward(...inputs: Tensor[]): Tensor },
  inputs: readonly (readonly number[])[],
): readonly number[] {
  const dtype = layer.class_name === "Embedding" ? { dtype: "i32" as const } : {};
  const tensors = inputs.map((shape) => zeros([1, ...shape], dtype) as unknown as Tensor);
  module.eval();
  const { shape } = module.forward(...tensors);
  module.train();
  return (shape as readonly number[]).slice(1);
}

function madeOf(content: KerasContent, layer: KerasLayerConfig, shape: readonly number[]): MadeLayer {
  const what = `loadKeras: layer "${nameOf(layer)}"`;
  const made = makeLayer(layer.class_name, { config: layer.config, shape, what });
  setWeights(what, made, content.weights.get(nameOf(layer)) ?? []);
  return made;
}

function setWeights(what: string, { weights: places = [] }: MadeLayer, arrays: readonly HostArray[]): void {
  // Layers that draw at random keep the state of that among their arrays.
  if (places.length === 0) return;
  if (arrays.length !== places.length)
    throw new FormatError(`${what} needs ${places.length} arrays, the file has ${arrays.length}`);
  const byModule = new Map<Module, Map<string, HostArray>>();
  places.forEach(({ module, state, axes, shape }, i) => {
    const turned = permuted(what, arrays[i]!, axes);
    const isSameCount = shape !== undefined && countElements(shape) === turned.data.length;
    const value = isSameCount ? { ...turned, shape } : turned;
    const expected = module.stateDict().get(state)!.shape;
    if (!sameShape(expected, value.shape))
      throw new FormatError(
        `${what}: its ${state} has shape ${shapeText(value.shape)} in the file, ${shapeText(expected)} is needed`,
      );
    byModule.set(module, (byModule.get(module) ?? new Map()).set(state, value));
  });
  for (const [module, values] of byModule) module.loadStateDict(values, { strict: false, cast: true });
}

/** A tensor of the graph: the layer that makes it, by name. */
interface Call {
  readonly layer: string;
  readonly inputs: readonly string[];
}

/** A functional model: layers by name, and the calls in an order in which each has what it needs. */
class KerasGraph extends Module {
  readonly layers: ModuleDict;
  readonly #calls: readonly Call[];
  readonly #inputs: readonly string[];
  readonly #output: string;

  constructor(
    layers: Readonly<Record<string, Module>>,
    calls: readonly Call[],
    inputs: readonly string[],
    output: string,
  ) {
    super();
    this.layers = new ModuleDict(layers as never);
    this.#calls = calls;
    this.#inputs = inputs;
    this.#output = output;
  }

  forward(...given: Tensor[]): Tensor {
    const values = new Map(this.#inputs.map((name, i) => [name, given[i]!]));
    for (const { layer, inputs } of this.#calls) {
      const module = this.layers.get(layer) as unknown as { forward(...inputs: Tensor[]): Tensor };
      values.set(layer, module.forward(...inputs.map((name) => values.get(name)!)));
    }
    return values.get(this.#output)!;
  }
}

function graphOf(content: KerasContent): KerasGraph {
  const { config } = content.config;
  const layers = new Map(layersOf(content.config).map((layer) => [nameOf(layer), layer]));
  const inputs = endsOf(config["input_layers"]);
  const outputs = endsOf(config["output_layers"]);
  if (outputs.length !== 1)
    throw new FormatError(
      `loadKeras: the model has ${outputs.length} outputs (${outputs.join(", ")}); one is supported`,
    );
  const calls: Call[] = [];
  const modules: Record<string, Module> = {};
  const shapes = new Map<string, readonly number[]>();
  const visiting = new Set<string>();
  const visit = (name: string): void => {
    if (shapes.has(name)) return;
    const layer = layers.get(name);
    if (layer === undefined || visiting.has(name))
      throw new FormatError(`loadKeras: layer "${name}" is ${layer ? "its own input" : "missing"}`);
    visiting.add(name);
    if (layer.class_name === "InputLayer") {
      shapes.set(name, requireShape(layer, inputShape(layer)));
      return;
    }
    const nodes = layer.inbound_nodes ?? [];
    if (nodes.length !== 1)
      throw new FormatError(`loadKeras: layer "${name}" is called ${nodes.length} times; once is supported`);
    const sources = sourcesOf(nodes[0]);
    sources.forEach(visit);
    const given = sources.map((source) => shapes.get(source)!);
    const made = madeOf(content, layer, given[0] ?? requireShape(layer, undefined));
    const isMerge = made.modules.length === 1 && sources.length > 1;
    const module = isMerge ? made.modules[0]! : new Sequential(...(tidy(made.modules) as never[]));
    // Names with dots or slashes are no names of modules.
    modules[name] = module as Module;
    shapes.set(name, outputShape(layer, module as never, given));
    calls.push({ layer: name, inputs: sources });
  };
  outputs.forEach(visit);
  return new KerasGraph(modules, calls, inputs, outputs[0]!);
}

/** `["name", 0, 0]` for one, or a list of such. */
function endsOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return typeof value[0] === "string" ? [value[0]] : value.map((end) => String(end?.[0]));
}

/** The layers whose outputs a call gets: of Keras 3 in "keras_history", before as `[name, node, tensor, options]`. */
function sourcesOf(node: unknown): string[] {
  if (Array.isArray(node)) return node.map((entry) => String(entry?.[0]));
  const found: string[] = [];
  const search = (value: any): void => {
    if (value === null || typeof value !== "object") return;
    if (value.class_name === "__keras_tensor__") found.push(String(value.config?.keras_history?.[0]));
    else Object.values(value).forEach(search);
  };
  search((node as any)?.args);
  return found;
}
