/**
 * Scans that run the same body over the same inputs become one, and stacks that nobody reads are not made.
 *
 * The gradient of a scan needs values from inside the forward iterations. It asks for them by a second scan with the same
 * parameters and more results (`ops/scan-gradient.ts`); here the two become one, so that nothing is computed twice.
 *
 * Precondition: a verified graph. Postcondition: no two scans share inputs and parameters, and every stack has a reader, in
 * the bodies of loops as well.
 */
import { type GraphFunction, rootsOf } from "../graph/function.ts";
import { creationOrder, type Node, topologicalOrder } from "../graph/node.ts";
import { makeNode, Trace, withTrace } from "../graph/trace.ts";
import { ClosedRegion, output, type ScanAttributes } from "../ops/index.ts";

type ScanNode = Node<ScanAttributes>;

const isScan = ({ op }: Node): boolean => op.kind === "region" && op.loop === "scan";

/** Scans that run alike, and those of their bodies' stacked results that are read. */
interface Group {
  readonly scans: ScanNode[];
  readonly stacked: Set<Node>;
}

export function mergeScans(fn: GraphFunction): GraphFunction {
  const roots = rootsOf(fn);
  if (!topologicalOrder(roots).some(isScan)) return fn;
  return withTrace(new Trace("compiled"), () => {
    const next = mergeBlock(roots);
    return {
      ...fn,
      results: fn.results.map((node) => next.get(node)!),
      assignments: fn.assignments.map(([state, node]) => [state, next.get(node)!] as const),
    };
  });
}

/** What stands for each node of a block, and of the bodies of its loops. */
function mergeBlock(roots: readonly Node[]): ReadonlyMap<Node, Node> {
  const order = creationOrder(roots);
  const groupOf = groupScans(order);
  const next = new Map<Node, Node>();
  for (const node of order) next.set(node, rebuilt(node, next, groupOf));
  return next;
}

function groupScans(order: readonly Node[]): ReadonlyMap<Node, Group> {
  const groups: Group[] = [];
  const groupOf = new Map<Node, Group>();
  for (const node of order) {
    if (isScan(node)) {
      const scan = node as ScanNode;
      let group = groups.find(({ scans }) => runAlike(scans[0]!, scan));
      if (group === undefined) groups.push((group = { scans: [], stacked: new Set() }));
      group.scans.push(scan);
      groupOf.set(scan, group);
    }
    const read = stackedResult(node);
    if (read !== undefined) groupOf.get(node.inputs[0]!)!.stacked.add(read);
  }
  return groupOf;
}

function runAlike(a: ScanNode, b: ScanNode): boolean {
  const [p, q] = [a.attributes, b.attributes];
  return (
    p.body.parameters === q.body.parameters &&
    p.reverse === q.reverse &&
    a.inputs.every((input, i) => input === b.inputs[i])
  );
}

/** The result of the body that an output of a scan stacks; undefined for other nodes and for carries. */
function stackedResult(node: Node): Node | undefined {
  const [scan] = node.inputs;
  if (node.op.kind !== "output" || !isScan(scan!)) return undefined;
  const { body, carryCount } = (scan as ScanNode).attributes;
  const { index } = node.attributes as { index: number };
  return index < carryCount ? undefined : body.results[index]!;
}

function rebuilt(node: Node, next: ReadonlyMap<Node, Node>, groupOf: ReadonlyMap<Node, Group>): Node {
  const inputs = node.inputs.map((input) => next.get(input)!);
  const group = groupOf.get(node);
  if (group !== undefined) {
    const [first] = group.scans as [ScanNode];
    return node === first ? merged(first, inputs, group.stacked) : next.get(first)!;
  }
  const read = stackedResult(node);
  if (read !== undefined) {
    const group = groupOf.get(node.inputs[0]!)!;
    const { carryCount } = (node.inputs[0] as ScanNode).attributes;
    return output(inputs[0]!, carryCount + [...group.stacked].indexOf(read));
  }
  const isSame = inputs.every((input, i) => input === node.inputs[i]);
  return isSame ? node : makeNode(node.op, inputs, node.attributes);
}

function merged({ op, attributes }: ScanNode, inputs: readonly Node[], stacked: ReadonlySet<Node>): Node {
  const { body, carryCount } = attributes;
  const results = [...body.results.slice(0, carryCount), ...stacked];
  const next = mergeBlock(results);
  const inner = new ClosedRegion(
    body.parameters,
    results.map((node) => next.get(node)!),
  );
  return makeNode(op, inputs, { ...attributes, body: inner });
}
