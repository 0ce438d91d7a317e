import { scalar } from "../../../src/ops/index.ts";
import { f32 } from "./graph.ts";

export const [one, x] = [scalar(1, "f32"), f32("x")];
