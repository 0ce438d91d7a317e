/** Fingerprints of a model's values. */
import { sha256 } from "#platform";
import { bytesView } from "../base/host-array.ts";
import type { Module } from "../nn/index.ts";
import type { StateTensor } from "../tensor/index.ts";

/**
 * The SHA-256 of all parameters and buffers, as 64 hexadecimal digits: over the stored bytes of each in the order of
 * `stateDict()`. Equal weights, equal digest.
 *
 * @example
 * const digest = await weightsSha256(new Linear(2, 1));
 * digest.length; // 64
 */
export async function weightsSha256(model: Module): Promise<string> {
  const arrays = await Promise.all([...model.stateDict().values()].map((state) => state.toHost()));
  const hash = sha256();
  for (const { data } of arrays) hash.update(bytesView(data));
  return hash.hex();
}

/**
 * The SHA-256 of each state, as 64 hexadecimal digits, over its dtype, shape and stored bytes; read one after the other, so that
 * weights in a mapped file take no second copy. What `save` takes as `leftOut`.
 *
 * @example
 * const digests = await stateDigests(new Linear(2, 1).stateDict());
 * [...digests.keys()]; // ["weight", "bias"]
 */
export async function stateDigests(states: ReadonlyMap<string, StateTensor>): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const [name, state] of states) {
    const { dtype, shape, data } = await state.toHost();
    const head = new TextEncoder().encode(`${dtype} ${shape.join()}\n`);
    digests.set(name, sha256().update(head).update(bytesView(data)).hex());
  }
  return digests;
}
