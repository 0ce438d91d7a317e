/** A fingerprint of a model's values. */
import { sha256 } from "#platform";
import { bytesView } from "../base/host-array.ts";
import type { Module } from "../nn/index.ts";

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
