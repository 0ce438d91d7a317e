/** A fresh process's way to its first training step in jax-js. */
import { init } from "@jax-js/jax";
import { buildStep } from "./mlp.mjs";

await init("wasm");
const [loss] = await buildStep(JSON.parse(process.argv[2])).step().data();
process.stdout.write(`${JSON.stringify({ loss, residentBytes: process.resourceUsage().maxRSS * 1024 })}\n`);
