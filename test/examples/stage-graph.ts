/** Names that docstring examples about nodes of the graph use without declaring them. */
import type { Node } from "../../src/graph/node.ts";
import { parameter, scalar } from "../../src/ops/index.ts";

const f32 = (name: string, ...shape: number[]): Node => parameter({ shape, dtype: "f32" }, name);

export const x = f32("x", 32, 784);
export const weight = f32("weight", 784, 64);
export const labels = parameter({ shape: [32], dtype: "i32" }, "labels");
export const w = f32("w", 3);
export const zero = scalar(0, "f32");
export const y = x;
export const [u, v] = [f32("u", 32, 784), f32("v", 32, 784)];
