/** The machine itself as a contender: what WebAssembly code could reach at most on one thread, and what memory gives it. */
import { hashedUniform, sample } from "../data.ts";
import { type Job, serve } from "../serve.ts";
import { bytesMoved } from "../workloads.ts";
import { arithmeticLoop, triadLoop } from "./wasm.ts";

/** Candidates for the number of independent chains: few leave latency unhidden, many spill. */
const CHAINS = [8, 10, 12, 13];
const PASSES = 100_000;
/** The triad's loop takes 16 elements of three arrays at once. */
const ELEMENTS_A_PASS = 16;
const BYTES_A_PASS = 3 * 4 * ELEMENTS_A_PASS;

function peak(fused: boolean): Job | string {
  const loops = CHAINS.map((chains) => arithmeticLoop(chains, fused)).filter((loop) => loop !== null);
  if (loops.length === 0) return "this JavaScript engine has no relaxed SIMD";
  const speeds = loops.map((loop) =>
    Math.max(...Array.from({ length: 20 }, () => speedOf(loop.run, loop.flop))),
  );
  const best = loops[speeds.indexOf(Math.max(...speeds))];
  return {
    check: [],
    flop: best.flop * PASSES,
    run: (iterations) => void best.run(iterations * PASSES),
    release() {},
  };
}

function speedOf(run: (passes: number) => number, flop: number): number {
  const start = performance.now();
  run(PASSES);
  return flop / (performance.now() - start);
}

function triad(elements: number): Job {
  const loop = triadLoop(elements);
  loop.b.set(hashedUniform(1, elements));
  loop.c.set(hashedUniform(2, elements));
  loop.run();
  return {
    check: sample(loop.a),
    run(iterations) {
      for (let i = 0; i < iterations; i++) loop.run();
    },
    release() {},
  };
}

await serve({ framework: "WebAssembly loop", version: process.version, threads: 1 }, (work) => {
  if (work.kind === "peak") return work.isa === "wasm" ? peak(work.fused) : "this one is WebAssembly";
  if (work.kind === "triad") return triad(work.elements);
  const bytes = bytesMoved(work);
  if (bytes === undefined || work.kind === "elementwise") return "the machine's probe has no such work";
  // What memory gives to a loop that moves as much.
  const { run, release } = triad(ELEMENTS_A_PASS * Math.round(bytes / BYTES_A_PASS));
  return { check: [], run, release };
});
