/** A graph function as text: one node a line, inputs by number. */
import { shapeText } from "../base/shape.ts";
import { type GraphFunction, rootsOf } from "./function.ts";
import { type Node, type Region, topologicalOrder } from "./node.ts";
import { State } from "./state.ts";

/**
 * step
 *   %0 = parameter f32 (2,)            name x
 *   %1 = add f32 (2,)                  %0 %0
 *   return %1
 */
export function graphText(fn: GraphFunction): string {
  const numbers = new Numbers();
  const lines = bodyLines([...fn.parameters, ...rootsOf(fn)], numbers, "  ");
  const results = fn.results.map((node) => numbers.get(node)).join(", ");
  const assigned = fn.assignments.map(([state, node]) => `  ${state.name} ← ${numbers.get(node)}`);
  return [fn.name, ...lines, ...assigned, `  return ${results}`].join("\n");
}

/** Numbers in order of printing. A region that two nodes share is printed, and numbered, twice. */
class Numbers {
  private readonly known = new Map<Node, string>();
  private count = 0;

  add(node: Node): string {
    const number = `%${this.count++}`;
    this.known.set(node, number);
    return number;
  }
  get(node: Node): string {
    return this.known.get(node)!;
  }
}

function bodyLines(roots: readonly Node[], numbers: Numbers, indent: string): string[] {
  return topologicalOrder(roots).flatMap((node) => {
    const number = numbers.add(node);
    const inputs = node.inputs.map((input) => numbers.get(input));
    const types = (node.outputs ?? [node])
      .map(({ dtype, shape }) => `${dtype} ${shapeText(shape)}`)
      .join(", ");
    const head = `${indent}${number} = ${node.op.name} ${types}`;
    const detail = [...inputs, attributesText(node)].filter(Boolean).join(" ");
    return [`${head.padEnd(40)} ${detail}`.trimEnd(), ...regionLines(node, numbers, `${indent}  `)];
  });
}

const isRegion = (value: unknown): value is Region => value instanceof Object && "parameters" in value;

function regionLines(node: Node, numbers: Numbers, indent: string): string[] {
  return Object.entries(node.attributes).flatMap(([name, value]) => {
    if (!isRegion(value)) return [];
    const lines = bodyLines([...value.parameters, ...value.results], numbers, `${indent}  `);
    const results = value.results.map((result) => numbers.get(result)).join(", ");
    return [`${indent}${name}:`, ...lines, `${indent}  return ${results}`];
  });
}

function attributesText({ attributes, op }: Node): string {
  if (op.kind === "movement" && "shape" in attributes) return "";
  return Object.entries(attributes)
    .filter(([name]) => !(op.kind === "source" && (name === "shape" || name === "dtype")))
    .flatMap(([name, value]) => {
      const text = attributeText(value);
      return text === undefined ? [] : [`${name} ${text}`];
    })
    .join(" ");
}

function attributeText(value: unknown): string | undefined {
  if (value instanceof State) return value.name;
  if (Array.isArray(value)) return `[${value.map((item) => attributeText(item) ?? "…").join(", ")}]`;
  if (typeof value === "object" && value !== null) return "max" in value ? String(value) : undefined;
  return typeof value === "function" ? undefined : String(value);
}
