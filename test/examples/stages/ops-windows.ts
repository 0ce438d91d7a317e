import { f32 } from "./graph.ts";

export const [x, y] = [f32("x", 3, 28, 28), f32("y", 4, 3)];
