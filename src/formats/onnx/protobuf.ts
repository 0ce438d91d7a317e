/**
 * Protocol Buffers' wire format: fields are a varint (number · 8 + wire type) and a value. Enough of it for ONNX.
 *
 * https://protobuf.dev/programming-guides/encoding
 */
import { FormatError } from "../../base/errors.ts";

/** What a field holds: a varint, 32 or 64 bits as they stand there, or bytes. */
export type FieldValue = bigint | Uint8Array;

/** The fields of a message, by number, in the order in which they stand there. */
export class Message {
  private readonly file: string;
  private what: string;
  private readonly fields: ReadonlyMap<number, readonly FieldValue[]>;

  constructor(file: string, bytes: Uint8Array, what: string) {
    this.file = file;
    this.what = what;
    this.fields = fieldsOf(file, bytes, what);
  }

  /** What errors call it from now on. */
  named(what: string): this {
    this.what = what;
    return this;
  }

  fail(problem: string): FormatError {
    return new FormatError(`"${this.file}" is not a valid ONNX file: ${this.what}: ${problem}`);
  }

  /** All values of a field whose type is bytes: strings, messages, packed numbers. */
  bytes(field: number): Uint8Array[] {
    return this.values(field).map((value) => {
      if (typeof value === "bigint") throw this.fail(`field ${field} is a number, where bytes are expected`);
      return value;
    });
  }

  string(field: number): string {
    const [value] = this.bytes(field).slice(-1);
    return value === undefined ? "" : utf8(value);
  }

  strings(field: number): string[] {
    return this.bytes(field).map(utf8);
  }

  messages(field: number, what: string): Message[] {
    return this.bytes(field).map((value) => new Message(this.file, value, what));
  }

  message(field: number, what: string): Message | undefined {
    return this.messages(field, what).at(-1);
  }

  has(field: number): boolean {
    return this.fields.has(field);
  }

  /** The last varint of a field. */
  integer(field: number): bigint {
    const value = this.values(field).at(-1) ?? 0n;
    if (typeof value !== "bigint") throw this.fail(`field ${field} is bytes, where a number is expected`);
    return BigInt.asIntN(64, value);
  }

  /** All varints of a field, packed or one by one. */
  integers(field: number): bigint[] {
    return this.values(field).flatMap((value) => {
      if (typeof value === "bigint") return [BigInt.asIntN(64, value)];
      const reader = new Reader(this.file, value, this.what);
      const found: bigint[] = [];
      while (!reader.isAtEnd) found.push(BigInt.asIntN(64, reader.varint()));
      return found;
    });
  }

  /** All f32 or f64 of a field, packed or one by one. */
  floats(field: number, bytesEach: 4 | 8): Float64Array {
    const parts = this.values(field).map((value) => {
      if (typeof value === "bigint") return floatsOf(littleEndian(value, bytesEach), bytesEach);
      if (value.length % bytesEach !== 0)
        throw this.fail(`field ${field} has ${value.length} bytes, no multiple of ${bytesEach}`);
      return floatsOf(value, bytesEach);
    });
    const all = new Float64Array(parts.reduce((total, part) => total + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  private values(field: number): readonly FieldValue[] {
    return this.fields.get(field) ?? [];
  }
}

const utf8 = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function littleEndian(value: bigint, bytes: 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt.asUintN(64, value), true);
  return new Uint8Array(view.buffer, 0, bytes);
}

function floatsOf(bytes: Uint8Array, bytesEach: 4 | 8): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Float64Array.from({ length: bytes.length / bytesEach }, (_, i) =>
    bytesEach === 4 ? view.getFloat32(4 * i, true) : view.getFloat64(8 * i, true),
  );
}

function fieldsOf(file: string, bytes: Uint8Array, what: string): Map<number, FieldValue[]> {
  const reader = new Reader(file, bytes, what);
  const fields = new Map<number, FieldValue[]>();
  while (!reader.isAtEnd) {
    const tag = reader.varint();
    const field = Number(tag >> 3n);
    const value = reader.value(Number(tag & 7n));
    const known = fields.get(field);
    if (known === undefined) fields.set(field, [value]);
    else known.push(value);
  }
  return fields;
}

class Reader {
  private readonly file: string;
  private readonly what: string;
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(file: string, bytes: Uint8Array, what: string) {
    this.file = file;
    this.bytes = bytes;
    this.what = what;
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  varint(): bigint {
    let low = 0;
    // Four groups of 7 bits fit a number's bits; few fields are longer.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      low |= (byte & 127) << shift;
      if (byte < 128) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw this.fail("a number has more than 10 bytes");
  }

  value(wireType: number): FieldValue {
    if (wireType === 0) return this.varint();
    if (wireType === 1) return this.fixed(8);
    if (wireType === 5) return this.fixed(4);
    if (wireType !== 2) throw this.fail(`wire type ${wireType} is none of Protocol Buffers'`);
    const length = this.varint();
    if (length > BigInt(this.bytes.length - this.at)) throw this.fail(`${length} bytes reach over its end`);
    return this.take(Number(length));
  }

  private fixed(count: 4 | 8): bigint {
    const part = this.take(count);
    const view = new DataView(part.buffer, part.byteOffset, count);
    return count === 4 ? BigInt(view.getUint32(0, true)) : view.getBigUint64(0, true);
  }

  private byte(): number {
    return this.take(1)[0]!;
  }

  private take(count: number): Uint8Array {
    if (this.at + count > this.bytes.length) throw this.fail("it ends in the middle of a field");
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  private fail(problem: string): FormatError {
    return new FormatError(
      `"${this.file}" is not a valid ONNX file: ${this.what}: ${problem}; it is cut short, damaged, or of another format`,
    );
  }
}

/** A message as it is written: pieces of bytes, so that large arrays are not copied. */
export class MessageWriter {
  readonly pieces: Uint8Array[] = [];
  byteLength = 0;

  integer(field: number, value: number | bigint): this {
    return this.tag(field, 0).varint(BigInt(value));
  }

  float(field: number, value: number): this {
    const view = new DataView(new ArrayBuffer(4));
    view.setFloat32(0, value, true);
    return this.tag(field, 5).push(new Uint8Array(view.buffer));
  }

  string(field: number, text: string): this {
    return this.bytes(field, new TextEncoder().encode(text));
  }

  bytes(field: number, bytes: Uint8Array): this {
    return this.tag(field, 2).varint(BigInt(bytes.length)).push(bytes);
  }

  integers(field: number, values: readonly number[]): this {
    for (const value of values) this.integer(field, value);
    return this;
  }

  message(field: number, write: (message: MessageWriter) => void): this {
    const inner = new MessageWriter();
    write(inner);
    this.tag(field, 2).varint(BigInt(inner.byteLength));
    for (const piece of inner.pieces) this.push(piece);
    return this;
  }

  private tag(field: number, wireType: number): this {
    return this.varint(BigInt(field * 8 + wireType));
  }

  private varint(value: bigint): this {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, value);
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    return this.push(Uint8Array.of(...bytes, Number(rest)));
  }

  private push(bytes: Uint8Array): this {
    this.pieces.push(bytes);
    this.byteLength += bytes.length;
    return this;
  }
}
