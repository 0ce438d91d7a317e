/** A fresh process's way to its first training step. */
import type { WorkOf } from "../protocol.ts";
import { buildStep } from "./mlp.ts";

const loss = await buildStep(JSON.parse(process.argv[2]) as WorkOf<"mlp">)().item();
const residentBytes = process.resourceUsage().maxRSS * 1024;
process.stdout.write(`${JSON.stringify({ loss, residentBytes })}\n`);
