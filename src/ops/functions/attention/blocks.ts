/** Arrays cut into blocks, and loops over them: each array is sliced at the levels that it has, and captured at the others. */
import type { Node } from "../../../graph/node.ts";
import { reshape } from "../../broadcast.ts";
import { type ScanResult, type ScanStep, scan } from "../../scan.ts";

/** What a loop counts; `head` stands for each head of keys, with all heads of queries that share it. */
export type Level = "batch" | "head" | "queries" | "keys";

/** The first axes of the node are these levels, in order; the others are a block's. */
export interface Blocks {
  readonly node: Node;
  readonly levels: readonly Level[];
}

/** Arrays by name; those that are not there are undefined. */
export type Operands<Names extends string> = { readonly [name in Names]: Blocks | undefined };

/** Each array where the body of a loop sees it. */
function entered<N extends string>(
  operands: Operands<N>,
  level: Level,
  sliceOf: (blocks: Blocks) => Node,
): Operands<N> {
  const entries = Object.entries<Blocks | undefined>(operands).map(([name, blocks]) => {
    if (blocks?.levels[0] !== level) return [name, blocks];
    return [name, { node: sliceOf(blocks), levels: blocks.levels.slice(1) }];
  });
  return Object.fromEntries(entries) as Operands<N>;
}

/**
 * A scan over one level: `body` gets the carries and the arrays without that level. A level of one block is no loop.
 */
export function eachBlock<N extends string>(
  { level, length, range }: { level: Level; length: number; range?: Node | undefined },
  operands: Operands<N>,
  initial: readonly Node[],
  body: (carry: readonly Node[], operands: Operands<N>) => ScanStep,
): ScanResult {
  if (length === 1) {
    const { carry, stacked = [] } = body(
      initial,
      entered(operands, level, ({ node }) => withoutFirst(node)),
    );
    return { carry, stacked: stacked.map((x) => reshape(x, [1, ...x.shape])) };
  }
  const moving = Object.values<Blocks | undefined>(operands).filter(
    (blocks): blocks is Blocks => blocks?.levels[0] === level,
  );
  return scan(
    initial,
    moving.map(({ node }) => node),
    (carry, slices) =>
      body(
        carry,
        entered(operands, level, (blocks) => slices[moving.indexOf(blocks)]!),
      ),
    { length, ...(range !== undefined && { range }) },
  );
}

/** Loops over several levels that carry nothing: what the body gives is stacked along all of them. */
export function mapBlocks<N extends string>(
  levels: readonly { readonly level: Level; readonly length: number }[],
  operands: Operands<N>,
  body: (operands: Operands<N>) => readonly Node[],
): readonly Node[] {
  const [first, ...rest] = levels;
  if (first === undefined) return body(operands);
  return eachBlock(first, operands, [], (_, inner) => ({
    carry: [],
    stacked: mapBlocks(rest, inner, body),
  })).stacked;
}

const withoutFirst = (node: Node): Node => reshape(node, node.shape.slice(1));
