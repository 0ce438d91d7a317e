import type { Node } from "../graph/node.ts";
import type { ProgramStep } from "../ir/program.ts";
import type { Accesses } from "./access.ts";
import type { BlockLowering } from "./lower-program.ts";
export function lowerRegion(
  _block: BlockLowering,
  _root: Node,
  _accesses: Accesses,
  _steps: ProgramStep[],
): void {
  throw new Error("regions");
}
