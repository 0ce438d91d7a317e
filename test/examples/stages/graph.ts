/** Names that examples about nodes of the graph use without declaring them. */
import type { Node } from "../../../src/graph/node.ts";
import { full, like, mul, parameter } from "../../../src/ops/index.ts";

export const f32 = (name: string, ...shape: number[]): Node => parameter({ shape, dtype: "f32" }, name);
export const i32 = (name: string, ...shape: number[]): Node => parameter({ shape, dtype: "i32" }, name);

export const x = f32("x", 32, 784);
export const [zero, one] = [like(x, 0), like(x, 1)];
export const y = mul(x, like(x, 2));
export const [u, v] = [like(y, 1), like(x, 1)];
export const w = f32("w", 3);
export const weight = f32("weight", 784, 64);
export const logits = f32("logits", 32, 10);
export const labels = i32("labels", 32);
export const classes = full([32], 10, "i32");
export const [a, b] = [f32("a", 2, 3), f32("b", 2, 4)];
export const key = parameter({ shape: [2], dtype: "u32" }, "key");
export const tokens = i32("tokens", 4, 5);
export const embedding = f32("embedding", 100, 8);
export const zeros = like(embedding, 0);
export const gradients = f32("gradients", 4, 5, 8);
