import { f32 } from "./graph.ts";

export const [zeros, x] = [f32("zeros", 8), f32("x", 5, 8)];
