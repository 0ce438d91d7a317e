/** Machine code as an ELF object file with symbols: `objdump -d`, gdb (`add-symbol-file`) and perf then name our kernels. */
import type { MachineBytes } from "./assembler.ts";

/** Code and the names of its parts. */
export type ElfCode = Omit<MachineBytes, "offsetOf">;

const headerBytes = 64;
const sectionBytes = 64;
const symbolBytes = 24;
const machineX64 = 62;
const sectionNames = ["", ".text", ".symtab", ".strtab", ".shstrtab"] as const;

/** `address`: where the code is loaded, or 0. */
export function elfObject(code: ElfCode, address = 0): Uint8Array {
  const names = stringTable(code.symbols.map(({ name }) => name));
  const sections = stringTable(sectionNames);
  const symbols = symbolTable(code, names.offsets);
  const parts = [code.bytes, symbols, names.bytes, sections.bytes];
  const offsets: number[] = [];
  let end = headerBytes;
  for (const part of parts) {
    offsets.push(end);
    end = (end + part.length + 15) & ~15;
  }
  const file = new Uint8Array(end + sectionBytes * sectionNames.length);
  parts.forEach((part, i) => {
    file.set(part, offsets[i]!);
  });
  const view = new DataView(file.buffer);
  writeHeader(view, end);
  const section = (index: number, fields: Section): void =>
    writeSection(view, end + index * sectionBytes, { ...fields, name: sections.offsets[index]! });
  const place = (i: number): { offset: number; size: number } => ({
    offset: offsets[i]!,
    size: parts[i]!.length,
  });
  section(1, { type: 1, flags: 6, address, ...place(0), align: 64 });
  section(2, { type: 2, link: 3, info: 1, ...place(1), align: 8, entry: symbolBytes });
  section(3, { type: 3, ...place(2), align: 1 });
  section(4, { type: 3, ...place(3), align: 1 });
  return file;
}

function stringTable(names: readonly string[]): { bytes: Uint8Array; offsets: readonly number[] } {
  const encoder = new TextEncoder();
  const offsets: number[] = [];
  const bytes = [0];
  for (const name of names) {
    offsets.push(name === "" ? 0 : bytes.length);
    if (name !== "") bytes.push(...encoder.encode(name), 0);
  }
  return { bytes: Uint8Array.from(bytes), offsets };
}

/** The first entry is empty; ours are global functions of section 1. */
function symbolTable({ symbols }: ElfCode, names: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(symbolBytes * (symbols.length + 1)));
  symbols.forEach(({ start, bytes }, i) => {
    const at = symbolBytes * (i + 1);
    view.setUint32(at, names[i]!, true);
    view.setUint8(at + 4, 0x12);
    view.setUint16(at + 6, 1, true);
    view.setBigUint64(at + 8, BigInt(start), true);
    view.setBigUint64(at + 16, BigInt(bytes), true);
  });
  return new Uint8Array(view.buffer);
}

function writeHeader(view: DataView, sectionsAt: number): void {
  const identity = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1];
  identity.forEach((byte, i) => {
    view.setUint8(i, byte);
  });
  const relocatable = 1;
  view.setUint16(16, relocatable, true);
  view.setUint16(18, machineX64, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(sectionsAt), true);
  view.setUint16(52, headerBytes, true);
  view.setUint16(58, sectionBytes, true);
  view.setUint16(60, sectionNames.length, true);
  view.setUint16(62, sectionNames.length - 1, true);
}

interface Section {
  readonly name?: number;
  readonly type: number;
  readonly flags?: number;
  readonly address?: number;
  readonly offset: number;
  readonly size: number;
  readonly link?: number;
  readonly info?: number;
  readonly align: number;
  readonly entry?: number;
}

function writeSection(view: DataView, at: number, s: Section): void {
  view.setUint32(at, s.name ?? 0, true);
  view.setUint32(at + 4, s.type, true);
  const fields = [s.flags ?? 0, s.address ?? 0, s.offset, s.size];
  fields.forEach((value, i) => {
    view.setBigUint64(at + 8 + 8 * i, BigInt(value), true);
  });
  view.setUint32(at + 40, s.link ?? 0, true);
  view.setUint32(at + 44, s.info ?? 0, true);
  view.setBigUint64(at + 48, BigInt(s.align), true);
  view.setBigUint64(at + 56, BigInt(s.entry ?? 0), true);
}
