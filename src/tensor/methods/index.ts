/** All methods of a tensor: their types, and the functions on nodes that do the work. */
import type { Node } from "../../graph/node.ts";
import { type ActivationMethods, activations } from "./activations.ts";
import { type ArithmeticMethods, arithmetic } from "./arithmetic.ts";
import { type ArrangementMethods, arrangement } from "./arrangement.ts";
import { type ComparisonMethods, comparison } from "./comparison.ts";
import { type IndexingMethods, indexing } from "./indexing.ts";
import { type MovementMethods, movement } from "./movement.ts";
import { type PartMethods, parts } from "./parts.ts";
import { type ProductMethods, products } from "./products.ts";
import { type ReduceMethods, reductions } from "./reduce.ts";
import { type SortingMethods, sorting } from "./sorting.ts";
import { type StatisticsMethods, statistics } from "./statistics.ts";
import { type UnaryMethods, unary } from "./unary.ts";

export interface Methods
  extends ActivationMethods,
    ArithmeticMethods,
    ArrangementMethods,
    ComparisonMethods,
    IndexingMethods,
    MovementMethods,
    PartMethods,
    ProductMethods,
    ReduceMethods,
    SortingMethods,
    StatisticsMethods,
    UnaryMethods {}

/** A method as a function of the tensor's node and the arguments. */
export type NodeMethod = (x: Node, ...args: never[]) => Node | Node[] | Readonly<Record<string, Node>>;

/** Every method of the interfaces has its function, and every function its method: the type checker compares. */
export const methods: { readonly [name in keyof Methods]: NodeMethod } = {
  ...activations,
  ...arithmetic,
  ...arrangement,
  ...comparison,
  ...indexing,
  ...movement,
  ...parts,
  ...products,
  ...reductions,
  ...sorting,
  ...statistics,
  ...unary,
};
