/**
 * What a worker thread runs, as text: it has no imports, so no bundler can break it. It sleeps until the generation of
 * the control block rises, instantiates the module named there if it has not yet, and calls `run` as its thread.
 */
import { barrierBlock } from "../../codegen/wasm/layout.ts";

/**
 * The control block, as i32 words. It lies in the memory that all threads share.
 *
 *      0  generation: raised for each run
 *      1  workers that sleep
 *      2  workers that have started
 *      3  the module's number
 *      4  address and
 *      5  length of its bytes
 *      6  address of the run's argument block
 *      7  length of the text of an error
 *     16  for each thread, the generation from which on it takes part (0: not yet)
 */
export const control = {
  generation: 0,
  sleepers: 1,
  started: 2,
  module: 3,
  bytesAddress: 4,
  bytesLength: 5,
  block: 6,
  errorLength: 7,
  admitted: 16,
} as const;

export const controlWords = 128;
export const maxThreads = controlWords - control.admitted;
/** UTF-16 units kept of a worker's error. */
export const errorUnits = 4096;
export const errorOffset = controlWords * 4;
/** After the words and the text: the barrier block of `codegen/wasm/layout.ts`. */
export const barrierStart = errorOffset + errorUnits * 2;
export const controlBytes = barrierStart + barrierBlock.bytes;

/** How often a worker looks before it sleeps: some tens of microseconds. */
const spins = 5000;

/** `die` leaves the error's text, marks the run as dead and wakes who waits for this thread. */
export const workerSource = `
const { memory, address } = data;
const words = new Int32Array(memory.buffer, address, ${controlWords});
const entries = new Map();

const started = Atomics.load(words, ${control.generation});
const thread = Atomics.add(words, ${control.started}, 1) + 1;

function waitForMore(generation) {
  for (let left = ${spins}; left > 0; left--)
    if (Atomics.load(words, ${control.generation}) !== generation) return;
  Atomics.add(words, ${control.sleepers}, 1);
  Atomics.wait(words, ${control.generation}, generation);
  Atomics.sub(words, ${control.sleepers}, 1);
}

function bytesAt(start, length) {
  if (start + length > memory.buffer.byteLength) memory.grow(0);
  return new Uint8Array(memory.buffer, start, length).slice();
}

function entryOf(number) {
  let entry = entries.get(number);
  if (entry === undefined) {
    const bytes = bytesAt(words[${control.bytesAddress}] >>> 0, words[${control.bytesLength}]);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { netwright: { memory } });
    entry = instance.exports.run;
    entries.set(number, entry);
  }
  return entry;
}

function die(error) {
  const text = String((error && error.stack) || error).slice(0, ${errorUnits});
  const units = new Uint16Array(memory.buffer, address + ${errorOffset}, ${errorUnits});
  for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
  Atomics.store(words, ${control.errorLength}, text.length);
  const barrier = new Int32Array(memory.buffer, address + ${barrierStart}, ${barrierBlock.bytes / 4});
  Atomics.store(barrier, ${barrierBlock.died / 4}, 1);
  Atomics.notify(barrier, ${barrierBlock.generation / 4});
}

let generation = started;
while (Atomics.load(words, ${control.admitted} + thread) === 0) {
  waitForMore(generation);
  generation = Atomics.load(words, ${control.generation});
}
generation = Atomics.load(words, ${control.admitted} + thread) - 1;
for (;;) {
  while (Atomics.load(words, ${control.generation}) === generation) waitForMore(generation);
  generation = (generation + 1) | 0;
  const block = words[${control.block}] >>> 0;
  try {
    entryOf(words[${control.module}])(block, thread);
  } catch (error) {
    die(error);
    throw error;
  }
}
`;
