/**
 * The few kinds of protobuf fields that events are made of. A message is its fields, one after another; integers and doubles of
 * value 0 are left out, as proto3 does.
 */
import { joinBytes } from "../../base/join-bytes.ts";

/** A field's number, and how its value is written (the wire type). */
const key = (field: number, wireType: 0 | 1 | 2 | 5): Uint8Array => varint(field * 8 + wireType);

/** Seven bits a byte, the lowest first; integers of 0 to 2⁵³ − 1. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...bytes, rest]);
}

const nothing = new Uint8Array(0);

export const integer = (field: number, value: number): Uint8Array =>
  value === 0 ? nothing : joinBytes([key(field, 0), varint(value)]);

export const double = (field: number, value: number): Uint8Array =>
  value === 0 ? nothing : joinBytes([key(field, 1), new Uint8Array(Float64Array.of(value).buffer)]);

/** Written also where it is 0: one of several values that a point may have. */
export const float = (field: number, value: number): Uint8Array =>
  joinBytes([key(field, 5), new Uint8Array(Float32Array.of(value).buffer)]);

export const bytes = (field: number, value: Uint8Array): Uint8Array =>
  joinBytes([key(field, 2), varint(value.length), value]);

export const text = (field: number, value: string): Uint8Array =>
  bytes(field, new TextEncoder().encode(value));

export const message = (field: number, ...fields: readonly Uint8Array[]): Uint8Array =>
  bytes(field, joinBytes(fields));

export const doubles = (field: number, values: readonly number[]): Uint8Array =>
  bytes(field, new Uint8Array(Float64Array.from(values).buffer));
