/** A module's functions as text, one instruction a line, by the names of the specification: for people. */
import { InternalError } from "../../base/errors.ts";
import { opcodes, valueTypes } from "./opcodes.ts";

type Immediates = keyof typeof opcodes;

/** The instruction of a code, with what follows it. */
function instructionOf(code: number): { name: string; immediates: Immediates } | undefined {
  for (const [immediates, table] of Object.entries(opcodes))
    for (const [name, value] of Object.entries(table))
      if (value === code) return { name, immediates: immediates as Immediates };
  return undefined;
}

const typeOf = (code: number): string | undefined =>
  Object.entries(valueTypes).find(([, value]) => value === code)?.[0];

class Reader {
  at = 0;
  private readonly data: DataView;

  constructor(bytes: Uint8Array) {
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  get isDone(): boolean {
    return this.at >= this.data.byteLength;
  }
  byte(): number {
    return this.data.getUint8(this.at++);
  }
  bytes(count: number): Uint8Array {
    this.at += count;
    return new Uint8Array(this.data.buffer, this.data.byteOffset + this.at - count, count);
  }
  unsigned(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
  signed(): number {
    const start = this.at;
    const value = this.unsigned();
    const span = 128 ** (this.at - start);
    return value >= span / 2 ? value - span : value;
  }
  float(bytes: 4 | 8): number {
    this.at += bytes;
    const from = this.at - bytes;
    return bytes === 4 ? this.data.getFloat32(from, true) : this.data.getFloat64(from, true);
  }
  text(): string {
    return new TextDecoder().decode(this.bytes(this.unsigned()));
  }
}

/** All functions of a module that `ModuleBuilder` wrote. */
export function dumpModule(module: Uint8Array): string {
  const bodies: Uint8Array[] = [];
  let names = new Map<number, string>();
  const reader = new Reader(module.subarray(8));
  while (!reader.isDone) {
    const id = reader.byte();
    const section = new Reader(reader.bytes(reader.unsigned()));
    if (id === 10) {
      const count = section.unsigned();
      for (let i = 0; i < count; i++) bodies.push(section.bytes(section.unsigned()));
    } else if (id === 0) names = functionNames(section);
  }
  return bodies.map((body, i) => dumpFunction(names.get(i) ?? `${i}`, body, names)).join("\n");
}

function functionNames(section: Reader): Map<number, string> {
  const names = new Map<number, string>();
  section.text();
  while (!section.isDone) {
    const id = section.byte();
    const part = new Reader(section.bytes(section.unsigned()));
    if (id !== 1) continue;
    const count = part.unsigned();
    for (let i = 0; i < count; i++) names.set(part.unsigned(), part.text());
  }
  return names;
}

function dumpFunction(name: string, body: Uint8Array, names: ReadonlyMap<number, string>): string {
  const reader = new Reader(body);
  const runs = reader.unsigned();
  const locals: string[] = [];
  for (let i = 0; i < runs; i++) locals.push(`${reader.unsigned()} × ${typeOf(reader.byte())}`);
  const lines = [`function "${name}" (locals: ${locals.join(", ")})`];
  let depth = 1;
  while (!reader.isDone) {
    const text = instruction(reader, names);
    if (text === "end" || text === "else") depth--;
    lines.push(`${"  ".repeat(Math.max(depth, 0))}${text}`);
    if (/^(block|loop|if|else)/.test(text)) depth++;
  }
  return lines.join("\n");
}

function instruction(reader: Reader, names: ReadonlyMap<number, string>): string {
  const first = reader.byte();
  let code = first;
  if (first >= 0xfc) {
    const rest = reader.unsigned();
    code = rest > 0xff ? (first << 12) | rest : (first << 8) | rest;
  }
  const known = instructionOf(code);
  if (known === undefined) throw new InternalError(`no instruction has the code ${code.toString(16)}`);
  return [known.name, ...immediatesOf(reader, known.name, known.immediates, names)].join(" ");
}

function immediatesOf(
  reader: Reader,
  name: string,
  immediates: Immediates,
  names: ReadonlyMap<number, string>,
): (string | number)[] {
  switch (immediates) {
    case "plain":
      return [];
    case "memory":
    case "memoryLane": {
      reader.byte();
      const offset = `offset=${reader.unsigned()}`;
      return immediates === "memory" ? [offset] : [offset, reader.byte()];
    }
    case "lane":
      return [reader.byte()];
    case "index": {
      const index = reader.unsigned();
      return [name === "call" ? `"${names.get(index) ?? index}"` : index];
    }
    case "structure": {
      if (name === "end" || name === "else") return [];
      const type = typeOf(reader.byte());
      return type === undefined ? [] : [type];
    }
    case "constant":
      if (name === "f32.const") return [reader.float(4)];
      if (name === "f64.const") return [reader.float(8)];
      if (name === "i32.const" || name === "i64.const") return [reader.signed()];
      return [...reader.bytes(16)];
  }
}
