/** A growing run of bytes with WebAssembly's encodings: LEB128 integers, little-endian floats, counted strings. */
export class Bytes {
  private data = new Uint8Array(64);
  length = 0;

  private reserve(count: number): void {
    if (this.length + count <= this.data.length) return;
    const grown = new Uint8Array(Math.max(this.data.length * 2, this.length + count));
    grown.set(this.data);
    this.data = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.data[this.length++] = value;
  }
  bytes(values: ArrayLike<number>): void {
    this.reserve(values.length);
    this.data.set(values, this.length);
    this.length += values.length;
  }
  append(other: Bytes): void {
    this.bytes(other.data.subarray(0, other.length));
  }
  /** LEB128 of 0 … 2³² − 1. */
  unsigned(value: number): void {
    this.reserve(5);
    while (value >= 0x80) {
      this.data[this.length++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    this.data[this.length++] = value;
  }
  /** Signed LEB128 of 32 bits. */
  signed(value: number): void {
    this.reserve(5);
    value |= 0;
    for (;;) {
      const low = value & 0x7f;
      value >>= 7;
      const done = (value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0);
      this.data[this.length++] = done ? low : low | 0x80;
      if (done) return;
    }
  }
  /** Signed LEB128 of 64 bits. */
  signed64(value: bigint): void {
    this.reserve(10);
    for (let rest = BigInt.asIntN(64, value); ; ) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      const done = rest === ((low & 0x40) === 0 ? 0n : -1n);
      this.data[this.length++] = done ? low : low | 0x80;
      if (done) return;
    }
  }
  float32(value: number): void {
    scratch.setFloat32(0, value, true);
    this.bytes(new Uint8Array(scratch.buffer, 0, 4));
  }
  float64(value: number): void {
    scratch.setFloat64(0, value, true);
    this.bytes(new Uint8Array(scratch.buffer, 0, 8));
  }
  text(value: string): void {
    const encoded = new TextEncoder().encode(value);
    this.unsigned(encoded.length);
    this.bytes(encoded);
  }
  /** `other` after its length in bytes. */
  counted(other: Bytes): void {
    this.unsigned(other.length);
    this.append(other);
  }
  view(): Uint8Array {
    return this.data.subarray(0, this.length);
  }
}

const scratch = new DataView(new ArrayBuffer(8));
