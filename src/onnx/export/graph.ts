/** A traced function as an ONNX graph. */
import { ArgumentError } from "../../base/errors.ts";
import type { OnnxArray } from "../../formats/index.ts";
import { compositionOf } from "../../graph/composition.ts";
import type { Node } from "../../graph/node.ts";
import type { ScanAttributes } from "../../ops/index.ts";
import { compositionWriters } from "./compositions.ts";
import { writers } from "./rows.ts";
import { describedValue, GraphWriter } from "./writer.ts";

/** Writes what `roots` need and gives their names. `arrays` are the values of states and captured tensors, with their names. */
export function writeNodes(
  to: GraphWriter,
  roots: readonly Node[],
  arrays: ReadonlyMap<Node, { readonly name: string; readonly array: OnnxArray }>,
): string[] {
  const stack: { readonly node: Node; readonly needs: readonly Node[]; next: number }[] = [];
  const enter = (node: Node): void => {
    if (to.find(node) === undefined) stack.push({ node, needs: needsOf(node), next: 0 });
  };
  for (const root of roots) {
    enter(root);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const need = top.needs[top.next++];
      if (need !== undefined) enter(need);
      else {
        stack.pop();
        if (to.find(top.node) === undefined) write(to, top.node, arrays);
      }
    }
  }
  return roots.map((root) => to.nameOf(root));
}

/** A composition is written from its own inputs; the nodes in between are nobody's business. */
function needsOf(node: Node): readonly Node[] {
  const composition = compositionOf(node);
  if (composition !== undefined && isWritten(composition.name)) return composition.inputs;
  // What was repeated is looked at before it was, too.
  return node.inputs.flatMap((input) =>
    input.op.name === "broadcast" ? [input.inputs[0]!, input] : [input],
  );
}

const isWritten = (name: string): boolean => Object.hasOwn(compositionWriters, name);

function write(
  to: GraphWriter,
  node: Node,
  arrays: ReadonlyMap<Node, { readonly name: string; readonly array: OnnxArray }>,
): void {
  to.place = node.origin.modulePath ?? "";
  const stored = arrays.get(node);
  if (stored !== undefined) return to.setName(node, to.array(stored.array, stored.name));
  const composition = compositionOf(node);
  if (composition !== undefined && isWritten(composition.name)) {
    const inputs = composition.inputs.map((input) => to.nameOf(input));
    const made = compositionWriters[composition.name]!(to, inputs, composition, node);
    if (made !== undefined) return to.setName(node, made);
    writeNodes(to, node.inputs, arrays);
  }
  if (node.op.name === "scan") return;
  if (node.op.kind === "output") return writeOutput(to, node, arrays);
  if (!Object.hasOwn(writers, node.op.name)) throw unsupported(node);
  to.setName(node, writers[node.op.name]!(to, node));
}

function unsupported(node: Node): ArgumentError {
  const { modulePath } = node.origin;
  const where = modulePath ? ` in layer "${modulePath}"` : "";
  return new ArgumentError(
    `onnx: the op ${node.op.name}${where} cannot be exported: ONNX has nothing like it`,
  );
}

/** The outputs of a loop become names together, when the first one is asked for. */
function writeOutput(
  to: GraphWriter,
  node: Node,
  arrays: ReadonlyMap<Node, { readonly name: string; readonly array: OnnxArray }>,
): void {
  const [loop] = node.inputs as [Node];
  if (loop.op.name !== "scan") throw unsupported(loop);
  const outputs = loops.get(to)?.get(loop) ?? writeScan(to, loop, arrays);
  if (!loops.has(to)) loops.set(to, new Map());
  loops.get(to)!.set(loop, outputs);
  to.setName(node, outputs[node.attributes["index"] as number]!);
}

const loops = new WeakMap<GraphWriter, Map<Node, readonly string[]>>();

/** Carries and slices are inputs of ONNX's Scan; what a body captures it sees by name. */
function writeScan(
  to: GraphWriter,
  loop: Node,
  arrays: ReadonlyMap<Node, { readonly name: string; readonly array: OnnxArray }>,
): string[] {
  const { body, carryCount, sliceCount, reverse, range } = loop.attributes as unknown as ScanAttributes;
  if (range !== undefined)
    throw new ArgumentError('onnx: attention in blocks cannot be exported; use method: "plain"');
  if (sliceCount === 0) throw new ArgumentError("onnx: a scan without slices cannot be exported");
  const given = carryCount + sliceCount;
  const inner = new GraphWriter(to);
  const inputs = body.parameters.slice(0, given).map((parameter, i) => {
    const name = to.fresh(i < carryCount ? "carry" : "slice");
    inner.setName(parameter, name);
    return describedValue(name, parameter);
  });
  body.parameters.slice(given).forEach((parameter, i) => {
    inner.setName(parameter, to.nameOf(loop.inputs[given + i]!));
  });
  // Each result is a value of the body of its own.
  const results = body.results.map((result) => {
    const [name] = writeNodes(inner, [result], arrays);
    return describedValue(inner.add("Identity", [name!]), result);
  });
  const slices = new Array<number>(sliceCount).fill(reverse ? 1 : 0);
  const stacked = new Array<number>(results.length - carryCount).fill(reverse ? 1 : 0);
  return to.addMany(
    "Scan",
    loop.inputs.slice(0, given).map((input) => to.nameOf(input)),
    results.length,
    {
      num_scan_inputs: sliceCount,
      scan_input_directions: slices,
      ...(stacked.length > 0 && { scan_output_directions: stacked }),
      body: inner.done("body", inputs, results),
    },
  );
}
