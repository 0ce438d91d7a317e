/** A fresh process's way to its first training step in TensorFlow.js. */
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-wasm";
import { buildStep } from "./mlp.mjs";

await tf.setBackend("wasm");
const loss = buildStep(JSON.parse(process.argv[2]))().dataSync()[0];
process.stdout.write(`${JSON.stringify({ loss, residentBytes: process.resourceUsage().maxRSS * 1024 })}\n`);
