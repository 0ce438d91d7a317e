/** What the lowerings of one root that does not fuse are given. */
import type { Node } from "../graph/node.ts";
import type { Accesses } from "./access.ts";
import type { KernelContext, Location } from "./kernel-context.ts";

export interface SingleRequest {
  readonly root: Node;
  readonly accesses: Accesses;
  readonly output: Location;
  readonly context: KernelContext;
}
