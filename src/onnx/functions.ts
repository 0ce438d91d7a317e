/** Operators that a file defines itself: nodes that call them become the nodes that they stand for. */
import { FormatError } from "../base/errors.ts";
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode } from "../formats/index.ts";

/** A few lines can call each other so that they stand for more nodes than memory holds. */
const mostNodes = 200_000;

/**
 * The model without functions.
 *
 * @throws FormatError for functions that call themselves, or were written for another version of ONNX's operators
 */
export function withoutFunctions(model: OnnxModel): OnnxModel {
  const { functions = [], ...rest } = model;
  if (functions.length === 0) return model;
  return { ...rest, graph: new Inliner(functions, model.opsets).graph(model.graph) };
}

const keyOf = (domain: string, name: string, overload = ""): string => `${domain}:${name}:${overload}`;

const calledAs = ({ domain, op }: OnnxNode): string => `${domain === "" ? "" : `${domain}.`}${op}`;

class Inliner {
  private readonly functions: ReadonlyMap<string, OnnxFunction>;
  private readonly opsets: ReadonlyMap<string, number>;
  /** Functions whose nodes are being put in. */
  private readonly open: OnnxFunction[] = [];
  private nodeCount = 0;

  constructor(functions: readonly OnnxFunction[], opsets: ReadonlyMap<string, number>) {
    this.functions = new Map(functions.map((one) => [keyOf(one.domain, one.name, one.overload), one]));
    this.opsets = opsets;
  }

  graph(graph: OnnxGraph): OnnxGraph {
    return { ...graph, nodes: graph.nodes.flatMap((node) => this.node(node)) };
  }

  private node(node: OnnxNode): readonly OnnxNode[] {
    if (++this.nodeCount > mostNodes)
      throw new FormatError(
        `onnx: with its functions written out the model has more than ${mostNodes} nodes`,
      );
    const called = this.functions.get(keyOf(node.domain, node.op, node.overload));
    if (called !== undefined) return this.call(called, node);
    const attributes = mapped(node.attributes, (attribute) =>
      attribute.kind === "graph" ? { ...attribute, value: this.graph(attribute.value) } : attribute,
    );
    return [{ ...node, attributes }];
  }

  private call(called: OnnxFunction, node: OnnxNode): readonly OnnxNode[] {
    this.requireCallable(called, node);
    this.open.push(called);
    const body = new Body(called, node);
    const nodes = called.nodes.flatMap((inner) => this.node(body.node(inner)));
    this.open.pop();
    return [...nodes, ...body.passedOn()];
  }

  private requireCallable(called: OnnxFunction, node: OnnxNode): void {
    if (this.open.includes(called))
      throw new FormatError(`onnx: the function ${calledAs(node)} calls itself; the model is damaged`);
    const [own, version] = [called.opsets.get(""), this.opsets.get("")];
    if (own !== undefined && version !== undefined && own !== version)
      throw new FormatError(
        `onnx: the function ${calledAs(node)} uses version ${own} of ONNX's operators, the model ${version}; export it with its functions inlined`,
      );
    if (node.inputs.length > called.inputs.length || node.outputs.length > called.outputs.length)
      throw new FormatError(
        `onnx: node "${node.name || node.outputs[0]}" has ${node.inputs.length} inputs and ${node.outputs.length} outputs; ` +
          `the function ${calledAs(node)} has ${called.inputs.length} and ${called.outputs.length}`,
      );
  }
}

/** A function's nodes as one call has them: its own names for the formal ones, and names of their own for what is inside. */
class Body {
  private readonly names: ReadonlyMap<string, string>;
  private readonly attributes: ReadonlyMap<string, OnnxAttribute>;
  private readonly called: OnnxFunction;
  private readonly caller: OnnxNode;
  /** Values have one name each in a graph, so that what stands behind it is nobody else's. */
  private readonly prefix: string;

  constructor(called: OnnxFunction, caller: OnnxNode) {
    this.called = called;
    this.caller = caller;
    this.attributes = new Map([...called.defaults, ...caller.attributes]);
    this.prefix = `${caller.outputs.find((name) => name !== "") ?? caller.name}::`;
    const given = called.inputs.map((name, i) => [name, caller.inputs[i] ?? ""] as const);
    const wanted = called.outputs.flatMap((name, i) => {
      const actual = caller.outputs[i] ?? "";
      return actual === "" || called.inputs.includes(name) ? [] : [[name, actual] as const];
    });
    this.names = new Map([...wanted, ...given]);
  }

  node(node: OnnxNode): OnnxNode {
    return {
      ...node,
      name: `${this.caller.name || this.caller.op}/${node.name || node.op}`,
      inputs: node.inputs.map((name) => this.name(name)),
      outputs: node.outputs.map((name) => this.name(name)),
      attributes: new Map(
        [...node.attributes].flatMap(([name, attribute]) => {
          const value = this.attribute(attribute);
          return value === undefined ? [] : [[name, value] as const];
        }),
      ),
    };
  }

  /** Outputs that are inputs as they came. */
  passedOn(): readonly OnnxNode[] {
    return this.called.outputs.flatMap((name, i) => {
      const actual = this.caller.outputs[i] ?? "";
      if (actual === "" || !this.called.inputs.includes(name)) return [];
      return [
        {
          op: "Identity",
          domain: "",
          name: this.caller.name,
          inputs: [this.name(name)],
          outputs: [actual],
          attributes: new Map(),
        },
      ];
    });
  }

  private name(name: string): string {
    return name === "" ? "" : (this.names.get(name) ?? this.prefix + name);
  }

  private attribute(attribute: OnnxAttribute): OnnxAttribute | undefined {
    // Left out where neither the call nor the function gives it.
    if (attribute.kind === "reference") return this.attributes.get(attribute.value);
    return attribute.kind === "graph" ? { ...attribute, value: this.graph(attribute.value) } : attribute;
  }

  private graph(graph: OnnxGraph): OnnxGraph {
    const value = <Named extends { readonly name: string }>(one: Named): Named => ({
      ...one,
      name: this.name(one.name),
    });
    return {
      ...graph,
      nodes: graph.nodes.map((node) => this.node(node)),
      initializers: new Map([...graph.initializers].map(([name, array]) => [this.name(name), array])),
      inputs: graph.inputs.map(value),
      outputs: graph.outputs.map(value),
    };
  }
}

const mapped = (
  attributes: ReadonlyMap<string, OnnxAttribute>,
  change: (attribute: OnnxAttribute) => OnnxAttribute,
): ReadonlyMap<string, OnnxAttribute> =>
  new Map([...attributes].map(([name, attribute]) => [name, change(attribute)]));
